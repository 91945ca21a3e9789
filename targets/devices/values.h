// Arguments and results of functions in tvm-ffi's C interface.

#ifndef MOBILEBENCH_VALUES_H_
#define MOBILEBENCH_VALUES_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <tvm/ffi/c_api.h>

#define EXPORT extern "C" __attribute__((visibility("default")))

// An argument's characters, copied into `text`; false if it is no string or too long.
inline bool GetString(const TVMFFIAny& argument, char* text, size_t size) {
  const char* data;
  size_t length;
  if (argument.type_index == kTVMFFIRawStr) {
    data = argument.v_c_str;
    length = strlen(data);
  } else if (argument.type_index == kTVMFFISmallStr) {
    data = argument.v_bytes;
    length = argument.small_str_len;
  } else if (argument.type_index == kTVMFFIStr) {
    const TVMFFIByteArray* bytes = TVMFFIBytesGetByteArrayPtr(argument.v_obj);
    data = bytes->data;
    length = bytes->size;
  } else {
    return false;
  }
  if (length >= size) return false;
  memcpy(text, data, length);
  text[length] = 0;
  return true;
}

inline int Refuse(const char* message) {
  TVMFFIErrorSetRaisedFromCStr("ValueError", message);
  return -1;
}

inline int ReturnText(const char* data, size_t size, TVMFFIAny* result) {
  TVMFFIByteArray bytes{data, size};
  return TVMFFIStringFromByteArray(&bytes, result);
}

inline void ReturnInteger(int64_t value, TVMFFIAny* result) {
  *result = TVMFFIAny{};
  result->type_index = kTVMFFIInt;
  result->v_int64 = value;
}

// Makes a function known to the whole process by a name.
inline void RegisterGlobal(const char* name, TVMFFISafeCallType call) {
  TVMFFIByteArray bytes{name, strlen(name)};
  TVMFFIObjectHandle function;
  if (TVMFFIFunctionCreate(nullptr, call, nullptr, &function) == 0) {
    TVMFFIFunctionSetGlobal(&bytes, function, 1);
    TVMFFIObjectDecRef(function);
  }
}

// Text that grows; whoever has it frees its data.
struct Text {
  char* data;
  size_t size, capacity;
};

// Adds characters; false if there is no memory for them.
inline bool Append(Text* text, const char* data, size_t size) {
  if (text->size + size > text->capacity) {
    size_t capacity = 2 * (text->size + size);
    char* larger = static_cast<char*>(realloc(text->data, capacity));
    if (!larger) return false;
    text->data = larger;
    text->capacity = capacity;
  }
  memcpy(text->data + text->size, data, size);
  text->size += size;
  return true;
}

#endif  // MOBILEBENCH_VALUES_H_
