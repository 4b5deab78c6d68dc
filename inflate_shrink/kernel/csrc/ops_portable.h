// Any processor: vectors as GCC and clang know them, which they cut to what the baseline has (SSE2 on x86-64).
// Also the list of what an instruction set has; ops_vectors.h shows what an Op has.
#pragma once
#include "ops_vectors.h"
#include "rounding.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

struct Portable {
  static constexpr int LANES = 4;        // of a vector
  static constexpr int VECTORS = 2;      // of the widest block
  static constexpr int ROWS[] = {8, 4};  // of a tile, by the number of its vectors
  static constexpr int PANEL = 16384;    // bytes of a slice of the query
  using Float = float __attribute__((vector_size(4 * LANES)));
  using Int = int32_t __attribute__((vector_size(4 * LANES)));
  template <class Vector>
  static INLINE Vector read(const void* from) {
    Vector result;
    __builtin_memcpy(&result, from, sizeof result);
    return result;
  }
  static INLINE Float load(const float* from) { return read<Float>(from); }
  static INLINE Int integers(const void* from) { return read<Int>(from); }
  static INLINE Int broadcast(const RowWord* row) { return static_cast<int32_t>(*row) - Int{}; }
  static INLINE Float floats(const Int& a) { return (Float)a; }  // the same bits
  static INLINE Float to_floats(const Int& a) { return __builtin_convertvector(a, Float); }
  static INLINE void store(float* to, const Float& a) { __builtin_memcpy(to, &a, sizeof a); }
  static INLINE Float fill(float value) { return value - Float{}; }
  static INLINE Float max(const Float& a, const Float& b) { return a > b ? a : b; }
  static INLINE Float add(const Float& a, const Float& b) { return a + b; }
  static INLINE Float multiply(const Float& a, const Float& b) { return a * b; }
  static INLINE Float fused(const Float& a, const Float& b, const Float& c) { return a * b + c; }
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
  // The optimiser must not reason about it.
  template <class Value>
  static INLINE void keep(Value& a) {
#if defined(__x86_64__)
    asm volatile("" : "+x"(a));
#else
    asm volatile("" : : "r"(&a) : "memory");
#endif
  }
};

}  // namespace
}  // namespace inflate_shrink
