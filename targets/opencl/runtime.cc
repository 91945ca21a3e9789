// OpenCL for a stock TVM: its wheel writes OpenCL kernels and cannot run them.
//
// Loaded beside TVM's runtime, this makes device kind `opencl` known there: memory, copies, kernels
// and a timer. Buffers only; there are no textures. libOpenCL is opened at the first use and not
// before, so that the library can be loaded where none is, and in a process that still forks.
//
// Written against the headers of TVM's wheel and the OpenCL 1.2 specification.

#include <tvm/ffi/cast.h>
#include <tvm/ffi/container/array.h>
#include <tvm/ffi/container/map.h>
#include <tvm/ffi/dtype.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>
#include <tvm/ffi/reflection/registry.h>
#include <tvm/runtime/device_api.h>
// The wheel lacks headers that tensor.h includes; timer.h includes it, and uses nothing of it.
#define TVM_RUNTIME_TENSOR_H_
#include <tvm/runtime/timer.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "devices.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are cut to their first bytes");

namespace {

using namespace tvm;
using runtime::DeviceAttrKind;

// The device that the calling thread's kernels run on; compiled code sets it before it launches.
thread_local int current_device = 0;

class OpenCLDeviceAPI final : public runtime::DeviceAPI {
 public:
  using DeviceAPI::AllocDataSpace;
  using DeviceAPI::CopyDataFromTo;

  void SetDevice(Device device) final { current_device = device.device_id; }

  void GetAttr(Device device, DeviceAttrKind kind, ffi::Any* result) final {
    if (kind == runtime::kExist) {
      *result = static_cast<int64_t>(Devices::All().Exist(device.device_id));
      return;
    }
    OneDevice& one = At(device);
    switch (kind) {
      case runtime::kMaxThreadsPerBlock:
        *result = one.Value<size_t>(kWorkGroupSize);
        break;
      case runtime::kWarpSize:
        *result = 1;  // OpenCL promises no more than that a work item is in step with itself
        break;
      case runtime::kMaxSharedMemoryPerBlock:
        *result = one.Value<uint64_t>(kLocalSize);
        break;
      case runtime::kComputeVersion:
        *result = ffi::String(Version(one));
        break;
      case runtime::kApiVersion:
        *result = static_cast<int64_t>(std::stod(Version(one)) * 100 + 0.5);  // 3.0 becomes 300
        break;
      case runtime::kDeviceName:
        *result = ffi::String(one.Text(kName));
        break;
      case runtime::kDriverVersion:
        *result = ffi::String(one.Text(kDriver));
        break;
      case runtime::kMaxClockRate:
        *result = one.Value<uint32_t>(kClockMHz) * 1000;  // TVM counts in kHz
        break;
      case runtime::kMultiProcessorCount:
        *result = one.Value<uint32_t>(kComputeUnits);
        break;
      case runtime::kMaxThreadDimensions: {
        size_t sizes[16] = {};
        Check(cl.GetDeviceInfo(one.id, kWorkItemSizes, sizeof(sizes), sizes, nullptr),
              "clGetDeviceInfo");
        *result = ffi::String("[" + std::to_string(sizes[0]) + ", " + std::to_string(sizes[1]) +
                              ", " + std::to_string(sizes[2]) + "]");
        break;
      }
      case runtime::kL2CacheSizeBytes:
        *result = one.Value<uint64_t>(kCacheSize);
        break;
      case runtime::kTotalGlobalMemory:
        *result = one.Value<uint64_t>(kGlobalSize);
        break;
      default:
        break;  // nothing that OpenCL tells
    }
  }

  void* AllocDataSpace(Device device, size_t size, size_t, DLDataType) final {
    return At(device).Allocate(size);
  }

  void FreeDataSpace(Device, void* data) final {
    Check(cl.ReleaseMemObject(static_cast<Memory>(data)), "clReleaseMemObject");
  }

  void* AllocWorkspace(Device device, size_t size, DLDataType) final {
    return At(device).TakeWorkspace(size);
  }

  void FreeWorkspace(Device device, void* data) final {
    At(device).ReturnWorkspace(static_cast<Memory>(data));
  }

  void StreamSync(Device device, TVMStreamHandle) final { At(device).Synchronize(); }

 protected:
  void CopyDataFromTo(const void* from, size_t from_offset, void* to, size_t to_offset, size_t size,
                      Device source, Device target, DLDataType, TVMStreamHandle) final {
    if (size == 0) return;
    bool from_here = source.device_type == kDLCPU, to_here = target.device_type == kDLCPU;
    if (from_here) {
      Write(At(target), to, to_offset, static_cast<const char*>(from) + from_offset, size);
    } else if (to_here) {
      Read(At(source), from, from_offset, static_cast<char*>(to) + to_offset, size);
    } else if (source.device_id == target.device_id) {
      At(source).Submit("clEnqueueCopyBuffer", [&](Queue queue, Event* event) {
        return cl.EnqueueCopyBuffer(queue, AsMemory(from), AsMemory(to), from_offset, to_offset,
                                    size, 0, nullptr, event);
      });
    } else {  // devices share no context
      std::vector<char> between(size);
      Read(At(source), from, from_offset, between.data(), size);
      Write(At(target), to, to_offset, between.data(), size);
    }
  }

 private:
  static OneDevice& At(Device device) { return Devices::All().At(device.device_id); }

  static Memory AsMemory(const void* data) { return static_cast<Memory>(const_cast<void*>(data)); }

  // "OpenCL 3.0 and the vendor's text" becomes "3.0".
  static std::string Version(const OneDevice& one) {
    std::string text = one.Text(kVersion);
    size_t begin = std::min<size_t>(text.size(), std::strlen("OpenCL "));
    return text.substr(begin, text.find(' ', begin) - begin);
  }

  static void Read(OneDevice& one, const void* from, size_t offset, void* to, size_t size) {
    one.Submit("clEnqueueReadBuffer", [&](Queue queue, Event* event) {
      return cl.EnqueueReadBuffer(queue, AsMemory(from), kBlocking, offset, size, to, 0, nullptr,
                                  event);
    });
  }

  static void Write(OneDevice& one, void* to, size_t offset, const void* from, size_t size) {
    one.Submit("clEnqueueWriteBuffer", [&](Queue queue, Event* event) {
      return cl.EnqueueWriteBuffer(queue, AsMemory(to), kBlocking, offset, size, from, 0, nullptr,
                                   event);
    });
  }
};

// From the start of the first command to the end of the last one, on the device's own clock. What
// the device waits in between is in it: an inference takes that time too.
class OpenCLTimer final : public runtime::TimerNode {
 public:
  explicit OpenCLTimer(Device device) : device_(Devices::All().At(device.device_id)) {}
  ~OpenCLTimer() {
    try {
      device_.End(&span_);
    } catch (const std::exception&) {  // the device is lost, and its timer goes all the same
    }
  }

  void Start() final { device_.Begin(&span_); }
  void Stop() final { device_.End(&span_); }

  int64_t SyncAndGetElapsedNanos() final {
    if (!span_.first) return 0;
    Event last = span_.last ? span_.last : span_.first;
    return static_cast<int64_t>(Moment(last, kCommandEnd) - Moment(span_.first, kCommandStart));
  }

  TVM_FFI_DECLARE_OBJECT_INFO_FINAL("mobilebench.OpenCLTimer", OpenCLTimer, runtime::TimerNode);

 private:
  static uint64_t Moment(Event event, uint32_t which) {
    uint64_t nanoseconds = 0;
    Check(cl.GetEventProfilingInfo(event, which, sizeof(nanoseconds), &nanoseconds, nullptr),
          "clGetEventProfilingInfo");
    return nanoseconds;
  }

  OneDevice& device_;
  Span span_;
};
// What TVM's code generator tells of a kernel; its own class of that name has these members.
class FunctionInfoObj : public ffi::Object {
 public:
  ffi::String name;
  ffi::Array<DLDataType> arg_types;
  ffi::Array<ffi::String> launch_param_tags;
  ffi::Array<int64_t> arg_extra_tags;

  TVM_FFI_DECLARE_OBJECT_INFO_FINAL("runtime.FunctionInfo", FunctionInfoObj, ffi::Object);
};

class FunctionInfo : public ffi::ObjectRef {
 public:
  TVM_FFI_DEFINE_OBJECT_REF_METHODS_NULLABLE(FunctionInfo, ffi::ObjectRef, FunctionInfoObj);
};

struct Signature {
  std::string name;
  std::vector<DLDataType> types;
  std::vector<std::string> tags;       // of the arguments that follow: how many work items
  std::vector<int32_t> argument_tags;  // without a meaning here, kept for the next reader
};

// How TVM writes modules into libraries: numbers as they are, and a count before each list.
class Writer {
 public:
  template <typename Number>
  void Put(Number number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof(number));
  }

  void Put(const std::string& text) {
    Put<uint64_t>(text.size());
    bytes += text;
  }

  template <typename Item>
  void Put(const std::vector<Item>& items) {
    Put<uint64_t>(items.size());
    for (const Item& item : items) Put(item);
  }

  std::string bytes;
};

class Reader {
 public:
  explicit Reader(const ffi::Bytes& bytes) : next_(bytes.data()), end_(next_ + bytes.size()) {}

  template <typename Number>
  void Get(Number* number) {
    std::memcpy(number, Skip(sizeof(*number)), sizeof(*number));
  }

  void Get(std::string* text) {
    uint64_t size = Count();
    text->assign(Skip(size), size);
  }

  template <typename Item>
  void Get(std::vector<Item>* items) {
    for (uint64_t left = Count(); left > 0; --left) Get(&items->emplace_back());
  }

  uint64_t Count() {
    uint64_t count;
    Get(&count);
    return count;
  }

 private:
  const char* Skip(uint64_t size) {
    if (size > static_cast<uint64_t>(end_ - next_)) Fail("a module's bytes end too early");
    next_ += size;
    return next_ - size;
  }

  const char *next_, *end_;
};

// Where a launch's numbers of work items are among its arguments.
struct Launch {
  explicit Launch(const Signature& signature) {
    static const char* const kTags[] = {"blockIdx.x",  "blockIdx.y",  "blockIdx.z",
                                        "threadIdx.x", "threadIdx.y", "threadIdx.z"};
    for (const std::string& tag : signature.tags) {
      auto found = std::find(std::begin(kTags), std::end(kTags), tag);
      if (found == std::end(kTags)) {
        Fail("kernel " + signature.name + " wants " + tag + ", which OpenCL has not");
      }
      places.push_back(found - std::begin(kTags));
      dimensions = std::max(dimensions, places.back() % 3 + 1);
    }
  }

  std::vector<uint32_t> places;
  uint32_t dimensions = 1;
};

class OpenCLModule final : public ffi::ModuleObj {
 public:
  OpenCLModule(std::string format, std::map<std::string, Signature> kernels, std::string code)
      : format_(std::move(format)), kernels_(std::move(kernels)), code_(std::move(code)) {
    if (format_ != "cl") Fail("modules are OpenCL C (cl) here; this one is " + format_);
  }

  ~OpenCLModule() {
    for (auto& [device, built] : built_) {
      for (auto& [name, kernel] : built.kernels) cl.ReleaseKernel(kernel);
      cl.ReleaseProgram(built.program);
    }
  }

  const char* kind() const final { return "opencl"; }
  int GetPropertyMask() const final {
    return ffi::Module::kBinarySerializable | ffi::Module::kRunnable;
  }
  ffi::String InspectSource(const ffi::String&) const final { return code_; }

  ffi::Bytes SaveToBytes() const final {
    Writer writer;
    writer.Put(format_);
    writer.Put<uint64_t>(kernels_.size());
    for (const auto& [key, kernel] : kernels_) {
      writer.Put(key);
      writer.Put(kernel.name);
      writer.Put(kernel.types);
      writer.Put(kernel.tags);
      writer.Put(kernel.argument_tags);
    }
    writer.Put(code_);
    return ffi::Bytes(std::move(writer.bytes));
  }

  ffi::Optional<ffi::Function> GetFunction(const ffi::String& name) final {
    auto found = kernels_.find(name);
    if (found == kernels_.end()) return std::nullopt;
    auto self = ffi::GetObjectPtr<OpenCLModule>(this);
    const Signature& signature = found->second;  // lives as long as the module
    return ffi::Function::FromPacked(
        [self, &signature, launch = Launch(signature)](ffi::PackedArgs args, ffi::Any*) {
          self->Run(signature, launch, args);
        });
  }

 private:
  struct Built {
    Program program;
    std::map<std::string, Kernel> kernels;
  };

  void Run(const Signature& signature, const Launch& launch, ffi::PackedArgs args) {
    size_t count = signature.types.size();
    if (static_cast<size_t>(args.size()) != count + launch.places.size()) {
      Fail("kernel " + signature.name + " takes " + std::to_string(count) + " arguments and " +
           std::to_string(launch.places.size()) + " sizes; it got " + std::to_string(args.size()));
    }
    size_t sizes[6] = {1, 1, 1, 1, 1, 1};  // work groups in x, y, z; then work items of a group
    for (size_t index = 0; index < launch.places.size(); ++index) {
      auto size = args[count + index].cast<int64_t>();
      if (size <= 0) return;  // of an empty tensor there is nothing to compute
      sizes[launch.places[index]] = size;
    }
    for (int axis = 0; axis < 3; ++axis) sizes[axis] *= sizes[axis + 3];

    int index = current_device;
    OneDevice& device = Devices::All().At(index);
    // A kernel keeps its arguments between the calls that set them, so threads take turns.
    std::lock_guard<std::mutex> guard(lock_);
    Kernel kernel = Get(signature, device, index);
    for (size_t place = 0; place < count; ++place) {
      SetArgument(signature, kernel, place, args[place]);
    }
    device.Submit("kernel " + signature.name, [&](Queue queue, Event* event) {
      return cl.EnqueueNDRangeKernel(queue, kernel, launch.dimensions, nullptr, sizes, sizes + 3, 0,
                                     nullptr, event);
    });
  }

  static void SetArgument(const Signature& signature, Kernel kernel, size_t place,
                          ffi::AnyView argument) {
    DLDataType type = signature.types[place];
    size_t size = (type.bits + 7) / 8;
    char value[sizeof(int64_t)];
    bool fits = type.lanes == 1 && size <= sizeof(value);
    if (type.code == kDLOpaqueHandle) {
      void* memory = argument.cast<void*>();
      std::memcpy(value, &memory, size = sizeof(memory));
    } else if (fits && (type.code == kDLInt || type.code == kDLUInt || type.code == kDLBool)) {
      auto whole = argument.cast<int64_t>();
      std::memcpy(value, &whole, sizeof(whole));
    } else if (fits && type.code == kDLFloat && type.bits == 32) {
      auto single = static_cast<float>(argument.cast<double>());
      std::memcpy(value, &single, sizeof(single));
    } else if (fits && type.code == kDLFloat && type.bits == 64) {
      auto twice = argument.cast<double>();
      std::memcpy(value, &twice, sizeof(twice));
    } else {
      Fail("kernel " + signature.name + ": argument " + std::to_string(place) +
           " is of a type that cannot be passed to OpenCL (code " + std::to_string(type.code) +
           ", " + std::to_string(type.bits) + " bits, " + std::to_string(type.lanes) + " lanes)");
    }
    int32_t code = cl.SetKernelArg(kernel, static_cast<uint32_t>(place), size, value);
    if (code == kSuccess) return;
    Fail("kernel " + signature.name + ", argument " + std::to_string(place) + ": " +
         ErrorName(code));
  }

  // The kernel on a device, for which the module is built when it is first asked for.
  Kernel Get(const Signature& signature, const OneDevice& device, int index) {
    auto found = built_.find(index);
    if (found == built_.end()) {
      found = built_.emplace(index, Built{Build(device), {}}).first;
    }
    Kernel& kernel = found->second.kernels[signature.name];
    if (kernel) return kernel;
    int32_t code;
    kernel = cl.CreateKernel(found->second.program, signature.name.c_str(), &code);
    if (code != kSuccess) {
      found->second.kernels.erase(signature.name);
      Fail("kernel " + signature.name + ": " + ErrorName(code));
    }
    return kernel;
  }

  Program Build(const OneDevice& device) const {
    const char* text = code_.data();
    size_t size = code_.size();
    int32_t code;
    Program program = cl.CreateProgramWithSource(device.context, 1, &text, &size, &code);
    Check(code, "clCreateProgramWithSource");
    code = cl.BuildProgram(program, 1, &device.id, "", nullptr, nullptr);
    if (code == kSuccess) return program;
    size_t length = 0;
    cl.GetProgramBuildInfo(program, device.id, kBuildLog, 0, nullptr, &length);
    std::string log(length, 0);
    cl.GetProgramBuildInfo(program, device.id, kBuildLog, length, &log[0], nullptr);
    cl.ReleaseProgram(program);
    Fail(device.Text(kName) + " cannot build the module: " + ErrorName(code) + "\n" + log.c_str());
  }

  const std::string format_;
  const std::map<std::string, Signature> kernels_;
  const std::string code_;
  std::mutex lock_;
  std::map<int, Built> built_;  // by the device's number
};

ffi::Module CreateModule(ffi::Bytes code, ffi::String format,
                         ffi::Map<ffi::String, FunctionInfo> functions,
                         ffi::Map<ffi::String, ffi::String>) {
  std::map<std::string, Signature> kernels;
  for (const auto& [key, info] : functions) {
    Signature& kernel = kernels[key];
    kernel.name = info->name;
    for (DLDataType type : info->arg_types) kernel.types.push_back(type);
    for (const ffi::String& tag : info->launch_param_tags) kernel.tags.push_back(tag);
    for (int64_t tag : info->arg_extra_tags) {
      kernel.argument_tags.push_back(static_cast<int32_t>(tag));
    }
  }
  return ffi::Module(ffi::make_object<OpenCLModule>(std::string(format), std::move(kernels),
                                                    std::string(code.data(), code.size())));
}

ffi::Module LoadModule(ffi::Bytes bytes) {
  Reader reader(bytes);
  std::string format, key, code;
  std::map<std::string, Signature> kernels;
  reader.Get(&format);
  for (uint64_t left = reader.Count(); left > 0; --left) {
    reader.Get(&key);
    Signature& kernel = kernels[key];
    reader.Get(&kernel.name);
    reader.Get(&kernel.types);
    reader.Get(&kernel.tags);
    reader.Get(&kernel.argument_tags);
  }
  reader.Get(&code);
  return ffi::Module(
      ffi::make_object<OpenCLModule>(std::move(format), std::move(kernels), std::move(code)));
}

TVM_FFI_STATIC_INIT_BLOCK() {
  if (ffi::Function::GetGlobal("device_api.opencl")) return;  // this TVM has OpenCL of its own
  ffi::reflection::GlobalDef()
      .def_packed("device_api.opencl",
                  [](ffi::PackedArgs, ffi::Any* result) {
                    static runtime::DeviceAPI* api = new OpenCLDeviceAPI();
                    *result = static_cast<void*>(api);
                  })
      .def("runtime.timer.opencl",
           [](Device device) {
             return runtime::Timer(ffi::make_object<OpenCLTimer>(device));
           })
      .def("ffi.Module.create.opencl", CreateModule)
      .def("ffi.Module.load_from_bytes.opencl", LoadModule);
}

}  // namespace
