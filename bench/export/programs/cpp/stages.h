// How long each stage from a picture's file to an answer takes, and all of them timed as one.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

#include "frame.h"
#include "sums.h"
#include "timing.h"

namespace mobilenet {

constexpr int kMostAgain = 5;  // times as often stages are timed until they agree

// Prints how long stages take, in `count` repetitions and up to five times as many until they agree
// with the whole; returns whether they do.
inline bool TimeStages(const std::vector<Stage>& stages, const std::function<Frames()>& begin,
                       int count) {
  std::vector<Taken> apart, whole;
  Frames first = begin();
  RunAll(first, stages);  // once before: what is loaded late is loaded
  Summary found{};
  for (int64_t repetition = 1; repetition <= int64_t{kMostAgain} * count; ++repetition) {
    for (int turn : {0, 1}) {
      Frames frames = begin();
      if ((turn + repetition) % 2) {
        Taken taken;
        for (const Stage& stage : stages) {
          auto start = Clock::now();
          stage.run(frames);
          taken.push_back(Milliseconds(Clock::now() - start));
        }
        apart.push_back(taken);
      } else {
        auto start = Clock::now();
        RunAll(frames, stages);
        whole.push_back({Milliseconds(Clock::now() - start)});
      }
    }
    if (repetition % count == 0 && (found = Summed(apart, whole)).Agrees()) break;
  }
  for (size_t index = 0; index < stages.size(); ++index) {
    double taken = found.stages[index];
    std::printf("%-10s %9.3f ms  %5.1f %%\n", stages[index].name, taken, 100 * taken / found.sum);
  }
  std::printf("%-10s %9.3f ms\n", "sum", found.sum);
  std::printf("%-10s %9.3f ms, timed as one: %.1f %% apart, %s %g %%\n", "whole", found.whole,
              found.apart, found.Agrees() ? "within" : "BEYOND", kApart);
  if (first.size() > 1) {
    std::printf("batches of %zu, %.1f images a second\n", first.size(),
                1000 * first.size() / found.whole);
  }
  return found.Agrees();
}

}  // namespace mobilenet
