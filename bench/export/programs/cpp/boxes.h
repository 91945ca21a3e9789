// From what a detector says of its anchors to boxes.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace mobilenet {

constexpr double kShown = 0.3;    // lowest score of a detection, as TensorFlow's exported ones have it
constexpr double kOverlap = 0.6;  // of two boxes of a class; the better one is kept

// ymin, xmin, ymax, xmax, in shares of the picture's sides.
struct Box {
  float low[2], high[2];

  double Area() const { return (double{high[0]} - low[0]) * (double{high[1]} - low[1]); }
};

struct Detection {
  double score;
  int index;  // of the class
  Box box;
};

// Returns the intersection of two boxes over their union.
inline double Overlap(const Box& one, const Box& other) {
  double shared = 1;
  for (int axis : {0, 1}) {
    double end = std::min(one.high[axis], other.high[axis]);
    shared *= std::max(0.0, end - std::max(one.low[axis], other.low[axis]));
  }
  return shared > 0 ? shared / (one.Area() + other.Area() - shared) : 0;
}

// Boxes are coded as in Faster R-CNN (arXiv 1506.01497, equation 2), times 10 and 5.
inline Box Decode(const float* code, const float* anchor) {
  Box box;
  for (int axis : {0, 1}) {
    float side = anchor[axis + 2] - anchor[axis];
    float centre = anchor[axis] + side / 2 + code[axis] / 10 * side;
    side *= std::exp(std::min(code[axis + 2] / 5, 80.0f));
    box.low[axis] = centre - side / 2;
    box.high[axis] = centre + side / 2;
  }
  return box;
}

// Returns what is likely enough to be shown, with its boxes. Codes and anchors are (anchors, 4), logits
// (anchors, classes), the first class being the background; classes are independent of each other:
// sigmoid.
inline std::vector<Detection> LikelyBoxes(const float* codes, const float* logits,
                                          const float* anchors, int64_t places, int classes) {
  std::vector<Detection> likely;
  for (int64_t place = 0; place < places; ++place, logits += classes) {
    for (int index = 1; index < classes; ++index) {
      double score = 1 / (1 + std::exp(-double{logits[index]}));
      if (!(score > kShown)) continue;  // what is no number neither
      likely.push_back({score, index, Decode(codes + 4 * place, anchors + 4 * place)});
    }
  }
  return likely;
}

// Returns the `count` best boxes, suppressed class by class.
inline std::vector<Detection> Suppress(std::vector<Detection> likely, size_t count) {
  auto better = [](const Detection& one, const Detection& other) {
    return one.score > other.score;
  };
  std::stable_sort(likely.begin(), likely.end(), better);
  std::vector<Detection> kept, found;
  for (const Detection& one : likely) {
    if (found.size() == count) break;
    auto covered = [&](const Detection& other) {
      return other.index == one.index && Overlap(one.box, other.box) > kOverlap;
    };
    if (std::any_of(kept.begin(), kept.end(), covered)) continue;
    kept.push_back(one);
    Detection inside = one;
    for (float* side : {inside.box.low, inside.box.high}) {
      for (int axis : {0, 1}) side[axis] = std::min(1.0f, std::max(0.0f, side[axis]));
    }
    // It may lie outside the picture.
    if (inside.box.high[0] > inside.box.low[0] && inside.box.high[1] > inside.box.low[1]) {
      found.push_back(inside);
    }
  }
  return found;
}

// Returns the `count` best boxes of a detector's outputs; see LikelyBoxes for what is given.
inline std::vector<Detection> FindBoxes(const float* codes, const float* logits,
                                        const float* anchors, int64_t places, int classes,
                                        size_t count) {
  return Suppress(LikelyBoxes(codes, logits, anchors, places, classes), count);
}

}  // namespace mobilenet
