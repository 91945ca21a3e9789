// Runs a bundle: shows a picture to its network, compares it with its reference, takes its time.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "answer.h"
#include "bundle.h"
#include "check.h"
#include "frame.h"
#include "mask.h"
#include "model.h"
#include "stages.h"
#include "timing.h"

namespace mobilenet {
namespace {

constexpr char kUsage[] =
    "usage: mobilenet BUNDLE [PICTURE...] [options]\n"
    "  PICTURE         print what the network sees in it: JPEG or PNG where they were found when this\n"
    "                  was built, or PPM (P6; ffmpeg -i photo.webp photo.ppm); as many as there are,\n"
    "                  in batches if the network takes several at once\n"
    "  --save-input FILE    and write what the network was given: floats (1, channels, height, width),\n"
    "                  or the bytes of pixels (1, height, width, channels)\n"
    "  --save-mask FILE     and write a segmenter's class of each pixel of it, as grey values: PGM\n"
    "  --time N        instead print how long each stage from the file to the answer takes, in N\n"
    "                  repetitions or more, and whether the stages add up to the whole\n"
    "  --check         compare the outputs with the bundle's reference, and its files' hashes\n"
    "  --verify        compare the files' hashes alone\n"
    "  --bench N       time N inferences after half a second of warm-up\n"
    "  --samples FILE  and write each time, in milliseconds, a line each\n"
    "  --cold          print how long the first result took, from the start of main(), or, with\n"
    "                  MOBILENET_STARTED=$(date +%s%N) in the environment, from then\n"
    "  --threads N     threads per inference, instead of the manifest's or of as many as the\n"
    "                  process may use CPUs\n"
    "  --params-path FILE   the weights, if they do not lie beside libmodel.so\n"
    "ends with 0, with 1 if a result is wrong, with 2 if something is missing or does not fit\n";

struct Options {
  std::string bundle, params, samples, input, mask;
  std::vector<std::string> pictures;
  int bench = 0, threads = 0, time = 0;
  bool check = false, verify = false, cold = false;
};

int Count(const std::string& option, const char* text) {
  char* end;
  long count = std::strtol(text, &end, 10);
  if (!*text || *end || count < 1 || count > 10000000) {
    throw Refusal(option + " " + text + ": give a number from 1 to 10000000");
  }
  return count;
}

Options Parse(int count, char** words) {
  Options options;
  std::vector<std::string> names;
  for (int index = 1; index < count; ++index) {
    std::string word = words[index];
    auto next = [&] {
      if (++index == count) throw Refusal(word + ": needs a value; see --help");
      return words[index];
    };
    if (word == "--check") {
      options.check = true;
    } else if (word == "--verify") {
      options.verify = true;
    } else if (word == "--cold") {
      options.cold = true;
    } else if (word == "--bench") {
      options.bench = Count(word, next());
    } else if (word == "--threads") {
      options.threads = Count(word, next());
    } else if (word == "--samples") {
      options.samples = next();
    } else if (word == "--save-input") {
      options.input = next();
    } else if (word == "--save-mask") {
      options.mask = next();
    } else if (word == "--time") {
      options.time = Count(word, next());
    } else if (word == "--params-path") {
      options.params = next();
    } else if (word.rfind("--", 0) == 0) {
      throw Refusal(word + ": unknown option; see --help");
    } else {
      names.push_back(word);
    }
  }
  if (names.empty()) throw Refusal("give one bundle, and pictures; see --help");
  options.bundle = names[0];
  options.pictures.assign(names.begin() + 1, names.end());
  bool one = options.pictures.size() == 1;
  if (names.size() == 1 && !options.check && !options.verify && !options.bench && !options.cold) {
    throw Refusal(names[0] + ": give a picture, --check or --bench N; see --help");
  }
  if (!options.samples.empty() && !options.bench) {
    throw Refusal("--samples " + options.samples + ": there are none without --bench N");
  }
  if (!options.input.empty() && !one) {
    throw Refusal("--save-input " + options.input + ": give one picture too");
  }
  if (!options.mask.empty() && !one) {
    throw Refusal("--save-mask " + options.mask + ": give one picture too");
  }
  if (options.time && (!one || options.bench || options.check || options.cold)) {
    throw Refusal("--time: give one picture, and neither --bench, --check nor --cold");
  }
  return options;
}

void Save(const std::string& input, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  file << input;
  if (!file.flush()) throw Refusal(path + ": cannot be written; name another file");
}

// Writes the stored input to the model's.
void ReadReference(const Bundle& bundle, const std::string& path, Model& model) {
  if (bundle.input.pixels) {
    ReadBytes(path, model.Pixels(), model.InputSize());
  } else {
    bundle.input.Read(path, model.Input(), model.InputSize());
  }
}

// Returns whether the results are right; all that can be refused is, before anything is loaded.
bool Run(const Options& options) {
  ColdStart cold;
  Bundle bundle(options.bundle);
  bool shown = !options.pictures.empty();
  bool runs = shown || options.check || options.bench || options.cold;
  int usable = UsableThreads();
  int threads = options.threads ? options.threads : std::min(bundle.threads, usable);
  std::string library = bundle.Find(kLibrary), params, input;
  std::vector<std::string> references, labels;
  if (!options.params.empty() && !bundle.apart) {
    throw Refusal("--params-path " + options.params + ": the weights are in libmodel.so; leave it out");
  }
  if (threads > bundle.threads) {
    throw Refusal("--threads " + std::to_string(threads) + ": the network was compiled for " +
                  std::to_string(bundle.threads) + "; export it for more");
  }
  if (threads > usable) {
    throw Refusal("--threads " + std::to_string(threads) + ": this process may use " +
                  std::to_string(usable) + " CPUs; ask for fewer, or let it use more");
  }
  if (bundle.apart) params = bundle.Find(kParams, options.params);
  if (runs && (options.check || !shown)) input = bundle.Find(bundle.input.reference);
  if (options.check) {
    for (const Port& port : bundle.outputs) references.push_back(bundle.Find(port.reference));
  }
  if (shown && !bundle.labels.empty()) labels = ReadLabels(bundle.Find(bundle.labels));
  std::vector<float> anchors;
  if (shown && bundle.task == "detect") anchors = bundle.Anchors();
  if (!options.mask.empty() && bundle.task != "segment") {
    throw Refusal("--save-mask " + options.mask + ": the network makes no masks; leave it out");
  }
  Frames frames;
  for (const std::string& picture : options.pictures) frames.emplace_back(picture, bundle, anchors);
  RunAll(frames, StagesBefore());
  if (!options.input.empty()) Save(frames[0].Input(), options.input);
  cold.Done("files");

  if (options.check || options.verify) {
    bundle.Verify(kLibrary, library);
    if (bundle.apart) bundle.Verify(kParams, params);
    std::printf("the library and its weights are those that were exported\n");
    cold.Done("hashes");
  }
  if (!runs) return true;

  setenv("TVM_NUM_THREADS", std::to_string(threads).c_str(), 0);
  Settings settings;
  settings.params = options.params;
  settings.device = {bundle.device == "opencl" ? kDLOpenCL : kDLCPU, bundle.device_index};
  settings.threads = threads;
  settings.cores = bundle.cores;
  settings.entry = bundle.entry;
  settings.input = bundle.input.pixels ? kPixels : kFloats;
  Model model(library, bundle.input.shape, settings);
  cold.Done("library");
  if (options.time) {
    std::vector<Stage> stages = StagesBefore(), after = StagesAfter(bundle.task, true);
    auto infer = [&](Frames& some) { Give(some, model, bundle.batch), Infer(some, model, bundle); };
    stages.push_back({"inference", infer});
    stages.insert(stages.end(), after.begin(), after.end());
    auto begin = [&] {
      return Frames(bundle.batch, Frame(options.pictures[0], bundle, anchors));
    };
    return TimeStages(stages, begin, options.time);
  }
  std::vector<ffi::Tensor> outputs;
  if (shown) {
    for (size_t first = 0; first < frames.size(); first += bundle.batch) {
      auto begin = frames.begin() + first;
      Frames some(begin, begin + std::min<size_t>(bundle.batch, frames.size() - first));
      Give(some, model, bundle.batch);
      if (!first) cold.Done("input");
      Infer(some, model, bundle);
      if (!first) cold.Done("inference");
      RunAll(some, StagesAfter(bundle.task, !options.mask.empty()));
      for (const Frame& frame : some) {
        if (frames.size() > 1) std::printf("%s\n", frame.Path().c_str());
        Print(frame.Answer(), labels);
      }
      if (!options.mask.empty()) Save(some[0].OwnMask(), options.mask);
    }
  } else {
    ReadReference(bundle, input, model);
    cold.Done("input");
    outputs = Infer(model, bundle);
    cold.Done("inference");
  }
  if (options.cold) cold.Print();
  std::fflush(stdout);  // before the model is taken down, which takes a while
  if (options.check && shown) {
    ReadReference(bundle, input, model);
    outputs = Infer(model, bundle);
  }
  bool right = !options.check || Check(outputs, bundle, references);
  if (options.bench) Bench(model, bundle.batch, options.bench, options.samples);
  return right;
}

}  // namespace
}  // namespace mobilenet

int main(int count, char** words) {
  try {
    if (count == 2 && std::strcmp(words[1], "--help") == 0) {
      std::printf("%s", mobilenet::kUsage);
      return 0;
    }
    return mobilenet::Run(mobilenet::Parse(count, words)) ? 0 : 1;
  } catch (const std::exception& error) {  // TVM's errors too, of which the first line says it
    std::string line = error.what();
    std::fprintf(stderr, "mobilenet: %s\n", line.substr(0, line.find('\n')).c_str());
    return 2;
  }
}
