// What is told of the times of stages: means that add up, and how far they are from the whole.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace mobilenet {

constexpr double kApart = 3;  // percent that the sum of all stages may be from the whole

using Taken = std::vector<double>;  // milliseconds of the stages of one repetition

// Returns the mean of each stage over the middle half of repetitions, ranked by their sums: as robust
// as a median, and what it says of stages adds up to what it says of their sum.
inline Taken Middle(std::vector<Taken> repetitions) {
  auto sum = [](const Taken& one) { return std::accumulate(one.begin(), one.end(), 0.0); };
  std::stable_sort(repetitions.begin(), repetitions.end(),
                   [&](const Taken& one, const Taken& other) { return sum(one) < sum(other); });
  size_t left_out = repetitions.size() / 4, kept = repetitions.size() - 2 * left_out;
  Taken means(repetitions[0].size());
  for (size_t index = left_out; index < left_out + kept; ++index) {
    for (size_t stage = 0; stage < means.size(); ++stage) {
      means[stage] += repetitions[index][stage] / kept;
    }
  }
  return means;
}

struct Summary {
  Taken stages;
  double sum = 0, whole = 0, apart = 0;  // milliseconds, milliseconds, percent

  bool Agrees() const { return apart <= kApart; }
};

inline Summary Summed(const std::vector<Taken>& apart, const std::vector<Taken>& whole) {
  Summary found;
  found.stages = Middle(apart), found.whole = Middle(whole)[0];
  found.sum = std::accumulate(found.stages.begin(), found.stages.end(), 0.0);
  found.apart = 100 * std::abs(found.sum - found.whole) / found.whole;
  return found;
}

}  // namespace mobilenet
