// Arguments and results of functions in tvm-ffi's C interface.

#ifndef MOBILEBENCH_VALUES_H_
#define MOBILEBENCH_VALUES_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tvm/ffi/c_api.h>

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

#endif  // MOBILEBENCH_VALUES_H_
