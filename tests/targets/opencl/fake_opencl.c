/* An OpenCL 1.2 with one device, whose kernels do nothing: for errors that no driver makes to
 * order, and to count what is left unreleased.
 *
 * FAKE_OPENCL holds the functions that fail, read at each call: "clFinish=-36 clBuildProgram=-11";
 * and as `group` how many work items a kernel may have in a group, else 256.
 * `fake_live(kind)` is how many objects of a kind there are now, `fake_peak(kind)` how many at
 * most: c(ontext), q(ueue), m(emory), p(rogram), k(ernel), e(vent). A kernel takes 1000 ns, a
 * copy 10.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 1 << 20, WORK_GROUP = 256, MULTIPLE = 16 };
static const char BUILD_LOG[] = "source:1:2: error: no such thing";

typedef struct {
  char kind;
  uint64_t times[2]; /* of an event: start and end */
} object;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int live[128], peak[128];
static uint64_t now = 1;
static object platform = {'P', {0}}, device = {'D', {0}};

int fake_live(char kind) { return live[(int)kind]; }
int fake_peak(char kind) { return peak[(int)kind]; }

static int32_t fault(const char* function) {
  const char* faults = getenv("FAKE_OPENCL");
  const char* found = faults ? strstr(faults, function) : NULL;
  return found && found[strlen(function)] == '=' ? atoi(found + strlen(function) + 1) : 0;
}

static object* make(char kind) {
  object* made = calloc(1, sizeof(object));
  made->kind = kind;
  pthread_mutex_lock(&lock);
  if (++live[(int)kind] > peak[(int)kind]) peak[(int)kind] = live[(int)kind];
  pthread_mutex_unlock(&lock);
  return made;
}

static object* create(const char* function, char kind, int32_t* code) {
  *code = fault(function);
  return *code ? NULL : make(kind);
}

static int32_t release(object* one, char kind) {
  if (!one || one->kind != kind) abort();
  pthread_mutex_lock(&lock);
  --live[(int)kind];
  pthread_mutex_unlock(&lock);
  free(one);
  return 0;
}

static int32_t give(const void* value, size_t bytes, size_t size, void* out, size_t* wanted) {
  if (wanted) *wanted = bytes;
  if (out && size < bytes) return -30;
  if (out) memcpy(out, value, bytes);
  return 0;
}

static int32_t command(const char* function, uint64_t nanoseconds, object** event) {
  int32_t code = fault(function);
  if (code) return code;
  pthread_mutex_lock(&lock);
  uint64_t start = now;
  now += nanoseconds;
  pthread_mutex_unlock(&lock);
  if (event) {
    *event = make('e');
    (*event)->times[0] = start;
    (*event)->times[1] = start + nanoseconds;
  }
  return 0;
}

int32_t clGetPlatformIDs(uint32_t size, object** out, uint32_t* count) {
  if (size) *out = &platform;
  if (count) *count = 1;
  return fault("clGetPlatformIDs");
}

int32_t clGetDeviceIDs(object* of, uint64_t type, uint32_t size, object** out, uint32_t* count) {
  if (size) *out = &device;
  if (count) *count = 1;
  return fault("clGetDeviceIDs");
}

int32_t clGetDeviceInfo(object* of, uint32_t info, size_t size, void* out, size_t* wanted) {
  uint64_t wide = info == 0x1000 ? 1 << 2 : info == 0x1010 ? BUFFER_BYTES : 1 << 24;
  uint32_t narrow = info == 0x1002 ? 4 : 8;
  const char* text = info == 0x102B   ? "Fake GPU"
                     : info == 0x102C ? "Nobody"
                     : info == 0x102D ? "0.1"
                     : info == 0x102F ? "OpenCL 1.2 of nobody"
                                      : "cl_khr_fp16 cl_khr_icd";
  switch (info) {
    case 0x1000: /* type */
    case 0x1010: /* largest buffer */
    case 0x101F: /* global memory */
    case 0x1023: /* local memory */
      return give(&wide, sizeof(wide), size, out, wanted);
    case 0x1002: /* compute units */
    case 0x103A: /* vector width */
      return give(&narrow, sizeof(narrow), size, out, wanted);
    case 0x1004: { /* work group */
      size_t most = WORK_GROUP;
      return give(&most, sizeof(most), size, out, wanted);
    }
    default:
      return give(text, strlen(text) + 1, size, out, wanted);
  }
}

object* clCreateContext(const void* properties, uint32_t count, object** of, void* callback,
                        void* data, int32_t* code) {
  return create("clCreateContext", 'c', code);
}

object* clCreateCommandQueue(object* context, object* of, uint64_t properties, int32_t* code) {
  return create("clCreateCommandQueue", 'q', code);
}

int32_t clFinish(object* queue) { return fault("clFinish"); }

object* clCreateBuffer(object* context, uint64_t flags, size_t size, void* data, int32_t* code) {
  if (size > BUFFER_BYTES) {
    *code = -61;
    return NULL;
  }
  return create("clCreateBuffer", 'm', code);
}

int32_t clReleaseMemObject(object* memory) { return release(memory, 'm'); }

int32_t clEnqueueReadBuffer(object* queue, object* memory, uint32_t blocking, size_t offset,
                            size_t size, void* out, uint32_t waits, object** wait, object** event) {
  memset(out, 0, size);
  return command("clEnqueueReadBuffer", 10, event);
}

int32_t clEnqueueWriteBuffer(object* queue, object* memory, uint32_t blocking, size_t offset,
                             size_t size, void* in, uint32_t waits, object** wait, object** event) {
  return command("clEnqueueWriteBuffer", 10, event);
}

int32_t clEnqueueCopyBuffer(object* queue, object* from, object* to, size_t from_offset,
                            size_t to_offset, size_t size, uint32_t waits, object** wait,
                            object** event) {
  return command("clEnqueueCopyBuffer", 10, event);
}

object* clCreateProgramWithSource(object* context, uint32_t count, const char** text,
                                  const size_t* sizes, int32_t* code) {
  return create("clCreateProgramWithSource", 'p', code);
}

int32_t clBuildProgram(object* program, uint32_t count, object** of, const char* options,
                       void* callback, void* data) {
  return fault("clBuildProgram");
}

int32_t clGetProgramBuildInfo(object* program, object* of, uint32_t info, size_t size, void* out,
                              size_t* wanted) {
  return give(BUILD_LOG, sizeof(BUILD_LOG), size, out, wanted);
}

int32_t clReleaseProgram(object* program) { return release(program, 'p'); }

object* clCreateKernel(object* program, const char* name, int32_t* code) {
  return create("clCreateKernel", 'k', code);
}

int32_t clSetKernelArg(object* kernel, uint32_t place, size_t size, const void* value) {
  return fault("clSetKernelArg");
}

int32_t clGetKernelWorkGroupInfo(object* kernel, object* of, uint32_t info, size_t size, void* out,
                                 size_t* wanted) {
  int32_t group = fault("group");
  size_t value = info != 0x11B0 ? MULTIPLE : group ? group : WORK_GROUP;
  return give(&value, sizeof(value), size, out, wanted);
}

int32_t clEnqueueNDRangeKernel(object* queue, object* kernel, uint32_t dimensions,
                               const size_t* offset, const size_t* items, const size_t* group,
                               uint32_t waits, object** wait, object** event) {
  return command("clEnqueueNDRangeKernel", 1000, event);
}

int32_t clReleaseKernel(object* kernel) { return release(kernel, 'k'); }

int32_t clWaitForEvents(uint32_t count, object** events) { return fault("clWaitForEvents"); }

int32_t clGetEventProfilingInfo(object* event, uint32_t info, size_t size, void* out,
                                size_t* wanted) {
  int32_t code = fault("clGetEventProfilingInfo");
  return code ? code : give(&event->times[info - 0x1282], sizeof(uint64_t), size, out, wanted);
}

int32_t clReleaseEvent(object* event) { return release(event, 'e'); }
