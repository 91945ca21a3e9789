// How long each kernel of a network takes, or how many instructions it executes.
//
// Linked into instrumented libraries, whose network calls this between kernels (InstrumentKernels).
// All calls come from one thread. Written against C's library alone, as everything that goes to a
// board.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tvm/ffi/c_api.h>

#include "instruction_count.h"

namespace {

double* seconds = nullptr;  // that each kernel took, all calls together; inferences x kernels
int64_t inferences = 0, capacity = 0;
int32_t columns = 0;
double last = 0;
bool counting = false;

// Seconds; or, if instructions are counted, those of this thread so far.
double Now() {
  if (counting) return static_cast<double>(InstructionCount());
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec * 1e-9;
}

int Refuse(const char* message) {
  TVMFFIErrorSetRaisedFromCStr("ValueError", message);
  return -1;
}

}  // namespace

extern "C" int32_t mobilebench_instrumentation_start(int32_t kernels) {
  if (inferences == capacity) {
    capacity = capacity ? 2 * capacity : 64;
    seconds = static_cast<double*>(realloc(seconds, capacity * kernels * sizeof(double)));
    if (!seconds) abort();
  }
  columns = kernels;
  memset(seconds + inferences * columns, 0, columns * sizeof(double));
  ++inferences;
  last = Now();
  return 0;
}

extern "C" int32_t mobilebench_instrumentation_done(int32_t kernel) {
  double now = Now();
  seconds[(inferences - 1) * columns + kernel] += now - last;
  last = now;
  return 0;
}

// count_instructions(on): count instructions in place of seconds, or seconds again; false if nobody
// counts instructions here. What was noted so far is forgotten.
extern "C" __attribute__((visibility("default"))) int __tvm_ffi_count_instructions(
    void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  if (count != 1 || args[0].type_index != kTVMFFIInt) return Refuse("give 1, or 0 to end it");
  counting = args[0].v_int64 && InstructionCount() >= 0;
  inferences = 0;
  *result = TVMFFIAny{};
  result->type_index = kTVMFFIBool;
  result->v_int64 = counting;
  return 0;
}

// kernel_seconds(out): fills a float64 tensor (inferences, kernels) with the seconds of the last
// inferences, or with their instructions, and forgets all.
extern "C" __attribute__((visibility("default"))) int __tvm_ffi_kernel_seconds(
    void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  const DLTensor* out = nullptr;
  if (count == 1 && args[0].type_index == kTVMFFIDLTensorPtr) {
    out = static_cast<const DLTensor*>(args[0].v_ptr);
  } else if (count == 1 && args[0].type_index == kTVMFFITensor) {
    out = TVMFFITensorGetDLTensorPtr(args[0].v_obj);
  }
  if (!out || out->ndim != 2 || out->dtype.code != kDLFloat || out->dtype.bits != 64) {
    return Refuse("give one float64 tensor of inferences by kernels");
  }
  int64_t rows = out->shape[0];
  if (rows > inferences || (rows && out->shape[1] != columns)) {
    return Refuse("there are no times of so many inferences or kernels");
  }
  memcpy(static_cast<char*>(out->data) + out->byte_offset, seconds + (inferences - rows) * columns,
         rows * columns * sizeof(double));
  inferences = 0;
  *result = TVMFFIAny{};
  return 0;
}
