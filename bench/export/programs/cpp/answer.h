// What a network's outputs say, as a few lines for people.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "boxes.h"

namespace mobilenet {

// Names of classes by their indices, one a line of the file.
inline std::vector<std::string> ReadLabels(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> labels;
  for (std::string line; std::getline(file, line);) labels.push_back(line);
  return labels;
}

// What was found, and how sure that is or how large.
struct Found {
  float share;
  int index;  // of the class
  std::string where;
};

inline void Print(const std::vector<Found>& all, const std::vector<std::string>& labels) {
  for (const Found& one : all) {
    bool named = one.index < static_cast<int>(labels.size());
    std::string what = (named ? " " + labels[one.index] : "") + one.where;
    std::printf("%7.2f %%  %3d%s\n", 100 * one.share, one.index, what.c_str());
  }
}

// Returns the best, the first of equal ones first.
inline std::vector<Found> Best(std::vector<Found> all, size_t count) {
  auto better = [](const Found& one, const Found& other) { return one.share > other.share; };
  std::stable_sort(all.begin(), all.end(), better);
  all.resize(std::min(all.size(), count));
  return all;
}

// Returns the five best classes of logits, with their probabilities; of a single logit, class 1 is
// where it is above 0. A network may have made probabilities of them: of a single one, class 1 is
// where it is above 0.5.
inline std::vector<Found> Classify(const float* logits, int classes, bool probabilities = false) {
  if (classes == 1) {
    const float two[] = {probabilities ? 1 - logits[0] : 0, logits[0]};
    return Classify(two, 2, probabilities);
  }
  float largest = *std::max_element(logits, logits + classes);
  std::vector<Found> all;
  float sum = 0;
  for (int index = 0; index < classes; ++index) {
    float share = probabilities ? logits[index] : std::exp(logits[index] - largest);
    all.push_back({share, index, ""});
    sum += all.back().share;
  }
  for (Found& one : all) one.share /= probabilities ? 1 : sum;
  return Best(all, 5);
}

// Returns boxes as they are printed.
inline std::vector<Found> Boxes(const std::vector<Detection>& detections) {
  std::vector<Found> all;
  for (const Detection& one : detections) {
    char where[48];
    std::snprintf(where, sizeof(where), "  %.3f %.3f %.3f %.3f", one.box.low[0], one.box.low[1],
                  one.box.high[0], one.box.high[1]);
    all.push_back({static_cast<float>(one.score), one.index, where});
  }
  return all;
}

// Returns the classes of labels that at least a thousandth of the pixels has.
inline std::vector<Found> Covered(const std::vector<int>& labels, int classes) {
  std::vector<Found> all;
  for (int index = 0; index < classes; ++index) all.push_back({0, index, " of the pixels"});
  std::vector<int> counts(classes);
  for (int index : labels) ++counts[index];
  for (Found& one : all) one.share = static_cast<double>(counts[one.index]) / labels.size();
  auto small = [](const Found& one) { return one.share < 0.001f; };
  all.erase(std::remove_if(all.begin(), all.end(), small), all.end());
  return Best(all, all.size());
}

}  // namespace mobilenet
