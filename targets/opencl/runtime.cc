// OpenCL for a stock TVM: its wheel writes OpenCL kernels and cannot run them.
//
// Loaded beside TVM's runtime, this makes device kind `opencl` known there: memory, copies, kernels
// and a timer; and, as global functions, what a device is and how long each kernel took. Buffers
// only; there are no textures. libOpenCL is opened at the first use and not before, so that the
// library can be loaded where none is, and in a process that still forks. Kernels run from
// libraries: what is compiled beside it is exported and loaded first, as in every other process.
//
// Written against the headers of TVM's wheel and the OpenCL 1.2 specification, whose own headers it
// does without. On a board that has g++, after `pip install apache-tvm`:
//
//   tvm=$(python -c 'import os, tvm; print(os.path.dirname(tvm.__file__))')/include
//   ffi=$(tvm-ffi-config --includedir)
//   g++ -std=c++17 -O2 -shared -fPIC -I $tvm -I $ffi -o opencl.so runtime.cc -ldl
//   python -m tvm.exec.rpc_server --host=127.0.0.1 --load-library=$PWD/opencl.so

#include <dlfcn.h>
#include <tvm/ffi/cast.h>
#include <tvm/ffi/dtype.h>
#include <tvm/ffi/error.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>
#include <tvm/ffi/reflection/registry.h>
#include <tvm/runtime/device_api.h>
// The wheel lacks headers that tensor.h includes; timer.h includes it, and uses nothing of it.
#define TVM_RUNTIME_TENSOR_H_
#include <tvm/runtime/timer.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "integers are cut to their first bytes");

namespace {

using namespace tvm;
using runtime::DeviceAttrKind;

// ---- What is used of OpenCL 1.2 ----

using Platform = struct PlatformTag*;
using Id = struct DeviceTag*;
using Context = struct ContextTag*;
using Queue = struct QueueTag*;
using Memory = struct MemoryTag*;
using Program = struct ProgramTag*;
using Kernel = struct KernelTag*;
using Event = struct EventTag*;
using Callback = void (*)();  // never given
using Sizes = const size_t*;
using Waits = const Event*;
using Code = int32_t;

constexpr uint32_t kBlocking = 1;
constexpr uint64_t kEveryType = 0xFFFFFFFF, kCpu = 1 << 1, kGpu = 1 << 2, kAccelerator = 1 << 3;
constexpr uint64_t kReadWrite = 1 << 0, kProfiling = 1 << 1;
constexpr uint32_t kType = 0x1000, kComputeUnits = 0x1002, kWorkGroup = 0x1004, kVector = 0x103A;
constexpr uint32_t kBufferSize = 0x1010, kGlobalSize = 0x101F, kLocalSize = 0x1023;
constexpr uint32_t kName = 0x102B, kVendor = 0x102C, kDriver = 0x102D, kVersion = 0x102F;
constexpr uint32_t kExtensions = 0x1030, kBuildLog = 0x1183;
constexpr uint32_t kKernelWorkGroup = 0x11B0, kKernelMultiple = 0x11B3;
constexpr uint32_t kCommandStart = 0x1282, kCommandEnd = 0x1283;

// What each function returns, its name and its type. Those that return no code tell it through
// their last argument.
#define OPENCL_FUNCTIONS(X)                                                                 \
  X(Code, GetPlatformIDs, (uint32_t, Platform*, uint32_t*))                                 \
  X(Code, GetDeviceIDs, (Platform, uint64_t, uint32_t, Id*, uint32_t*))                     \
  X(Code, GetDeviceInfo, (Id, uint32_t, size_t, void*, size_t*))                            \
  X(Context, CreateContext, (const intptr_t*, uint32_t, const Id*, Callback, void*, Code*)) \
  X(Queue, CreateCommandQueue, (Context, Id, uint64_t, Code*))                              \
  X(Code, Finish, (Queue))                                                                  \
  X(Memory, CreateBuffer, (Context, uint64_t, size_t, void*, Code*))                        \
  X(Code, ReleaseMemObject, (Memory))                                                       \
  X(Code, EnqueueReadBuffer,                                                                \
    (Queue, Memory, uint32_t, size_t, size_t, void*, uint32_t, Waits, Event*))              \
  X(Code, EnqueueWriteBuffer,                                                               \
    (Queue, Memory, uint32_t, size_t, size_t, const void*, uint32_t, Waits, Event*))        \
  X(Code, EnqueueCopyBuffer,                                                                \
    (Queue, Memory, Memory, size_t, size_t, size_t, uint32_t, Waits, Event*))               \
  X(Program, CreateProgramWithSource, (Context, uint32_t, const char**, Sizes, Code*))      \
  X(Code, BuildProgram, (Program, uint32_t, const Id*, const char*, Callback, void*))       \
  X(Code, GetProgramBuildInfo, (Program, Id, uint32_t, size_t, void*, size_t*))             \
  X(Code, ReleaseProgram, (Program))                                                        \
  X(Kernel, CreateKernel, (Program, const char*, Code*))                                    \
  X(Code, SetKernelArg, (Kernel, uint32_t, size_t, const void*))                            \
  X(Code, GetKernelWorkGroupInfo, (Kernel, Id, uint32_t, size_t, void*, size_t*))           \
  X(Code, EnqueueNDRangeKernel,                                                             \
    (Queue, Kernel, uint32_t, Sizes, Sizes, Sizes, uint32_t, Waits, Event*))                \
  X(Code, ReleaseKernel, (Kernel))                                                          \
  X(Code, WaitForEvents, (uint32_t, Waits))                                                 \
  X(Code, GetEventProfilingInfo, (Event, uint32_t, size_t, void*, size_t*))                 \
  X(Code, ReleaseEvent, (Event))

struct {
#define DECLARE(result, name, type) result(*name) type;
  OPENCL_FUNCTIONS(DECLARE)
#undef DECLARE
} cl;

// An object that its last owner releases.
template <typename Object>
using Owned = std::shared_ptr<std::remove_pointer_t<Object>>;

// An error's name, and what to do about it where the name alone does not say.
std::string Explain(Code code) {
  // clang-format off
  static const std::map<Code, const char*> kNames = {
      {-1, "DEVICE_NOT_FOUND"}, {-2, "DEVICE_NOT_AVAILABLE"}, {-3, "COMPILER_NOT_AVAILABLE"},
      {-4, "MEM_OBJECT_ALLOCATION_FAILURE"}, {-5, "OUT_OF_RESOURCES"}, {-6, "OUT_OF_HOST_MEMORY"},
      {-7, "PROFILING_INFO_NOT_AVAILABLE"}, {-11, "BUILD_PROGRAM_FAILURE"},
      {-14, "EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"}, {-30, "INVALID_VALUE"},
      {-33, "INVALID_DEVICE"}, {-34, "INVALID_CONTEXT"}, {-35, "INVALID_QUEUE_PROPERTIES"},
      {-36, "INVALID_COMMAND_QUEUE"}, {-38, "INVALID_MEM_OBJECT"},
      {-43, "INVALID_BUILD_OPTIONS"}, {-44, "INVALID_PROGRAM"},
      {-45, "INVALID_PROGRAM_EXECUTABLE"}, {-46, "INVALID_KERNEL_NAME"}, {-48, "INVALID_KERNEL"},
      {-49, "INVALID_ARG_INDEX"}, {-50, "INVALID_ARG_VALUE"}, {-51, "INVALID_ARG_SIZE"},
      {-52, "INVALID_KERNEL_ARGS"}, {-53, "INVALID_WORK_DIMENSION"},
      {-54, "INVALID_WORK_GROUP_SIZE"}, {-55, "INVALID_WORK_ITEM_SIZE"}, {-58, "INVALID_EVENT"},
      {-59, "INVALID_OPERATION"}, {-61, "INVALID_BUFFER_SIZE"}, {-63, "INVALID_GLOBAL_WORK_SIZE"},
      {-1001, "PLATFORM_NOT_FOUND_KHR"}};
  // clang-format on
  auto found = kNames.find(code);
  if (found == kNames.end()) return "error " + std::to_string(code);
  std::string name = std::string("CL_") + found->second;
  if (code == -2 || code == -14 || code == -34 || code == -36) {  // they follow on one another
    name += "; the device is lost: restart the server, and see dmesg for the driver's word";
  } else if (code == -3) {
    name += "; the driver came without its compiler: install all of it";
  } else if (code == -4 || code == -6 || code == -61) {
    name += "; there is not so much memory: use a smaller batch or model";
  } else if (code == -5) {  // drivers return it for both
    name +=
        "; the kernel wants more registers or local memory than there are, or the device is "
        "lost: use smaller tiles, restart the server";
  }
  return name;
}

[[noreturn]] void Fail(const std::string& message) {
  TVM_FFI_THROW(RuntimeError) << "OpenCL: " << message;
  TVM_FFI_UNREACHABLE();
}

void Check(Code code, const std::string& what) {
  if (code != 0) Fail(what + ": " + Explain(code));
}

// ---- Time ----

// When a command started or ended, in nanoseconds on its device's clock.
int64_t Moment(const Owned<Event>& event, uint32_t which) {
  uint64_t nanoseconds = 0;
  Check(cl.GetEventProfilingInfo(event.get(), which, sizeof(nanoseconds), &nanoseconds, nullptr),
        "clGetEventProfilingInfo");
  return static_cast<int64_t>(nanoseconds);
}

// The first and the last command that a device was given while a timer ran.
struct Span {
  Owned<Event> first, last;
};

// Each launch on any device while it is on, and how long it took. Drivers hold memory for an event,
// so that few are kept, and of the launches before those the times.
class Recording {
 public:
  static Recording& Only() {
    static auto* only = new Recording();
    return *only;
  }

  bool On() const { return on_; }

  void Turn(bool on) {
    std::lock_guard<std::mutex> guard(lock_);
    if (on) events_.clear(), times_.clear();
    on_ = on;
  }

  void Add(const std::string& kernel, const Owned<Event>& event) {
    std::lock_guard<std::mutex> guard(lock_);
    events_.emplace_back(kernel, event);
    if (events_.size() == kMostEvents) Settle();
  }

  // Returns lines of a kernel's name and its nanoseconds, in the order of launches.
  std::string Take() {
    std::lock_guard<std::mutex> guard(lock_);
    Settle();
    return std::exchange(times_, "");
  }

 private:
  static constexpr size_t kMostEvents = 4096;

  void Settle() {
    for (const auto& [kernel, event] : std::exchange(events_, {})) {
      Event waited = event.get();
      Check(cl.WaitForEvents(1, &waited), "kernel " + kernel);
      int64_t time = Moment(event, kCommandEnd) - Moment(event, kCommandStart);
      times_ += kernel + " " + std::to_string(time) + "\n";
    }
  }

  std::atomic<bool> on_{false};
  std::mutex lock_;
  std::vector<std::pair<std::string, Owned<Event>>> events_;
  std::string times_;  // of the launches before those
};

// ---- Devices ----

// One device, with a context and queues of its own, in which commands run in their order.
class OneDevice {
 public:
  explicit OneDevice(Id id) : id(id) {
    Code code;
    context_ = cl.CreateContext(nullptr, 1, &id, nullptr, nullptr, &code);
    Check(code, "a context of " + Text(kName));
    plain_ = latest_ = cl.CreateCommandQueue(context_, id, 0, &code);
    Check(code, "a queue of " + Text(kName));
    timed_ = cl.CreateCommandQueue(context_, id, kProfiling, &code);
    Check(code, "a queue with times of " + Text(kName));
  }

  std::string Text(uint32_t info) const {
    size_t size = 0;
    Check(cl.GetDeviceInfo(id, info, 0, nullptr, &size), "clGetDeviceInfo");
    std::string text(size, 0);
    Check(cl.GetDeviceInfo(id, info, size, &text[0], nullptr), "clGetDeviceInfo");
    return text.c_str();  // it ends in a zero
  }

  int64_t Number(uint32_t info) const {
    uint64_t value = 0;  // of narrower ones the first bytes are written
    Check(cl.GetDeviceInfo(id, info, sizeof(value), &value, nullptr), "clGetDeviceInfo");
    return static_cast<int64_t>(value);
  }

  Memory Allocate(size_t size) const {
    Code code;
    // OpenCL has no empty buffers, and TVM has empty tensors.
    size_t least = std::max<size_t>(size, 1);
    Memory memory = cl.CreateBuffer(context_, kReadWrite, least, nullptr, &code);
    if (code == 0) return memory;
    Fail("no buffer of " + std::to_string(size) + " bytes on " + Text(kName) + ", which has " +
         std::to_string(Number(kGlobalSize)) + " and gives one buffer at most " +
         std::to_string(Number(kBufferSize)) + ": " + Explain(code));
  }

  Owned<Program> Build(const std::string& source) const {
    const char* text = source.data();
    size_t size = source.size();
    Code code;
    Program made = cl.CreateProgramWithSource(context_, 1, &text, &size, &code);
    Check(code, "clCreateProgramWithSource");
    Owned<Program> program(made, cl.ReleaseProgram);
    code = cl.BuildProgram(made, 1, &id, "", nullptr, nullptr);
    if (code == 0) return program;
    cl.GetProgramBuildInfo(made, id, kBuildLog, 0, nullptr, &(size = 0));
    std::string log(size, 0);
    cl.GetProgramBuildInfo(made, id, kBuildLog, size, &log[0], nullptr);
    Fail(Text(kName) + " cannot build the module: " + Explain(code) + "; its compiler's words:\n" +
         log.c_str());
  }

  // Calls `enqueue(queue, event)`, for a launch with the kernel's name. Only while somebody wants
  // times, commands go to a queue that takes them, so that nobody else pays for that.
  template <typename Enqueue>
  void Submit(const std::string& kernel, Enqueue enqueue) {
    std::lock_guard<std::mutex> guard(lock_);
    bool recorded = Recording::Only().On(), timed = recorded || !spans_.empty();
    Queue queue = timed ? timed_ : plain_;
    if (queue != latest_) {  // the order of commands is kept over the change
      Check(cl.Finish(latest_), "clFinish");
      latest_ = queue;
    }
    Event made = nullptr;
    Code code = enqueue(queue, timed ? &made : nullptr);
    if (code != 0) Check(code, kernel.empty() ? "a copy" : "kernel " + kernel);
    if (!timed) return;
    Owned<Event> event(made, cl.ReleaseEvent);
    for (Span* span : spans_) (span->first ? span->last : span->first) = event;
    if (recorded && !kernel.empty()) Recording::Only().Add(kernel, event);
  }

  void Synchronize() {
    std::lock_guard<std::mutex> guard(lock_);
    Check(cl.Finish(latest_), "clFinish");
  }

  void Begin(Span* span) {
    std::lock_guard<std::mutex> guard(lock_);
    spans_.push_back(span);
  }

  void End(Span* span) {
    std::lock_guard<std::mutex> guard(lock_);
    spans_.erase(std::remove(spans_.begin(), spans_.end(), span), spans_.end());
  }

  const Id id;

 private:
  Context context_;
  Queue plain_, timed_, latest_;  // the latest is the one of both that may have work
  std::mutex lock_;
  std::vector<Span*> spans_;  // of timers that run
};

// Every device of every platform, GPUs first; found at the first use. It is never destroyed:
// drivers may be gone when a process ends.
class Devices {
 public:
  static Devices& All() {
    static auto* all = new Devices();
    return *all;
  }

  // Whether there is one of that number; why not is told by whoever needs it.
  bool Exist(int index) const { return index >= 0 && static_cast<size_t>(index) < ids_.size(); }

  OneDevice& At(int index) {
    if (ids_.empty()) Fail(reason_);
    if (!Exist(index)) {
      Fail("there is no device " + std::to_string(index) + "; there are " +
           std::to_string(ids_.size()) + ", from 0 on");
    }
    std::lock_guard<std::mutex> guard(lock_);
    if (!devices_[index]) devices_[index] = std::make_unique<OneDevice>(ids_[index]);
    return *devices_[index];
  }

 private:
  Devices() : reason_(Open()) {
    if (!reason_.empty()) return;
    std::vector<Platform> platforms(16);
    std::vector<Id> ids(64);
    uint32_t count = 0, found = 0;
    Code code = cl.GetPlatformIDs(platforms.size(), platforms.data(), &count);
    platforms.resize(code == 0 ? std::min<size_t>(count, platforms.size()) : 0);
    for (Platform platform : platforms) {
      // A platform without devices says so by an error.
      if (cl.GetDeviceIDs(platform, kEveryType, ids.size(), ids.data(), &found) != 0) continue;
      ids_.insert(ids_.end(), ids.begin(), ids.begin() + std::min<size_t>(found, ids.size()));
    }
    std::stable_partition(ids_.begin(), ids_.end(), [](Id id) {
      uint64_t type = 0;
      cl.GetDeviceInfo(id, kType, sizeof(type), &type, nullptr);
      return (type & kGpu) != 0;
    });
    devices_.resize(ids_.size());
    reason_ = "no device" + (code == 0 ? "" : " (" + Explain(code) + ")") +
              "; is its driver named in /etc/OpenCL/vendors, and may this user open /dev/dri?";
  }

  // Opens the library; returns why it cannot.
  static std::string Open() {
    auto open = [](const char* name) { return dlopen(name, RTLD_NOW | RTLD_LOCAL); };
    const char* chosen = std::getenv("MOBILEBENCH_OPENCL");
    void* library = open(chosen && *chosen ? chosen : "libOpenCL.so.1");
    std::string error = library ? "" : dlerror();
    if (!library && !(chosen && *chosen)) library = open("libOpenCL.so");
    if (!library) {
      return "no library (" + error + "); install one (pip install 'mobilebench[opencl]', or " +
             "apt-get install ocl-icd-libopencl1) or name one in MOBILEBENCH_OPENCL";
    }
#define FIND(result, name, type)                                          \
  cl.name = reinterpret_cast<result(*) type>(dlsym(library, "cl" #name)); \
  if (!cl.name) return "the library has no cl" #name "; it is no OpenCL 1.2";
    OPENCL_FUNCTIONS(FIND)
#undef FIND
    return "";
  }

  std::string reason_;  // why there are none
  std::vector<Id> ids_;
  std::mutex lock_;
  std::vector<std::unique_ptr<OneDevice>> devices_;
};

// ---- What TVM asks of a kind of device ----

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
    } else if (kind == runtime::kMaxThreadsPerBlock) {
      *result = At(device).Number(kWorkGroup);
    } else if (kind == runtime::kMaxSharedMemoryPerBlock) {
      *result = At(device).Number(kLocalSize);
    } else if (kind == runtime::kWarpSize) {
      *result = 1;  // OpenCL promises no more than that a work item is in step with itself
    } else if (kind == runtime::kDeviceName) {
      *result = ffi::String(At(device).Text(kName));
    } else if (kind == runtime::kTotalGlobalMemory) {
      *result = At(device).Number(kGlobalSize);
    }
  }

  void* AllocDataSpace(Device device, size_t size, size_t, DLDataType) final {
    return At(device).Allocate(size);
  }

  // Commands keep the buffers that they were given until they are done.
  void FreeDataSpace(Device, void* data) final {
    Check(cl.ReleaseMemObject(static_cast<Memory>(data)), "clReleaseMemObject");
  }

  void StreamSync(Device device, TVMStreamHandle) final { At(device).Synchronize(); }

 protected:
  void CopyDataFromTo(const void* from, size_t from_offset, void* to, size_t to_offset, size_t size,
                      Device source, Device target, DLDataType, TVMStreamHandle) final {
    if (size == 0) return;
    bool from_here = source.device_type == kDLCPU, to_here = target.device_type == kDLCPU;
    if (!from_here && !to_here && source.device_id != target.device_id) {
      Fail("devices share no memory: copy by way of the processor's");
    }
    auto in = static_cast<Memory>(const_cast<void*>(from)), out = static_cast<Memory>(to);
    At(from_here ? target : source).Submit("", [&](Queue queue, Event* event) {
      if (from_here) {
        return cl.EnqueueWriteBuffer(queue, out, kBlocking, to_offset, size,
                                     static_cast<const char*>(from) + from_offset, 0, nullptr,
                                     event);
      } else if (to_here) {
        return cl.EnqueueReadBuffer(queue, in, kBlocking, from_offset, size,
                                    static_cast<char*>(to) + to_offset, 0, nullptr, event);
      }
      return cl.EnqueueCopyBuffer(queue, in, out, from_offset, to_offset, size, 0, nullptr, event);
    });
  }

 private:
  static OneDevice& At(Device device) { return Devices::All().At(device.device_id); }
};

// From the start of the first command to the end of the last one, on the device's own clock. What
// the device waits in between is in it: an inference takes that time too.
class OpenCLTimer final : public runtime::TimerNode {
 public:
  explicit OpenCLTimer(Device device) : device_(Devices::All().At(device.device_id)) {}
  ~OpenCLTimer() { device_.End(&span_); }

  void Start() final { device_.Begin(&span_); }
  void Stop() final { device_.End(&span_); }

  int64_t SyncAndGetElapsedNanos() final {
    device_.Synchronize();
    if (!span_.first) return 0;
    return Moment(span_.last ? span_.last : span_.first, kCommandEnd) -
           Moment(span_.first, kCommandStart);
  }

  TVM_FFI_DECLARE_OBJECT_INFO_FINAL("mobilebench.OpenCLTimer", OpenCLTimer, runtime::TimerNode);

 private:
  OneDevice& device_;
  Span span_;
};

// ---- Modules: kernels that TVM compiled ----

Owned<Kernel> MakeKernel(const Owned<Program>& program, const std::string& name) {
  Code code;
  Kernel kernel = cl.CreateKernel(program.get(), name.c_str(), &code);
  Check(code, "kernel " + name);
  return Owned<Kernel>(kernel, cl.ReleaseKernel);
}

size_t Number(const Owned<Kernel>& kernel, Id device, uint32_t info) {
  size_t value = 0;
  Check(cl.GetKernelWorkGroupInfo(kernel.get(), device, info, sizeof(value), &value, nullptr),
        "clGetKernelWorkGroupInfo");
  return value;
}

// How TVM writes modules into libraries: numbers as they are, and a count before each list.
class Reader {
 public:
  explicit Reader(const ffi::Bytes& bytes) : next_(bytes.data()), end_(next_ + bytes.size()) {}

  template <typename Number>
  Number Get() {
    Number number;
    std::memcpy(&number, Skip(sizeof(number)), sizeof(number));
    return number;
  }

  std::string Text() {
    auto size = Get<uint64_t>();
    return std::string(Skip(size), size);
  }

  template <typename Item>
  void Each(Item item) {
    for (auto left = Get<uint64_t>(); left > 0; --left) item();
  }

 private:
  const char* Skip(uint64_t size) {
    if (size > static_cast<uint64_t>(end_ - next_)) Fail("a module's bytes end too early");
    next_ += size;
    return next_ - size;
  }

  const char *next_, *end_;
};

struct Built {
  Owned<Kernel> kernel;
  size_t most;  // work items of a group
};

struct Function {
  std::string name;
  std::vector<DLDataType> types;  // of its arguments
  std::vector<uint32_t> axes;     // of the sizes that follow: of groups (0-2), of work items (3-5)
  uint32_t dimensions = 1;
  std::map<int, Built> built;  // by the device's number
};

class OpenCLModule final : public ffi::ModuleObj {
 public:
  explicit OpenCLModule(const ffi::Bytes& bytes) {
    static const std::string kTags[] = {"blockIdx.x",  "blockIdx.y",  "blockIdx.z",
                                        "threadIdx.x", "threadIdx.y", "threadIdx.z"};
    Reader reader(bytes);
    std::string format = reader.Text();
    if (format != "cl") Fail("modules are OpenCL C (cl) here; this one is " + format);
    reader.Each([&] {
      Function& function = functions_[reader.Text()];
      function.name = reader.Text();
      reader.Each([&] { function.types.push_back(reader.Get<DLDataType>()); });
      reader.Each([&] {
        std::string tag = reader.Text();
        uint32_t axis = std::find(std::begin(kTags), std::end(kTags), tag) - std::begin(kTags);
        if (axis == std::size(kTags)) {
          Fail("kernel " + function.name + " wants " + tag + ", which OpenCL has not");
        }
        function.axes.push_back(axis);
        function.dimensions = std::max(function.dimensions, axis % 3 + 1);
      });
      reader.Each([&] { reader.Get<int32_t>(); });  // of arguments, without a meaning here
    });
    source_ = reader.Text();
  }

  const char* kind() const final { return "opencl"; }
  int GetPropertyMask() const final { return ffi::Module::kRunnable; }
  ffi::String InspectSource(const ffi::String&) const final { return source_; }

  ffi::Optional<ffi::Function> GetFunction(const ffi::String& name) final {
    auto found = functions_.find(name);
    if (found == functions_.end()) return std::nullopt;
    auto self = ffi::GetObjectPtr<OpenCLModule>(this);
    auto run = [self, &function = found->second](ffi::PackedArgs args, ffi::Any*) {
      self->Run(function, args);
    };
    return ffi::Function::FromPacked(run);
  }

 private:
  void Run(Function& function, ffi::PackedArgs args) {
    size_t count = function.types.size();
    if (static_cast<size_t>(args.size()) != count + function.axes.size()) {
      Fail("kernel " + function.name + " takes " + std::to_string(count) + " arguments and " +
           std::to_string(function.axes.size()) + " sizes; it got " + std::to_string(args.size()));
    }
    size_t sizes[6] = {1, 1, 1, 1, 1, 1};
    for (size_t place = 0; place < function.axes.size(); ++place) {
      auto size = args[count + place].cast<int64_t>();
      if (size <= 0) return;  // of an empty tensor there is nothing to compute
      sizes[function.axes[place]] = size;
    }
    for (int axis = 0; axis < 3; ++axis) sizes[axis] *= sizes[axis + 3];

    int index = current_device;
    OneDevice& device = Devices::All().At(index);
    // A kernel keeps its arguments between the calls that set them, so threads take turns.
    std::lock_guard<std::mutex> guard(lock_);
    const auto& [kernel, most] = Get(function, device, index);
    size_t group = sizes[3] * sizes[4] * sizes[5];
    if (group > most) {
      Fail("kernel " + function.name + ": CL_INVALID_WORK_GROUP_SIZE; its work group is of " +
           std::to_string(group) + " and " + device.Text(kName) + " runs at most " +
           std::to_string(most) + " of it: compile for a target whose max_num_threads is that");
    }
    for (size_t place = 0; place < count; ++place) {
      Code code = SetArgument(kernel.get(), place, function.types[place], args[place]);
      if (code == 0) continue;
      Fail("kernel " + function.name + ", argument " + std::to_string(place) + " of type " +
           ffi::DLDataTypeToString(function.types[place]) + ": " + Explain(code));
    }
    device.Submit(function.name, [&, kernel = kernel.get()](Queue queue, Event* event) {
      return cl.EnqueueNDRangeKernel(queue, kernel, function.dimensions, nullptr, sizes, sizes + 3,
                                     0, nullptr, event);
    });
  }

  // The kernel for a device, for which the module is built when it is first asked for.
  const Built& Get(Function& function, const OneDevice& device, int index) {
    auto found = function.built.find(index);
    if (found != function.built.end()) return found->second;
    Owned<Program>& program = programs_[index];
    if (!program) program = device.Build(source_);
    Owned<Kernel> kernel = MakeKernel(program, function.name);
    return function.built[index] = {kernel, Number(kernel, device.id, kKernelWorkGroup)};
  }

  static Code SetArgument(Kernel kernel, uint32_t place, DLDataType type, ffi::AnyView argument) {
    auto set = [&](auto number, size_t size) {
      return cl.SetKernelArg(kernel, place, size, &number);
    };
    if (type.code == kDLOpaqueHandle) return set(argument.cast<void*>(), sizeof(void*));
    if (type.lanes != 1 || type.bits > 64) Fail("vectors cannot be passed to kernels");
    if (type.code == kDLFloat && type.bits == 64) return set(argument.cast<double>(), 8);
    if (type.code == kDLFloat && type.bits == 32) return set((float)argument.cast<double>(), 4);
    if (type.code == kDLFloat) Fail("halves cannot be passed to kernels");
    return set(argument.cast<int64_t>(), (type.bits + 7) / 8);
  }

  std::map<std::string, Function> functions_;
  std::string source_;
  std::mutex lock_;
  std::map<int, Owned<Program>> programs_;  // by the device's number
};

// ---- What the suite asks ----

// Lines of a fact's name and the fact. The subgroup is told of a kernel only, so one is compiled.
std::string Describe(int index) {
  const OneDevice& one = Devices::All().At(index);
  auto program = one.Build("__kernel void zero(__global float* x) { x[get_global_id(0)] = 0; }");
  size_t subgroup = Number(MakeKernel(program, "zero"), one.id, kKernelMultiple);
  int64_t type = one.Number(kType);
  std::ostringstream facts;
  facts << "name: " << one.Text(kName) << "\nvendor: " << one.Text(kVendor)
        << "\nversion: " << one.Text(kVersion) << "\ndriver: " << one.Text(kDriver) << "\ntype: "
        << (type & kGpu           ? "gpu"
            : type & kCpu         ? "cpu"
            : type & kAccelerator ? "accelerator"
                                  : "other")
        << "\ncompute_units: " << one.Number(kComputeUnits)
        << "\nwork_group: " << one.Number(kWorkGroup) << "\nlocal_bytes: " << one.Number(kLocalSize)
        << "\nsubgroup: " << subgroup << "\nvector_floats: " << one.Number(kVector)
        << "\nbuffer_bytes: " << one.Number(kBufferSize)
        << "\nextensions: " << one.Text(kExtensions) << "\n";
  return facts.str();
}

TVM_FFI_STATIC_INIT_BLOCK() {
  if (ffi::Function::GetGlobal("device_api.opencl")) return;  // this TVM has OpenCL of its own
  ffi::reflection::GlobalDef()
      .def("device_api.opencl",
           [] {
             static runtime::DeviceAPI* api = new OpenCLDeviceAPI();
             return static_cast<void*>(api);
           })
      .def("runtime.timer.opencl",
           [](Device device) { return runtime::Timer(ffi::make_object<OpenCLTimer>(device)); })
      .def("ffi.Module.load_from_bytes.opencl",
           [](ffi::Bytes bytes) { return ffi::Module(ffi::make_object<OpenCLModule>(bytes)); })
      .def("mobilebench.opencl.describe", Describe)
      .def("mobilebench.opencl.record_kernels", [](int on) { Recording::Only().Turn(on != 0); })
      .def("mobilebench.opencl.kernel_times", [] { return Recording::Only().Take(); });
}

}  // namespace
