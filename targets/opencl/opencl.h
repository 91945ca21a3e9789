// What the runtime uses of OpenCL: functions and constants of the 1.2 specification, and the names
// of its errors. No headers of OpenCL are needed, and no library until the first use.
//
// Included by runtime.cc alone.
#pragma once

#include <tvm/ffi/error.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

namespace {

using Platform = struct PlatformTag*;
using Id = struct DeviceTag*;
using Context = struct ContextTag*;
using Queue = struct QueueTag*;
using Memory = struct MemoryTag*;
using Program = struct ProgramTag*;
using Kernel = struct KernelTag*;
using Event = struct EventTag*;
using Callback = void (*)();  // never given

constexpr int32_t kSuccess = 0;
constexpr uint32_t kBlocking = 1;
constexpr uint64_t kEveryType = 0xFFFFFFFF, kGpu = 1 << 2;
constexpr uint64_t kReadWrite = 1 << 0;
constexpr uint64_t kProfiling = 1 << 1;
constexpr uint32_t kMemorySize = 0x1102;
constexpr uint32_t kBuildLog = 0x1183;
constexpr uint32_t kCommandStart = 0x1282, kCommandEnd = 0x1283;
enum DeviceInfo : uint32_t {
  kType = 0x1000,
  kComputeUnits = 0x1002,
  kWorkGroupSize = 0x1004,
  kWorkItemSizes = 0x1005,
  kClockMHz = 0x100C,
  kCacheSize = 0x101E,
  kGlobalSize = 0x101F,
  kLocalSize = 0x1023,
  kName = 0x102B,
  kDriver = 0x102D,
  kVersion = 0x102F,
};

// Name and type of each function; what ends in `int32_t*` alone tells its error through that.
#define OPENCL_FUNCTIONS(X)                                                                        \
  X(int32_t, GetPlatformIDs, (uint32_t, Platform*, uint32_t*))                                     \
  X(int32_t, GetDeviceIDs, (Platform, uint64_t, uint32_t, Id*, uint32_t*))                         \
  X(int32_t, GetDeviceInfo, (Id, uint32_t, size_t, void*, size_t*))                                \
  X(Context, CreateContext, (const intptr_t*, uint32_t, const Id*, Callback, void*, int32_t*))     \
  X(Queue, CreateCommandQueue, (Context, Id, uint64_t, int32_t*))                                  \
  X(int32_t, Finish, (Queue))                                                                      \
  X(Memory, CreateBuffer, (Context, uint64_t, size_t, void*, int32_t*))                            \
  X(int32_t, GetMemObjectInfo, (Memory, uint32_t, size_t, void*, size_t*))                         \
  X(int32_t, ReleaseMemObject, (Memory))                                                           \
  X(int32_t, EnqueueReadBuffer, (Queue, Memory, uint32_t, size_t, size_t, void*, uint32_t,         \
                                 const Event*, Event*))                                            \
  X(int32_t, EnqueueWriteBuffer, (Queue, Memory, uint32_t, size_t, size_t, const void*, uint32_t,  \
                                  const Event*, Event*))                                           \
  X(int32_t, EnqueueCopyBuffer, (Queue, Memory, Memory, size_t, size_t, size_t, uint32_t,          \
                                 const Event*, Event*))                                            \
  X(Program, CreateProgramWithSource, (Context, uint32_t, const char**, const size_t*, int32_t*))  \
  X(int32_t, BuildProgram, (Program, uint32_t, const Id*, const char*, Callback, void*))           \
  X(int32_t, GetProgramBuildInfo, (Program, Id, uint32_t, size_t, void*, size_t*))                 \
  X(int32_t, ReleaseProgram, (Program))                                                            \
  X(Kernel, CreateKernel, (Program, const char*, int32_t*))                                        \
  X(int32_t, SetKernelArg, (Kernel, uint32_t, size_t, const void*))                                \
  X(int32_t, EnqueueNDRangeKernel, (Queue, Kernel, uint32_t, const size_t*, const size_t*,         \
                                    const size_t*, uint32_t, const Event*, Event*))                \
  X(int32_t, ReleaseKernel, (Kernel))                                                              \
  X(int32_t, GetEventProfilingInfo, (Event, uint32_t, size_t, void*, size_t*))                     \
  X(int32_t, RetainEvent, (Event))                                                                 \
  X(int32_t, ReleaseEvent, (Event))

struct {
#define DECLARE(result, name, parameters) result(*name) parameters;
  OPENCL_FUNCTIONS(DECLARE)
#undef DECLARE
} cl;

// The specification's name of an error.
std::string ErrorName(int32_t code) {
  static const char* const kRuntime[] = {
      "SUCCESS", "DEVICE_NOT_FOUND", "DEVICE_NOT_AVAILABLE", "COMPILER_NOT_AVAILABLE",
      "MEM_OBJECT_ALLOCATION_FAILURE", "OUT_OF_RESOURCES", "OUT_OF_HOST_MEMORY",
      "PROFILING_INFO_NOT_AVAILABLE", "MEM_COPY_OVERLAP", "IMAGE_FORMAT_MISMATCH",
      "IMAGE_FORMAT_NOT_SUPPORTED", "BUILD_PROGRAM_FAILURE", "MAP_FAILURE",
      "MISALIGNED_SUB_BUFFER_OFFSET", "EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST",
      "COMPILE_PROGRAM_FAILURE", "LINKER_NOT_AVAILABLE", "LINK_PROGRAM_FAILURE",
      "DEVICE_PARTITION_FAILED", "KERNEL_ARG_INFO_NOT_AVAILABLE"};
  static const char* const kInvalid[] = {  // from -30 on
      "VALUE", "DEVICE_TYPE", "PLATFORM", "DEVICE", "CONTEXT", "QUEUE_PROPERTIES", "COMMAND_QUEUE",
      "HOST_PTR", "MEM_OBJECT", "IMAGE_FORMAT_DESCRIPTOR", "IMAGE_SIZE", "SAMPLER", "BINARY",
      "BUILD_OPTIONS", "PROGRAM", "PROGRAM_EXECUTABLE", "KERNEL_NAME", "KERNEL_DEFINITION",
      "KERNEL", "ARG_INDEX", "ARG_VALUE", "ARG_SIZE", "KERNEL_ARGS", "WORK_DIMENSION",
      "WORK_GROUP_SIZE", "WORK_ITEM_SIZE", "GLOBAL_OFFSET", "EVENT_WAIT_LIST", "EVENT",
      "OPERATION", "GL_OBJECT", "BUFFER_SIZE", "MIP_LEVEL", "GLOBAL_WORK_SIZE", "PROPERTY",
      "IMAGE_DESCRIPTOR", "COMPILER_OPTIONS", "LINKER_OPTIONS", "DEVICE_PARTITION_COUNT",
      "PIPE_SIZE", "DEVICE_QUEUE", "SPEC_ID"};
  const int32_t runtime = std::size(kRuntime), invalid = std::size(kInvalid);
  if (code <= 0 && -code < runtime) return std::string("CL_") + kRuntime[-code];
  if (code <= -30 && -30 - code < invalid) return std::string("CL_INVALID_") + kInvalid[-30 - code];
  if (code == -72) return "CL_MAX_SIZE_RESTRICTION_EXCEEDED";
  if (code == -1001) return "CL_PLATFORM_NOT_FOUND_KHR";
  return "error " + std::to_string(code);
}

[[noreturn]] void Fail(const std::string& message) {
  TVM_FFI_THROW(RuntimeError) << "OpenCL: " << message;
  TVM_FFI_UNREACHABLE();
}

void Check(int32_t code, const std::string& what) {
  if (code != kSuccess) Fail(what + ": " + ErrorName(code));
}

}  // namespace
