// Late interaction of an item's rows with a block of query fragments, for any instruction set.
//
// The query is packed so that a vector holds one word (1, 2 or 4 dimensions) of many fragments. A row's word is
// broadcast and multiplied with it, so each accumulator gathers the products of one row with all fragments of the
// vector: ROWS x VECTORS of them stay in registers over all dimensions, then their maximum does, and no
// similarity matrix is ever written.
//
// `Op` is an instruction set with a precision: see ops_portable.h for what it must have.
#pragma once
#include "problem.h"

#define INLINE inline __attribute__((always_inline))

namespace inflate_shrink {
namespace {

constexpr float INFINITE = __builtin_inff();

// One word of each of ROWS rows, times the query's word.
template <class Op, int ROWS, int VECTORS>
INLINE void step(const RowWord* rows, int64_t words, const uint32_t* query, typename Op::Acc (&acc)[ROWS][VECTORS]) {
#pragma GCC unroll 16
  for (int r = 0; r < ROWS; r++) {
    const typename Op::Word word = Op::word(rows + r * words);
#pragma GCC unroll 2
    for (int v = 0; v < VECTORS; v++) Op::multiply_add(acc[r][v], word, query + v * Op::PLANES * Op::LANES);
  }
}

template <class Op, int ROWS, int VECTORS>
INLINE void multiply(const Block& block, const RowWord* rows, int64_t words, typename Op::Acc (&acc)[ROWS][VECTORS]) {
  constexpr int QUERY = VECTORS * Op::PLANES * Op::LANES;
  for (int r = 0; r < ROWS; r++)
    for (int v = 0; v < VECTORS; v++) acc[r][v] = Op::start(block.starts + v * Op::LANES);
  const uint32_t* query = block.words;
  int64_t k = 0;
  for (; k + 2 <= words; k += 2, query += 2 * QUERY) {
    for (int line = 0; line < ROWS / 8; line++)  // of the next tile, as much as is computed of this one meanwhile
      __builtin_prefetch(rows + ROWS * words + k * ROWS + line * 16);
    step<Op, ROWS, VECTORS>(rows + k, words, query, acc);
    step<Op, ROWS, VECTORS>(rows + k + 1, words, query + QUERY, acc);
  }
  if (k < words) step<Op, ROWS, VECTORS>(rows + k, words, query, acc);
}

// All rows of an item, tile by tile, the rest in tiles of half the size; `take(tile, first row)` gets each tile's products.
template <class Op, int ROWS, int VECTORS, class Take>
INLINE void each_tile(const Block& block, const RowWord* rows, int64_t words, int64_t begin, int64_t end, Take& take) {
  for (; begin + ROWS <= end; begin += ROWS) {
    typename Op::Acc acc[ROWS][VECTORS];
    multiply<Op, ROWS, VECTORS>(block, rows + begin * words, words, acc);
    take.template tile<ROWS>(acc, begin);
  }
  if constexpr (ROWS > 1)
    if (begin < end) each_tile<Op, ROWS / 2, VECTORS>(block, rows, words, begin, end, take);
}

// Runs each_tile for the block's number of vectors; one vector leaves registers for twice the rows.
template <class Op, template <class, int> class Take, class... Arguments>
INLINE auto over_rows(const Block& block, const RowWord* rows, int64_t words, int64_t count, Arguments... arguments) {
  if (block.vectors == 2) {
    Take<Op, 2> take(block, arguments...);
    each_tile<Op, Op::ROWS, 2>(block, rows, words, 0, count, take);
    return take.result();
  }
  Take<Op, 1> take(block, arguments...);
  each_tile<Op, 2 * Op::ROWS, 1>(block, rows, words, 0, count, take);
  return take.result();
}

// BEST_ROW: the best product of each fragment, then their sum.
template <class Op, int VECTORS>
struct BestRow {
  const Block& block;
  const float* scales;
  typename Op::Float best[VECTORS];

  INLINE BestRow(const Block& block, const float* scales) : block(block), scales(scales) {
    for (int v = 0; v < VECTORS; v++) best[v] = Op::fill(-INFINITE);
  }
  template <int ROWS>
  INLINE void tile(typename Op::Acc (&acc)[ROWS][VECTORS], int64_t first) {
    for (int r = 0; r < ROWS; r++)
      for (int v = 0; v < VECTORS; v++) best[v] = Op::max(best[v], Op::product(acc[r][v], scales, first + r));
  }
  INLINE float result() const {
    typename Op::Float sum = Op::multiply(best[0], Op::load(block.scales));
    if (VECTORS == 2) sum = Op::add(sum, Op::multiply(best[VECTORS - 1], Op::load(block.scales + Op::LANES)));
    return Op::sum(sum);
  }
};

// BEST_FRAGMENT: each row's best fragment of this block, kept if better than those of the blocks before.
template <class Op, int VECTORS>
struct BestFragment {
  const Block& block;
  const float* scales;
  float* best;  // of each row

  INLINE BestFragment(const Block& block, const float* scales, float* best) : block(block), scales(scales), best(best) {}
  template <int ROWS>
  INLINE void tile(typename Op::Acc (&acc)[ROWS][VECTORS], int64_t first) {
    for (int r = 0; r < ROWS; r++) {
      typename Op::Float lanes = scaled(acc[r], first + r, 0);
      if (VECTORS == 2) lanes = Op::max(lanes, scaled(acc[r], first + r, VECTORS - 1));
      const float found = Op::maximum(lanes);
      if (found > best[first + r]) best[first + r] = found;
    }
  }
  INLINE int result() const { return 0; }

 private:
  INLINE typename Op::Float scaled(typename Op::Acc (&acc)[VECTORS], int64_t row, int v) {
    const typename Op::Float product = Op::multiply(Op::product(acc[v], scales, row), Op::load(block.scales + v * Op::LANES));
    return Op::add(product, Op::load(block.bias + v * Op::LANES));
  }
};

// EACH: the products themselves, out[fragment * stride + row].
template <class Op, int VECTORS>
struct Each {
  const Block& block;
  const float* scales;
  float* out;
  int64_t stride;

  INLINE Each(const Block& block, const float* scales, float* out, int64_t stride) : block(block), scales(scales), out(out), stride(stride) {}
  template <int ROWS>
  INLINE void tile(typename Op::Acc (&acc)[ROWS][VECTORS], int64_t first) {
    float lanes[VECTORS * Op::LANES];
    for (int r = 0; r < ROWS; r++) {
      for (int v = 0; v < VECTORS; v++)
        Op::store(lanes + v * Op::LANES, Op::multiply(Op::product(acc[r][v], scales, first + r), Op::load(block.scales + v * Op::LANES)));
      for (int i = 0; i < block.fragments; i++) out[i * stride + first + r] = lanes[i];
    }
  }
  INLINE int result() const { return 0; }
};

template <class Op>
float best_row_score(const Block* block, const Block* end, const Rows& rows, int64_t first, int64_t count) {
  if (count == 0) return -INFINITE;
  const RowWord* values = rows.values + first * rows.words;
  const float* scales = rows.scales ? rows.scales + first : nullptr;
  float score = 0;
  for (; block != end; block++) score += over_rows<Op, BestRow>(*block, values, rows.words, count, scales);
  return score;
}

template <class Op>
float best_fragment_score(const Block* first_block, const Block* end, const Rows& rows, int64_t first, int64_t count) {
  if (count == 0 || first_block == end) return -INFINITE;
  constexpr int64_t AT_ONCE = 256;  // rows whose best is kept on the stack
  float best[AT_ONCE], score = 0;
  for (int64_t begin = 0; begin < count; begin += AT_ONCE) {
    const int64_t some = count - begin < AT_ONCE ? count - begin : AT_ONCE;
    const RowWord* values = rows.values + (first + begin) * rows.words;
    const float* scales = rows.scales ? rows.scales + first + begin : nullptr;
    for (int64_t r = 0; r < some; r++) best[r] = -INFINITE;
    for (const Block* block = first_block; block != end; block++)
      over_rows<Op, BestFragment>(*block, values, rows.words, some, scales, static_cast<float*>(best));
    for (int64_t r = 0; r < some; r++) score += best[r];
  }
  return score;
}

template <class Op>
void each_score(const Queries& queries, const Rows& rows, int64_t begin, int64_t end, float* out, int64_t stride) {
  for (int64_t i = begin; i < end;) {
    const int64_t first = rows.items ? rows.items[i] : i;
    int64_t run = 1;  // neighbours are scored together
    while (i + run < end && (rows.items ? rows.items[i + run] == first + run : true)) run++;
    const float* scales = rows.scales ? rows.scales + first : nullptr;
    float* part = out + i;
    for (const Block* block = queries.blocks; block != queries.blocks + queries.first_block[queries.count]; block++) {
      over_rows<Op, Each>(*block, rows.values + first * rows.words, rows.words, run, scales, part, stride);
      part += block->fragments * stride;
    }
    i += run;
  }
}

// Chosen items lie anywhere: the first tile of the next one is fetched while this one is scored, and each tile fetches the next.
template <class Op>
INLINE void fetch_item(const Rows& rows, int64_t item) {
  const int64_t first = rows.offsets[item], count = rows.offsets[item + 1] - first;
  const uint32_t* values = rows.values + first * rows.words;
  const int64_t words = (count < Op::ROWS ? count : Op::ROWS) * rows.words;
  for (int64_t word = 0; word < words; word += 16) __builtin_prefetch(values + word);
  if (rows.scales) __builtin_prefetch(rows.scales + first);
}

template <class Op>
void score(const Queries& queries, const Rows& rows, Reduce reduce, int64_t begin, int64_t end, float* out, int64_t stride) {
  if (reduce == EACH) return each_score<Op>(queries, rows, begin, end, out, stride);
  for (int64_t q = 0; q < queries.count; q++) {  // the items of a call stay in cache from one query to the next
    const Block *blocks = queries.blocks + queries.first_block[q], *last = queries.blocks + queries.first_block[q + 1];
    for (int64_t i = begin; i < end; i++) {
      if (rows.items && i + 1 < end) fetch_item<Op>(rows, rows.items[i + 1]);
      const int64_t item = rows.items ? rows.items[i] : i, first = rows.offsets[item], count = rows.offsets[item + 1] - first;
      out[q * stride + i] = reduce == BEST_ROW ? best_row_score<Op>(blocks, last, rows, first, count)
                                               : best_fragment_score<Op>(blocks, last, rows, first, count);
    }
  }
}

template <class Op>
void pack(const float* fragments, int count, int64_t dim, int vectors, float* rounded, uint32_t* words, float* scales, int32_t* starts) {
  const int64_t row_words = (dim + Op::DIMS - 1) / Op::DIMS;
  for (int i = 0; i < vectors * Op::LANES; i++) {
    const bool filled = i < count;
    for (int64_t d = 0; d < row_words * Op::DIMS; d++) rounded[d] = filled && d < dim ? fragments[i * dim + d] : 0;
    const float scale = Op::round(rounded, row_words * Op::DIMS, starts + i);
    scales[i] = filled ? scale : 0;
    uint32_t* lane = words + (i / Op::LANES) * Op::PLANES * Op::LANES + i % Op::LANES;
    for (int64_t k = 0; k < row_words; k++, lane += vectors * Op::PLANES * Op::LANES)
      for (int plane = 0; plane < Op::PLANES; plane++) lane[plane * Op::LANES] = Op::word_of(rounded + k * Op::DIMS, plane);
  }
}

// One multiply-add for each accumulator, which the optimiser can neither move out of a loop nor leave out.
template <class Op, class... Acc>
INLINE void multiply_add_each(typename Op::Word& word, const uint32_t* query, Acc&... acc) {
  ((Op::multiply_add(acc, word, query), Op::keep(acc), Op::keep(word)), ...);
}

// `operand`: PLANES * LANES words.
template <class Op>
double arithmetic(const uint32_t* operand, int64_t rounds) {
  static const int32_t starts[Op::LANES] = {};
  typename Op::Acc a = Op::start(starts), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
  typename Op::Word word = Op::word(operand);
  for (int64_t round = 0; round < rounds; round++) multiply_add_each<Op>(word, operand, a, b, c, d, e, f, g, h, i, j, k, l);
  return 2.0 * rounds * 12 * Op::LANES * Op::DIMS;
}

template <class Op>
constexpr Operations operations() {
  return {Op::LANES, Op::PLANES, Op::DIMS, pack<Op>, score<Op>, arithmetic<Op>};
}

}  // namespace
}  // namespace inflate_shrink
