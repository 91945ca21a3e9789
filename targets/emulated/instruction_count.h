// How a program on an emulated board asks how many instructions the calling thread has executed.

#ifndef MOBILEBENCH_INSTRUCTION_COUNT_H_
#define MOBILEBENCH_INSTRUCTION_COUNT_H_

#include <fcntl.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <unistd.h>

// An option of prctl(2) that is none: Linux refuses it, and the plug-in (counter.cc) answers.
constexpr int kAskForCount = 0x6d626963;

// Returns how many instructions the calling thread has executed; -1 where nobody counts. Not for two
// threads at a time.
inline int64_t InstructionCount() {
  static int ends[2] = {-1, -1};
  if (ends[0] < 0 && pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return -1;
  uint64_t count;
  prctl(kAskForCount, ends[1], 0, 0, 0);
  return read(ends[0], &count, sizeof(count)) == sizeof(count) ? static_cast<int64_t>(count) : -1;
}

#endif  // MOBILEBENCH_INSTRUCTION_COUNT_H_
