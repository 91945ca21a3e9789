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

  // Takes the outputs of a batch, in which this picture has a place.
  void Take(std::vector<ffi::Tensor> outputs, int place) {
    outputs_ = std::move(outputs), place_ = place;
  }

  void TopK() { found_ = Classify(Logits(), outputs_.back().size(1), bundle_.probabilities); }

  void Boxes() {
    const float* codes = Own(outputs_.front());
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

  const std::string& Path() const { return path_; }
  const std::string& Input() const { return input_; }
  const std::vector<Found>& Answer() const { return found_; }
  const Mask& OwnMask() const { return mask_; }  // of the picture's size, once it was enlarged

 private:
  // What the network said of this picture.
  const float* Own(const ffi::Tensor& output) const {
    return static_cast<const float*>(output.data_ptr()) + output.numel() / bundle_.batch * place_;
  }

  const float* Logits() const { return Own(outputs_.back()); }

  std::string path_;
  const Bundle& bundle_;
  const std::vector<float>& anchors_;
  View view_;
  Picture picture_;
  int width_ = 0, height_ = 0;  // of the picture
  Seen seen_;
  std::string input_;
  std::vector<ffi::Tensor> outputs_;
  int place_ = 0;  // in the batch
  std::vector<Detection> likely_;
  Mask mask_;
  std::vector<Found> found_;
};

using Frames = std::vector<Frame>;  // a batch, or less

struct Stage {
  const char* name;
  std::function<void(Frames&)> run;
};

inline Stage Each(const char* name, void (Frame::*step)()) {
  return {name, [step](Frames& frames) {
            for (Frame& frame : frames) (frame.*step)();
          }};
}

// Hands pictures to the model; the last one fills up the rest of a batch.
inline void Give(const Frames& frames, Model& model, int batch) {
  auto* to = reinterpret_cast<char*>(model.Input());
  for (int place = 0; place < batch; ++place) {
    const std::string& input = frames[std::min<size_t>(place, frames.size() - 1)].Input();
    to = std::copy(input.begin(), input.end(), to);
  }
}

inline void Infer(Frames& frames, Model& model, const Bundle& bundle) {
  std::vector<ffi::Tensor> outputs = Infer(model, bundle);
  for (size_t place = 0; place < frames.size(); ++place) frames[place].Take(outputs, place);
}

// What makes the input, which no model is needed for.
inline std::vector<Stage> StagesBefore() {
  return {Each("decode", &Frame::Decode), Each("resize", &Frame::Resize),
          Each("normalise", &Frame::Normalise)};
}

// What follows the inference. The mask of a segmenter is enlarged if somebody wants it.
inline std::vector<Stage> StagesAfter(const std::string& task, bool mask) {
  if (task == "detect") {
    return {Each("boxes", &Frame::Boxes), Each("suppress", &Frame::Suppress)};
  }
  if (task != "segment") return {Each("top-k", &Frame::TopK)};
  std::vector<Stage> stages{Each("label", &Frame::Label)};
  if (mask) stages.push_back(Each("mask", &Frame::Enlarge));
  return stages;
}

inline void RunAll(Frames& frames, const std::vector<Stage>& stages) {
  for (const Stage& stage : stages) stage.run(frames);
}

}  // namespace mobilenet
