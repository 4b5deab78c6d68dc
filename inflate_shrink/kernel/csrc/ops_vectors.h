// Ops of an instruction set with wide vectors, `Set`: see ops_portable.h for what an Op has.
#pragma once
#include "rounding.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

template <class Set>
struct VectorFloat32 : Set, RoundFloat32 {
  using Acc = typename Set::Float;
  using Word = typename Set::Float;
  static constexpr int PLANES = 1;
  static INLINE Acc start(const int32_t*) { return Set::fill(0); }
  static INLINE Word word(const RowWord* row) { return Set::floats(Set::broadcast(row)); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) {
    acc = Set::fused(word, Set::load(query), acc);
  }
  static INLINE Acc product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims, int) { return as_bits(dims[0]); }
};

// A word in two parts, each with its own plane of the query.
template <class Set, class Vector>
struct SplitWords : Set {
  struct Word {
    Vector even, odd;
  };
  static constexpr int PLANES = 2;
  using Set::keep;
  static INLINE void keep(Word& word) {
    Set::keep(word.even);
    Set::keep(word.odd);
  }
};

// Two numbers, of even and of odd dimension, each widened to fp32.
template <class Set>
struct VectorBfloat16 : SplitWords<Set, typename Set::Float>, RoundBfloat16 {
  using Acc = typename Set::Float;
  using Word = typename SplitWords<Set, Acc>::Word;
  static INLINE Acc start(const int32_t*) { return Set::fill(0); }
  static INLINE Word word(const RowWord* row) {
    const auto both = Set::broadcast(row);
    return {Set::floats(Set::low_half_up(both)), Set::floats(Set::masked(both, 0xffff0000u))};
  }
  static INLINE void multiply_add(Acc& acc, const Word& word, const uint32_t* query) {
    acc = Set::fused(word.even, Set::load(query), acc);
    acc = Set::fused(word.odd, Set::load(query + Set::LANES), acc);
  }
  static INLINE Acc product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims, int plane) { return as_bits(dims[plane]); }
};

// Four bytes, widened to two pairs of 16 bits: maddubs, which takes them as they are, would saturate.
template <class Set>
struct VectorInt8 : SplitWords<Set, typename Set::Int>, RoundInt8 {
  using Acc = typename Set::Int;
  using Word = typename SplitWords<Set, Acc>::Word;
  static INLINE Acc start(const int32_t* starts) { return Set::integers(starts); }
  static INLINE Word word(const RowWord* row) {
    const auto bytes = Set::broadcast(row);
    return {Set::masked(bytes, 0x00ff00ff), Set::high_bytes_down(bytes)};
  }
  static INLINE void multiply_add(Acc& acc, const Word& word, const uint32_t* query) {
    acc = Set::add_pairs(acc, word.even, Set::integers(query));
    acc = Set::add_pairs(acc, word.odd, Set::integers(query + Set::LANES));
  }
  static INLINE typename Set::Float product(Acc acc, const float* scales, int64_t row) {
    return Set::multiply(Set::to_floats(acc), Set::fill(scales[row]));
  }
  static INLINE uint32_t word_of(const float* dims, int plane) { return pair_of(dims[plane], dims[plane + 2]); }
};

}  // namespace
}  // namespace inflate_shrink
