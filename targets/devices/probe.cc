// What the suite asks of a device and a stock TVM server cannot answer.
// Built for the target, shipped over RPC with each session and loaded there as a TVM module.
//
// Written against tvm-ffi's C interface and C's library alone, so that a board needs no C++ library
// of this compiler's age.

#include <dirent.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tvm/ffi/c_api.h>
#include <unistd.h>

#include "frames.h"
#include "instruction_count.h"
#include "machine_speed.h"
#include "values.h"
#include "watch.h"

namespace {

constexpr size_t kCells = 512 * 1024;  // 4 MB

// A fixed piece of work: a chain of integer operations, which follows the core's frequency, and a
// pass over 4 MB, which follows the caches' and the memory's load.
uint64_t FixedWork(uint64_t* memory) {
  uint64_t state = 88172645463325252ull;
  for (int step = 0; step < 1000000; ++step) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  for (size_t cell = 0; cell < kCells; ++cell) memory[cell] += state;
  return memory[state % kCells];
}

double Milliseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

int OrderDoubles(const void* left, const void* right) {
  double difference = *static_cast<const double*>(left) - *static_cast<const double*>(right);
  return difference < 0 ? -1 : difference > 0;
}

void EndQuietly(int) { _exit(0); }

// Leaves the caches as a network leaves them to its next kernel: the input, the first argument, has
// just been written and is near; weights are as far as they get when as much as a network's other
// weights is read after them. TVM's time_evaluator calls this with the kernel's arguments before each
// sample.
int Settle(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  constexpr size_t kFiller = 1024 * 1024;  // 8 MB
  static uint64_t* filler = nullptr;
  if (!filler) {
    filler = static_cast<uint64_t*>(malloc(kFiller * sizeof(uint64_t)));
    if (!filler) return Refuse("there is no memory to settle the caches with");
    for (size_t cell = 0; cell < kFiller; ++cell) filler[cell] = 1;
  }
  uint64_t sum = 0;
  for (size_t cell = 0; cell < kFiller; cell += 8) sum += filler[cell];
  if (count < 1) return Refuse("there is no argument to bring near");
  const DLTensor* input;
  if (args[0].type_index == kTVMFFIDLTensorPtr) {
    input = static_cast<const DLTensor*>(args[0].v_ptr);
  } else if (args[0].type_index == kTVMFFITensor) {
    input = TVMFFITensorGetDLTensorPtr(args[0].v_obj);
  } else {
    return Refuse("the first argument is no tensor");
  }
  const auto* bytes = static_cast<const uint8_t*>(input->data) + input->byte_offset;
  size_t size = (input->dtype.bits * input->dtype.lanes + 7) / 8;
  for (int axis = 0; axis < input->ndim; ++axis) size *= input->shape[axis];
  for (size_t byte = 0; byte < size; byte += 64) sum += bytes[byte];
  ReturnInteger(static_cast<int64_t>(sum), result);
  return 0;
}

void Release(const TVMFFIAny& value) {
  if (value.type_index >= kTVMFFIStaticObjectBegin) TVMFFIObjectDecRef(value.v_obj);
}

TVMFFIAny TextArgument(const char* text) {
  TVMFFIAny value{};
  value.type_index = kTVMFFIRawStr;
  value.v_c_str = text;
  return value;
}

TVMFFIAny Integer(int64_t number) {
  TVMFFIAny value{};
  ReturnInteger(number, &value);
  return value;
}

void ReturnFloat(double number, TVMFFIAny* result) {
  *result = TVMFFIAny{};
  result->type_index = kTVMFFIFloat;
  result->v_float64 = number;
}

// Calls a global function of this runtime; what it returns is to be released.
int CallGlobal(const char* name, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  TVMFFIObjectHandle function = nullptr;
  TVMFFIByteArray bytes{name, strlen(name)};
  if (TVMFFIFunctionGetGlobal(&bytes, &function)) return -1;
  if (!function) return Refuse("this runtime lacks a function for modules");
  int code = TVMFFIFunctionCall(function, const_cast<TVMFFIAny*>(args), count, result);
  TVMFFIObjectDecRef(function);
  return code;
}

// Finds a function of a module, to be released.
int FindFunction(const TVMFFIAny& module, const TVMFFIAny& name, TVMFFIAny* function) {
  TVMFFIAny in_imports{};
  in_imports.type_index = kTVMFFIBool;
  in_imports.v_int64 = 1;
  const TVMFFIAny wanted[] = {module, name, in_imports};
  if (CallGlobal("ffi.ModuleGetFunction", wanted, 3, function)) return -1;
  if (function->type_index != kTVMFFIFunction) return Refuse("the module has no such function");
  return 0;
}

// Finds a function of a module and calls it; what it returns is to be released.
int CallOf(const TVMFFIAny& module, const char* name, const TVMFFIAny* args, int32_t count,
           TVMFFIAny* result) {
  TVMFFIAny function{};
  if (FindFunction(module, TextArgument(name), &function)) return -1;
  int code = TVMFFIFunctionCall(function.v_obj, const_cast<TVMFFIAny*>(args), count, result);
  Release(function);
  return code;
}

__attribute__((constructor)) void RegisterGlobals() {
  RegisterGlobal("mobilebench.settle", Settle);
  RegisterGlobal("mobilebench.await_frame", AwaitFrame);
}

}  // namespace

// read_text(path): the text of a file, empty if it cannot be read. Files in /proc and /sys tell no
// size beforehand.
EXPORT int __tvm_ffi_read_text(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  char path[4096];
  if (count != 1 || !GetString(args[0], path, sizeof(path))) return Refuse("give one path");
  int file = open(path, O_RDONLY);
  if (file < 0) return ReturnText("", 0, result);
  Text text = {};
  char piece[4096];
  ssize_t got = 0;
  while ((got = read(file, piece, sizeof(piece))) > 0 && Append(&text, piece, got)) {
  }
  close(file);
  int code = ReturnText(text.data ? text.data : "", got == 0 ? text.size : 0, result);
  free(text.data);
  return code;
}

// list_names(path): what is in a directory, a name on a line; empty if it cannot be read.
EXPORT int __tvm_ffi_list_names(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  char path[4096];
  if (count != 1 || !GetString(args[0], path, sizeof(path))) return Refuse("give one path");
  DIR* directory = opendir(path);
  Text text = {};
  while (dirent* entry = directory ? readdir(directory) : nullptr) {
    if (entry->d_name[0] == '.') continue;
    if (!Append(&text, entry->d_name, strlen(entry->d_name)) || !Append(&text, "\n", 1)) break;
  }
  if (directory) closedir(directory);
  int code = ReturnText(text.data ? text.data : "", text.size, result);
  free(text.data);
  return code;
}

// calibrate(): median time of the fixed work in milliseconds, over nine repetitions on one thread.
EXPORT int __tvm_ffi_calibrate(void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
  auto* memory = static_cast<uint64_t*>(calloc(kCells, sizeof(uint64_t)));
  if (!memory) return Refuse("there is no memory for the calibration kernel");
  volatile uint64_t sink = FixedWork(memory);
  double times[9];
  for (double& time : times) {
    double start = Milliseconds();
    sink = FixedWork(memory);
    time = Milliseconds() - start;
  }
  (void)sink;
  free(memory);
  qsort(times, 9, sizeof(double), OrderDoubles);
  ReturnFloat(times[4], result);
  return 0;
}

// machine_speed(cpu...): milliseconds of fixed arithmetic, of passes over a core's caches and over
// memory, on each of these CPUs at once, or on any for each that is below 0; and how many threads of
// other programs run. Empty where no process can be started.
EXPORT int __tvm_ffi_machine_speed(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  if (count < 1 || count > machine_speed::kMostProcesses) return Refuse("give some CPUs");
  int cpus[machine_speed::kMostProcesses];
  for (int32_t index = 0; index < count; ++index) cpus[index] = static_cast<int>(args[index].v_int64);
  double times[machine_speed::kKernels];
  char text[96] = "";
  if (machine_speed::Measure(cpus, count, times)) {
    snprintf(text, sizeof(text), "%.4f %.4f %.4f %d", times[machine_speed::kArithmetic],
             times[machine_speed::kCaches], times[machine_speed::kMemory],
             machine_speed::Others());
  }
  return ReturnText(text, strlen(text), result);
}

// architecture(): what this library was compiled for, as Linux names it.
EXPORT int __tvm_ffi_architecture(void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
#if defined(__aarch64__)
  static const char name[] = "aarch64";
#elif defined(__x86_64__)
  static const char name[] = "x86_64";
#else
  static const char name[] = "";
#endif
  return ReturnText(name, sizeof(name) - 1, result);
}

// use_cores(threads, core...): let TVM's thread pool have so many threads, each on the next of these
// cores. It asks the device's own runtime, because an array cannot be an argument over RPC.
EXPORT int __tvm_ffi_use_cores(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  constexpr int32_t kMost = 1024;
  constexpr int64_t kOneCorePerThread = -2;  // tvm::runtime::threading::ThreadGroup::AffinityMode
  if (count < 2 || count > kMost) return Refuse("give a number of threads, and cores");
  TVMFFIObjectHandle make_array, configure;
  TVMFFIByteArray array_name{"ffi.Array", 9}, configure_name{"runtime.config_threadpool", 25};
  if (TVMFFIFunctionGetGlobal(&array_name, &make_array)) return -1;
  if (TVMFFIFunctionGetGlobal(&configure_name, &configure)) return -1;
  if (!make_array || !configure) return Refuse("this runtime has no thread pool");
  char text[kMost][24];
  TVMFFIAny cores[kMost] = {};
  for (int32_t index = 1; index < count; ++index) {
    snprintf(text[index], sizeof(text[index]), "%lld", (long long)args[index].v_int64);
    cores[index].type_index = kTVMFFIRawStr;
    cores[index].v_c_str = text[index];
  }
  TVMFFIAny array{};
  if (TVMFFIFunctionCall(make_array, cores + 1, count - 1, &array)) return -1;
  TVMFFIAny mode{};
  ReturnInteger(kOneCorePerThread, &mode);
  TVMFFIAny arguments[] = {mode, args[0], array};
  int code = TVMFFIFunctionCall(configure, arguments, 3, result);
  TVMFFIObjectDecRef(array.v_obj);
  TVMFFIObjectDecRef(make_array);
  TVMFFIObjectDecRef(configure);
  return code;
}

// pin(core): keep the calling thread, which runs TVM's first task, on one core; false if refused.
EXPORT int __tvm_ffi_pin(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  unsigned long mask[16] = {};
  constexpr int64_t kBits = 8 * sizeof(mask[0]);
  if (count != 1 || args[0].type_index != kTVMFFIInt || args[0].v_int64 < 0 ||
      args[0].v_int64 >= 16 * kBits) {
    return Refuse("give the number of one core");
  }
  mask[args[0].v_int64 / kBits] = 1ul << (args[0].v_int64 % kBits);
  ReturnInteger(sched_setaffinity(0, sizeof(mask), reinterpret_cast<cpu_set_t*>(mask)) == 0, result);
  return 0;
}

// end_quietly(): let a crash of this process look like the end of a session. A stock TVM server stops
// listening when the process of a session dies of a signal; so one bad kernel would cost the board.
EXPORT int __tvm_ffi_end_quietly(void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
  const int deaths[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
  for (int number : deaths) signal(number, EndQuietly);
  *result = TVMFFIAny{};
  return 0;
}

// forget_peak(): let the process's peak of resident memory begin anew, where Linux allows that.
EXPORT int __tvm_ffi_forget_peak(void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
  int file = open("/proc/self/clear_refs", O_WRONLY);
  bool done = file >= 0 && write(file, "5", 1) == 1;
  if (file >= 0) close(file);
  ReturnInteger(done, result);
  return 0;
}

// heap(): bytes that the process has taken from malloc and not given back; -1 where nobody knows.
EXPORT int __tvm_ffi_heap(void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
  int64_t bytes = -1;
#ifdef __GLIBC__
  // Not `mallinfo2`, which boards with a glibc before 2.33 have not: they could not load the probe.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  struct mallinfo info = mallinfo();
  // Blocks with a mapping of their own, and all others; each is a count of 32 bits.
  bytes = int64_t{static_cast<uint32_t>(info.hblkhd)} + static_cast<uint32_t>(info.uordblks);
#endif
  ReturnInteger(bytes, result);
  return 0;
}

// count_instructions(module, function, argument): how many instructions this thread executes when it
// calls a function of a module once; -1 where nobody counts, and nothing is called.
EXPORT int __tvm_ffi_count_instructions(void*, const TVMFFIAny* args, int32_t count,
                                        TVMFFIAny* result) {
  if (count != 3) return Refuse("give a module, the name of its function, and an argument");
  if (InstructionCount() < 0) {
    ReturnInteger(-1, result);
    return 0;
  }
  TVMFFIAny argument = args[2], function{}, ignored{};
  if (FindFunction(args[0], args[1], &function)) return -1;
  int64_t before = InstructionCount();
  int code = TVMFFIFunctionCall(function.v_obj, &argument, 1, &ignored);
  int64_t after = InstructionCount();
  Release(function);
  if (code) return code;
  Release(ignored);
  ReturnInteger(after - before, result);
  return 0;
}

// time_call(module, function, argument, device type, device): milliseconds that one call of a module's
// function takes, and what it has given the device to do.
EXPORT int __tvm_ffi_time_call(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  if (count != 5 || args[3].type_index != kTVMFFIInt || args[4].type_index != kTVMFFIInt) {
    return Refuse("give a module, the name of its function, an argument, and a device");
  }
  TVMFFIAny argument = args[2], function{}, ignored{}, nothing{};
  TVMFFIAny queue[] = {TVMFFIAny{}, Integer(0)};
  queue[0].type_index = kTVMFFIDevice;
  queue[0].v_device = {static_cast<DLDeviceType>(args[3].v_int64),
                       static_cast<int32_t>(args[4].v_int64)};
  if (FindFunction(args[0], args[1], &function)) return -1;
  double start = Milliseconds();
  int code = TVMFFIFunctionCall(function.v_obj, &argument, 1, &ignored);
  if (!code && args[3].v_int64 != kDLCPU) {
    code = CallGlobal("runtime.Device_StreamSync", queue, 2, &nothing);
  }
  double taken = Milliseconds() - start;
  Release(function);
  if (code) return code;
  Release(ignored);
  ReturnFloat(taken, result);
  return 0;
}

// time_load(library, params, device type, device): milliseconds from the files of a network to a
// virtual machine that is ready for an input. Empty `params`: the library finds its weights itself.
// What was loaded is given back.
EXPORT int __tvm_ffi_time_load(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  constexpr int kPooled = 2;  // tvm::runtime::memory::AllocatorType
  char params[4096];
  if (count != 4 || !GetString(args[1], params, sizeof(params)) ||
      args[2].type_index != kTVMFFIInt) {
    return Refuse("give the paths of a library and of its weights, and a device");
  }
  TVMFFIAny library{}, machine{}, ignored{};
  // Shapes are computed on the CPU, which is named where it is not the device.
  const TVMFFIAny devices[] = {args[2],          args[3],    Integer(kPooled),
                               Integer(kDLCPU), Integer(0), Integer(kPooled)};
  int32_t named = args[2].v_int64 == kDLCPU ? 3 : 6;
  double start = Milliseconds();
  int code = CallGlobal("ffi.ModuleLoadFromFile", args, 1, &library);
  if (!code && params[0]) {
    code = CallOf(library, "load_params", args + 1, 1, &ignored);
    Release(ignored);
    ignored = TVMFFIAny{};
  }
  if (!code) code = CallOf(library, "vm_load_executable", nullptr, 0, &machine);
  if (!code) code = CallOf(machine, "vm_initialization", devices, named, &ignored);
  double taken = Milliseconds() - start;
  Release(ignored);
  Release(machine);
  Release(library);
  if (!code) ReturnFloat(taken, result);
  return code;
}
