// Four products of signed bytes in one instruction.
#pragma once
#include "ops_neon.h"

namespace inflate_shrink {
namespace {

struct NeonDot : Neon, RoundInt8 {
  using Acc = int32x4_t;
  using Word = int8x16_t;
  static constexpr int WIDENING = 1;
  static INLINE Acc start(const int32_t*) { return vdupq_n_s32(0); }
  static INLINE Word word(const RowWord* row) { return vreinterpretq_s8_u32(vdupq_n_u32(*row ^ 0x80808080u)); }  // takes away the 128
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = vdotq_s32(acc, word, vreinterpretq_s8_s32(integers(query))); }
  static INLINE Float product(Acc acc, const float* scales, int64_t row) { return multiply(to_floats(acc), fill(scales[row])); }
  static INLINE uint32_t word_of(const float* dims) { return bytes_of(dims); }
};

}  // namespace
}  // namespace inflate_shrink
