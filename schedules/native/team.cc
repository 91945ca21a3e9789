// Runs the network's code on all threads at once: one launch for an inference, a barrier after each
// kernel. A launch for every kernel costs about two microseconds, a barrier about a tenth of one.
//
// Linked into libraries that are built for several threads. `network_part`, which is generated, takes
// three arguments more than the network: which thread it is on, of how many, and their barrier.

#include <tvm/ffi/c_api.h>
#include <tvm/runtime/c_backend_api.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

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
    int turn = turns.load(std::memory_order_relaxed);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
      arrived.store(0, std::memory_order_relaxed);
      turns.store(turn + 1, std::memory_order_release);
      return;
    }
    for (int polls = 0; turns.load(std::memory_order_acquire) == turn; ++polls) {
      polls < kPatience ? Relax() : std::this_thread::yield();
    }
  }

  const int threads;
  alignas(64) std::atomic<int> arrived{0};
  alignas(64) std::atomic<int> turns{0};
};

struct Call {
  const TVMFFIAny* args;
  int32_t count;
  std::atomic<Barrier*> barrier{nullptr};
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
  if (thread == 0) call->barrier.store(&mine, std::memory_order_release);
  Barrier* barrier;
  while (!(barrier = call->barrier.load(std::memory_order_acquire))) Relax();
  std::vector<TVMFFIAny> args(call->args, call->args + call->count);
  args.push_back(Integer(thread));
  args.push_back(Integer(group->num_task));
  args.push_back(TVMFFIAny{});
  args.back().type_index = kTVMFFIOpaquePtr;
  args.back().v_ptr = barrier;
  TVMFFIAny result{};
  int code = __tvm_ffi_network_part(nullptr, args.data(), static_cast<int32_t>(args.size()), &result);
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
  Call call{args, count};
  return TVMBackendParallelLaunch(Part, &call, 0);
}
