// How long the first result takes, and each one after it.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "bundle.h"
#include "model.h"

namespace mobilenet {

using Clock = std::chrono::steady_clock;

inline double Milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

// How long each step to the first result took.
class ColdStart {
 public:
  ColdStart() {
    if (const char* started = std::getenv("MOBILENET_STARTED")) {
      auto now = std::chrono::system_clock::now().time_since_epoch();
      auto then = std::chrono::nanoseconds(std::strtoll(started, nullptr, 10));
      steps_.emplace_back("to main()", Milliseconds(now - then));
    }
  }

  void Done(const char* step) {
    auto now = Clock::now();
    steps_.emplace_back(step, Milliseconds(now - last_));
    last_ = now;
  }

  void Print() const {
    double sum = 0;
    for (const auto& [step, time] : steps_) sum += time;
    std::printf("first result after %.2f ms:", sum);
    for (const auto& [step, time] : steps_) std::printf(" %s %.2f", step, time);
    std::printf("\n");
  }

 private:
  std::vector<std::pair<const char*, double>> steps_;
  Clock::time_point last_ = Clock::now();
};

inline double Percentile(const std::vector<double>& sorted, double share) {
  double place = share * (sorted.size() - 1);
  size_t below = place, above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

// Times inferences alone: neither what the input costs nor the output.
inline void Bench(Model& model, int batch, int count, const std::string& file) {
  auto time = [&model] {
    auto start = Clock::now();
    model.Run();
    return Milliseconds(Clock::now() - start);
  };
  auto end = Clock::now() + std::chrono::milliseconds(500);
  for (int runs = 0; runs < 3 || Clock::now() < end; ++runs) time();
  std::vector<double> samples(count);
  for (double& sample : samples) sample = time();
  if (!file.empty()) {
    std::ofstream stream(file);
    for (double sample : samples) stream << sample << "\n";
    if (!stream.flush()) throw Refusal(file + ": cannot be written; name another file");
  }
  std::sort(samples.begin(), samples.end());
  std::printf("median %.3f ms, p90 %.3f ms, min %.3f ms of %d inferences\n",
              Percentile(samples, 0.5), Percentile(samples, 0.9), samples[0], count);
  if (batch > 1) {
    std::printf("batches of %d, %.1f images a second\n", batch,
                1000 * batch / Percentile(samples, 0.5));
  }
}

}  // namespace mobilenet
