// AVX-512: vectors of 16 lanes, 32 registers.
#pragma once
#include <immintrin.h>

#include "ops_vectors.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

struct Avx512 {
  static constexpr int LANES = 16;
  static constexpr int VECTORS = 2;
  static constexpr int ROWS[] = {16, 8};
  static constexpr const int (&ROWS_OF_PAIRS)[2] = ROWS;
  static constexpr int PANEL = 65536;  // twice as many rows a tile: the query may come from the level-two cache
  using Float = __m512;
  using Int = __m512i;
  static INLINE Float fill(float value) { return _mm512_set1_ps(value); }
  static INLINE Float load(const void* from) { return _mm512_loadu_ps(from); }
  static INLINE void store(float* to, Float a) { _mm512_storeu_ps(to, a); }
  static INLINE Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static INLINE Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static INLINE Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static INLINE float sum(Float a) { return _mm512_reduce_add_ps(a); }
  static INLINE float maximum(Float a) { return _mm512_reduce_max_ps(a); }
  static INLINE Float floats(Int a) { return _mm512_castsi512_ps(a); }
  static INLINE Float to_floats(Int a) { return _mm512_cvtepi32_ps(a); }
  static INLINE Float fused(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static INLINE Int integers(const void* from) { return _mm512_loadu_si512(from); }
  static INLINE Int broadcast(const RowWord* row) { return _mm512_set1_epi32(static_cast<int32_t>(*row)); }
  static INLINE Int add_pairs(Int sum, Int a, Int b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }  // of products of 16 bits
  template <class Vector>
  static INLINE void keep(Vector& a) {  // the optimiser must not reason about it
    asm volatile("" : "+v"(a));
  }
};

// Each number widened to fp32 in registers, of which there are enough.
struct Avx512Bfloat16 : Avx512, RoundBfloat16 {
  using Acc = __m512;
  using Word = __m512i;
  static constexpr int WIDENING = 1;
  static INLINE Acc start(const int32_t*) { return fill(0); }
  static INLINE Word word(const RowWord* row) { return broadcast(row); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) {
    const Int of_query = integers(query);
    acc = fused(first(word), first(of_query), acc);
    acc = fused(second(word), second(of_query), acc);
  }
  static INLINE Float product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims) { return pair_of(dims); }

 private:
  static INLINE Float first(Int pair) { return floats(_mm512_slli_epi32(pair, 16)); }
  static INLINE Float second(Int pair) { return floats(_mm512_and_si512(pair, _mm512_set1_epi32(static_cast<int32_t>(0xffff0000)))); }
};

}  // namespace
}  // namespace inflate_shrink
