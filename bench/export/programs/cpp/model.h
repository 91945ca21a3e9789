// A network that mobilebench has compiled, for a program or an app to run:
//
//   mobilenet::Model model("libmodel.so", {1, 3, 224, 224});
//   ...                                  // write the image's floats to model.Input()
//   model.Feed();
//   model.Run();
//   auto logits = model.Outputs()[0];    // logits.data_ptr(), logits.numel()
//
// One that was exported with --input uint8 has the shape {1, 224, 224, 3} and settings.input =
// mobilenet::kPixels; write the image's bytes to model.Pixels().
//
// It needs TVM's runtime alone: libtvm_runtime.so and libtvm_ffi.so. What fails is thrown, as
// tvm::ffi::Error. Make a model and run it on one thread: TVM keeps a pool of threads for each that
// runs networks, of as many as there are cores unless TVM_NUM_THREADS says less.

#pragma once

#include <dlfcn.h>
#include <sched.h>
#include <tvm/ffi/container/array.h>
#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace mobilenet {

namespace ffi = tvm::ffi;

// The cores that this thread may run on, by number: affinity and cpusets choose them.
inline std::vector<int> UsableCores() {
  std::vector<int> cores;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &allowed)) cores.push_back(core);
    }
  }
  if (cores.empty()) {  // more cores than a set of the usual size has room for
    int count = std::max(1u, std::thread::hardware_concurrency());
    for (int core = 0; core < count; ++core) cores.push_back(core);
  }
  return cores;
}

// How many threads can run at once: on the cores that this thread may use, and by the quota of its
// container, which counts as the next whole number.
inline int UsableThreads() {
  int64_t count = UsableCores().size(), quota = 0, period = 0;
  const std::string groups = "/sys/fs/cgroup/";
  std::ifstream both(groups + "cpu.max"), one(groups + "cpu/cpu.cfs_quota_us");
  std::ifstream other(groups + "cpu/cpu.cfs_period_us");
  if ((both >> quota >> period) || ((one >> quota) && (other >> period))) {
    if (quota > 0 && period > 0) count = std::min(count, (quota + period - 1) / period);
  }
  return static_cast<int>(count);
}

constexpr DLDataType kFloats{kDLFloat, 32, 1}, kPixels{kDLUInt, 8, 1};

struct Settings {
  std::string params;  // the file of weights; empty: beside the library, or in it
  DLDevice device{kDLCPU, 0};
  int threads = 1;
  std::vector<int> cores;  // for the threads, the best first; empty: TVM takes the fastest
  std::string entry = "main";
  DLDataType input = kFloats;  // or kPixels: what the network takes
};

class Model {
 public:
  Model(const std::string& library, const std::vector<int64_t>& input_shape,
        const Settings& settings = {})
      : device_(settings.device),
        entry_(settings.entry),
        library_(Load(library, settings)),
        machine_(Of(library_, "vm_load_executable")().cast<ffi::Module>()),
        set_input_(Of(machine_, "set_input")),
        invoke_(Of(machine_, "invoke_stateful")),
        arity_(Of(machine_, "get_output_arity")),
        output_(Of(machine_, "get_output")),
        input_(OnCpu({input_shape.data(), input_shape.size()}, settings.input)) {
    constexpr int kPooled = 2;  // tvm::runtime::memory::AllocatorType
    int kind = device_.device_type;
    auto initialise = Of(machine_, "vm_initialization");
    if (kind == kDLCPU) {
      initialise(kind, device_.device_id, kPooled);
    } else {  // shapes are computed on the CPU
      initialise(kind, device_.device_id, kPooled, static_cast<int>(kDLCPU), 0, kPooled);
    }
  }

  // The floats of the input, or the bytes of its pixels, to be written.
  float* Input() { return static_cast<float*>(input_.data_ptr()); }
  uint8_t* Pixels() { return static_cast<uint8_t*>(input_.data_ptr()); }
  size_t InputSize() const { return input_.numel(); }

  // Takes what was written: a CPU uses it where it is, any other device gets a copy.
  void Feed() { set_input_(entry_, input_); }

  // Infers, and returns when that is done. The library's weights are found the first time.
  void Run() {
    invoke_(entry_);
    if (device_.device_type != kDLCPU) Global("runtime.Device_StreamSync")(device_, int64_t{0});
  }

  // Returns the outputs of the last run, as floats in memory of the CPU.
  std::vector<ffi::Tensor> Outputs() {
    int arity = arity_(entry_).cast<int>();
    if (arity < 0) return {Fetch(output_(entry_).cast<ffi::Tensor>())};
    std::vector<ffi::Tensor> outputs;
    for (int index = 0; index < arity; ++index) {
      outputs.push_back(Fetch(output_(entry_, index).cast<ffi::Tensor>()));
    }
    return outputs;
  }

 private:
  struct Aligned {  // as TVM's kernels want their tensors
    void AllocData(DLTensor* tensor) {
      if (posix_memalign(&tensor->data, 64, ffi::GetDataSize(*tensor))) throw std::bad_alloc();
    }
    void FreeData(DLTensor* tensor) { std::free(tensor->data); }
  };

  static ffi::Tensor OnCpu(ffi::ShapeView shape, DLDataType type = kFloats) {
    return ffi::Tensor::FromNDAlloc(Aligned(), shape, type, {kDLCPU, 0});
  }

  static ffi::Function Of(const ffi::Module& module, const char* name) {
    auto found = module->GetFunction(name, /*query_imports=*/true);
    if (!found) TVM_FFI_THROW(ValueError) << "the library has no function " << name;
    return *found;
  }

  static ffi::Function Global(const char* name) { return ffi::Function::GetGlobalRequired(name); }

  static ffi::Module Load(const std::string& path, const Settings& settings) {
    // The library calls TVM's functions and does not say whose they are. An app's own libraries are
    // hidden from it until they are opened once more like this; a program's never were.
    for (const char* name : {"libtvm_ffi.so", "libtvm_runtime.so"}) {
      dlopen(name, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
    }
    if (settings.device.device_type == kDLOpenCL) AddOpenCl();
    UseThreads(settings);
    ffi::Module library = ffi::Module::LoadFromFile(path);
    if (!settings.params.empty()) Of(library, "load_params")(settings.params);
    return library;
  }

  // TVM's wheels have no OpenCL: a library beside them has, which mobilebench brings.
  static void AddOpenCl() {
    if (ffi::Function::GetGlobal("device_api.opencl")) return;
    if (!dlopen("libtvm_runtime_opencl.so", RTLD_NOW | RTLD_GLOBAL)) {
      TVM_FFI_THROW(RuntimeError) << dlerror() << "; put it beside the program";
    }
  }

  static void UseThreads(const Settings& settings) {
    constexpr int kBigCores = 1, kOneCorePerThread = -2;  // ThreadGroup::AffinityMode
    auto configure = Global("runtime.config_threadpool");
    std::vector<int> usable = UsableCores(), order = settings.cores;
    size_t online = std::max(1l, sysconf(_SC_NPROCESSORS_ONLN));
    bool all = usable.size() >= online && usable[online - 1] == static_cast<int>(online) - 1;
    if (order.empty() && all) {
      configure(kBigCores, settings.threads);
    } else {
      if (order.empty()) {
        usable.resize(std::min<size_t>(usable.size(), settings.threads));
        order = usable;
      }
      // TVM's pool may be larger than what is used of it, and there is to be a core for each of it.
      size_t given = order.size();
      for (size_t place = 0; order.size() < std::max<size_t>(online, settings.threads); ++place) {
        order.push_back(order[place % given]);
      }
      ffi::Array<ffi::String> names;
      for (int core : order) names.push_back(std::to_string(core));
      configure(kOneCorePerThread, settings.threads, names);
    }
    if (!settings.cores.empty()) {
      // TVM lets the first thread, which is this one, run on all of them.
      cpu_set_t first;
      CPU_ZERO(&first);
      CPU_SET(order[0], &first);
      if (sched_setaffinity(0, sizeof(first), &first)) {
        TVM_FFI_THROW(ValueError) << "there is no core " << order[0] << " for the network";
      }
    }
    int pool = Global("runtime.NumThreads")().cast<int>();
    if (pool < settings.threads) {
      TVM_FFI_THROW(ValueError) << "TVM has " << pool << " threads here, not " << settings.threads
                                << "; ask for fewer, or set TVM_NUM_THREADS before";
    }
  }

  ffi::Tensor Fetch(const ffi::Tensor& output) {
    DLDataType type = output.dtype();
    if (type.code != kDLFloat || type.bits != 32) {
      TVM_FFI_THROW(TypeError) << "the network's output is not of 32-bit floats";
    }
    if (output.device().device_type == kDLCPU) return output;
    ffi::Tensor copy = OnCpu(output.shape());
    Global("runtime.TVMTensorCopyFromTo")(output, copy);
    Global("runtime.Device_StreamSync")(device_, int64_t{0});
    return copy;
  }

  DLDevice device_;
  ffi::String entry_;
  ffi::Module library_, machine_;
  ffi::Function set_input_, invoke_, arity_, output_;
  ffi::Tensor input_;
};

}  // namespace mobilenet
