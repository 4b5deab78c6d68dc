// Any processor: vectors as GCC and clang know them, which they cut to what the baseline has (SSE2 on x86-64).
// Also the list of what an Op has.
#pragma once
#include "rounding.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

struct Portable {
  static constexpr int LANES = 4;  // of a vector
  static constexpr int ROWS = 4;   // of a tile of two vectors
  using Float = float __attribute__((vector_size(4 * LANES)));
  using Int = int32_t __attribute__((vector_size(4 * LANES)));
  template <class Vector>
  static INLINE Vector read(const void* from) {
    Vector result;
    __builtin_memcpy(&result, from, sizeof result);
    return result;
  }
  static INLINE Float load(const float* from) { return read<Float>(from); }
  static INLINE void store(float* to, const Float& a) { __builtin_memcpy(to, &a, sizeof a); }
  static INLINE Float fill(float value) { return value - Float{}; }
  static INLINE Float max(const Float& a, const Float& b) { return a > b ? a : b; }
  static INLINE Float add(const Float& a, const Float& b) { return a + b; }
  static INLINE Float multiply(const Float& a, const Float& b) { return a * b; }
  static INLINE float sum(const Float& a) {
    float result = 0;
    for (int i = 0; i < LANES; i++) result += a[i];
    return result;
  }
  static INLINE float maximum(const Float& a) {
    float result = a[0];
    for (int i = 1; i < LANES; i++) result = a[i] > result ? a[i] : result;
    return result;
  }
  // The optimiser must not reason about these.
  static INLINE void keep(uint32_t& a) { asm volatile("" : "+r"(a)); }
  template <class Value>
  static INLINE void keep(Value& a) {
#if defined(__x86_64__)
    asm volatile("" : "+x"(a));
#else
    asm volatile("" : : "r"(&a) : "memory");
#endif
  }
};

struct PortableFloat32 : Portable, RoundFloat32 {
  using Acc = Float;   // of one row with a vector of fragments
  using Word = float;  // of a row
  static constexpr int PLANES = 1;  // words of the packed query for a word of a row
  static INLINE Acc start(const int32_t*) { return Acc{}; }
  static INLINE Word word(const RowWord* row) { return as_float(*row); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc += word * read<Float>(query); }
  static INLINE Float product(const Acc& acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims, int) { return as_bits(dims[0]); }  // of the packed query
};

// A word holds two numbers, of even and of odd dimension; each is widened to fp32 and has its own plane of the query.
struct PortableBfloat16 : Portable, RoundBfloat16 {
  using Acc = Float;
  struct Word {
    float even, odd;
  };
  using Portable::keep;
  static INLINE void keep(Word& word) {
    keep(word.even);
    keep(word.odd);
  }
  static constexpr int PLANES = 2;
  static INLINE Acc start(const int32_t*) { return Acc{}; }
  static INLINE Word word(const RowWord* row) { return {as_float(*row << 16), as_float(*row & 0xffff0000u)}; }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) {
    acc += word.even * read<Float>(query) + word.odd * read<Float>(query + LANES);
  }
  static INLINE Float product(const Acc& acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims, int plane) { return as_bits(dims[plane]); }
};

// Each of a word's four bytes has its own plane: the baseline multiplies integers of 32 bits only.
struct PortableInt8 : Portable, RoundInt8 {
  using Acc = Int;
  using Word = uint32_t;
  static constexpr int PLANES = 4;
  static INLINE Acc start(const int32_t* starts) { return read<Int>(starts); }
  static INLINE Word word(const RowWord* row) { return *row; }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) {
    for (int plane = 0; plane < PLANES; plane++) acc += static_cast<int32_t>(word >> (8 * plane) & 255) * read<Int>(query + plane * LANES);
  }
  static INLINE Float product(const Acc& acc, const float* scales, int64_t row) { return __builtin_convertvector(acc, Float) * scales[row]; }
  static INLINE uint32_t word_of(const float* dims, int plane) { return static_cast<uint32_t>(static_cast<int32_t>(dims[plane])); }
};

}  // namespace
}  // namespace inflate_shrink
