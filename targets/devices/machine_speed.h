// How fast the machine is at this moment: three fixed kernels, each on as many CPUs at once as a row
// computes on.

#pragma once

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace machine_speed {

enum Kernel { kArithmetic, kCaches, kMemory, kKernels };

constexpr int kMostProcesses = 256, kRepetitions = 3;
constexpr size_t kNearCells = 32 * 1024;     // 256 KB: a core's own caches hold them
constexpr size_t kFarCells = 1024 * 1024;    // 8 MB: beyond those of a core
constexpr int kSteps = 100000, kPasses = 50;  // a tenth of a millisecond each, or two

struct Shared {
  volatile int ready;
  double milliseconds[kMostProcesses][kKernels];
  uint64_t cells[kMostProcesses][kNearCells + kFarCells];
};

// Memory that only the processes forked here touch, so that none of it is the session's own; it is
// kept, because getting pages takes longer than reading them.
inline Shared* Memory() {
  static void* memory = nullptr;  // a first value that has to be computed would need C++'s library
  if (!memory) {
    memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
}

inline double Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

inline uint64_t Compute() {
  uint64_t state = 88172645463325252ull;
  for (int step = 0; step < kSteps; ++step) {  // a chain: each step waits for the one before
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  return state;
}

inline uint64_t Read(const volatile uint64_t* cells, size_t count) {
  uint64_t sum = 0;
  for (size_t cell = 0; cell < count; cell += 8) sum += cells[cell];  // one of each line
  return sum;
}

inline double TimeOnce(Kernel kernel, const uint64_t* near, const uint64_t* far) {
  static volatile uint64_t sink;
  double start = Now();
  if (kernel == kArithmetic) sink = Compute();
  if (kernel == kMemory) sink = Read(far, kFarCells);
  for (int pass = 0; kernel == kCaches && pass < kPasses; ++pass) sink = Read(near, kNearCells);
  double time = Now() - start;
  (void)sink;
  return time;
}

// The middle one of three repetitions, after one that does not count.
inline double Time(Kernel kernel, const uint64_t* near, const uint64_t* far) {
  double times[kRepetitions];
  TimeOnce(kernel, near, far);
  for (double& time : times) time = TimeOnce(kernel, near, far);
  double low = times[0] < times[1] ? times[0] : times[1], high = times[0] + times[1] - low;
  return times[2] < low ? low : times[2] > high ? high : times[2];
}

// What a process of its own does: only what is safe in a copy of a process with threads.
[[noreturn]] inline void Child(Shared* shared, int place, int processes, int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  if (cpu >= 0) CPU_SET(cpu, &only);
  if (cpu >= 0 && sched_setaffinity(0, sizeof(only), &only)) _exit(1);
  const uint64_t* near = shared->cells[place];
  for (int kernel = 0; kernel < kKernels; ++kernel) {
    __sync_fetch_and_add(&shared->ready, 1);
    double end = Now() + 100;  // one that could not start is not waited for
    while (shared->ready < processes * (kernel + 1) && Now() < end) {
    }
    shared->milliseconds[place][kernel] = Time(static_cast<Kernel>(kernel), near, near + kNearCells);
  }
  _exit(0);
}

// Fills in each kernel's time in milliseconds, that of the slowest process; whether all went well. A
// process runs on the CPU that it is given, or on any where that is below 0.
inline bool Measure(const int* cpus, int processes, double* milliseconds) {
  if (processes < 1 || processes > kMostProcesses) return false;
  Shared* shared = Memory();
  if (!shared) return false;
  shared->ready = 0;
  pid_t pids[kMostProcesses];
  for (int place = 0; place < processes; ++place) {
    pids[place] = fork();
    if (pids[place] == 0) Child(shared, place, processes, cpus[place]);
  }
  bool well = true;
  for (int kernel = 0; kernel < kKernels; ++kernel) milliseconds[kernel] = 0;
  for (int place = 0; place < processes; ++place) {
    int status = 1;
    while (pids[place] > 0 && waitpid(pids[place], &status, 0) < 0 && errno == EINTR) {
    }
    well = well && status == 0;
    for (int kernel = 0; kernel < kKernels; ++kernel) {
      double own = shared->milliseconds[place][kernel];
      if (own > milliseconds[kernel]) milliseconds[kernel] = own;
    }
  }
  return well;
}

// How many threads of other programs run at this moment; below 0 where Linux does not tell. This
// program's own may still spin after an inference.
inline int Others() {
  char line[512];
  int running = -1, own = 0;
  FILE* file = fopen("/proc/stat", "r");
  while (file && running < 0 && fgets(line, sizeof(line), file)) {
    sscanf(line, "procs_running %d", &running);
  }
  if (file) fclose(file);
  DIR* tasks = opendir("/proc/self/task");
  while (dirent* entry = tasks ? readdir(tasks) : nullptr) {
    snprintf(line, sizeof(line), "/proc/self/task/%.20s/stat", entry->d_name);
    FILE* task = entry->d_name[0] == '.' ? nullptr : fopen(line, "r");
    if (!task) continue;
    const char* name_end = fgets(line, sizeof(line), task) ? strrchr(line, ')') : nullptr;
    if (name_end && strncmp(name_end, ") R", 3) == 0) ++own;
    fclose(task);
  }
  if (tasks) closedir(tasks);
  return running < own ? -1 : running - own;
}

}  // namespace machine_speed
