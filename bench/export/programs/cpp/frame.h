// A picture on its way from a file to an answer, one stage after the other.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "answer.h"
#include "boxes.h"
#include "bundle.h"
#include "mask.h"
#include "model.h"
#include "picture.h"
#include "refusal.h"
#include "resize.h"

namespace mobilenet {

constexpr int kBest = 5;  // classes or boxes that are told

// Runs on what was written to the model's input; returns the outputs that the manifest promises.
inline std::vector<ffi::Tensor> Infer(Model& model, const Bundle& bundle) {
  model.Feed();
  model.Run();
  std::vector<ffi::Tensor> outputs = model.Outputs();
  bool same = outputs.size() == bundle.outputs.size();
  for (size_t index = 0; same && index < outputs.size(); ++index) {
    ffi::ShapeView shape = outputs[index].shape();
    same = std::vector<int64_t>(shape.begin(), shape.end()) == bundle.outputs[index].shape;
  }
  if (!same) throw Refusal("libmodel.so: its outputs are not the manifest's; get the bundle again");
  return outputs;
}

// Returns planes as the channels of each pixel.
inline std::vector<float> Interleaved(const std::vector<float>& planes, size_t channels) {
  size_t pixels = planes.size() / channels;
  std::vector<float> found(planes.size());
  for (size_t index = 0; index < planes.size(); ++index) {
    found[index % pixels * channels + index / pixels] = planes[index];
  }
  return found;
}

class Frame {
 public:
  // Raises Refusal for a network that sees no pictures.
  Frame(const std::string& path, const Bundle& bundle, const std::vector<float>& anchors)
      : path_(path), bundle_(bundle), anchors_(anchors) {
    if (!bundle.sees) {
      throw Refusal(path + ": what the network takes is no picture, or what it puts out no classes; "
                           "use cpp/model.h");
    }
    size_t channels = bundle.mean.size();
    if (channels != 1 && channels != 3 && channels != 4) {
      throw Refusal(path + ": the network takes " + std::to_string(channels) +
                    " channels, and pictures have 1, 3 or 4; use cpp/model.h");
    }
    int height = bundle.height, width = bundle.width;
    view_ = {bundle.task, width, height, bundle.resize, bundle.mean, bundle.deviation};
  }

  void Decode() {
    picture_ = ReadPicture(path_, bundle_.mean.size());
    width_ = picture_.width, height_ = picture_.height;
  }

  void Resize() { seen_ = mobilenet::Resize(std::move(picture_), view_); }

  // Makes the bytes of what the network is given: of floats, or pixels as they are.
  void Normalise() {
    size_t channels = view_.mean.size(), values = channels * view_.height * view_.width;
    if (bundle_.input.pixels) {
      input_.resize(values);
      auto* to = reinterpret_cast<uint8_t*>(&input_[0]);
      return mobilenet::Normalise(path_, seen_, view_, AsPixels{view_, to});
    }
    std::vector<float> floats(values);
    mobilenet::Normalise(path_, seen_, view_, AsFloats{view_, floats.data()});
    if (bundle_.last) floats = Interleaved(floats, channels);
    input_.assign(reinterpret_cast<const char*>(floats.data()), values * sizeof(float));
  }

  void Give(Model& model) { std::memcpy(model.Input(), input_.data(), input_.size()); }

  void Infer(Model& model) { outputs_ = mobilenet::Infer(model, bundle_); }

  void TopK() { found_ = Classify(Logits(), outputs_.back().size(1), bundle_.probabilities); }

  void Boxes() {
    const auto* codes = static_cast<const float*>(outputs_.front().data_ptr());
    const ffi::Tensor& last = outputs_.back();
    likely_ = LikelyBoxes(codes, Logits(), anchors_.data(), last.size(1), last.size(2));
  }

  void Suppress() {
    found_ = mobilenet::Boxes(mobilenet::Suppress(std::move(likely_), kBest));
  }

  void Label() {
    const ffi::Tensor& last = outputs_.back();
    int classes = last.size(1);
    mask_ = mobilenet::Label(Logits(), classes, last.size(2), last.size(3));
    found_ = Covered(mask_.labels, std::max(2, classes));
  }

  void Enlarge() { mask_ = Enlarged(mask_, seen_.width, seen_.height, width_, height_); }

  const std::string& Input() const { return input_; }
  const std::vector<ffi::Tensor>& Outputs() const { return outputs_; }
  const std::vector<Found>& Answer() const { return found_; }
  const Mask& OwnMask() const { return mask_; }  // of the picture's size, once it was enlarged

 private:
  const float* Logits() const { return static_cast<const float*>(outputs_.back().data_ptr()); }

  std::string path_;
  const Bundle& bundle_;
  const std::vector<float>& anchors_;
  View view_;
  Picture picture_;
  int width_ = 0, height_ = 0;  // of the picture
  Seen seen_;
  std::string input_;
  std::vector<ffi::Tensor> outputs_;
  std::vector<Detection> likely_;
  Mask mask_;
  std::vector<Found> found_;
};

struct Stage {
  const char* name;
  std::function<void(Frame&)> run;
};

// What makes the input, which no model is needed for.
inline std::vector<Stage> StagesBefore() {
  return {{"decode", [](Frame& frame) { frame.Decode(); }},
          {"resize", [](Frame& frame) { frame.Resize(); }},
          {"normalise", [](Frame& frame) { frame.Normalise(); }}};
}

// What follows the inference. The mask of a segmenter is enlarged if somebody wants it.
inline std::vector<Stage> StagesAfter(const std::string& task, bool mask) {
  if (task == "detect") {
    return {{"boxes", [](Frame& frame) { frame.Boxes(); }},
            {"suppress", [](Frame& frame) { frame.Suppress(); }}};
  }
  if (task != "segment") return {{"top-k", [](Frame& frame) { frame.TopK(); }}};
  std::vector<Stage> stages{{"label", [](Frame& frame) { frame.Label(); }}};
  if (mask) stages.push_back({"mask", [](Frame& frame) { frame.Enlarge(); }});
  return stages;
}

inline void RunAll(Frame& frame, const std::vector<Stage>& stages) {
  for (const Stage& stage : stages) stage.run(frame);
}

}  // namespace mobilenet
