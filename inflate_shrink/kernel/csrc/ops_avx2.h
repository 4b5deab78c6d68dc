// AVX2 and FMA: vectors of 8 lanes, 16 registers.
#pragma once
#include <immintrin.h>

#include "rounding.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

struct Avx2 {
  static constexpr int LANES = 8;
  static constexpr int ROWS = 4;
  using Float = __m256;
  static INLINE Float fill(float value) { return _mm256_set1_ps(value); }
  static INLINE Float load(const float* from) { return _mm256_loadu_ps(from); }
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
  static INLINE __m256 floats(const uint32_t* from) { return load(reinterpret_cast<const float*>(from)); }
  static INLINE __m256i integers(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
  static INLINE __m256i broadcast(const RowWord* row) { return _mm256_set1_epi32(static_cast<int32_t>(*row)); }
  template <class Vector>
  static INLINE void keep(Vector& a) {  // the optimiser must not reason about it
    asm volatile("" : "+x"(a));
  }
};

struct Avx2Float32 : Avx2, RoundFloat32 {
  using Acc = __m256;
  using Word = __m256;
  static constexpr int PLANES = 1;
  static INLINE Acc start(const int32_t*) { return _mm256_setzero_ps(); }
  static INLINE Word word(const RowWord* row) { return _mm256_castsi256_ps(broadcast(row)); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = _mm256_fmadd_ps(word, floats(query), acc); }
  static INLINE Float product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims, int) { return as_bits(dims[0]); }
};

// A word holds two numbers, of even and of odd dimension; each is widened to fp32 and has its own plane of the query.
struct Avx2Bfloat16 : Avx2, RoundBfloat16 {
  using Acc = __m256;
  struct Word {
    __m256 even, odd;
  };
  using Avx2::keep;
  static INLINE void keep(Word& word) {
    keep(word.even);
    keep(word.odd);
  }
  static constexpr int PLANES = 2;
  static INLINE Acc start(const int32_t*) { return _mm256_setzero_ps(); }
  static INLINE Word word(const RowWord* row) {
    const __m256i both = broadcast(row);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(both, 16)), _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(-65536)))};
  }
  static INLINE void multiply_add(Acc& acc, const Word& word, const uint32_t* query) {
    acc = _mm256_fmadd_ps(word.odd, floats(query + LANES), _mm256_fmadd_ps(word.even, floats(query), acc));
  }
  static INLINE Float product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims, int plane) { return as_bits(dims[plane]); }
};

// A word holds four bytes, widened to two pairs of 16 bits: maddubs, which takes them as they are, would saturate.
struct Avx2Int8 : Avx2, RoundInt8 {
  using Acc = __m256i;
  struct Word {
    __m256i even, odd;
  };
  using Avx2::keep;
  static INLINE void keep(Word& word) {
    keep(word.even);
    keep(word.odd);
  }
  static constexpr int PLANES = 2;
  static INLINE Acc start(const int32_t* starts) { return integers(starts); }
  static INLINE Word word(const RowWord* row) {
    const __m256i bytes = broadcast(row);
    return {_mm256_and_si256(bytes, _mm256_set1_epi32(0x00ff00ff)), _mm256_srli_epi16(bytes, 8)};
  }
  static INLINE void multiply_add(Acc& acc, const Word& word, const uint32_t* query) {
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(word.even, integers(query)));
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(word.odd, integers(query + LANES)));
  }
  static INLINE Float product(Acc acc, const float* scales, int64_t row) { return _mm256_mul_ps(_mm256_cvtepi32_ps(acc), fill(scales[row])); }
  static INLINE uint32_t word_of(const float* dims, int plane) { return pair_of(dims[plane], dims[plane + 2]); }
};

}  // namespace
}  // namespace inflate_shrink
