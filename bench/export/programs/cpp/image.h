// From a picture to a network's input. Pictures are binary PPM files, which every tool writes and
// which need no decoder:
//
//   ffmpeg -i photo.jpg photo.ppm
//   magick photo.jpg photo.ppm                                  # ImageMagick
//   djpeg photo.jpg > photo.ppm                                 # libjpeg
//   python3 -c "from PIL import Image; Image.open('photo.jpg').convert('RGB').save('photo.ppm')"

#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>

#include "bundle.h"

namespace mobilenet {

struct Picture {
  int width = 0, height = 0;
  std::string pixels;  // red, green and blue of each, row by row
};

// Raises Refusal for anything but a whole binary PPM file with a byte for each colour.
inline Picture ReadPicture(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Refusal(path + ": cannot be read; name a picture that exists");
  auto number = [&file] {
    while (std::isspace(file.peek()) || file.peek() == '#') {
      if (file.get() == '#') file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    int value = 0;
    file >> value;
    return value;
  };
  constexpr int kMost = 1 << 14;  // pixels of a side
  bool ppm = file.get() == 'P' && file.get() == '6';
  Picture picture;
  if (ppm) picture.width = number(), picture.height = number();
  auto fits = [](int side) { return 1 <= side && side <= kMost; };
  if (!ppm || !fits(picture.width) || !fits(picture.height) || number() != 255 ||
      !std::isspace(file.get())) {
    throw Refusal(path + ": is no binary PPM file (P6, 255); magick PICTURE out.ppm makes one");
  }
  picture.pixels.resize(size_t{3} * picture.width * picture.height);
  if (!file.read(&picture.pixels[0], picture.pixels.size())) {
    throw Refusal(path + ": ends before its last pixel; write it again");
  }
  return picture;
}

// Returns a picture of a size that the network of a bundle can be shown: a classifier sees the
// centre, others all of it.
inline Picture ReadPicture(const std::string& path, const Bundle& bundle) {
  Picture picture = ReadPicture(path);
  auto size = [](int64_t width, int64_t height) {
    return std::to_string(width) + "x" + std::to_string(height);
  };
  int64_t height = bundle.input.shape[2], width = bundle.input.shape[3];
  std::string here = path + ": is " + size(picture.width, picture.height) + ", ";
  std::string wanted = size(width, height), side = std::to_string(bundle.resize);
  if (bundle.task != "classify") {
    if (picture.width != width || picture.height != height) {
      throw Refusal(here + "the network takes " + wanted + "; magick PICTURE -resize '" + wanted +
                    "!' out.ppm makes one");
    }
  } else if (bundle.resize && std::min(picture.width, picture.height) != bundle.resize) {
    throw Refusal(here + "its shorter side should be " + side + "; magick PICTURE " +
                  "-filter Triangle -resize '" + side + "x" + side + "^' out.ppm makes one");
  } else if (picture.width < width || picture.height < height) {
    throw Refusal(here + "the network takes " + wanted + "; choose a larger one");
  }
  return picture;
}

// Writes the (3, height, width) floats that the network wants.
inline void Show(const Picture& picture, const Bundle& bundle, float* input) {
  int height = bundle.input.shape[2], width = bundle.input.shape[3];
  int left = (picture.width - width) / 2, top = (picture.height - height) / 2;
  for (int colour = 0; colour < 3; ++colour) {
    float mean = bundle.mean[colour], deviation = bundle.deviation[colour], scaled[256];
    for (int value = 0; value < 256; ++value) scaled[value] = (value / 255.0f - mean) / deviation;
    for (int row = 0; row < height; ++row) {
      const char* from = &picture.pixels[size_t{3} * ((top + row) * picture.width + left)];
      for (int column = 0; column < width; ++column) {
        *input++ = scaled[static_cast<uint8_t>(from[3 * column + colour])];
      }
    }
  }
}

}  // namespace mobilenet
