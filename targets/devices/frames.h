// Begins each inference when a camera's next frame comes. TVM's time_evaluator calls
// mobilebench.await_frame before each sample; afterwards `frames` tells when each has begun.

#ifndef MOBILEBENCH_FRAMES_H_
#define MOBILEBENCH_FRAMES_H_

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <tvm/ffi/c_api.h>

#include "values.h"

namespace {

struct Frames {
  int64_t period_ns;  // 0: nobody has asked for frames
  int64_t origin_ns;  // when frame 0 came
  int64_t last;       // the frame that was taken last; -1: none
  Text begun;         // a line for each that was taken: its number, nanoseconds since frame 0
} frames = {0, 0, -1, {}};

int64_t MonotonicNanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000000000} + now.tv_nsec;
}

// Waits for the next frame that has not come yet: those that came meanwhile are dropped. The first
// call is the first frame.
int AwaitFrame(void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
  if (frames.period_ns <= 0) return Refuse("begin_frames was not called");
  int64_t now = MonotonicNanoseconds();
  if (frames.last < 0) {
    frames.origin_ns = now;
    frames.last = 0;
  } else {
    int64_t next = (now - frames.origin_ns + frames.period_ns - 1) / frames.period_ns;
    frames.last = next > frames.last ? next : frames.last + 1;
    int64_t due = frames.origin_ns + frames.last * frames.period_ns;
    timespec until = {static_cast<time_t>(due / 1000000000), static_cast<long>(due % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
    }
    now = MonotonicNanoseconds();
  }
  char line[64];
  int size = snprintf(line, sizeof(line), "%lld %lld\n", (long long)frames.last,
                      (long long)(now - frames.origin_ns));
  if (!Append(&frames.begun, line, size)) return Refuse("there is no memory for frames");
  *result = TVMFFIAny{};
  return 0;
}

}  // namespace

// begin_frames(period): from now on a frame comes every so many nanoseconds, the first when it is
// awaited.
EXPORT int __tvm_ffi_begin_frames(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  if (count != 1 || args[0].type_index != kTVMFFIInt || args[0].v_int64 <= 0) {
    return Refuse("give the time between frames in nanoseconds");
  }
  frames.period_ns = args[0].v_int64;
  frames.last = -1;
  frames.begun.size = 0;
  *result = TVMFFIAny{};
  return 0;
}

// frames(): for each inference since begin_frames the number of its frame and when it was begun, in
// nanoseconds since frame 0; a line each.
EXPORT int __tvm_ffi_frames(void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
  return ReturnText(frames.begun.data ? frames.begun.data : "", frames.begun.size, result);
}

#endif  // MOBILEBENCH_FRAMES_H_
