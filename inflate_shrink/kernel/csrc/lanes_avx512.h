// What lanes.h needs of AVX-512.
#pragma once
#include "lanes.h"
#include "ops_avx512.h"

namespace inflate_shrink {
namespace {

struct LanesAvx512Set : Avx512 {
  static INLINE Int start(int32_t value) { return _mm512_set1_epi32(value); }
  static INLINE uint64_t reaching(Float a, float least) { return _mm512_cmp_ps_mask(a, fill(least), _CMP_GE_OQ); }
  static INLINE Int even_bytes(Int a) { return _mm512_and_si512(a, start(0x00ff00ff)); }
  static INLINE Int odd_bytes(Int a) { return _mm512_srli_epi16(a, 8); }
  static INLINE Int low_halves(Int a) { return _mm512_and_si512(a, start(0x0f0f0f0f)); }
  static INLINE Int high_halves(Int a) { return low_halves(_mm512_srli_epi16(a, 4)); }
};
using LanesAvx512 = LanesInPairs<LanesAvx512Set>;

}  // namespace
}  // namespace inflate_shrink
