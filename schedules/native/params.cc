// Gives the network its weights: one pool of floats, laid out by PoolParams.
//
// The pool is a part of this library (MOBILEBENCH_POOL names the file that is assembled into it), or
// it is the file `params.bin`, mapped into memory: beside the library, or where `load_params` says.
// The file begins with 64 characters, the SHA-256 of what follows, which this library knows
// (MOBILEBENCH_POOL_NAME): another network's weights are not taken for its own.
// Clean pages of either are read when they are touched and belong to all processes that use them. A
// pool that is stored in half precision is widened once instead, into memory of the process.
//
// Written against C's library alone, as everything that goes to a board.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tvm/ffi/c_api.h>
#include <unistd.h>

#ifdef MOBILEBENCH_POOL
asm(".section .rodata.mobilebench_pool,\"a\"\n"
    ".balign 64\n"
    "mobilebench_pool: .incbin \"" MOBILEBENCH_POOL "\"\n"
    ".previous\n");
extern "C" const char mobilebench_pool[] __attribute__((visibility("hidden")));
#endif

namespace {

constexpr char kFile[] = "params.bin";
constexpr int64_t kBytes = MOBILEBENCH_POOL_BYTES;  // of the pool as the network reads it
#ifdef MOBILEBENCH_POOL
constexpr int64_t kName = 0;
#else
constexpr int64_t kName = sizeof(MOBILEBENCH_POOL_NAME) - 1;  // a multiple of 64
#endif
#ifdef MOBILEBENCH_POOL_HALF
constexpr int64_t kStored = kName + kBytes / 2;
#else
constexpr int64_t kStored = kName + kBytes;
#endif

pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
TVMFFIObjectHandle tensor = nullptr;  // of the pool, for the network
void* mapped = nullptr;               // what the tensor is of, to be unmapped
void* widened = nullptr;              // or to be freed

int Refuse(const char* reason, const char* path) {
  const char* parts[] = {reason, ": ", path};
  TVMFFIErrorSetRaisedFromCStrParts("ValueError", parts, 3);
  return -1;
}

// Makes the tensor that the network is given.
int Wrap(const void* pool) {
  static int64_t shape[] = {kBytes / 4};
  static DLManagedTensor managed{};
  managed.dl_tensor.data = const_cast<void*>(pool);
  managed.dl_tensor.device = {kDLCPU, 0};
  managed.dl_tensor.ndim = 1;
  managed.dl_tensor.dtype = {kDLFloat, 32, 1};
  managed.dl_tensor.shape = shape;
  return TVMFFITensorFromDLPack(&managed, 64, 0, &tensor);
}

#ifdef MOBILEBENCH_POOL_HALF
float Widened(uint16_t half) {
  uint32_t sign = uint32_t(half & 0x8000) << 16, rest = half & 0x7fff, bits;
  if (rest >= 0x7c00) {
    bits = 0x7f800000 | (rest & 0x3ff) << 13;
  } else if (rest >= 0x400) {
    bits = (rest << 13) + (112 << 23);
  } else {  // below 2^-14 the last place is worth 2^-24
    float small = rest * 5.9604644775390625e-8f;
    memcpy(&bits, &small, sizeof(bits));
  }
  bits |= sign;
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}
#endif

int Take(const void* stored, const char* where) {
#ifdef MOBILEBENCH_POOL_HALF
  if (posix_memalign(&widened, 64, kBytes)) return Refuse("no memory for the weights of", where);
  auto* to = static_cast<float*>(widened);
  auto* from = static_cast<const uint16_t*>(stored);
  for (int64_t index = 0; index < kBytes / 4; ++index) to[index] = Widened(from[index]);
  int code = Wrap(widened);
  if (code) {
    free(widened);
    widened = nullptr;
  }
  return code;
#else
  (void)where;
  return Wrap(stored);
#endif
}

#ifdef MOBILEBENCH_POOL

int Load(const char*) { return Take(mobilebench_pool, "the library"); }

#else

int Load(const char* path) {
  char beside[PATH_MAX];
  if (!path) {
    Dl_info self;
    if (!dladdr(&tensor, &self) || !self.dli_fname) {
      return Refuse("the library does not know where it lies; call load_params with the path of",
                    kFile);
    }
    const char* slash = strrchr(self.dli_fname, '/');
    size_t directory = slash ? slash + 1 - self.dli_fname : 0;
    if (directory + sizeof(kFile) > sizeof(beside)) return Refuse(strerror(ENAMETOOLONG), kFile);
    memcpy(beside, self.dli_fname, directory);
    memcpy(beside + directory, kFile, sizeof(kFile));
    path = beside;
  }
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return Refuse(strerror(errno), path);
  struct stat status;
  void* map = MAP_FAILED;
  bool whole = !fstat(file, &status) && status.st_size == kStored;
  if (whole) map = mmap(nullptr, kStored, PROT_READ, MAP_SHARED, file, 0);
  int error = errno;
  close(file);
  if (whole && map == MAP_FAILED) return Refuse(strerror(error), path);
  int code = !whole || memcmp(map, MOBILEBENCH_POOL_NAME, kName)
                 ? Refuse("these are not the weights of this library", path)
                 : Take(static_cast<const char*>(map) + kName, path);
#ifndef MOBILEBENCH_POOL_HALF
  if (!code) {
    mapped = map;
    return 0;
  }
#endif
  if (whole) munmap(map, kStored);
  return code;
}

#endif

// When the library is unloaded.
__attribute__((destructor)) void Release() {
  if (tensor) TVMFFIObjectDecRef(tensor);
  if (mapped) munmap(mapped, kStored);
  free(widened);
}

}  // namespace

// network_params() -> the pool, a tensor of floats; loads it the first time.
extern "C" __attribute__((visibility("default"))) int __tvm_ffi_network_params(
    void*, const TVMFFIAny*, int32_t, TVMFFIAny* result) {
  *result = TVMFFIAny{};
  TVMFFIObjectHandle ready = __atomic_load_n(&tensor, __ATOMIC_ACQUIRE);
  if (!ready) {
    pthread_mutex_lock(&once);
    int code = tensor ? 0 : Load(nullptr);
    ready = tensor;
    pthread_mutex_unlock(&once);
    if (code) return code;
  }
  TVMFFIObjectIncRef(ready);
  result->type_index = kTVMFFITensor;
  result->v_obj = static_cast<TVMFFIObject*>(ready);
  return 0;
}

#ifndef MOBILEBENCH_POOL
// load_params(path): takes the weights from a file that does not lie beside the library.
extern "C" __attribute__((visibility("default"))) int __tvm_ffi_load_params(
    void*, const TVMFFIAny* args, int32_t count, TVMFFIAny* result) {
  *result = TVMFFIAny{};
  char small[8] = {};
  const char* path = nullptr;
  if (count == 1 && args[0].type_index == kTVMFFIRawStr) {
    path = args[0].v_c_str;
  } else if (count == 1 && args[0].type_index == kTVMFFISmallStr) {
    memcpy(small, args[0].v_bytes, 7);
    path = small;
  } else if (count == 1 && args[0].type_index == kTVMFFIStr) {
    path = TVMFFIBytesGetByteArrayPtr(args[0].v_obj)->data;
  }
  if (!path) return Refuse("give the path of one file", kFile);
  pthread_mutex_lock(&once);
  int code = tensor ? Refuse("the weights are loaded already, not from", path) : Load(path);
  pthread_mutex_unlock(&once);
  return code;
}
#endif
