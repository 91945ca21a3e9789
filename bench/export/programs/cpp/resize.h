// Pictures at another size, pixel by pixel as the suite has them: a classifier's as Pillow resizes
// with its bilinear filter, which averages where it shrinks; a detector's and a segmenter's as
// TensorFlow does, between four neighbours.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "picture.h"

namespace mobilenet {

// The neighbours that one pixel is made of, along one axis.
struct Window {
  int first;
  std::vector<int> weights;  // of 1 << kBits
};

constexpr int kBits = 22;  // Pillow's precision of weights: PRECISION_BITS in its Resample.c

inline std::vector<Window> Windows(int source, int size) {
  std::vector<Window> windows;
  double scale = static_cast<double>(source) / size, reach = std::max(scale, 1.0);
  for (int index = 0; index < size; ++index) {
    double centre = (index + 0.5) * scale, sum = 0;
    int first = std::max(0, static_cast<int>(centre - reach + 0.5));
    int last = std::min(source, static_cast<int>(centre + reach + 0.5));
    std::vector<double> shares;
    for (int at = first; at < last; ++at) {
      shares.push_back(std::max(0.0, 1 - std::abs((at - centre + 0.5) / reach)));
      sum += shares.back();
    }
    Window window{first, {}};
    for (double share : shares) {
      window.weights.push_back(static_cast<int>(0.5 + (sum ? share / sum : share) * (1 << kBits)));
    }
    windows.push_back(window);
  }
  return windows;
}

// Resizes along one axis: `stride` bytes from a pixel to the next of the axis, `lines` of them.
inline Picture Averaged(const Picture& from, int size, bool rows) {
  int channels = from.channels;
  Picture to{rows ? from.width : size, rows ? size : from.height, {}, channels};
  to.pixels.resize(size_t(channels) * to.width * to.height);
  auto windows = Windows(rows ? from.height : from.width, size);
  auto at = [channels](const Picture& picture, int x, int y) {
    return size_t(channels) * (size_t(y) * picture.width + x);
  };
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      const Window& window = windows[rows ? y : x];
      int sums[4] = {1 << (kBits - 1), 1 << (kBits - 1), 1 << (kBits - 1), 1 << (kBits - 1)};
      for (size_t index = 0; index < window.weights.size(); ++index) {
        int place = window.first + static_cast<int>(index);
        size_t pixel = rows ? at(from, x, place) : at(from, place, y);
        for (int colour = 0; colour < channels; ++colour) {
          sums[colour] += static_cast<uint8_t>(from.pixels[pixel + colour]) * window.weights[index];
        }
      }
      for (int colour = 0; colour < channels; ++colour) {
        to.pixels[at(to, x, y) + colour] = std::clamp(sums[colour] >> kBits, 0, 255);
      }
    }
  }
  return to;
}

// Returns a picture at another size, as Pillow's bilinear filter makes it.
inline Picture Averaged(Picture picture, int width, int height) {
  if (width != picture.width) picture = Averaged(picture, width, false);
  if (height != picture.height) picture = Averaged(picture, height, true);
  return picture;
}

// Where a pixel lies between two of the source.
struct Place {
  int low, high;
  float share;  // of the second
};

inline std::vector<Place> Places(int source, int size, bool align_corners) {
  std::vector<Place> places;
  for (int index = 0; index < size; ++index) {
    double at = align_corners && size > 1 ? double(index) * (source - 1) / (size - 1)
                                          : double(index) * source / size;
    int low = static_cast<int>(at);
    places.push_back({low, std::min(low + 1, source - 1), static_cast<float>(at - low)});
  }
  return places;
}

// How a network wants to see a picture.
struct View {
  std::string task;
  int width, height;
  int resize;  // pixels of the shorter side, of a segmenter's longer one; 0: as the picture is
  std::vector<double> mean, deviation;  // of pixels 0..1, by channel
};

// Writes a picture as normalised floats, (channels, height, width). The mean colour is 0.
struct AsFloats {
  const View& view;
  float* input;

  void Clear() { std::fill_n(input, view.mean.size() * view.height * view.width, 0.0f); }

  void Write(float value, int colour, int y, int x) {
    input[(size_t(colour) * view.height + y) * view.width + x] =
        (value / 255.0f - static_cast<float>(view.mean[colour])) /
        static_cast<float>(view.deviation[colour]);
  }
};

// Writes a picture as its pixels, (height, width, channels). The mean colour is the nearest to it.
struct AsPixels {
  const View& view;
  uint8_t* input;

  void Clear() {
    size_t channels = view.mean.size();
    for (size_t index = 0; index < channels * view.height * view.width; ++index) {
      input[index] = Nearest(view.mean[index % channels] * 255);
    }
  }

  void Write(float value, int colour, int y, int x) {
    input[(size_t(y) * view.width + x) * view.mean.size() + colour] = Nearest(value);
  }

  static uint8_t Nearest(double value) { return std::clamp(std::nearbyint(value), 0.0, 255.0); }
};

// A picture at the size at which a network sees it.
struct Seen {
  Picture picture;            // of a classifier: bytes, of which the centre is seen
  std::vector<float> values;  // of others: what lies between pixels, (height, width, channels)
  int width = 0, height = 0;
};

// Returns a picture after its shorter side was resized, if that is asked for.
inline Seen ResizeShorter(Picture picture, const View& view) {
  if (view.resize) {
    double scale = static_cast<double>(view.resize) / std::min(picture.width, picture.height);
    int width = std::max(1.0, std::nearbyint(picture.width * scale));
    int height = std::max(1.0, std::nearbyint(picture.height * scale));
    picture = Averaged(std::move(picture), width, height);
  }
  int width = picture.width, height = picture.height;
  return {std::move(picture), {}, width, height};
}

// Returns all of a picture, `width` x `height` large, between four neighbours.
inline Seen ResizeWhole(const Picture& picture, int width, int height, bool align_corners) {
  auto columns = Places(picture.width, width, align_corners);
  auto rows = Places(picture.height, height, align_corners);
  int channels = picture.channels;
  Seen seen{{}, std::vector<float>(size_t(channels) * width * height), width, height};
  float* to = seen.values.data();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int colour = 0; colour < channels; ++colour) {
        auto pixel = [&](int row, int column) -> float {
          return static_cast<uint8_t>(
              picture.pixels[size_t(channels) * (size_t(row) * picture.width + column) + colour]);
        };
        auto between = [&](int column) {
          float above = pixel(rows[y].low, column), below = pixel(rows[y].high, column);
          return above + (below - above) * rows[y].share;
        };
        float first = between(columns[x].low), second = between(columns[x].high);
        *to++ = first + (second - first) * columns[x].share;
      }
    }
  }
  return seen;
}

// Returns a picture at the size at which a network wants to see it.
inline Seen Resize(Picture picture, const View& view) {
  if (view.task == "classify") return ResizeShorter(std::move(picture), view);
  if (view.task == "detect") return ResizeWhole(picture, view.width, view.height, false);
  // As a fraction, so that a side is rounded up from where it is, and not from near it.
  int64_t longer = std::max(picture.width, picture.height);
  int64_t above = view.resize ? view.resize : longer, below = longer;
  for (auto [wanted, side] : {std::pair(view.height, picture.height), {view.width, picture.width}}) {
    if (int64_t{wanted} * below < above * side) above = wanted, below = side;
  }
  auto scaled = [&](int64_t side) { return static_cast<int>((side * above + below - 1) / below); };
  return ResizeWhole(picture, scaled(picture.width), scaled(picture.height), true);
}

// Writes the centre of what a classifier sees.
template <typename Sink>
void WriteCentre(const std::string& path, const Picture& picture, const View& view, Sink input) {
  if (picture.width < view.width || picture.height < view.height) {
    throw Refusal(path + ": is " + std::to_string(picture.width) + "x" +
                  std::to_string(picture.height) + ", the network takes " +
                  std::to_string(view.width) + "x" + std::to_string(view.height) +
                  "; choose a larger one");
  }
  int left = (picture.width - view.width) / 2, top = (picture.height - view.height) / 2;
  int channels = picture.channels;
  for (int colour = 0; colour < channels; ++colour) {
    for (int y = 0; y < view.height; ++y) {
      size_t row = size_t(channels) * (size_t(top + y) * picture.width + left);
      for (int x = 0; x < view.width; ++x) {
        input.Write(static_cast<uint8_t>(picture.pixels[row + channels * x + colour]), colour, y, x);
      }
    }
  }
}

// Writes what a network sees to its input, whose rest has the mean colour; `path` is named in a
// refusal.
template <typename Sink>
void Normalise(const std::string& path, const Seen& seen, const View& view, Sink input) {
  if (view.task == "classify") return WriteCentre(path, seen.picture, view, input);
  int channels = static_cast<int>(view.mean.size());
  const float* value = seen.values.data();
  input.Clear();
  for (int y = 0; y < seen.height; ++y) {
    for (int x = 0; x < seen.width; ++x) {
      for (int colour = 0; colour < channels; ++colour) input.Write(*value++, colour, y, x);
    }
  }
}

// Writes the floats, (channels, height, width), that a network wants of a picture.
inline void Show(const std::string& path, Picture picture, const View& view, float* input) {
  Normalise(path, Resize(std::move(picture), view), view, AsFloats{view, input});
}

// Writes the pixels, (height, width, channels), that a network wants of a picture.
inline void Show(const std::string& path, Picture picture, const View& view, uint8_t* input) {
  Normalise(path, Resize(std::move(picture), view), view, AsPixels{view, input});
}

}  // namespace mobilenet
