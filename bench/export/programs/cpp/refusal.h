// What cannot be done, in one line: what is wrong, where, and what to do.

#pragma once

#include <stdexcept>

namespace mobilenet {

struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace mobilenet
