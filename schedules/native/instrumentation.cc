// How long each kernel of a network takes.
//
// Linked into instrumented libraries, whose network calls this between kernels (InstrumentKernels).
// All calls come from one thread. Written against C's library alone, as everything that goes to a
// board.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tvm/ffi/c_api.h>

namespace {

double* seconds = nullptr;  // that each kernel took, all calls together; inferences x kernels
int64_t inferences = 0, capacity = 0;
int32_t columns = 0;
double last = 0;

double Now() {
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

// kernel_seconds(out): fills a float64 tensor (inferences, kernels) with the seconds of the last
// inferences, and forgets all.
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
