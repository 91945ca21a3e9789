// Runs the network's code on all threads at once: one launch for an inference, a barrier after each
// kernel. A launch for every kernel costs about two microseconds, a barrier about a tenth of one.
//
// Linked into libraries that are built for several threads. `network_part`, which is generated, takes
// three arguments more than the network: which thread it is on, of how many, and their barrier.
// Written against C's library alone, as everything that goes to a board.

#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <tvm/ffi/c_api.h>
#include <tvm/runtime/c_backend_api.h>

extern "C" int __tvm_ffi_network_part(void*, const TVMFFIAny*, int32_t, TVMFFIAny*);

namespace {

constexpr int kPatience = 20000;  // polls before a thread gives its core to others

void Relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

struct alignas(64) Barrier {
  explicit Barrier(int threads) : threads(threads) {}

  void Wait() {
    int round = __atomic_load_n(&rounds, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == threads) {
      __atomic_store_n(&arrived, 0, __ATOMIC_RELAXED);
      __atomic_store_n(&rounds, round + 1, __ATOMIC_RELEASE);
      return;
    }
    for (int polls = 0; __atomic_load_n(&rounds, __ATOMIC_ACQUIRE) == round; ++polls) {
      polls < kPatience ? Relax() : static_cast<void>(sched_yield());
    }
  }

  const int threads;
  alignas(64) int arrived = 0;
  alignas(64) int rounds = 0;
};

struct Call {
  const TVMFFIAny* args;
  int32_t count;
  Barrier* barrier;
};

TVMFFIAny Integer(int64_t value) {
  TVMFFIAny any{};
  any.type_index = kTVMFFIInt;
  any.v_int64 = value;
  return any;
}

// One thread's share. The first makes the barrier, because only here is known how many there are.
int Part(int thread, TVMParallelGroupEnv* group, void* data) {
  auto* call = static_cast<Call*>(data);
  Barrier mine(group->num_task);
  if (thread == 0) __atomic_store_n(&call->barrier, &mine, __ATOMIC_RELEASE);
  Barrier* barrier;
  while (!(barrier = __atomic_load_n(&call->barrier, __ATOMIC_ACQUIRE))) Relax();
  // Input, output, arena and every constant: a hundred or two, on the stack.
  auto* args = static_cast<TVMFFIAny*>(__builtin_alloca((call->count + 3) * sizeof(TVMFFIAny)));
  memcpy(args, call->args, call->count * sizeof(TVMFFIAny));
  TVMFFIAny* more = args + call->count;
  more[0] = Integer(thread);
  more[1] = Integer(group->num_task);
  more[2] = TVMFFIAny{};
  more[2].type_index = kTVMFFIOpaquePtr;
  more[2].v_ptr = barrier;
  TVMFFIAny result{};
  int code = __tvm_ffi_network_part(nullptr, args, call->count + 3, &result);
  barrier->Wait();  // the first thread's stack holds it
  return code;
}

}  // namespace

extern "C" int32_t mobilebench_barrier(void* barrier) {
  static_cast<Barrier*>(barrier)->Wait();
  return 0;
}

extern "C" __attribute__((visibility("default"))) int __tvm_ffi_network_in_arena(
    void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  *result = TVMFFIAny{};
  Call call{args, count, nullptr};
  return TVMBackendParallelLaunch(Part, &call, 0);
}
