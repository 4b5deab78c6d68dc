// AVX2 and FMA: vectors of 8 lanes, 16 registers.
#pragma once
#include <immintrin.h>

#include "ops_vectors.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

struct Avx2 {
  static constexpr int LANES = 8;
  static constexpr int VECTORS = 4;
  static constexpr int ROWS[] = {8, 6, 4, 3};
  static constexpr int ROWS_OF_PAIRS[] = {8, 4, 2, 2};  // a product needs a register before it is added
  static constexpr int PANEL = 24576;  // bytes of a slice of the query: most of a level-one cache
  using Float = __m256;
  using Int = __m256i;
  static INLINE Float fill(float value) { return _mm256_set1_ps(value); }
  static INLINE Float load(const void* from) { return _mm256_loadu_ps(static_cast<const float*>(from)); }
  static INLINE void store(float* to, Float a) { _mm256_storeu_ps(to, a); }
  static INLINE Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static INLINE Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
  static INLINE Float multiply(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static INLINE float sum(Float a) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static INLINE float maximum(Float a) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }
  static INLINE Float floats(Int a) { return _mm256_castsi256_ps(a); }
  static INLINE Float to_floats(Int a) { return _mm256_cvtepi32_ps(a); }
  static INLINE Float fused(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static INLINE Int integers(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
  static INLINE Int broadcast(const RowWord* row) { return _mm256_set1_epi32(static_cast<int32_t>(*row)); }
  static INLINE Int add_pairs(Int sum, Int a, Int b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }  // of products of 16 bits
  template <class Vector>
  static INLINE void keep(Vector& a) {  // the optimiser must not reason about it
    asm volatile("" : "+x"(a));
  }
};

}  // namespace
}  // namespace inflate_shrink
