// Ops of an instruction set, `Set` (ops_portable.h shows what it has): a precision each, rounded as rounding.h does it.
#pragma once
#include "rounding.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

template <class Set>
struct VectorFloat32 : Set, RoundFloat32 {
  using Acc = typename Set::Float;     // of one row with a vector of fragments
  using Word = typename Set::Float;    // of a row, in all lanes
  static constexpr int WIDENING = 1;   // words that are multiplied for a word that is stored; above 1 `widen` makes them of a LINE
  static INLINE Acc start(const int32_t*) { return Set::fill(0); }
  static INLINE Word word(const RowWord* row) { return Set::floats(Set::broadcast(row)); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = Set::fused(word, Set::floats(Set::integers(query)), acc); }
  static INLINE Acc product(Acc acc, const float*, int64_t) { return acc; }
  static INLINE uint32_t word_of(const float* dims) { return as_bits(dims[0]); }  // of the packed query
};

// Each number widened to fp32.
template <class Set>
struct VectorBfloat16 : VectorFloat32<Set>, RoundBfloat16 {
  static constexpr int DIMS = RoundBfloat16::DIMS, WIDENING = 2;
  using RoundBfloat16::round;
  static INLINE void widen(const RowWord* __restrict words, uint32_t* __restrict wide) {
    const RowHalf* numbers = reinterpret_cast<const RowHalf*>(words);
    for (int i = 0; i < WIDENING * LINE; i++) wide[i] = static_cast<uint32_t>(numbers[i]) << 16;
  }
};

// Each byte widened to 16 bits, in pairs: maddubs, which takes bytes as they are, would saturate.
template <class Set>
struct VectorInt8 : Set, RoundInt8 {
  using Acc = typename Set::Int;
  using Word = typename Set::Int;
  static constexpr const int (&ROWS)[Set::VECTORS] = Set::ROWS_OF_PAIRS;
  static constexpr int WIDENING = 2;
  static INLINE void widen(const RowWord* __restrict words, uint32_t* __restrict wide) {
    const auto bytes = reinterpret_cast<const uint8_t*>(words);
    RowHalf* pairs = reinterpret_cast<RowHalf*>(wide);
    for (int i = 0; i < 2 * WIDENING * LINE; i++) pairs[i] = bytes[i];
  }
  static INLINE Acc start(const int32_t* starts) { return Set::integers(starts); }
  static INLINE Word word(const RowWord* row) { return Set::broadcast(row); }
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) { acc = Set::add_pairs(acc, word, Set::integers(query)); }
  static INLINE typename Set::Float product(Acc acc, const float* scales, int64_t row) {
    return Set::multiply(Set::to_floats(acc), Set::fill(scales[row]));
  }
  static INLINE uint32_t word_of(const float* dims) { return pair_of(dims[0], dims[1]); }
};

// Each byte widened to a word, for what multiplies integers of 32 bits only.
template <class Set>
struct VectorInt8InWords : Set, RoundInt8 {
  using Acc = typename Set::Int;
  using Word = typename Set::Int;
  static constexpr int WIDENING = 4;
  static INLINE void widen(const RowWord* __restrict words, uint32_t* __restrict wide) {
    const auto bytes = reinterpret_cast<const uint8_t*>(words);
    for (int i = 0; i < WIDENING * LINE; i++) wide[i] = bytes[i];
  }
  static INLINE Acc start(const int32_t* starts) { return Set::integers(starts); }
  static INLINE Word word(const RowWord* row) { return Set::broadcast(row); }
  static INLINE void multiply_add(Acc& acc, const Word& word, const uint32_t* query) { acc += word * Set::integers(query); }
  static INLINE typename Set::Float product(const Acc& acc, const float* scales, int64_t row) {
    return Set::multiply(Set::to_floats(acc), Set::fill(scales[row]));
  }
  static INLINE uint32_t word_of(const float* dims) { return static_cast<uint32_t>(static_cast<int32_t>(dims[0])); }
};

}  // namespace
}  // namespace inflate_shrink
