// Four products of bytes in one instruction: rows as unsigned bytes, the query as signed ones.
#pragma once
#include "ops_avx512.h"

namespace inflate_shrink {
namespace {

struct Avx512Vnni : Avx512, RoundInt8 {
  using Acc = __m512i;
  using Word = __m512i;
  static constexpr int WIDENING = 1;
  static INLINE Acc start(const int32_t* starts) { return integers(starts); }
  static INLINE Word word(const RowWord* row) { return broadcast(row); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = _mm512_dpbusd_epi32(acc, word, integers(query)); }
  static INLINE Float product(Acc acc, const float* scales, int64_t row) { return multiply(to_floats(acc), fill(scales[row])); }
  static INLINE uint32_t word_of(const float* dims) { return bytes_of(dims); }
};

}  // namespace
}  // namespace inflate_shrink
