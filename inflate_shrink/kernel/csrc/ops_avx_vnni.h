// Four products of bytes in one instruction of AVX2's width: rows as unsigned bytes, the query as signed ones.
#pragma once
#include "ops_avx2.h"

namespace inflate_shrink {
namespace {

struct AvxVnni : Avx2, RoundInt8 {
  using Acc = __m256i;
  using Word = __m256i;
  static constexpr int WIDENING = 1;
  static INLINE Acc start(const int32_t* starts) { return integers(starts); }
  static INLINE Word word(const RowWord* row) { return broadcast(row); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = _mm256_dpbusd_avx_epi32(acc, word, integers(query)); }
  static INLINE Float product(Acc acc, const float* scales, int64_t row) { return multiply(to_floats(acc), fill(scales[row])); }
  static INLINE uint32_t word_of(const float* dims) { return bytes_of(dims); }
};

}  // namespace
}  // namespace inflate_shrink
