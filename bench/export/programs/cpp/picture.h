// Pictures from files: JPEG and PNG where libjpeg and libpng were found when this was compiled, and
// binary PPM, which needs no decoder and which every tool writes:
//
//   ffmpeg -i photo.webp photo.ppm
//   magick photo.webp photo.ppm                                 # ImageMagick
//   python3 -c "from PIL import Image; Image.open('photo.webp').convert('RGB').save('photo.ppm')"
//
// Pixels are what the suite sees: turned as EXIF says, transparent parts white.

#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "refusal.h"

#ifdef MOBILENET_JPEG
#include <csetjmp>

#include <jpeglib.h>

#include <jerror.h>
#endif
#ifdef MOBILENET_PNG
#include <png.h>
#endif

namespace mobilenet {

constexpr int kMostPixels = 1 << 14;  // of a side

struct Picture {
  int width = 0, height = 0;
  std::string pixels;  // red, green and blue of each, row by row, or grey, or with opacity
  int channels = 3;
};

// Returns EXIF's orientation, 1 to 8, of a TIFF structure; 1 if it has none.
inline int Orientation(const std::string& tiff) {
  if (tiff.size() < 8) return 1;
  bool little = tiff[0] == 'I';
  auto read = [&](size_t at, int bytes) {
    uint32_t value = 0;
    for (int index = 0; index < bytes; ++index) {
      uint32_t byte = static_cast<uint8_t>(tiff[at + (little ? bytes - 1 - index : index)]);
      value = value << 8 | byte;
    }
    return value;
  };
  size_t at = read(4, 4);
  if (at + 2 > tiff.size()) return 1;
  for (size_t left = read(at, 2), entry = at + 2; left; --left, entry += 12) {
    if (entry + 12 > tiff.size()) return 1;
    if (read(entry, 2) != 0x0112) continue;
    int value = read(entry + 8, 2);
    return 1 <= value && value <= 8 ? value : 1;
  }
  return 1;
}

// Returns a picture turned upright.
inline Picture Turned(Picture from, int orientation) {
  if (orientation == 1) return from;
  Picture to{from.width, from.height, std::string(from.pixels.size(), 0), from.channels};
  size_t bytes = from.channels;
  if (orientation >= 5) std::swap(to.width, to.height);
  int right = from.width - 1, bottom = from.height - 1;
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      int column = orientation >= 5 ? y : x, row = orientation >= 5 ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {
        column = right - column;
      }
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) {
        row = bottom - row;
      }
      size_t source = bytes * (size_t(row) * from.width + column);
      std::memcpy(&to.pixels[bytes * (size_t(y) * to.width + x)], &from.pixels[source], bytes);
    }
  }
  return to;
}

// Returns a part of 255 of a product, rounded, as Pillow does it.
inline uint8_t Times(int left, int right) {
  int product = left * right + 128;
  return (product + (product >> 8)) >> 8;
}

inline void RequireSize(const std::string& path, int64_t width, int64_t height) {
  auto fits = [](int64_t side) { return 1 <= side && side <= kMostPixels; };
  if (!fits(width) || !fits(height)) {
    throw Refusal(path + ": is " + std::to_string(width) + "x" + std::to_string(height) +
                  "; a side may have " + std::to_string(kMostPixels) + " pixels");
  }
}

// Reads a binary PPM file with a byte for each colour.
inline Picture ReadPpm(const std::string& path, const std::string& content) {
  size_t at = 2;
  auto space = [&] { return at < content.size() && std::isspace(static_cast<uint8_t>(content[at])); };
  auto number = [&] {
    while (space() || (at < content.size() && content[at] == '#')) {
      if (content[at] == '#') at = std::min(content.find('\n', at), content.size() - 1);
      ++at;
    }
    int64_t value = 0;
    size_t first = at;
    for (; at < content.size() && std::isdigit(static_cast<uint8_t>(content[at])); ++at) {
      value = std::min<int64_t>(10 * value + (content[at] - '0'), int64_t{1} << 40);
    }
    return at == first ? -1 : value;
  };
  int64_t width = number(), height = number(), most = number();
  if (width < 0 || height < 0 || most != 255 || !space()) {
    throw Refusal(path + ": is no binary PPM file (P6, 255); magick PICTURE out.ppm makes one");
  }
  RequireSize(path, width, height);
  Picture picture{static_cast<int>(width), static_cast<int>(height), {}, 3};
  size_t size = size_t{3} * width * height;
  if (content.size() - at - 1 < size) {
    throw Refusal(path + ": ends before its last pixel; write it again");
  }
  picture.pixels = content.substr(at + 1, size);
  return picture;
}

#ifdef MOBILENET_JPEG
struct JpegErrors {
  jpeg_error_mgr table;
  std::jmp_buf jump;
  char text[JMSG_LENGTH_MAX];
};

inline void GiveUp(j_common_ptr jpeg) {
  auto* errors = reinterpret_cast<JpegErrors*>(jpeg->err);
  errors->table.format_message(jpeg, errors->text);
  std::longjmp(errors->jump, 1);
}

// A file that ends too early is damaged; of other warnings it can be shown.
inline void Warn(j_common_ptr jpeg, int level) {
  if (level < 0 && jpeg->err->msg_code == JWRN_JPEG_EOF) GiveUp(jpeg);
}

// Decodes into what the caller owns, because nothing is taken down when libjpeg gives up.
inline bool DecodeJpeg(const std::string& content, jpeg_decompress_struct* jpeg, JpegErrors* errors,
                       std::string* samples, std::string* exif) {
  if (setjmp(errors->jump)) return false;
  jpeg_create_decompress(jpeg);
  jpeg_mem_src(jpeg, reinterpret_cast<const unsigned char*>(content.data()), content.size());
  jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(jpeg, TRUE);
  if (jpeg->image_width > kMostPixels || jpeg->image_height > kMostPixels) return true;
  for (auto* marker = jpeg->marker_list; marker; marker = marker->next) {
    if (marker->data_length > 6 && !std::memcmp(marker->data, "Exif\0\0", 6) && exif->empty()) {
      exif->assign(reinterpret_cast<const char*>(marker->data) + 6, marker->data_length - 6);
    }
  }
  jpeg->out_color_space = jpeg->num_components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(jpeg);
  size_t row = size_t{jpeg->output_width} * jpeg->output_components;
  samples->resize(row * jpeg->output_height);
  while (jpeg->output_scanline < jpeg->output_height) {
    auto* to = reinterpret_cast<unsigned char*>(&(*samples)[row * jpeg->output_scanline]);
    jpeg_read_scanlines(jpeg, &to, 1);
  }
  jpeg_finish_decompress(jpeg);
  return true;
}

inline Picture ReadJpeg(const std::string& path, const std::string& content) {
  jpeg_decompress_struct jpeg{};
  JpegErrors errors{};
  jpeg.err = jpeg_std_error(&errors.table);
  errors.table.error_exit = GiveUp;
  errors.table.emit_message = Warn;
  std::string samples, exif;
  bool good = DecodeJpeg(content, &jpeg, &errors, &samples, &exif);
  Picture picture{static_cast<int>(jpeg.image_width), static_cast<int>(jpeg.image_height), {}, 3};
  int parts = jpeg.output_components;
  jpeg_destroy_decompress(&jpeg);
  if (!good) throw Refusal(path + ": is damaged: " + errors.text);
  RequireSize(path, picture.width, picture.height);
  if (parts == 4) {  // inverted inks, as all programs write them
    picture.pixels.resize(samples.size() / 4 * 3);
    for (size_t pixel = 0; pixel < samples.size() / 4; ++pixel) {
      const auto* inks = reinterpret_cast<const uint8_t*>(&samples[4 * pixel]);
      for (int colour = 0; colour < 3; ++colour) {
        picture.pixels[3 * pixel + colour] = inks[3] - Times(255 - inks[colour], inks[3]);
      }
    }
  } else {
    picture.pixels = std::move(samples);
  }
  return Turned(std::move(picture), Orientation(exif));
}
#endif

#ifdef MOBILENET_PNG
struct PngSource {
  const std::string* content;
  size_t at;
  char text[256];
};

inline void TakeBytes(png_structp png, png_bytep to, size_t count) {
  auto* source = static_cast<PngSource*>(png_get_io_ptr(png));
  if (source->content->size() - source->at < count) png_error(png, "it ends too early");
  std::memcpy(to, source->content->data() + source->at, count);
  source->at += count;
}

inline void GiveUpPng(png_structp png, png_const_charp message) {
  auto* source = static_cast<PngSource*>(png_get_error_ptr(png));
  std::snprintf(source->text, sizeof(source->text), "%s", message);
  png_longjmp(png, 1);
}

inline void WarnPng(png_structp, png_const_charp) {}

// Decodes into what the caller owns: four samples a pixel, of which the last is how opaque it is.
inline bool DecodePng(png_structp png, png_infop info, PngSource* source, std::string* samples,
                      std::vector<png_bytep>* rows, std::string* exif) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, source, TakeBytes);
  png_set_user_limits(png, kMostPixels, kMostPixels);
  png_read_info(png, info);
  bool gray = png_get_color_type(png, info) == PNG_COLOR_TYPE_GRAY;
  if (gray && png_get_bit_depth(png, info) == 16) {
    png_set_scale_16(png);
  } else {
    png_set_strip_16(png);
    png_set_expand(png);
  }
  png_set_gray_to_rgb(png);
  png_set_filler(png, 0xFF, PNG_FILLER_AFTER);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t row = png_get_rowbytes(png, info), height = png_get_image_height(png, info);
  samples->resize(row * height);
  for (size_t y = 0; y < height; ++y) {
    rows->push_back(reinterpret_cast<png_bytep>(&(*samples)[row * y]));
  }
  png_read_image(png, rows->data());
  png_read_end(png, info);
#ifdef PNG_eXIf_SUPPORTED
  png_uint_32 size = 0;
  png_bytep data = nullptr;
  if (png_get_eXIf_1(png, info, &size, &data)) {
    exif->assign(reinterpret_cast<const char*>(data), size);
  }
#else
  (void)exif;
#endif
  return true;
}

inline Picture ReadPng(const std::string& path, const std::string& content, bool with_opacity) {
  PngSource source{&content, 0, {}};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, GiveUpPng, WarnPng);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info) throw Refusal(path + ": there is no memory to read it");
  std::string samples, exif;
  std::vector<png_bytep> rows;
  bool good = DecodePng(png, info, &source, &samples, &rows, &exif);
  bool opacity = png_get_color_type(png, info) & PNG_COLOR_MASK_ALPHA ||
                 png_get_valid(png, info, PNG_INFO_tRNS);
  Picture picture{static_cast<int>(png_get_image_width(png, info)), static_cast<int>(rows.size()), {}, 3};
  png_destroy_read_struct(&png, &info, nullptr);
  if (!good) throw Refusal(path + ": is damaged: " + source.text);
  RequireSize(path, picture.width, picture.height);
  if (with_opacity && opacity) {
    picture.pixels = std::move(samples), picture.channels = 4;
    return Turned(std::move(picture), Orientation(exif));
  }
  picture.pixels.resize(samples.size() / 4 * 3);
  for (size_t pixel = 0; pixel < samples.size() / 4; ++pixel) {
    const auto* from = reinterpret_cast<const uint8_t*>(&samples[4 * pixel]);
    for (int colour = 0; colour < 3; ++colour) {  // on white, as Pillow rounds it
      int sum = from[colour] * from[3] * 128 + 255 * (255 - from[3]) * 128 + (128 << 7);
      picture.pixels[3 * pixel + colour] = ((sum >> 8) + sum) >> 8 >> 7;
    }
  }
  return Turned(std::move(picture), Orientation(exif));
}
#endif

// Returns the picture of a file in three channels, or, if that is asked for and it has it, with
// opacity as a fourth one.
inline Picture ReadPictureOrOpacity(const std::string& path, bool with_opacity) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Refusal(path + ": cannot be read; name a picture that exists");
  std::string content{std::istreambuf_iterator<char>(file), {}};
  auto begins = [&](const char* with) { return content.rfind(with, 0) == 0; };
  if (begins("P6")) return ReadPpm(path, content);
  const char* without = nullptr;
  if (begins("\xFF\xD8\xFF")) {
#ifdef MOBILENET_JPEG
    return ReadJpeg(path, content);
#else
    without = "JPEG file, and this program was built without libjpeg; install libjpeg-dev";
#endif
  }
  if (begins("\x89PNG\r\n\x1A\n")) {
#ifdef MOBILENET_PNG
    return ReadPng(path, content, with_opacity);
#else
    static_cast<void>(with_opacity);
    without = "PNG file, and this program was built without libpng; install libpng-dev";
#endif
  }
  if (without) {
    throw Refusal(path + ": is a " + without + " and build it again, or magick PICTURE out.ppm");
  }
  throw Refusal(path + ": is no JPEG, PNG or binary PPM file (P6, 255); magick PICTURE out.ppm "
                "makes one");
}

// Returns the picture of a file in 1 (grey), 3 or 4 channels (the last is opacity); raises Refusal
// for what is no picture, is damaged, or has not so many.
inline Picture ReadPicture(const std::string& path, int channels = 3) {
  Picture picture = ReadPictureOrOpacity(path, channels == 4);
  if (channels == 1) {  // as Pillow weighs colours
    Picture grey{picture.width, picture.height, std::string(picture.pixels.size() / 3, 0), 1};
    for (size_t pixel = 0; pixel < grey.pixels.size(); ++pixel) {
      const auto* from = reinterpret_cast<const uint8_t*>(&picture.pixels[3 * pixel]);
      grey.pixels[pixel] = (from[0] * 19595 + from[1] * 38470 + from[2] * 7471 + 0x8000) >> 16;
    }
    return grey;
  }
  if (picture.channels != channels) {
    throw Refusal(path + ": has not the " + std::to_string(channels) +
                  " channels that the network takes; give a PNG file with transparency");
  }
  return picture;
}

}  // namespace mobilenet
