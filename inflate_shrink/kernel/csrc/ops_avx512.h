// AVX-512: vectors of 16 lanes, 32 registers.
#pragma once
#include <immintrin.h>

#include "rounding.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

struct Avx512 {
  static constexpr int LANES = 16;
  static constexpr int ROWS = 8;
  using Float = __m512;
  static INLINE Float fill(float value) { return _mm512_set1_ps(value); }
  static INLINE Float load(const float* from) { return _mm512_loadu_ps(from); }
  static INLINE void store(float* to, Float a) { _mm512_storeu_ps(to, a); }
  static INLINE Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static INLINE Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static INLINE Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static INLINE float sum(Float a) { return _mm512_reduce_add_ps(a); }
  static INLINE float maximum(Float a) { return _mm512_reduce_max_ps(a); }
  static INLINE __m512i integers(const void* from) { return _mm512_loadu_si512(from); }
  static INLINE __m512i broadcast(const RowWord* row) { return _mm512_set1_epi32(static_cast<int32_t>(*row)); }
  template <class Vector>
  static INLINE void keep(Vector& a) {  // the optimiser must not reason about it
    asm volatile("" : "+v"(a));
  }
};

struct Avx512Float32 : Avx512, RoundFloat32 {
  using Acc = __m512;
  using Word = __m512;
  static constexpr int PLANES = 1;
  static INLINE Acc start(const int32_t*) { return _mm512_setzero_ps(); }
  static INLINE Word word(const RowWord* row) { return _mm512_castsi512_ps(broadcast(row)); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = _mm512_fmadd_ps(word, _mm512_loadu_ps(query), acc); }
  static INLINE Float product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims, int) { return as_bits(dims[0]); }
};

// A word holds two numbers, of even and of odd dimension; each is widened to fp32 and has its own plane of the query.
struct Avx512Bfloat16 : Avx512, RoundBfloat16 {
  using Acc = __m512;
  struct Word {
    __m512 even, odd;
  };
  using Avx512::keep;
  static INLINE void keep(Word& word) {
    keep(word.even);
    keep(word.odd);
  }
  static constexpr int PLANES = 2;
  static INLINE Acc start(const int32_t*) { return _mm512_setzero_ps(); }
  static INLINE Word word(const RowWord* row) {
    const __m512i both = broadcast(row);
    return {_mm512_castsi512_ps(_mm512_slli_epi32(both, 16)), _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(-65536)))};
  }
  static INLINE void multiply_add(Acc& acc, const Word& word, const uint32_t* query) {
    acc = _mm512_fmadd_ps(word.odd, _mm512_loadu_ps(query + LANES), _mm512_fmadd_ps(word.even, _mm512_loadu_ps(query), acc));
  }
  static INLINE Float product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims, int plane) { return as_bits(dims[plane]); }
};

// A word holds four bytes, widened to two pairs of 16 bits: maddubs, which takes them as they are, would saturate.
struct Avx512Int8 : Avx512, RoundInt8 {
  using Acc = __m512i;
  struct Word {
    __m512i even, odd;
  };
  using Avx512::keep;
  static INLINE void keep(Word& word) {
    keep(word.even);
    keep(word.odd);
  }
  static constexpr int PLANES = 2;
  static INLINE Acc start(const int32_t* starts) { return integers(starts); }
  static INLINE Word word(const RowWord* row) {
    const __m512i bytes = broadcast(row);
    return {_mm512_and_si512(bytes, _mm512_set1_epi32(0x00ff00ff)), _mm512_srli_epi16(bytes, 8)};
  }
  static INLINE void multiply_add(Acc& acc, const Word& word, const uint32_t* query) {
    acc = _mm512_add_epi32(acc, _mm512_madd_epi16(word.even, integers(query)));
    acc = _mm512_add_epi32(acc, _mm512_madd_epi16(word.odd, integers(query + LANES)));
  }
  static INLINE Float product(Acc acc, const float* scales, int64_t row) { return _mm512_mul_ps(_mm512_cvtepi32_ps(acc), fill(scales[row])); }
  static INLINE uint32_t word_of(const float* dims, int plane) { return pair_of(dims[plane], dims[plane + 2]); }
};

}  // namespace
}  // namespace inflate_shrink
