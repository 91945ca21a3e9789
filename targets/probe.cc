// What the suite asks of a device and a stock TVM server cannot answer.
// Built for the target, shipped over RPC with each session and loaded there as a TVM module.

#include <tvm/ffi/reflection/registry.h>
#include <tvm/ffi/tvm_ffi.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

using tvm::ffi::String;

// The text of a file, empty if it cannot be read. Files in /proc and /sys tell no size beforehand.
String ReadText(String path) {
  std::ifstream file(path.c_str());
  return String(std::string(std::istreambuf_iterator<char>(file), {}));
}

// A fixed piece of work: a chain of integer operations, which follows the core's frequency, and a
// pass over 4 MB, which follows the caches' and the memory's load.
uint64_t FixedWork(std::vector<uint64_t>& memory) {
  uint64_t state = 88172645463325252ull;
  for (int step = 0; step < 1000000; ++step) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  for (uint64_t& cell : memory) cell += state;
  return memory[state % memory.size()];
}

// Median time of the fixed work in milliseconds, over nine repetitions on one thread.
double Calibrate() {
  std::vector<uint64_t> memory(512 * 1024);
  std::vector<double> times;
  volatile uint64_t sink = FixedWork(memory);
  for (int repetition = 0; repetition < 9; ++repetition) {
    auto start = std::chrono::steady_clock::now();
    sink = FixedWork(memory);
    std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
    times.push_back(spent.count());
  }
  (void)sink;
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return times[4];
}

// Leaves the caches as a network leaves them to its next kernel: the input, the first argument, has
// just been written and is near; weights are as far as they get when as much as a network's other
// weights is read after them. TVM's time_evaluator calls this with the kernel's arguments before each
// sample.
void Settle(tvm::ffi::PackedArgs args, tvm::ffi::Any* result) {
  static std::vector<uint64_t> filler(1024 * 1024, 1);  // 8 MB
  uint64_t sum = 0;
  for (size_t cell = 0; cell < filler.size(); cell += 8) sum += filler[cell];
  auto* input = args[0].cast<DLTensor*>();
  const auto* bytes = static_cast<const uint8_t*>(input->data) + input->byte_offset;
  size_t size = (input->dtype.bits * input->dtype.lanes + 7) / 8;
  for (int axis = 0; axis < input->ndim; ++axis) size *= input->shape[axis];
  for (size_t byte = 0; byte < size; byte += 64) sum += bytes[byte];
  *result = static_cast<int64_t>(sum);
}

TVM_FFI_STATIC_INIT_BLOCK() {
  tvm::ffi::reflection::GlobalDef().def_packed("mobilebench.settle", Settle);
}

}  // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(read_text, ReadText);
TVM_FFI_DLL_EXPORT_TYPED_FUNC(calibrate, Calibrate);
