// A bundle: the directory of an exported network. Its manifest is read here, and what does not fit
// this machine or the manifest is refused before anything is loaded.

#pragma once

#include <elf.h>
#include <sys/stat.h>
#include <tvm/ffi/c_api.h>
#include <tvm/ffi/container/array.h>
#include <tvm/ffi/container/map.h>
#include <tvm/ffi/extra/json.h>
#include <tvm/runtime/base.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "refusal.h"
#include "sha256.h"

namespace mobilenet {

namespace ffi = tvm::ffi;

#if defined(__x86_64__)
constexpr char kArchitecture[] = "x86_64";
constexpr uint16_t kMachine = EM_X86_64;
constexpr char kFlags[] = "flags";  // as /proc/cpuinfo calls them
#elif defined(__aarch64__)
constexpr char kArchitecture[] = "aarch64";
constexpr uint16_t kMachine = EM_AARCH64;
constexpr char kFlags[] = "Features";
#else
#error "bundles are for x86_64 and aarch64"
#endif

constexpr char kLibrary[] = "libmodel.so", kParams[] = "params.bin";

inline void ReadFloats(const std::string& path, float* floats, size_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(floats), count * sizeof(float)) || file.get() != EOF) {
    throw Refusal(path + ": has not " + std::to_string(count) + " floats; get the bundle again");
  }
}

inline void ReadBytes(const std::string& path, uint8_t* bytes, size_t count) {
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(bytes), count) || file.get() != EOF) {
    throw Refusal(path + ": has not " + std::to_string(count) + " bytes; get the bundle again");
  }
}

// An object of the manifest, whose values must be there and of their kinds.
class Fields {
 public:
  Fields(ffi::json::Object object, std::string file)
      : object_(std::move(object)), file_(std::move(file)) {}

  static Fields Read(const std::string& file) {
    std::ifstream stream(file);
    if (!stream) throw Refusal(file + ": cannot be read; name the directory of a bundle");
    std::string text(std::istreambuf_iterator<char>(stream), {});
    ffi::String error;
    auto found = ffi::json::Parse(text, &error).as<ffi::json::Object>();
    if (!found) throw Refusal(file + ": is damaged; get the bundle again");
    return Fields(*found, file);
  }

  template <typename Value>
  Value Get(const char* key) const {
    try {
      return object_.at(ffi::String(key)).cast<Value>();
    } catch (const ffi::Error&) {
      throw Refusal(file_ + ": says nothing proper of \"" + key + "\"; get the bundle again");
    }
  }

  bool Has(const char* key) const {
    auto found = object_.find(ffi::String(key));
    return found != object_.end() && (*found).second != nullptr;
  }

  Fields Inner(const char* key) const { return Fields(Get<ffi::json::Object>(key), file_); }

  std::vector<Fields> List(const char* key) const {
    std::vector<Fields> list;
    for (const auto& one : Get<ffi::Array<ffi::json::Object>>(key)) list.emplace_back(one, file_);
    return list;
  }

  template <typename Value>
  std::vector<Value> Values(const char* key) const {
    std::vector<Value> values;
    for (const auto& one : Get<ffi::Array<Value>>(key)) values.push_back(one);
    return values;
  }

  std::string Text(const char* key) const { return Get<ffi::String>(key); }

  std::string OneOf(const char* key, const std::vector<std::string>& known) const {
    std::string text = Text(key);
    if (std::find(known.begin(), known.end(), text) == known.end()) {
      throw Refusal(file_ + ": its \"" + key + "\" is " + text + "; this program does not know that");
    }
    return text;
  }

  int Number(const char* key, int least) const {
    auto number = Get<int64_t>(key);
    if (number < least || number > 1 << 20) {
      throw Refusal(file_ + ": its \"" + key + "\" cannot be " + std::to_string(number) +
                    "; get the bundle again");
    }
    return number;
  }

 private:
  ffi::json::Object object_;
  std::string file_;
};

// An input or an output, and the file of what it should be.
struct Port {
  std::string name, reference, layout;
  std::vector<int64_t> shape;
  int stride = 1;  // of the rows and columns that the file keeps
  float step = 0;  // unless 0 the file has bytes, each for (byte - zero) * step
  int zero = 0;
  bool pixels = false;  // whether it takes those of an image as they are, and no floats

  void Read(const std::string& path, float* floats, size_t count) const {
    if (step == 0) return ReadFloats(path, floats, count);
    std::vector<uint8_t> bytes(count);
    ReadBytes(path, bytes.data(), count);
    for (size_t index = 0; index < count; ++index) {
      floats[index] = static_cast<float>(bytes[index] - zero) * step;
    }
  }
};

class Bundle {
 public:
  // Raises Refusal, as everything here does.
  explicit Bundle(const std::string& directory)
      : directory_(directory), manifest_(Fields::Read(directory + "/manifest.json")) {
    const std::string file = directory + "/manifest.json";
    if (manifest_.Get<int>("format") != 2) {
      throw Refusal(file +
                    ": has another format than this program knows; take the program of cpp/");
    }
    Fields target = manifest_.Inner("target");
    task = manifest_.OneOf("task", {"classify", "detect", "segment", "other"});
    device = target.OneOf("device_type", {"cpu", "opencl"});
    device_index = target.Number("device_index", 0);
    threads = manifest_.Number("threads", 1);
    for (int64_t core : target.Values<int64_t>("cores")) cores.push_back(core);
    entry = manifest_.Text("entry");
    apart = manifest_.OneOf("params_storage", {"external", "embedded"}) == "external";
    tolerance = manifest_.Get<double>("tolerance");
    if (manifest_.Has("labels")) labels = manifest_.Text("labels");
    if (manifest_.Has("batch")) batch = manifest_.Number("batch", 1);
    auto inputs = Ports("inputs");
    outputs = Ports("outputs");
    auto fits = [](int64_t side) { return side > 0 && side <= 1 << 16; };
    if (inputs.size() == 1) input = inputs[0];
    const auto& shape = input.shape;
    Fields weights = manifest_.Inner("weights");
    bool own = weights.Has("architecture") && weights.Text("architecture") == "onnx";
    bool image = shape.size() == 4 && fits(shape[1]) && fits(shape[2]) && fits(shape[3]);
    if (shape.empty() || shape[0] != batch || !(image || own) || outputs.empty()) {
      throw Refusal(file + ": describes no network of images; get the bundle again");
    }
    for (const Port& port : outputs) {
      if (port.shape.empty() || port.shape[0] % batch) {
        throw Refusal(file + ": its outputs are not of a batch; get the bundle again");
      }
    }
    last = input.layout == "NHWC";
    if (input.pixels && !(image && last)) {
      throw Refusal(file + ": its input is no image, row by row; get the bundle again");
    }
    if (image) {
      channels = shape[last ? 3 : 1], height = shape[last ? 1 : 2], width = shape[last ? 2 : 3];
    }
    if (task == "detect" && !FitDetector()) {
      throw Refusal(file + ": its outputs are not a detector's; get the bundle again");
    }
    Fields preprocessing = manifest_.Inner("preprocessing");
    if (preprocessing.Has("resize")) resize = preprocessing.Number("resize", 1);
    mean = preprocessing.Values<double>("mean");
    deviation = preprocessing.Values<double>("std");
    bool scaled = int64_t(mean.size()) == channels && deviation.size() == mean.size();
    sees = image && scaled && task != "other";
    probabilities = manifest_.Has("probabilities") && manifest_.Get<bool>("probabilities");
    if (!scaled && !own) {
      throw Refusal(file + ": does not tell how pixels are scaled; get the bundle again");
    }
    RequireTvm();
    RequireMachine(Find(kLibrary));
    RequireFlags();
  }

  // Returns the path of a file, which must be as large as the manifest says; `elsewhere` it may
  // lie.
  std::string Find(const std::string& name, const std::string& elsewhere = "") const {
    std::string path = elsewhere.empty() ? directory_ + "/" + name : elsewhere;
    struct stat status;
    if (stat(path.c_str(), &status) || !S_ISREG(status.st_mode)) {
      throw Refusal(path + ": is missing; get the bundle again");
    }
    auto bytes = manifest_.Inner("files").Inner(name.c_str()).Get<int64_t>("bytes");
    if (status.st_size != bytes) {
      throw Refusal(path + ": has " + std::to_string(status.st_size) + " bytes, not " +
                    std::to_string(bytes) + "; get the bundle again");
    }
    return path;
  }

  // Looks at every byte of a file that was found, which takes longer than to run it.
  void Verify(const std::string& name, const std::string& path) const {
    if (Sha256::OfFile(path) != manifest_.Inner("files").Inner(name.c_str()).Text("sha256")) {
      throw Refusal(path + ": is not the file that was exported; get the bundle again");
    }
  }

  // Returns where a detector looks: ymin, xmin, ymax, xmax of each anchor.
  std::vector<float> Anchors() const {
    std::vector<float> anchors(4 * outputs.back().shape.at(1));
    ReadFloats(Find(manifest_.Text("anchors")), anchors.data(), anchors.size());
    return anchors;
  }

  std::string task, device, entry, labels;
  int device_index, threads, resize = 0;
  int batch = 1;  // images of an inference
  int64_t channels = 0, height = 0, width = 0;  // of a picture
  bool last = false;                            // whether channels are the last axis
  bool sees = false;                            // whether it can be shown pictures
  bool probabilities = false;                   // whether its outputs are those, and no logits
  std::vector<int> cores;
  bool apart;  // the weights are a file of their own
  double tolerance;
  Port input;
  std::vector<Port> outputs;
  std::vector<double> mean, deviation;  // of pixels 0..1, by channel

 private:
  std::vector<Port> Ports(const char* key) const {
    std::vector<Port> ports;
    for (const Fields& one : manifest_.List(key)) {
      std::string type = one.Text("dtype");
      bool pixels = type == "uint8" && std::strcmp(key, "inputs") == 0;
      if (type != "float32" && !pixels) {
        throw Refusal(directory_ + ": its " + key + " are of " + type + "; this program does not know that");
      }
      Port port{one.Text("name"), one.Text("reference"), one.Text("layout"),
                one.Values<int64_t>("shape")};
      if (one.Has("stride")) port.stride = one.Number("stride", 1);
      if (one.Has("step")) port.step = static_cast<float>(one.Get<double>("step"));
      if (one.Has("zero")) port.zero = one.Number("zero", 0);
      port.pixels = pixels;
      ports.push_back(port);
    }
    return ports;
  }

  // Codes (batch, anchors, 4) and logits (batch, anchors, classes).
  bool FitDetector() const {
    if (outputs.size() != 2) return false;
    const auto &codes = outputs[0].shape, &logits = outputs[1].shape;
    return codes.size() == 3 && logits.size() == 3 && codes[0] == batch && logits[0] == batch &&
           codes[1] == logits[1] && codes[1] > 0 && codes[1] <= 1 << 20 && codes[2] == 4;
  }

  // TVM promises nothing between its versions. tvm-ffi's library tells its own; between releases it
  // is the next one's, so that of the manifest only the first two numbers can be compared.
  void RequireTvm() const {
    std::string wanted = manifest_.Text("tvm_version"), here = TVM_VERSION;
    if (Release(wanted) != Release(here)) {
      throw Refusal(directory_ + ": is for TVM " + wanted + ", this program for " + here +
                    "; compile it with the bundle's");
    }
    TVMFFIVersion found;
    TVMFFIGetVersion(&found);
    here = Dotted(found.major, found.minor);
    wanted = manifest_.Text("tvm_ffi_version");
    if (wanted.rfind(here + ".", 0) != 0) {
      throw Refusal(directory_ + ": is for tvm-ffi " + wanted + ", libtvm_ffi.so is " + here +
                    "; put that of the bundle's version beside the program");
    }
    here += "." + std::to_string(found.patch);
    wanted = Dotted(TVM_FFI_VERSION_MAJOR, TVM_FFI_VERSION_MINOR) + "." +
             std::to_string(TVM_FFI_VERSION_PATCH);
    if (wanted != here) {
      throw Refusal("libtvm_ffi.so: is version " + here + ", this program was compiled for " +
                    wanted + "; put that one beside the program");
    }
  }

  static std::string Dotted(int major, int minor) {
    return std::to_string(major) + "." + std::to_string(minor);
  }

  static std::string Release(const std::string& version) {
    return version.substr(0, version.find(".post"));
  }

  void RequireMachine(const std::string& library) const {
    Elf64_Ehdr header{};
    std::ifstream(library, std::ios::binary).read(reinterpret_cast<char*>(&header), sizeof(header));
    std::string wanted = manifest_.Text("architecture");
    bool elf = !std::memcmp(header.e_ident, ELFMAG, SELFMAG);
    if (!elf || header.e_machine != kMachine || wanted != kArchitecture) {
      throw Refusal(library + ": is no library for " + kArchitecture + " (the manifest says " +
                    wanted + "); export the bundle for a target like this machine");
    }
  }

  // Instructions that a processor lacks would end the program without a word.
  void RequireFlags() const {
    std::ifstream cpuinfo("/proc/cpuinfo");
    for (std::string line; std::getline(cpuinfo, line);) {
      if (line.rfind(kFlags, 0) != 0) continue;
      for (const ffi::String& flag : manifest_.Inner("target").Values<ffi::String>("cpu_flags")) {
        if ((line + " ").find(" " + std::string(flag) + " ") == std::string::npos) {
          throw Refusal("this processor: lacks " + std::string(flag) +
                        "; export the bundle for a target without it");
        }
      }
      return;  // the other cores' are the same
    }
  }

  std::string directory_;
  Fields manifest_;
};

}  // namespace mobilenet
