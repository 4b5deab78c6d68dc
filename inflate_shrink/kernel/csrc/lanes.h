// Products of one vector with many stored ones, whose numbers lie side by side: a lane of a register is an item, so that
// none is idle and nothing is summed across them. Only those that reach a threshold leave.
//
// A block holds 16 items, word by word: the first four dimensions of each, then the next four. With four bits a
// dimension a word holds eight: the low halves of its bytes are four, the high halves the next four.
//
// `Dot` multiplies bytes of such words with the vector's: see LanesPortable for what it must have.
#pragma once
#include "ops_portable.h"
#include "problem.h"
#include "rounding.h"

namespace inflate_shrink {
namespace {

constexpr int ITEMS = Lanes::ITEMS;

// A bit for each lane that is at least `least`; NaN is not.
template <class Float, int LANES>
INLINE uint64_t lanes_reaching(const Float& a, float least) {
  uint64_t bits = 0;
  for (int i = 0; i < LANES; i++) bits |= static_cast<uint64_t>(a[i] >= least) << i;
  return bits;
}

struct LanesPortable : Portable, RoundInt8 {
  static constexpr int PLANES = 4;  // words of the vector for four of its dimensions
  static INLINE Int integers(const uint32_t* from) { return read<Int>(from); }
  static INLINE Float to_floats(const Int& a) { return __builtin_convertvector(a, Float); }
  static INLINE Int start(int32_t value) { return value - Int{}; }
  static INLINE uint64_t reaching(const Float& a, float least) { return lanes_reaching<Float, LANES>(a, least); }
  static INLINE Int low_halves(const Int& a) { return a & 0x0f0f0f0f; }
  static INLINE Int high_halves(const Int& a) { return (a >> 4) & 0x0f0f0f0f; }
  static INLINE void multiply_add(Int& acc, const Int& bytes, const uint32_t* vector) {
    for (int plane = 0; plane < PLANES; plane++) acc += ((bytes >> (8 * plane)) & 255) * static_cast<int32_t>(vector[plane]);
  }
  static INLINE uint32_t word_of(const float* dims, int plane) { return static_cast<uint32_t>(static_cast<int32_t>(dims[plane])); }
};

// Two products of 16 bits at a time, of even and of odd bytes.
template <class Set>
struct LanesInPairs : Set, RoundInt8 {
  static constexpr int PLANES = 2;
  static INLINE void multiply_add(typename Set::Int& acc, typename Set::Int bytes, const uint32_t* vector) {
    acc = Set::add_pairs(acc, Set::even_bytes(bytes), Set::start(static_cast<int32_t>(vector[0])));
    acc = Set::add_pairs(acc, Set::odd_bytes(bytes), Set::start(static_cast<int32_t>(vector[1])));
  }
  static INLINE uint32_t word_of(const float* dims, int plane) { return pair_of(dims[plane], dims[plane + 2]); }
};

// Writes the products of BLOCKS blocks and returns a bit for each that reaches the threshold. The blocks after them are
// fetched meanwhile.
template <class Dot, int BITS, int BLOCKS>
INLINE uint64_t lane_scores(const Lanes& lanes, const LaneVector& vector, int64_t block, float threshold, float* scores) {
  constexpr int VECTORS = BLOCKS * ITEMS / Dot::LANES;
  const uint32_t *const first = lanes.words + block * lanes.block_words * ITEMS, *of_vector = vector.words;
  typename Dot::Int acc[VECTORS];
#pragma GCC unroll 16
  for (int v = 0; v < VECTORS; v++) acc[v] = Dot::start(vector.start);
  for (int64_t k = 0; k < lanes.block_words; k++, of_vector += 8 / BITS * Dot::PLANES) {
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; v++) {
      const int64_t of_block = v * Dot::LANES / ITEMS * lanes.block_words;
      const uint32_t* const words = first + (of_block + k) * ITEMS + v * Dot::LANES % ITEMS;
      if (v * Dot::LANES % ITEMS == 0) __builtin_prefetch(words + BLOCKS * lanes.block_words * ITEMS);
      const auto bytes = Dot::integers(words);
      if constexpr (BITS == 8) {
        Dot::multiply_add(acc[v], bytes, of_vector);
      } else {
        Dot::multiply_add(acc[v], Dot::low_halves(bytes), of_vector);
        Dot::multiply_add(acc[v], Dot::high_halves(bytes), of_vector + Dot::PLANES);
      }
    }
  }
  uint64_t bits = 0;
#pragma GCC unroll 16
  for (int v = 0; v < VECTORS; v++) {
    const typename Dot::Float scale = Dot::multiply(Dot::load(lanes.scales + block * ITEMS + v * Dot::LANES), Dot::fill(vector.scale));
    const typename Dot::Float score = Dot::multiply(Dot::to_floats(acc[v]), scale);
    Dot::store(scores + v * Dot::LANES, score);
    bits |= Dot::reaching(score, threshold) << (v * Dot::LANES);
  }
  return bits;
}

template <class Dot, int BITS, int BLOCKS>
INLINE int64_t scan_blocks(const Lanes& lanes, const LaneVector& vector, int64_t begin, int64_t end, float threshold, Scored*& out) {
  float scores[BLOCKS * ITEMS];
  for (; begin + BLOCKS <= end; begin += BLOCKS) {
    for (uint64_t bits = lane_scores<Dot, BITS, BLOCKS>(lanes, vector, begin, threshold, scores); bits; bits &= bits - 1) {
      const int i = __builtin_ctzll(bits);
      *out++ = {scores[i], begin * ITEMS + i};
    }
  }
  return begin;
}

template <class Dot>
int64_t scan(const Lanes& lanes, const LaneVector& vector, int64_t begin, int64_t end, float threshold, Scored* out) {
  constexpr int BLOCKS = Dot::LANES == ITEMS ? 4 : Dot::LANES == ITEMS / 2 ? 2 : 1;
  Scored* const first = out;
  if (lanes.bits == 8) {
    begin = scan_blocks<Dot, 8, BLOCKS>(lanes, vector, begin, end, threshold, out);
    scan_blocks<Dot, 8, 1>(lanes, vector, begin, end, threshold, out);
  } else {
    begin = scan_blocks<Dot, 4, BLOCKS>(lanes, vector, begin, end, threshold, out);
    scan_blocks<Dot, 4, 1>(lanes, vector, begin, end, threshold, out);
  }
  return out - first;
}

template <class Dot>
float pack_vector(float* vector, int64_t dims, uint32_t* words, int32_t* sum) {
  const float scale = Dot::round(vector, dims, sum);
  *sum /= -128;
  for (int64_t k = 0; k < dims; k += Dot::DIMS)
    for (int plane = 0; plane < Dot::PLANES; plane++) *words++ = Dot::word_of(vector + k, plane);
  return scale;
}

template <class Dot>
constexpr Scan scan_of() {
  return {Dot::PLANES, pack_vector<Dot>, scan<Dot>};
}

}  // namespace
}  // namespace inflate_shrink
