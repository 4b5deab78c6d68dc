// Two products of bf16 numbers in one instruction, summed in fp32.
#pragma once
#include "ops_avx512.h"

namespace inflate_shrink {
namespace {

struct Avx512DotBfloat16 : Avx512, RoundBfloat16 {
  using Acc = __m512;
  using Word = __m512i;
  static constexpr int WIDENING = 1;
  static INLINE Acc start(const int32_t*) { return fill(0); }
  static INLINE Word word(const RowWord* row) { return broadcast(row); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) {
    acc = _mm512_dpbf16_ps(acc, (__m512bh)word, (__m512bh)integers(query));
  }
  static INLINE Float product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims) { return pair_of(dims); }
};

}  // namespace
}  // namespace inflate_shrink
