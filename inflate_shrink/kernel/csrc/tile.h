// Late interaction of an item's rows with a block of query fragments, for any instruction set.
//
// The query is packed so that a vector holds one word (1, 2 or 4 dimensions) of many fragments. A row's word is
// broadcast and multiplied with it, so each accumulator gathers the products of one row with all fragments of the
// vector: a tile of ROWS x VECTORS of them stays in registers, then their maximum does, and no similarity matrix is
// ever written. Long rows are multiplied slice by slice, so that what a slice needs of the query stays in the level-one
// cache for all tiles of a group; between slices the accumulators wait in that cache, too.
//
// `Op` is an instruction set with a precision: see ops_portable.h for what it must have.
#pragma once
#include "problem.h"

#define INLINE inline __attribute__((always_inline))

namespace inflate_shrink {
namespace {

constexpr float INFINITE = __builtin_inff();
constexpr int LINE = 16;   // words of a line of cache
constexpr int GROUP = 48;  // rows that are multiplied with a slice of the query before the next one is

// Words of a slice of the query, a multiple of LINE.
template <class Op, int VECTORS>
constexpr int64_t SLICE = Op::PANEL / (4 * VECTORS * Op::LANES) / LINE * LINE;

// Words of each row of a group, from the first row on, as they are stored.
struct Slice {
  const RowWord* rows;
  int64_t stride;  // words from a row to the next
  int64_t words;
  const RowWord* next;  // as many words, needed soon: fetched meanwhile
};

// One word of each of ROWS rows, times the query's word. The fewer operands are kept in registers.
template <class Op, int ROWS, int VECTORS>
INLINE void step(const RowWord* rows, int64_t stride, const uint32_t* query, typename Op::Acc (&acc)[ROWS][VECTORS]) {
  if constexpr (ROWS < VECTORS) {
    typename Op::Word words[ROWS];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++) words[r] = Op::word(rows + r * stride);
#pragma GCC unroll 4
    for (int v = 0; v < VECTORS; v++) {
#pragma GCC unroll 16
      for (int r = 0; r < ROWS; r++) Op::multiply_add(acc[r][v], words[r], query + v * Op::LANES);
    }
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++) {
      const typename Op::Word word = Op::word(rows + r * stride);
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) Op::multiply_add(acc[r][v], word, query + v * Op::LANES);
    }
  }
}

template <class Op, int ROWS, int VECTORS>
INLINE void multiply(const uint32_t* query, const Slice& slice, typename Op::Acc (&acc)[ROWS][VECTORS]) {
  constexpr int QUERY = VECTORS * Op::LANES;
  // With one vector most of the time is memory's, and the loads would wait for more lines at once.
  constexpr int LINES = VECTORS == 1 ? 1 : ROWS, WORDS = VECTORS == 1 ? LINE / ROWS : LINE;
  const int64_t some = Op::WIDENING > 1 ? slice.words : WORDS;
  const RowWord* next = slice.next;
  for (int64_t k = 0; k < slice.words; next += LINES * LINE) {
    for (int line = 0; line < (Op::WIDENING > 1 ? 0 : LINES); line++) __builtin_prefetch(next + line * LINE);  // widening has done it
    const int64_t end = slice.words - k < some ? slice.words : k + some;
#pragma GCC unroll 2
    for (; k < end; k++) step<Op, ROWS, VECTORS>(slice.rows + k, slice.stride, query + k * QUERY, acc);
  }
}

// Stored words that are several numbers too small to multiply become that many words first, a line of them at a time.
template <class Op>
INLINE void widen(const RowWord* row, const RowWord* next, int64_t words, uint32_t* wide) {
  int64_t k = 0;
  for (; k + LINE <= words; k += LINE) {
    __builtin_prefetch(next + k);
    Op::widen(row + k, wide + k * Op::WIDENING);
  }
  if (k < words) {
    RowWord rest[LINE] = {};
    for (int i = 0; k + i < words; i++) rest[i] = row[k + i];
    Op::widen(rest, wide + k * Op::WIDENING);
  }
}

// A group of rows, tile by tile, the rest in tiles of half the size, with the block's words from `word` on. Products begin where
// the slice before left them in `sums`, if there was one, and end there or, the last ones, in `take.tile(products, first row)`.
// A function of its own for each size of a tile: it keeps in registers as much as there is room for.
template <class Op, int ROWS, int VECTORS, class Take>
__attribute__((noinline)) void multiply_rows(Slice slice, int64_t word, bool last, int64_t rows, typename Op::Acc (*sums)[VECTORS], Take& take, int64_t first) {
  const uint32_t* query = take.block.words + word * Op::WIDENING * VECTORS * Op::LANES;
  for (; rows >= ROWS; rows -= ROWS, slice.rows += ROWS * slice.stride, slice.next += ROWS * slice.words, sums += ROWS, first += ROWS) {
    typename Op::Acc acc[ROWS][VECTORS];
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) acc[r][v] = word ? sums[r][v] : Op::start(take.block.starts + v * Op::LANES);
    if constexpr (Op::WIDENING == 1) {
      multiply<Op>(query, slice, acc);
    } else {
      constexpr int64_t MOST = SLICE<Op, VECTORS>;
      alignas(64) uint32_t wide[ROWS * MOST];
      for (int r = 0; r < ROWS; r++) widen<Op>(slice.rows + r * slice.stride, slice.next + r * slice.words, slice.words, wide + r * MOST);
      multiply<Op>(query, Slice{wide, MOST, slice.words * Op::WIDENING, nullptr}, acc);
    }
    if (last) {
      take.template tile<ROWS>(acc, first);
    } else {
#pragma GCC unroll 16
      for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) sums[r][v] = acc[r][v];
    }
  }
  if constexpr (ROWS > 1)
    if (rows) multiply_rows<Op, (ROWS + 1) / 2>(slice, word, last, rows, sums, take, first);
}

// The rows of an item, group by group; `next`: the rows that are scored after these.
template <class Op, int VECTORS, class Take>
INLINE void each_row(const RowWord* rows, int64_t words, int64_t count, const RowWord* next, Take& take) {
  constexpr int64_t MOST = SLICE<Op, VECTORS> / Op::WIDENING;
  typename Op::Acc sums[GROUP][VECTORS];
  for (int64_t first = 0; first < count; first += GROUP) {
    const RowWord* group = rows + first * words;
    const int64_t some = count - first < GROUP ? count - first : GROUP;
    const RowWord* after = first + some < count ? group + some * words : next;
    for (int64_t word = 0; word < words; word += MOST) {
      const bool last = words - word <= MOST;
      const Slice slice = {group + word, words, last ? words - word : MOST, after + word * some};
      multiply_rows<Op, Op::ROWS[VECTORS - 1]>(slice, word, last, some, sums, take, first);
    }
  }
}

// Runs each_row for the block's number of vectors; fewer vectors leave registers for more rows.
template <class Op, template <class, int> class Take, int VECTORS = Op::VECTORS, class... Arguments>
INLINE auto over_rows(const Block& block, const RowWord* rows, int64_t words, int64_t count, const RowWord* next, Arguments... arguments) {
  if constexpr (VECTORS > 1)
    if (block.vectors < VECTORS) return over_rows<Op, Take, VECTORS - 1>(block, rows, words, count, next, arguments...);
  Take<Op, VECTORS> take(block, arguments...);
  each_row<Op, VECTORS>(rows, words, count, next, take);
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
  INLINE void tile(const typename Op::Acc (&acc)[ROWS][VECTORS], int64_t first) {
#pragma GCC unroll 16
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
      for (int v = 0; v < VECTORS; v++) best[v] = Op::max(best[v], Op::product(acc[r][v], scales, first + r));
  }
  INLINE float result() const {
    typename Op::Float sum = Op::multiply(best[0], Op::load(block.scales));
    for (int v = 1; v < VECTORS; v++) sum = Op::add(sum, Op::multiply(best[v], Op::load(block.scales + v * Op::LANES)));
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
  INLINE void tile(const typename Op::Acc (&acc)[ROWS][VECTORS], int64_t first) {
    for (int r = 0; r < ROWS; r++) {
      typename Op::Float lanes = scaled(acc[r][0], first + r, 0);
      for (int v = 1; v < VECTORS; v++) lanes = Op::max(lanes, scaled(acc[r][v], first + r, v));
      const float found = Op::maximum(lanes);
      if (found > best[first + r]) best[first + r] = found;
    }
  }
  INLINE int result() const { return 0; }

 private:
  INLINE typename Op::Float scaled(typename Op::Acc acc, int64_t row, int v) {
    const typename Op::Float product = Op::multiply(Op::product(acc, scales, row), Op::load(block.scales + v * Op::LANES));
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
  INLINE void tile(const typename Op::Acc (&acc)[ROWS][VECTORS], int64_t first) {
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
float best_row_score(const Block* block, const Block* end, const Rows& rows, int64_t first, int64_t count, const RowWord* next) {
  if (count == 0) return -INFINITE;
  const RowWord* values = rows.values + first * rows.words;
  const float* scales = rows.scales ? rows.scales + first : nullptr;
  float score = 0;
  for (; block != end; block++) score += over_rows<Op, BestRow>(*block, values, rows.words, count, next, scales);
  return score;
}

template <class Op>
float best_fragment_score(const Block* first_block, const Block* end, const Rows& rows, int64_t first, int64_t count, const RowWord* next) {
  if (count == 0 || first_block == end) return -INFINITE;
  constexpr int64_t AT_ONCE = 256;  // rows whose best is kept on the stack
  float best[AT_ONCE], score = 0;
  for (int64_t begin = 0; begin < count; begin += AT_ONCE) {
    const int64_t some = count - begin < AT_ONCE ? count - begin : AT_ONCE;
    const RowWord* values = rows.values + (first + begin) * rows.words;
    const float* scales = rows.scales ? rows.scales + first + begin : nullptr;
    for (int64_t r = 0; r < some; r++) best[r] = -INFINITE;
    for (const Block* block = first_block; block != end; block++)
      over_rows<Op, BestFragment>(*block, values, rows.words, some, next, scales, static_cast<float*>(best));
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
    const RowWord* next = rows.values + (rows.items && i + run < end ? rows.items[i + run] : first + run) * rows.words;
    float* part = out + i;
    for (const Block* block = queries.blocks; block != queries.blocks + queries.first_block[queries.count]; block++) {
      over_rows<Op, Each>(*block, rows.values + first * rows.words, rows.words, run, next, scales, part, stride);
      part += block->fragments * stride;
    }
    i += run;
  }
}

template <class Op>
void score(const Queries& queries, const Rows& rows, Reduce reduce, int64_t begin, int64_t end, float* out, int64_t stride) {
  if (reduce == EACH) return each_score<Op>(queries, rows, begin, end, out, stride);
  const auto item = [&](int64_t i) { return rows.items ? rows.items[i] : i; };
  for (int64_t q = 0; q < queries.count; q++) {  // the items of a call stay in cache from one query to the next
    const Block *blocks = queries.blocks + queries.first_block[q], *last = queries.blocks + queries.first_block[q + 1];
    for (int64_t i = begin; i < end; i++) {
      const int64_t first = rows.offsets[item(i)], count = rows.offsets[item(i) + 1] - first;
      const int64_t next_item = i + 1 < end ? item(i + 1) : rows.following;
      const int64_t after = !rows.items ? first + count : next_item < 0 ? first : rows.offsets[next_item];
      const RowWord* next = rows.values + after * rows.words;
      if (rows.scales) __builtin_prefetch(rows.scales + after);
      out[q * stride + i] = reduce == BEST_ROW ? best_row_score<Op>(blocks, last, rows, first, count, next)
                                               : best_fragment_score<Op>(blocks, last, rows, first, count, next);
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
    for (int64_t k = 0; k < row_words * Op::WIDENING; k++) words[k * vectors * Op::LANES + i] = Op::word_of(rounded + k * Op::DIMS / Op::WIDENING);
  }
}

// One multiply-add for each accumulator, which the optimiser can neither move out of a loop nor leave out.
template <class Op, class... Acc>
INLINE void multiply_add_each(typename Op::Word& word, const uint32_t* query, Acc&... acc) {
  ((Op::multiply_add(acc, word, query), Op::keep(acc), Op::keep(word)), ...);
}

// `operand`: LANES words.
template <class Op>
double arithmetic(const uint32_t* operand, int64_t rounds) {
  static const int32_t starts[Op::LANES] = {};
  typename Op::Acc a = Op::start(starts), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
  typename Op::Word word = Op::word(operand);
  for (int64_t round = 0; round < rounds; round++) multiply_add_each<Op>(word, operand, a, b, c, d, e, f, g, h, i, j, k, l);
  return 2.0 * rounds * 12 * Op::LANES * Op::DIMS / Op::WIDENING;
}

template <class Op>
constexpr Operations operations() {
  return {Op::LANES, Op::VECTORS, Op::WIDENING, Op::DIMS, pack<Op>, score<Op>, arithmetic<Op>};
}

}  // namespace
}  // namespace inflate_shrink
