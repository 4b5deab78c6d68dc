// Two products of bf16 numbers, or four of unsigned with signed bytes, in one instruction.
#pragma once
#include "lanes.h"
#include "ops_neon.h"

namespace inflate_shrink {
namespace {

struct NeonDotBfloat16 : Neon, RoundBfloat16 {
  using Acc = float32x4_t;
  using Word = bfloat16x8_t;
  static constexpr int WIDENING = 1;
  static INLINE Acc start(const int32_t*) { return fill(0); }
  static INLINE Word word(const RowWord* row) { return vreinterpretq_bf16_s32(broadcast(row)); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = vbfdotq_f32(acc, word, vreinterpretq_bf16_s32(integers(query))); }
  static INLINE Float product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims) { return pair_of(dims); }
};

struct NeonMixedDot : Neon, RoundInt8 {
  using Acc = int32x4_t;
  using Word = uint8x16_t;
  static constexpr int WIDENING = 1;
  static INLINE Acc start(const int32_t* starts) { return integers(starts); }
  static INLINE Word word(const RowWord* row) { return vreinterpretq_u8_s32(broadcast(row)); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = vusdotq_s32(acc, word, vreinterpretq_s8_s32(integers(query))); }
  static INLINE Float product(Acc acc, const float* scales, int64_t row) { return multiply(to_floats(acc), fill(scales[row])); }
  static INLINE uint32_t word_of(const float* dims) { return bytes_of(dims); }
};

// What lanes.h needs.
struct LanesNeonI8mm : Neon, RoundInt8 {
  static constexpr int PLANES = 1;
  static INLINE Int start(int32_t value) { return vdupq_n_s32(value); }
  static INLINE uint64_t reaching(Float a, float least) { return lanes_reaching<Float, LANES>(a, least); }
  static INLINE Int low_halves(Int a) { return a & 0x0f0f0f0f; }
  static INLINE Int high_halves(Int a) { return (a >> 4) & 0x0f0f0f0f; }
  static INLINE void multiply_add(Int& acc, Int bytes, const uint32_t* vector) {
    acc = vusdotq_s32(acc, vreinterpretq_u8_s32(bytes), vreinterpretq_s8_u32(vdupq_n_u32(*vector)));
  }
  static INLINE uint32_t word_of(const float* dims, int) { return bytes_of(dims); }
};

}  // namespace
}  // namespace inflate_shrink
