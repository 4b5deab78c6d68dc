#include "library.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "cascade.h"
#include "problem.h"
#include "processor.h"
#include "rounding.h"
#include "threads.h"

using namespace inflate_shrink;

namespace {

constexpr int64_t PART_BYTES = 256 << 10;          // of rows: half a core's cache, so that they are still there for the next query
constexpr int64_t ONE_QUERY_PART_BYTES = 2 << 20;  // the first item of a part is the only one that is not fetched in time

// Queries as blocks of vectors of lanes, in memory of their own.
class PackedQueries {
 public:
  PackedQueries(const Operations& operations, const float* queries, const float* bias, const int64_t* offsets, int64_t count, int64_t dim, Reduce reduce)
      : operations_(operations), dim_(dim), row_words_((dim + operations.dims - 1) / operations.dims) {
    const int64_t fragments = offsets[count], lanes = operations.vectors * operations.lanes;
    const int64_t most_blocks = fragments / lanes + count;  // every query may end with a block that is not full
    blocks_.reserve(most_blocks);
    words_.resize(most_blocks * lanes * operations.widening * row_words_ + ALIGNMENT);
    scales_.resize(most_blocks * lanes), bias_.resize(most_blocks * lanes, -INFINITE), starts_.resize(most_blocks * lanes);
    rounded_.resize(row_words_ * operations.dims);
    next_ = words_.data() + (ALIGNMENT - reinterpret_cast<uintptr_t>(words_.data()) / 4 % ALIGNMENT) % ALIGNMENT;
    first_block_.push_back(0);
    if (reduce == EACH) {  // fragments of different queries share blocks
      add(queries, bias, fragments);
      first_block_.resize(count + 1, static_cast<int64_t>(blocks_.size()));
    } else {
      for (int64_t q = 0; q < count; q++) add(queries + offsets[q] * dim, bias + offsets[q], offsets[q + 1] - offsets[q]);
    }
  }

  Queries view() const { return {blocks_.data(), first_block_.data(), static_cast<int64_t>(first_block_.size()) - 1}; }

 private:
  static constexpr int64_t ALIGNMENT = 16;  // words: loads of a whole cache line

  void add(const float* fragments, const float* bias, int64_t count) {
    for (int64_t done = 0; done < count;) {
      const int some = static_cast<int>(std::min<int64_t>(count - done, operations_.vectors * operations_.lanes));
      const int vectors = (some + operations_.lanes - 1) / operations_.lanes;
      const size_t lane = blocks_.size() * operations_.vectors * operations_.lanes;
      const Block block = {next_, &scales_[lane], &bias_[lane], &starts_[lane], vectors, some};
      operations_.pack(fragments + done * dim_, some, dim_, vectors, rounded_.data(), next_, &scales_[lane], &starts_[lane]);
      std::copy(bias + done, bias + done + some, &bias_[lane]);
      blocks_.push_back(block);
      next_ += vectors * operations_.lanes * operations_.widening * row_words_;
      done += some;
    }
    first_block_.push_back(static_cast<int64_t>(blocks_.size()));
  }

  const Operations& operations_;
  int64_t dim_, row_words_;
  std::vector<Block> blocks_;
  std::vector<int64_t> first_block_;
  std::vector<uint32_t> words_;
  std::vector<float> scales_, bias_, rounded_;
  std::vector<int32_t> starts_;
  uint32_t* next_;
};

template <class Round, class Number, class Convert>
void encode(const float* vectors, int64_t begin, int64_t end, int64_t dim, uint8_t* out, int64_t row_bytes, float* scales, Convert convert) {
  const int64_t width = row_bytes / static_cast<int64_t>(sizeof(Number));
  std::vector<float> rounded(width, 0.0f);
  for (int64_t row = begin; row < end; row++) {
    std::copy(vectors + row * dim, vectors + (row + 1) * dim, rounded.begin());
    int32_t unused;
    const float scale = Round::round(rounded.data(), dim, &unused);
    Number* to = reinterpret_cast<Number*>(out + row * row_bytes);
    for (int64_t d = 0; d < width; d++) to[d] = convert(rounded[d]);
    if (scales) scales[row] = scale;
  }
}

// Offsets come from files: none becomes an address before this has seen it.
void require_stored(const int64_t* offsets, const int64_t* items, int64_t begin, int64_t end, int64_t stored) {
  uint64_t wrong = 0;  // a sign bit: of an offset, or of a difference of two that are not negative
  for (int64_t i = begin; i < end; i++) {
    const int64_t item = items ? items[i] : i;
    const uint64_t from = offsets[item], to = offsets[item + 1];
    wrong |= from | to | (to - from) | (stored - to);
  }
  if (wrong >> 63) throw std::out_of_range("offsets");
}

template <class Call>
int guarded(Call call) {
  try {
    call();
    return 0;
  } catch (const std::out_of_range&) {
    return -2;
  } catch (const std::exception&) {
    return -1;
  }
}

}  // namespace

int is_interface() { return 5; }

const char* is_path_name(int path) { return path < static_cast<int>(paths().size()) ? paths()[path]->name : nullptr; }

int is_scores(int path, int precision, int reduce, const float* queries, const float* bias, const int64_t* query_offsets, int64_t n_queries, int64_t dim,
              const void* rows, const float* scales, int64_t stored, const int64_t* offsets, int64_t row_bytes, const int64_t* items, int64_t count,
              float* out, int threads) {
  return guarded([&] {
    const Operations& operations = paths()[path]->of[precision];
    const PackedQueries packed(operations, queries, bias, query_offsets, n_queries, dim, static_cast<Reduce>(reduce));
    const Queries view = packed.view();
    const Rows all = {static_cast<const RowWord*>(rows), scales, offsets, items, row_bytes / 4};
    int64_t scored = items ? 0 : stored;
    if (items) require_stored(offsets, items, 0, count, stored);
    if (!items && reduce == EACH && count > stored) throw std::out_of_range("items");
    for (int64_t i = 0; items && i < count; i++) scored += offsets[items[i] + 1] - offsets[items[i]];
    const int64_t bytes = n_queries > 1 ? PART_BYTES : ONE_QUERY_PART_BYTES;
    const int64_t part = std::max<int64_t>(1, std::min(bytes * count / std::max<int64_t>(1, scored * row_bytes), count / (4 * threads)));
    in_parallel(threads, count, part, [&](int64_t begin, int64_t end) {
      if (!items && reduce != EACH) require_stored(offsets, nullptr, begin, end, stored);
      operations.score(view, all, static_cast<Reduce>(reduce), begin, end, out, count);
    });
  });
}

int is_code_scores(int path, const uint8_t* table, int64_t lanes, const uint16_t* codes, int64_t stored, const int64_t* offsets, const int64_t* items,
                   int64_t count, float* out, int threads) {
  return guarded([&] {
    const Codes view = {table, codes, offsets, items, lanes};
    in_parallel(threads, count, 512, [&](int64_t begin, int64_t end) {
      require_stored(offsets, items, begin, end, stored);
      paths()[path]->score_codes(view, begin, end, out);
    });
  });
}

int is_code_table(int path, int precision, const float* query, int64_t fragments, int64_t dim, const void* centroids, const float* scales,
                  int64_t row_bytes, int64_t count, int64_t lanes, uint8_t* table, float* lowest, float* step, int threads) {
  return guarded([&] {
    constexpr int64_t PART = 256;
    const Operations& operations = paths()[path]->of[precision];
    const std::vector<float> bias(fragments, 0.0f);
    std::vector<int64_t> each(fragments + 1);
    std::iota(each.begin(), each.end(), 0);
    const PackedQueries packed(operations, query, bias.data(), each.data(), fragments, dim, EACH);
    const Queries view = packed.view();
    const Rows rows = {static_cast<const RowWord*>(centroids), scales, nullptr, nullptr, row_bytes / 4};
    const int64_t stride = count + 16;  // not a power of two: the fragments' products would fight for the same lines of cache
    std::vector<float> products(fragments * stride);
    in_parallel(threads, count, PART, [&](int64_t begin, int64_t end) { operations.score(view, rows, EACH, begin, end, products.data(), stride); });
    float widest = 1e-30f;
    for (int64_t f = 0; f < fragments; f++) {
      const float* of_fragment = &products[f * stride];
      float low = of_fragment[0], high = low;
      for (int64_t c = 1; c < count; c++) low = std::min(low, of_fragment[c]), high = std::max(high, of_fragment[c]);
      lowest[f] = low, widest = std::max(widest, high - low);
    }
    *step = widest / 255;
    in_parallel(threads, count, PART, [&](int64_t begin, int64_t end) {
      for (int64_t f = 0; f < fragments; f++)
        for (int64_t c = begin; c < end; c++)
          table[c * lanes + f] = static_cast<uint8_t>(static_cast<int>((products[f * stride + c] - lowest[f]) * (255 / widest) + 0.5f));
    });
  });
}

int is_cascade(int path, const is_collection* collection, const is_cascade_query* query, int threads, const is_cascade_found* found) {
  return guarded([&] {
    const Path& chosen = *paths()[path];
    with_team(threads, [&](Team& team) {  // which wakes up while the query is packed
      const std::vector<float> no_bias(std::max(query->merged_count, query->count), 0.0f);
      const int64_t merged[] = {0, query->merged_count}, fragments[] = {0, query->count};
      const PackedQueries pooled(chosen.of[INT8], query->merged, no_bias.data(), merged, 1, collection->dim, BEST_ROW);
      const PackedQueries exact(chosen.of[collection->precision], query->fragments, query->bias, fragments, 1, collection->dim, BEST_ROW);
      const bool other = query->features->directions_count && collection->precision != INT8;  // packed for all at once, fragments are so for each
      const int64_t singly[] = {0, other ? query->count : 0};
      const PackedQueries each(chosen.of[INT8], query->fragments, no_bias.data(), singly, 1, collection->dim, BEST_ROW);
      const CascadeQueries packed = {other ? each.view() : exact.view(), pooled.view(), exact.view()};
      run_cascade(chosen, *collection, *query, packed, team, *found);
    });
  });
}

int is_encode_rows(int precision, const float* vectors, int64_t rows, int64_t dim, void* out, int64_t row_bytes, float* scales, int threads) {
  return guarded([&] {
    const auto to = static_cast<uint8_t*>(out);
    in_parallel(threads, rows, 256, [&](int64_t begin, int64_t end) {
      if (precision == FLOAT32) encode<RoundFloat32, float>(vectors, begin, end, dim, to, row_bytes, nullptr, [](float x) { return x; });
      if (precision == BFLOAT16)
        encode<RoundBfloat16, uint16_t>(vectors, begin, end, dim, to, row_bytes, nullptr, [](float x) { return static_cast<uint16_t>(as_bits(x) >> 16); });
      if (precision == INT8)
        encode<RoundInt8, uint8_t>(vectors, begin, end, dim, to, row_bytes, scales, [](float x) { return static_cast<uint8_t>(static_cast<int>(x) + 128); });
    });
  });
}

double is_arithmetic_limit(int path, int precision, int threads, double seconds) {
  const Operations& operations = paths()[path]->of[precision];
  alignas(64) uint32_t operand[64] = {};  // lanes words, at most
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); };
  constexpr int64_t ROUNDS = 1000000;
  double best = 0;
  for (const auto start = Clock::now(); since(start) < seconds;) {
    std::vector<double> done(threads);
    const auto round = Clock::now();
    in_parallel(threads, threads, 1, [&](int64_t part, int64_t) { done[part] = operations.arithmetic(operand, ROUNDS); });
    best = std::max(best, std::accumulate(done.begin(), done.end(), 0.0) / since(round));
  }
  return best;
}
