// A plug-in of qemu-user that counts the instructions which each thread of a program executes.
//
// The program asks by prctl(kAsk, FD), which Linux refuses as an option that it does not know: the
// plug-in sees the call first, and writes the calling thread's count into that file descriptor, which
// the program and its emulator share. So a program can ask wherever it runs, and without the plug-in it
// finds nothing to read.
//
// qemu's header is in no package of Debian's. What is declared here has been the same in every version
// of its plug-in interface so far (docs/devel/tcg-plugins in qemu's sources).

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "instruction_count.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

struct qemu_plugin_tb;  // a block: straight code, executed from its beginning to its end
using Id = uint64_t;
extern "C" {
void qemu_plugin_register_vcpu_tb_trans_cb(Id, void (*translated)(Id, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_cb(qemu_plugin_tb*, void (*executed)(unsigned, void*),
                                          int registers, void* data);
void qemu_plugin_register_vcpu_syscall_cb(Id, void (*called)(Id, unsigned, int64_t, uint64_t,
                                                             uint64_t, uint64_t, uint64_t, uint64_t,
                                                             uint64_t, uint64_t, uint64_t));
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
int qemu_plugin_n_vcpus() __attribute__((weak));  // gone with version 2 of the interface, in qemu 8.2
__attribute__((visibility("default"))) int qemu_plugin_version = qemu_plugin_n_vcpus ? 1 : 2;
}

namespace {

constexpr int64_t kPrctl = 167;  // on 64-bit Arm
constexpr int kNoRegisters = 0;  // QEMU_PLUGIN_CB_NO_REGS

// A thread of the program is a thread of the emulator.
thread_local uint64_t count __attribute__((tls_model("initial-exec"))) = 0;

void Executed(unsigned, void* instructions) { count += reinterpret_cast<uintptr_t>(instructions); }

void Translated(Id, qemu_plugin_tb* block) {
  auto* instructions = reinterpret_cast<void*>(qemu_plugin_tb_n_insns(block));
  qemu_plugin_register_vcpu_tb_exec_cb(block, Executed, kNoRegisters, instructions);
}

void Called(Id, unsigned, int64_t number, uint64_t option, uint64_t descriptor, uint64_t, uint64_t,
            uint64_t, uint64_t, uint64_t, uint64_t) {
  if (number != kPrctl || option != kAskForCount) return;
  uint64_t told = count;
  // Whoever asks notices that there is nothing to read.
  [[maybe_unused]] ssize_t written = write(static_cast<int>(descriptor), &told, sizeof(told));
}

}  // namespace

EXPORT int qemu_plugin_install(Id id, const void*, int, char**) {
  qemu_plugin_register_vcpu_tb_trans_cb(id, Translated);
  qemu_plugin_register_vcpu_syscall_cb(id, Called);
  return 0;
}
