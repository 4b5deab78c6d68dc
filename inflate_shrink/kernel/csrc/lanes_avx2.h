// What lanes.h needs of AVX2.
#pragma once
#include "lanes.h"
#include "ops_avx2.h"

namespace inflate_shrink {
namespace {

struct LanesAvx2Set : Avx2 {
  static INLINE Int start(int32_t value) { return _mm256_set1_epi32(value); }
  static INLINE uint64_t reaching(Float a, float least) { return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a, fill(least), _CMP_GE_OQ))); }
  static INLINE Int even_bytes(Int a) { return _mm256_and_si256(a, start(0x00ff00ff)); }
  static INLINE Int odd_bytes(Int a) { return _mm256_srli_epi16(a, 8); }
  static INLINE Int low_halves(Int a) { return _mm256_and_si256(a, start(0x0f0f0f0f)); }
  static INLINE Int high_halves(Int a) { return low_halves(_mm256_srli_epi16(a, 4)); }
};
using LanesAvx2 = LanesInPairs<LanesAvx2Set>;

}  // namespace
}  // namespace inflate_shrink
