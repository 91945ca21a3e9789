// Whether a network's outputs are those that were stored when it was exported.

#pragma once

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "bundle.h"
#include "model.h"

namespace mobilenet {

// Returns |output - reference| / |reference|. The file has each `stride`-th row and column.
inline double RelativeError(const ffi::Tensor& output, const std::string& path, int stride) {
  ffi::ShapeView shape = output.shape();
  bool image = shape.size() == 4;
  int64_t width = image ? shape[3] : 1, height = image ? shape[2] : 1;
  std::vector<float> kept;
  const auto* floats = static_cast<const float*>(output.data_ptr());
  for (int64_t index = 0; index < output.numel(); ++index) {
    if (index % width % stride == 0 && index / width % height % stride == 0) {
      kept.push_back(floats[index]);
    }
  }
  std::vector<float> reference(kept.size());
  ReadFloats(path, reference.data(), reference.size());
  double wrong = 0, all = 0;
  for (size_t index = 0; index < kept.size(); ++index) {
    wrong += std::pow(double{kept[index]} - reference[index], 2);
    all += std::pow(double{reference[index]}, 2);
  }
  return wrong == 0 ? 0 : std::sqrt(wrong / all);
}

inline bool Check(const std::vector<ffi::Tensor>& outputs, const Bundle& bundle,
                  const std::vector<std::string>& references) {
  bool right = true;
  for (size_t index = 0; index < outputs.size(); ++index) {
    const Port& port = bundle.outputs[index];
    double error = RelativeError(outputs[index], references[index], port.stride);
    bool good = error <= bundle.tolerance;  // not, if it is no number
    std::printf("%s: relative L2 error %.2g, %s the tolerance of %.2g\n", port.name.c_str(), error,
                good ? "within" : "BEYOND", bundle.tolerance);
    right = right && good;
  }
  return right;
}

}  // namespace mobilenet
