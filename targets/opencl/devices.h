// OpenCL's devices: found at the first use, each with a context and queues of its own.
//
// Included by runtime.cc alone.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "opencl.h"

namespace {

// The first and the last command that a device was given while the timer ran.
struct Span {
  ~Span() {
    if (first) cl.ReleaseEvent(first);
    if (last) cl.ReleaseEvent(last);
  }

  void Extend(Event event) {
    Event& end = first ? last : first;
    if (end) cl.ReleaseEvent(end);
    cl.RetainEvent(end = event);
  }

  Event first = nullptr, last = nullptr;
};

// One device, with a context and queues of its own, in which commands run in their order.
class OneDevice {
 public:
  explicit OneDevice(Id id) : id(id) {
    int32_t code;
    context = cl.CreateContext(nullptr, 1, &id, nullptr, nullptr, &code);
    Check(code, "a context of " + Text(kName));
    plain_ = cl.CreateCommandQueue(context, id, 0, &code);
    Check(code, "a queue of " + Text(kName));
    timed_ = cl.CreateCommandQueue(context, id, kProfiling, &code);
    Check(code, "a queue with times of " + Text(kName));
  }

  std::string Text(DeviceInfo info) const {
    size_t size = 0;
    Check(cl.GetDeviceInfo(id, info, 0, nullptr, &size), "clGetDeviceInfo");
    std::string text(size, 0);
    Check(cl.GetDeviceInfo(id, info, size, &text[0], nullptr), "clGetDeviceInfo");
    return text.c_str();  // it ends in a zero
  }

  template <typename Number>
  int64_t Value(DeviceInfo info) const {
    Number value = 0;
    Check(cl.GetDeviceInfo(id, info, sizeof(value), &value, nullptr), "clGetDeviceInfo");
    return static_cast<int64_t>(value);
  }

  // Calls `enqueue(queue, event)`. While a timer runs, commands go to a queue that takes their
  // times, so that nobody else pays for that.
  template <typename Enqueue>
  void Submit(const std::string& what, Enqueue enqueue) {
    std::lock_guard<std::mutex> guard(lock_);
    Event event = nullptr;
    Check(enqueue(Current(), spans_.empty() ? nullptr : &event), what);
    for (Span* span : spans_) span->Extend(event);
    if (event) cl.ReleaseEvent(event);
  }

  void Synchronize() {
    std::lock_guard<std::mutex> guard(lock_);
    Check(cl.Finish(Current()), "clFinish");
  }

  void Begin(Span* span) {
    std::lock_guard<std::mutex> guard(lock_);
    Check(cl.Finish(Current()), "clFinish");
    spans_.push_back(span);
  }

  void End(Span* span) {
    std::lock_guard<std::mutex> guard(lock_);
    auto found = std::find(spans_.begin(), spans_.end(), span);
    if (found == spans_.end()) return;
    int32_t code = cl.Finish(Current());
    spans_.erase(found);
    Check(code, "clFinish");
  }

  Memory Allocate(size_t size) {
    int32_t code;
    // OpenCL has no empty buffers, and TVM has empty tensors.
    Memory memory = cl.CreateBuffer(context, kReadWrite, std::max<size_t>(size, 1), nullptr, &code);
    Check(code, "a buffer of " + std::to_string(size) + " bytes on " + Text(kName));
    return memory;
  }

  // Workspaces come and go with every call, in the same sizes; so they are kept. A kernel that
  // still uses one is done before the next begins.
  Memory TakeWorkspace(size_t size) {
    {
      std::lock_guard<std::mutex> guard(lock_);
      auto found = workspaces_.lower_bound(size);
      if (found != workspaces_.end() && found->first / 2 <= size) {
        Memory memory = found->second;
        workspaces_.erase(found);
        return memory;
      }
    }
    return Allocate(size);
  }

  void ReturnWorkspace(Memory memory) {
    size_t size = 0;
    Check(cl.GetMemObjectInfo(memory, kMemorySize, sizeof(size), &size, nullptr),
          "clGetMemObjectInfo");
    std::lock_guard<std::mutex> guard(lock_);
    workspaces_.emplace(size, memory);
  }

  const Id id;
  Context context;

 private:
  Queue Current() const { return spans_.empty() ? plain_ : timed_; }

  std::mutex lock_;
  Queue plain_, timed_;
  std::vector<Span*> spans_;  // of timers that run
  std::multimap<size_t, Memory> workspaces_;
};

// Every device of every platform, GPUs first; found at the first use. It is never destroyed:
// drivers may be gone when a process ends.
class Devices {
 public:
  static Devices& All() {
    static auto* all = new Devices();
    return *all;
  }

  // Whether there are any; why not is told by whoever needs one.
  bool Exist(int index) {
    std::lock_guard<std::mutex> guard(lock_);
    if (!looked_) Look();
    return reason_.empty() && index >= 0 && static_cast<size_t>(index) < ids_.size();
  }

  OneDevice& At(int index) {
    std::lock_guard<std::mutex> guard(lock_);
    if (!looked_) Look();
    if (!reason_.empty()) Fail(reason_);
    if (index < 0 || static_cast<size_t>(index) >= ids_.size()) {
      Fail("there is no device " + std::to_string(index) + "; there are " +
           std::to_string(ids_.size()) + ", from 0 on");
    }
    if (!devices_[index]) devices_[index] = std::make_unique<OneDevice>(ids_[index]);
    return *devices_[index];
  }

 private:
  void Look() {
    looked_ = true;
    const char* chosen = std::getenv("MOBILEBENCH_OPENCL");
    std::vector<std::string> names = {"libOpenCL.so.1", "libOpenCL.so"};
    if (chosen && *chosen) names = {chosen};
    void* library = nullptr;
    for (const std::string& name : names) {
      if ((library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL))) break;
      if (reason_.empty()) reason_ = dlerror();
    }
    if (!library) {
      reason_ = "no library (" + reason_ + "); install an ICD loader (apt-get install " +
                "ocl-icd-libopencl1) or name one in MOBILEBENCH_OPENCL";
      return;
    }
    reason_.clear();
#define FIND(result, name, parameters)                                               \
  cl.name = reinterpret_cast<result(*) parameters>(dlsym(library, "cl" #name));      \
  if (!cl.name) {                                                                    \
    reason_ = "the library has no cl" #name "; it is no OpenCL 1.2";                 \
    return;                                                                          \
  }
    OPENCL_FUNCTIONS(FIND)
#undef FIND
    uint32_t count = 0;
    int32_t code = cl.GetPlatformIDs(0, nullptr, &count);
    std::vector<Platform> platforms(code == kSuccess ? count : 0);
    if (!platforms.empty()) cl.GetPlatformIDs(count, platforms.data(), nullptr);
    for (Platform platform : platforms) {
      count = 0;
      // A platform without devices says so by an error.
      if (cl.GetDeviceIDs(platform, kEveryType, 0, nullptr, &count) != kSuccess) continue;
      size_t before = ids_.size();
      ids_.resize(before + count);
      cl.GetDeviceIDs(platform, kEveryType, count, ids_.data() + before, nullptr);
    }
    if (ids_.empty()) {
      reason_ = "no device";
      if (code != kSuccess) reason_ += " (" + ErrorName(code) + ")";
      reason_ += "; is a driver registered in /etc/OpenCL/vendors?";
    }
    std::stable_partition(ids_.begin(), ids_.end(), [](Id id) {
      uint64_t type = 0;
      cl.GetDeviceInfo(id, kType, sizeof(type), &type, nullptr);
      return (type & kGpu) != 0;
    });
    devices_.resize(ids_.size());
  }

  std::mutex lock_;
  bool looked_ = false;
  std::string reason_;  // why there are none
  std::vector<Id> ids_;
  std::vector<std::unique_ptr<OneDevice>> devices_;
};

}  // namespace
