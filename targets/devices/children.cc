// Starts processes on a device, for runtimes other than TVM. Built for the target and loaded through RPC
// as a TVM module, as the probe is.
//
// Each process leads a process group, and its standard input is a socket through which it is asked and
// answers, line by line. All are killed when the thread that has started them ends: the session's.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <tvm/ffi/c_api.h>
#include <unistd.h>

#include "values.h"

namespace {

struct Child {
  pid_t pid;  // 0: this place is free
  int channel;
  char* text;  // what has been received
  size_t size, capacity;
};

constexpr int kMostChildren = 32;
Child children[kMostChildren];

Child* FindChild(pid_t pid) {
  for (Child& child : children) {
    if (child.pid == pid) return &child;
  }
  return nullptr;
}

// Starts a program; what it prints goes into the file `log`. `cpus` are those that it may run on; none:
// those of the calling thread. Returns its process ID; -1 with `errno` set if there is no room for it.
pid_t StartChild(const char* log, const cpu_set_t* cpus, char* const* command) {
  constexpr int kMostFiles = 1024;
  Child* child = FindChild(0);
  int ends[2];
  if (!child) errno = EAGAIN;
  if (!child || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return -1;
  }
  if (pid == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    int file = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(ends[1], 0);
    dup2(file, 1);
    dup2(file, 2);
    for (int other = 3; other < kMostFiles; ++other) close(other);
    if (cpus) sched_setaffinity(0, sizeof(*cpus), cpus);
    execvp(command[0], command);
    const char* why = strerror(errno);
    const char* words[] = {command[0], ": ", why, "\n"};
    for (const char* word : words) {
      if (write(2, word, strlen(word)) < 0) break;
    }
    _exit(127);
  }
  setpgid(pid, pid);  // whoever of the two is first
  close(ends[1]);
  *child = {pid, ends[0], nullptr, 0, 0};
  return pid;
}

// Sends a line; false if nobody is there to read it.
bool SendToChild(const Child& child, const char* line, size_t size) {
  while (size > 0) {
    ssize_t sent = send(child.channel, line, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    line += sent;
    size -= sent;
  }
  return true;
}

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1000000;
}

// Waits until a line has been received, and returns its length with its end; 0 if the time is over, -1
// if the process has ended, or sends what nobody can keep.
ssize_t ReceiveFromChild(Child* child, int64_t limit_ms) {
  constexpr size_t kAtOnce = 65536;
  int64_t end = NowMs() + limit_ms;
  size_t searched = 0;
  while (true) {
    for (; searched < child->size; ++searched) {
      if (child->text[searched] == '\n') return searched + 1;
    }
    int64_t left = end - NowMs();
    if (left <= 0) return 0;
    pollfd waited{child->channel, POLLIN, 0};
    int ready = poll(&waited, 1, left < 1000000 ? static_cast<int>(left) : 1000000);
    if (ready < 0 && errno != EINTR) return -1;
    if (ready <= 0) continue;
    if (child->capacity - child->size < kAtOnce) {
      size_t larger = 2 * child->capacity + kAtOnce;
      char* text = static_cast<char*>(realloc(child->text, larger));
      if (!text) return -1;
      child->text = text;
      child->capacity = larger;
    }
    ssize_t got = recv(child->channel, child->text + child->size, kAtOnce, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    child->size += got;
  }
}

void ForgetLine(Child* child, size_t length) {
  if (length == 0) return;
  child->size -= length;
  memmove(child->text, child->text + length, child->size);
}

// Waits for a process that is about to end, kills it and its group if it does not, and returns its
// status as of waitpid(2); its place is free then.
int EndChild(Child* child, int64_t grace_ms) {
  int status = 0;
  int64_t end = NowMs() + grace_ms;
  pid_t found;
  while ((found = waitpid(child->pid, &status, WNOHANG)) == 0 && NowMs() < end) usleep(5000);
  kill(-child->pid, SIGKILL);  // what it has started
  if (found == 0) waitpid(child->pid, &status, 0);
  close(child->channel);
  free(child->text);
  *child = {};
  return status;
}

// The child whose process ID is the first argument; null if there is none.
Child* ChildOf(const TVMFFIAny* args, int32_t count) {
  if (count < 1 || args[0].type_index != kTVMFFIInt || args[0].v_int64 <= 0) return nullptr;
  return FindChild(static_cast<pid_t>(args[0].v_int64));
}

}  // namespace

// start(log, cpus, program, argument...): start a program that can be asked; its process ID.
// `cpus` are numbers between commas; none: those of this thread.
EXPORT int __tvm_ffi_start(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  constexpr int32_t kMost = 16;
  static char text[kMost][4096];
  if (count < 3 || count > kMost) return Refuse("give a log, CPUs, a program and its arguments");
  char* command[kMost] = {};
  for (int32_t index = 0; index < count; ++index) {
    if (!GetString(args[index], text[index], sizeof(text[index]))) return Refuse("give strings");
    if (index >= 2) command[index - 2] = text[index];
  }
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  for (char* next = text[1]; *next; next += *next == ',') {
    long number = strtol(next, &next, 10);
    if (number < 0 || number >= CPU_SETSIZE || (*next && *next != ',')) return Refuse("no such CPU");
    CPU_SET(number, &cpus);
  }
  pid_t pid = StartChild(text[0], text[1][0] ? &cpus : nullptr, command);
  if (pid < 0) return Refuse(strerror(errno));
  ReturnInteger(pid, result);
  return 0;
}

// ask(child, line): send it a line; false if it has ended.
EXPORT int __tvm_ffi_ask(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  static char line[65536];
  Child* child = ChildOf(args, count);
  if (!child || count != 2 || !GetString(args[1], line, sizeof(line))) {
    return Refuse("give a child and a line");
  }
  ReturnInteger(SendToChild(*child, line, strlen(line)), result);
  return 0;
}

// answer(child, milliseconds): the next line that it sends, with its end; empty if none comes in
// time. If it has ended instead, in words how, without the end of a line; it is gone then.
EXPORT int __tvm_ffi_answer(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  constexpr int64_t kGraceMs = 10000;
  Child* child = ChildOf(args, count);
  if (!child || count != 2 || args[1].type_index != kTVMFFIInt) {
    return Refuse("give a child and a number of milliseconds");
  }
  ssize_t length = ReceiveFromChild(child, args[1].v_int64);
  if (length >= 0) {
    int code = ReturnText(child->text ? child->text : "", length, result);
    ForgetLine(child, length);
    return code;
  }
  int status = EndChild(child, kGraceMs);
  bool killed = WIFSIGNALED(status);
  char how[64];
  int size = snprintf(how, sizeof(how), killed ? "signal %d" : "exit %d",
                      killed ? WTERMSIG(status) : WEXITSTATUS(status));
  return ReturnText(how, size, result);
}

// signal(child, number): send a signal to its process group; false if it has ended already. Its
// place is free after SIGKILL.
EXPORT int __tvm_ffi_signal(void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  if (count != 2 || args[1].type_index != kTVMFFIInt) return Refuse("give a child and a signal");
  Child* child = ChildOf(args, count);
  auto number = static_cast<int>(args[1].v_int64);
  ReturnInteger(child && kill(-child->pid, number) == 0, result);
  if (child && number == SIGKILL) EndChild(child, 0);
  return 0;
}
