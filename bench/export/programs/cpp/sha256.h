// The SHA-256 of a file, as FIPS 180-4 defines it.

#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

namespace mobilenet {

class Sha256 {
 public:
  // Returns it in hexadecimal; empty if the file cannot be read.
  static std::string OfFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return "";
    Sha256 hash;
    uint8_t block[64];
    uint64_t bytes = 0;
    for (; file.read(reinterpret_cast<char*>(block), 64); bytes += 64) hash.Mix(block);
    if (file.bad()) return "";
    // What is left, a single bit, zeros, and the length in bits.
    size_t rest = file.gcount();
    uint64_t bits = (bytes + rest) * 8;
    block[rest++] = 0x80;
    if (rest > 56) {
      std::memset(block + rest, 0, 64 - rest);
      hash.Mix(block);
      rest = 0;
    }
    std::memset(block + rest, 0, 56 - rest);
    for (int byte = 0; byte < 8; ++byte) block[56 + byte] = bits >> (56 - 8 * byte);
    hash.Mix(block);
    return hash.Text();
  }

 private:
  static uint32_t Turned(uint32_t word, int by) { return word >> by | word << (32 - by); }

  void Mix(const uint8_t* block) {
    static constexpr uint32_t kRound[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64];
    for (int i = 0; i < 16; ++i) {
      const uint8_t* b = block + 4 * i;
      w[i] = uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
    }
    for (int i = 16; i < 64; ++i) {
      uint32_t s0 = Turned(w[i - 15], 7) ^ Turned(w[i - 15], 18) ^ w[i - 15] >> 3;
      uint32_t s1 = Turned(w[i - 2], 17) ^ Turned(w[i - 2], 19) ^ w[i - 2] >> 10;
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state_;
    for (int i = 0; i < 64; ++i) {
      uint32_t s1 = Turned(e, 6) ^ Turned(e, 11) ^ Turned(e, 25);
      uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + kRound[i] + w[i];
      uint32_t s0 = Turned(a, 2) ^ Turned(a, 13) ^ Turned(a, 22);
      uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    uint32_t mixed[] = {a, b, c, d, e, f, g, h};
    for (int i = 0; i < 8; ++i) state_[i] += mixed[i];
  }

  std::string Text() const {
    std::string text;
    for (uint32_t word : state_) {
      for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[word >> shift & 15];
    }
    return text;
  }

  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
};

}  // namespace mobilenet
