// Reads files again and again in a process beside the session's own, while that computes: what a board
// tells about its heat, clock and power under load.
//
// A process and not a thread: one compiled against a new C library would want threads that older
// boards' has not. It is forked and does only what is safe in a copy of a process with threads.

#ifndef MOBILEBENCH_WATCH_H_
#define MOBILEBENCH_WATCH_H_

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <tvm/ffi/c_api.h>
#include <unistd.h>

#include "values.h"

namespace {

constexpr int kMostPaths = 128;
constexpr int kMostDigits = 24;  // of a value; so a line is written at once (PIPE_BUF)

struct Watch {
  pid_t pid;  // 0: nothing is watched
  int pipe;
} watcher = {0, -1};

size_t WriteNumber(int64_t value, char* text) {
  char digits[24];
  size_t size = 0, left = 0;
  do {
    digits[left++] = static_cast<char>('0' + value % 10);
  } while (value /= 10);
  while (left) text[size++] = digits[--left];
  return size;
}

// What a file begins with, up to the first blank; `-` if it cannot be read.
size_t ReadWord(const char* path, char* text) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = file < 0 ? -1 : read(file, text, kMostDigits);
  if (file >= 0) close(file);
  size_t size = 0;
  while (static_cast<ssize_t>(size) < got && text[size] > ' ') ++size;
  if (!size) text[size++] = '-';
  return size;
}

// Writes a line for each moment: milliseconds since `start`, and a word of each file.
[[noreturn]] void WatchFiles(int out, int64_t period_ms, const timespec& start, int count,
                             const char (*paths)[256]) {
  for (int64_t due_ms = 0;; due_ms += period_ms) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t past_ms =
        (now.tv_sec - start.tv_sec) * int64_t{1000} + (now.tv_nsec - start.tv_nsec) / 1000000;
    if (past_ms < due_ms) {
      timespec pause = {static_cast<time_t>((due_ms - past_ms) / 1000),
                        static_cast<long>((due_ms - past_ms) % 1000 * 1000000)};
      nanosleep(&pause, nullptr);
      past_ms = due_ms;
    } else {
      due_ms = past_ms;  // what was missed is not caught up
    }
    char line[32 + kMostPaths * (kMostDigits + 1)];
    size_t size = WriteNumber(past_ms, line);
    for (int index = 0; index < count; ++index) {
      line[size++] = ' ';
      size += ReadWord(paths[index], line + size);
    }
    line[size++] = '\n';
    // A full pipe loses the line (nobody has asked for long); a closed one ends this.
    if (write(out, line, size) < 0 && errno != EAGAIN) _exit(0);
  }
}

void EndWatch() {
  if (watcher.pid) {
    kill(watcher.pid, SIGKILL);
    waitpid(watcher.pid, nullptr, 0);
    close(watcher.pipe);
  }
  watcher = {0, -1};
}

}  // namespace

// watch(period, path...): read these files every so many milliseconds from now on, and no others; of no
// path, none.
EXPORT int __tvm_ffi_watch(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  static char paths[kMostPaths][256];
  if (count < 1 || count > 1 + kMostPaths || args[0].type_index != kTVMFFIInt ||
      args[0].v_int64 <= 0) {
    return Refuse("give a time between readings in milliseconds, and up to 128 paths");
  }
  for (int index = 1; index < count; ++index) {
    if (!GetString(args[index], paths[index - 1], sizeof(paths[0]))) return Refuse("give paths");
  }
  EndWatch();
  *result = TVMFFIAny{};
  int ends[2];
  if (count == 1) return 0;
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return Refuse("there is no pipe");
  timespec start;
  clock_gettime(CLOCK_MONOTONIC, &start);
  pid_t parent = getpid(), pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    signal(SIGPIPE, SIG_IGN);
    for (int other = 3; other < 1024; ++other) {
      if (other != ends[1]) close(other);  // the session's own connection above all
    }
    unsigned long everywhere[16];
    memset(everywhere, 0xff, sizeof(everywhere));
    sched_setaffinity(0, sizeof(everywhere), reinterpret_cast<cpu_set_t*>(everywhere));
    WatchFiles(ends[1], args[0].v_int64, start, count - 1, paths);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return Refuse("no process can be started");
  }
  watcher = {pid, ends[0]};
  return 0;
}

// watched(): what was read since it was asked the last time. A line has milliseconds since `watch`, and
// what each file began with, `-` for one that could not be read.
EXPORT int __tvm_ffi_watched(void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
  Text text = {};
  char piece[4096];
  ssize_t got;
  while (watcher.pid && (got = read(watcher.pipe, piece, sizeof(piece))) > 0) {
    if (!Append(&text, piece, got)) break;
  }
  int code = ReturnText(text.data ? text.data : "", text.size, result);
  free(text.data);
  return code;
}

#endif  // MOBILEBENCH_WATCH_H_
