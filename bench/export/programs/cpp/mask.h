// From a segmenter's logits to the class of each pixel of the picture.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "refusal.h"

namespace mobilenet {

// The class of each pixel, row by row.
struct Mask {
  int width = 0, height = 0;
  std::vector<int> labels;
};

// Returns the class of each pixel of logits (classes, height, width), the first of equal ones. Of a
// single logit, class 1 is where it is above 0.
inline Mask Label(const float* logits, int classes, int height, int width) {
  size_t pixels = size_t(height) * width;
  Mask mask{width, height, std::vector<int>(pixels)};
  std::vector<float> best(pixels, 0.0f);
  if (classes > 1) best.assign(logits, logits + pixels);
  for (int index = 1; index < std::max(2, classes); ++index) {
    const float* map = classes > 1 ? logits + index * pixels : logits;
    for (size_t pixel = 0; pixel < pixels; ++pixel) {
      if (map[pixel] > best[pixel]) best[pixel] = map[pixel], mask.labels[pixel] = index;
    }
  }
  return mask;
}

// Returns the mask of a picture of this size, which is `shown_width` x `shown_height` in the upper left
// corner of what the network sees: the nearest label each, with corners aligned.
inline Mask Enlarged(const Mask& from, int shown_width, int shown_height, int width, int height) {
  auto places = [](int source, int size) {
    std::vector<int> nearest(size);
    for (int at = 0; at < size; ++at) {
      nearest[at] = std::floor(double(at) * (source - 1) / std::max(size - 1, 1) + 0.5);
    }
    return nearest;
  };
  std::vector<int> columns = places(shown_width, width), rows = places(shown_height, height);
  Mask to{width, height, std::vector<int>(size_t(width) * height)};
  for (int y = 0; y < height; ++y) {
    const int* source = &from.labels[size_t(rows[y]) * from.width];
    int* row = &to.labels[size_t(y) * width];
    for (int x = 0; x < width; ++x) row[x] = source[columns[x]];
  }
  return to;
}

// Writes the class of each pixel as a grey value: binary PGM.
inline void Save(const Mask& mask, const std::string& path) {
  int most = *std::max_element(mask.labels.begin(), mask.labels.end());
  if (most > 255) {
    throw Refusal("--save-mask: class " + std::to_string(most) + " is no grey value; leave it out");
  }
  std::ofstream file(path, std::ios::binary);
  file << "P5\n" << mask.width << " " << mask.height << "\n255\n";
  for (int label : mask.labels) file.put(static_cast<char>(label));
  if (!file.flush()) throw Refusal(path + ": cannot be written; name another file");
}

}  // namespace mobilenet
