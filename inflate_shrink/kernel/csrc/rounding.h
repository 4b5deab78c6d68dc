// How numbers are rounded to a precision, in rows and in queries alike.
#pragma once
#include "tile.h"

namespace inflate_shrink {
namespace {

INLINE float as_float(uint32_t bits) {
  float value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}

INLINE uint32_t as_bits(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}

// The nearest bf16 number, ties to even, as its upper 16 bits.
INLINE uint16_t bfloat16_of(float value) {
  const uint32_t bits = as_bits(value);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// The nearest integer, ties to even, of a number below 2^22.
INLINE float nearest(float value) {
  constexpr float MAGIC = 12582912;  // 1.5 * 2^23: no bits are left for a fraction
  return (value + MAGIC) - MAGIC;
}

INLINE float largest_magnitude(const float* values, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; i++) {
    const float magnitude = __builtin_fabsf(values[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

// Each rounds `values` in place and returns the scale by which they are to be multiplied afterwards.
struct RoundFloat32 {
  static constexpr int DIMS = 1;
  static INLINE float round(float*, int64_t, int32_t* start) {
    *start = 0;
    return 1;
  }
};

struct RoundBfloat16 {
  static constexpr int DIMS = 2;
  static INLINE float round(float* values, int64_t count, int32_t* start) {
    for (int64_t i = 0; i < count; i++) values[i] = as_float(static_cast<uint32_t>(bfloat16_of(values[i])) << 16);
    *start = 0;
    return 1;
  }
  static INLINE uint32_t pair_of(const float* dims) { return as_bits(dims[0]) >> 16 | (as_bits(dims[1]) & 0xffff0000u); }
};

// To -127 ... 127. Rows are stored with 128 added, which adds 128 times the query's sum: the start takes it away.
struct RoundInt8 {
  static constexpr int DIMS = 4;
  static INLINE float round(float* values, int64_t count, int32_t* start) {
    float largest = largest_magnitude(values, count);
    if (largest < 1e-30f) largest = 0;  // 127 / largest would overflow
    const float inverse = largest > 0 ? 127 / largest : 0;
    int32_t sum = 0;
    for (int64_t i = 0; i < count; i++) values[i] *= inverse;  // a loop of its own: fused with what follows, it would round otherwise
    for (int64_t i = 0; i < count; i++) {
      values[i] = nearest(values[i]);
      sum += static_cast<int32_t>(values[i]);
    }
    *start = -128 * sum;
    return largest / 127;
  }
  static INLINE uint32_t bytes_of(const float* dims) {
    uint32_t word = 0;
    for (int i = 0; i < DIMS; i++) word |= static_cast<uint32_t>(static_cast<uint8_t>(static_cast<int8_t>(dims[i]))) << (8 * i);
    return word;
  }
  static INLINE uint32_t pair_of(float low, float high) {
    return static_cast<uint16_t>(static_cast<int16_t>(low)) | static_cast<uint32_t>(static_cast<uint16_t>(static_cast<int16_t>(high))) << 16;
  }
};

}  // namespace
}  // namespace inflate_shrink
