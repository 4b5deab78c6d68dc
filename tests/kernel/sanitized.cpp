// Every path this machine has, under sanitizers: buffers end where their data ends, and results are those of a plain loop.
// Built and run by test_sanitized.py and test_emulated.py; prints what is wrong, or the number of comparisons.
// Arguments: --no-fork, where an emulator cannot fork a process that has threads; names of the best paths that must be here, the only ones then that are checked.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "library.h"

namespace {

enum { FLOAT32, BFLOAT16, INT8 };               // of csrc/problem.h
enum { BEST_ROW, BEST_FRAGMENT, EACH };         // of csrc/problem.h
constexpr int NUMBERS_IN_WORD[] = {1, 2, 4};    // of rows.py
constexpr int NUMBER_BYTES[] = {4, 2, 1};
constexpr double INFINITE = std::numeric_limits<double>::infinity();

using Lengths = std::vector<int64_t>;
using Floats = std::vector<float>;

int64_t compared = 0;
int checked_paths = 0;

void expect(bool right, const std::string& what) {
  compared++;
  if (right) return;
  std::printf("wrong: %s\n", what.c_str());
  std::exit(1);
}

Floats random_vectors(int64_t rows, int64_t dim) {
  static std::mt19937 generator(5);
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(dim)));
  Floats vectors(rows * dim);
  for (float& number : vectors) number = normal(generator);
  return vectors;
}

// What a row is worth after rounding, and its bytes.
struct Encoded {
  std::vector<double> numbers;
  std::unique_ptr<uint8_t[]> memory;
  uint8_t* bytes;  // behind one byte, so aligned to nothing
  Floats scales;
  int64_t row_bytes;
};

Encoded encode(const Floats& vectors, int64_t rows, int64_t dim, int precision) {
  const int64_t in_word = NUMBERS_IN_WORD[precision], width = (dim + in_word - 1) / in_word * in_word, row_bytes = width * NUMBER_BYTES[precision];
  Encoded encoded = {std::vector<double>(rows * dim), std::make_unique<uint8_t[]>(rows * row_bytes + 1), nullptr, {}, row_bytes};
  encoded.bytes = encoded.memory.get() + 1;
  for (int64_t row = 0; row < rows; row++) {
    float largest = 0;
    for (int64_t d = 0; d < dim; d++) largest = std::max(largest, std::fabs(vectors[row * dim + d]));
    const float inverse = largest > 0 ? 127 / largest : 0, scale = largest / 127;
    if (precision == INT8) encoded.scales.push_back(scale);
    for (int64_t i = 0; i < width; i++) {
      const float number = i < dim ? vectors[row * dim + i] : 0;
      uint8_t* to = encoded.bytes + row * row_bytes + i * NUMBER_BYTES[precision];
      double value = number;
      if (precision == FLOAT32) std::memcpy(to, &number, 4);
      if (precision == BFLOAT16) {
        uint32_t bits;
        std::memcpy(&bits, &number, 4);
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
        float rounded;
        std::memcpy(&rounded, &bits, 4);
        value = rounded;
        const uint16_t upper = static_cast<uint16_t>(bits >> 16);
        std::memcpy(to, &upper, 2);
      }
      if (precision == INT8) {
        const float rounded = std::nearbyint(number * inverse);
        *to = static_cast<uint8_t>(static_cast<int>(rounded) + 128);
        value = static_cast<double>(rounded) * scale;
      }
      if (i < dim) encoded.numbers[row * dim + i] = value;
    }
  }
  return encoded;
}

Lengths offsets_of(const Lengths& lengths) {
  Lengths offsets(lengths.size() + 1, 0);
  for (size_t i = 0; i < lengths.size(); i++) offsets[i + 1] = offsets[i] + lengths[i];
  return offsets;
}

// (queries, items) by the definition.
std::vector<double> reference(const Encoded& rows, const Lengths& offsets, const Encoded& queries, const Floats& bias, const Lengths& starts,
                              int64_t dim, int reduce) {
  std::vector<double> products(bias.size() * offsets.back());
  for (size_t f = 0; f < bias.size(); f++)
    for (int64_t r = 0; r < offsets.back(); r++) {
      double& product = products[f * offsets.back() + r];
      for (int64_t d = 0; d < dim; d++) product += queries.numbers[f * dim + d] * rows.numbers[r * dim + d];
    }
  const auto product = [&](int64_t fragment, int64_t row) { return products[fragment * offsets.back() + row]; };
  std::vector<double> scores;
  for (size_t q = 0; q + 1 < starts.size(); q++)
    for (size_t i = 0; i + 1 < offsets.size(); i++) {
      double score = offsets[i] == offsets[i + 1] || (reduce == BEST_FRAGMENT && starts[q] == starts[q + 1]) ? -INFINITE : 0;
      if (reduce == BEST_FRAGMENT) {
        for (int64_t r = offsets[i]; r < offsets[i + 1]; r++) {
          double best = -INFINITE;
          for (int64_t f = starts[q]; f < starts[q + 1]; f++) best = std::max(best, product(f, r) + bias[f]);
          score += best;
        }
      } else {
        for (int64_t f = starts[q]; f < starts[q + 1]; f++) {
          double best = -INFINITE;
          for (int64_t r = offsets[i]; r < offsets[i + 1]; r++) best = std::max(best, product(f, r));
          score += best;
        }
      }
      scores.push_back(score);
    }
  return scores;
}

// All paths, with all items and with some, must give the reference.
void check_scores(int64_t dim, const Lengths& lengths, const Lengths& fragments, int precision, int reduce) {
  const Lengths offsets = offsets_of(lengths), starts = offsets_of(fragments);
  const Floats vectors = random_vectors(offsets.back(), dim), queries = random_vectors(starts.back(), dim), bias = random_vectors(starts.back(), 1);
  const Encoded rows = encode(vectors, offsets.back(), dim, precision), rounded = encode(queries, starts.back(), dim, precision);
  const std::vector<double> right = reference(rows, offsets, rounded, bias, starts, dim, reduce);
  const int64_t n = lengths.size();
  const Lengths some = n ? Lengths{n - 1, 0, n / 2, n / 2, n - 1} : Lengths{};
  const double tolerance = 1e-5 * (1 + (reduce == BEST_FRAGMENT ? *std::max_element(offsets.begin(), offsets.end()) : starts.back()));
  for (int path = 0; path < checked_paths; path++)
    for (const Lengths* items : {static_cast<const Lengths*>(nullptr), &some})
      for (int threads : {1, 3}) {
        const int64_t count = items ? items->size() : n;
        Floats out(fragments.size() * count, -7);
        const int status = is_scores(path, precision, reduce, queries.data(), bias.data(), starts.data(), fragments.size(), dim, rows.bytes,
                                     precision == INT8 ? rows.scales.data() : nullptr, offsets.back(), offsets.data(), rows.row_bytes,
                                     items ? items->data() : nullptr, count, out.data(), threads);
        expect(status == 0, "status");
        for (size_t q = 0; q < fragments.size(); q++)
          for (int64_t i = 0; i < count; i++) {
            const double wanted = right[q * n + (items ? (*items)[i] : i)], found = out[q * count + i];
            compared++;
            if (std::isinf(wanted) ? found == wanted : std::fabs(found - wanted) <= tolerance) continue;
            expect(false, std::string(is_path_name(path)) + " precision " + std::to_string(precision) + " reduce " + std::to_string(reduce) + " dim " +
                              std::to_string(dim) + " query " + std::to_string(q) + " item " + std::to_string(i) + ": " + std::to_string(found) +
                              ", not " + std::to_string(wanted));
          }
      }
}

void check_all_scores() {
  const std::vector<Lengths> items = {{}, {1}, {0}, {3, 0, 1, 33, 8, 17, 2}, {32, 32, 32}, {257}};
  const std::vector<Lengths> queries = {{}, {0}, {1}, {33}, {64}, {65}, {5, 0, 16, 9, 8, 4}};
  for (int precision : {FLOAT32, BFLOAT16, INT8}) {
    for (int reduce : {BEST_ROW, BEST_FRAGMENT}) {
      for (int64_t dim : {1, 3, 5})
        for (const Lengths& lengths : items)
          for (const Lengths& fragments : queries) check_scores(dim, lengths, fragments, precision, reduce);
      for (int64_t dim : {64, 100})
        for (const Lengths& fragments : queries) check_scores(dim, {3, 0, 1, 33, 8, 17, 2}, fragments, precision, reduce);
      for (int64_t dim : {768, 701}) check_scores(dim, {57, 1, 32}, {33, 7, 15, 24}, precision, reduce);  // more than a slice, and a group
    }
    for (int64_t dim : {1, 5, 768})
      for (int64_t n_queries : {0, 1, 5, 33, 70}) check_scores(dim, Lengths(61, 1), Lengths(n_queries, 1), precision, EACH);
  }
}

// Offsets of a damaged file are refused before they are addresses, by every function that takes any.
void check_damaged_offsets() {
  constexpr int64_t least = std::numeric_limits<int64_t>::min(), most = std::numeric_limits<int64_t>::max();
  const int64_t dim = 5, stored = 6;
  const Encoded rows = encode(random_vectors(stored, dim), stored, dim, INT8);
  const Floats query = random_vectors(2, dim), bias(2);
  const Lengths starts = {0, 2}, each = {0, 1, 2, 3}, items = {2, 1, 0};
  const std::vector<uint8_t> table(32);
  const std::vector<uint16_t> codes(stored);
  for (const Lengths& offsets : {Lengths{0, 2, 4, 7}, {0, 4, 2, 6}, {-1, 2, 4, 6}, {0, most, least, 6}, {most, most, most, most}, {0, 2, 4, least}})
    for (int path = 0; path < checked_paths; path++)
      for (const int64_t* some : {static_cast<const int64_t*>(nullptr), items.data()})
        for (int threads : {1, 3}) {
          Floats out(6);  // of two queries with EACH
          for (int reduce : {BEST_ROW, BEST_FRAGMENT})
            expect(is_scores(path, INT8, reduce, query.data(), bias.data(), starts.data(), 1, dim, rows.bytes, rows.scales.data(), stored, offsets.data(),
                             rows.row_bytes, some, 3, out.data(), threads) == -2, "offsets of rows");
          expect(is_scores(path, INT8, EACH, query.data(), bias.data(), each.data(), 2, dim, rows.bytes, rows.scales.data(), 2, each.data(),
                           rows.row_bytes, some, 3, out.data(), threads) == -2, "more items than rows");
          expect(is_code_scores(path, table.data(), 32, codes.data(), stored, offsets.data(), some, 3, out.data(), threads) == -2, "offsets of codes");
        }
}

// Bytes and scales as rounded here, row for row; zero and tiny rows, ties and large numbers among them.
void check_rounding() {
  for (int precision : {FLOAT32, BFLOAT16, INT8})
    for (int64_t dim : {1, 3, 5, 64, 100})
      for (int64_t rows : {0, 1, 700})
        for (int threads : {1, 3}) {
          Floats vectors = random_vectors(rows, dim);
          for (int64_t i = 0; i < rows * dim; i++)
            vectors[i] = i / dim == 0 ? 0 : i / dim == 1 ? vectors[i] * 1e-20f : i / dim == 2 ? vectors[i] * 1e30f : i / dim == 3 ? i % 3 - 1.5f : vectors[i];
          const Encoded right = encode(vectors, rows, dim, precision);
          std::vector<uint8_t> out(rows * right.row_bytes, 7);
          Floats scales(precision == INT8 ? rows : 0);
          const int status = is_encode_rows(precision, vectors.data(), rows, dim, out.data(), right.row_bytes, precision == INT8 ? scales.data() : nullptr, threads);
          expect(status == 0 && scales == right.scales, "scales");
          expect(out.empty() || !std::memcmp(out.data(), right.bytes, out.size()), "encoded rows of " + std::to_string(dim) + " dimensions");
        }
}

void check_codes() {
  std::mt19937 generator(6);
  const Lengths lengths = {0, 1, 33, 2, 0, 7}, offsets = offsets_of(lengths), some = {5, 1, 1, 0};
  const int64_t centroids = 50;
  for (int64_t lanes : {0, 32, 96}) {
    std::vector<uint8_t> table(centroids * lanes);
    for (uint8_t& byte : table) byte = static_cast<uint8_t>(generator());
    std::vector<uint16_t> codes(offsets.back());
    for (uint16_t& code : codes) code = static_cast<uint16_t>(generator() % centroids);
    for (int path = 0; path < checked_paths; path++)
      for (const Lengths* items : {static_cast<const Lengths*>(nullptr), &some})
        for (int threads : {1, 3}) {
          Floats out(items ? items->size() : lengths.size());
          const int status = is_code_scores(path, table.data(), lanes, codes.data(), codes.size(), offsets.data(), items ? items->data() : nullptr,
                                            out.size(), out.data(), threads);
          expect(status == 0, "status");
          for (size_t i = 0; i < out.size(); i++) {
            const int64_t item = items ? (*items)[i] : i;
            int sum = 0;
            for (int64_t lane = 0; lane < lanes; lane++) {
              int best = 0;
              for (int64_t r = offsets[item]; r < offsets[item + 1]; r++) best = std::max<int>(best, table[codes[r] * lanes + lane]);
              sum += best;
            }
            expect(out[i] == sum, is_path_name(path));
          }
        }
  }
}

// The table's bytes are within half a step of the products.
void check_code_table() {
  for (int path = 0; path < checked_paths; path++)
    for (int precision : {FLOAT32, BFLOAT16, INT8})
      for (int64_t fragments : {0, 1, 33})
        for (int64_t centroids : {1, 600}) {
          const int64_t dim = 5, lanes = (fragments + 31) / 32 * 32;
          const Floats query = random_vectors(fragments, dim);
          const Encoded rows = encode(random_vectors(centroids, dim), centroids, dim, precision), rounded = encode(query, fragments, dim, precision);
          const std::vector<double> products = reference(rows, offsets_of(Lengths(centroids, 1)), rounded, Floats(fragments),
                                                         offsets_of(Lengths(fragments, 1)), dim, EACH);
          std::vector<uint8_t> table(centroids * lanes);
          Floats lowest(fragments), step(1);
          const int status = is_code_table(path, precision, query.data(), fragments, dim, rows.bytes, precision == INT8 ? rows.scales.data() : nullptr,
                                           rows.row_bytes, centroids, lanes, table.data(), lowest.data(), step.data(), 1 + centroids % 3);
          expect(status == 0, "status");
          for (int64_t c = 0; c < centroids; c++)
            for (int64_t lane = 0; lane < lanes; lane++) {
              const double value = lane < fragments ? lowest[lane] + static_cast<double>(step[0]) * table[c * lanes + lane] : table[c * lanes + lane];
              const double wanted = lane < fragments ? products[lane * centroids + c] : 0;
              expect(std::fabs(value - wanted) <= 0.5 * step[0] + 1e-5, is_path_name(path));
            }
        }
}

// A cascade of two parts finds what a plain loop finds among the best of the plain products of the lanes.
void check_cascade() {
  std::mt19937 generator(7);
  for (int64_t bits : {8, 4})
    for (int64_t rank : {1, 8, 37}) {
      const int64_t dim = 5, of_item = 3, k = 4, kept = 20, zero = 1 << (bits - 1), in_word = 32 / bits, block_words = (rank + in_word - 1) / in_word;
      const Lengths sizes = {85, 3};
      Floats vector(rank, 0.5f);
      vector[rank - 1] = 127;  // rounds to itself
      const Floats query = random_vectors(2, dim), bias(2);
      const Encoded rounded = encode(query, 2, dim, INT8);
      std::vector<std::vector<uint32_t>> lanes;
      std::vector<Floats> scales;
      std::vector<Encoded> rows;
      std::vector<Lengths> offsets;
      std::vector<std::pair<double, double>> expected;  // by the vector, and exactly
      for (int64_t items : sizes) {
        const int64_t blocks = (items + 15) / 16;
        lanes.emplace_back(blocks * block_words * 16), scales.emplace_back(blocks * 16, 1.0f);
        rows.push_back(encode(random_vectors(items * of_item, dim), items * of_item, dim, INT8)), offsets.push_back(offsets_of(Lengths(items, of_item)));
        const std::vector<double> exact = reference(rows.back(), offsets.back(), rounded, bias, {0, 2}, dim, BEST_ROW);
        for (int64_t item = 0; item < items; item++) {
          double product = 0;
          for (int64_t d = 0; d < rank; d++) {
            const uint32_t number = generator() % (1u << bits), word = d / in_word, half = d % in_word / 4, place = 8 * (d % 4) + 4 * half;
            lanes.back()[((item / 16) * block_words + word) * 16 + item % 16] |= number << place;
            product += (static_cast<double>(number) - zero) * std::nearbyint(vector[d]);
          }
          expected.push_back({product, exact[item]});
        }
      }
      std::vector<is_part> parts;
      for (size_t p = 0; p < sizes.size(); p++)
        parts.push_back({sizes[p], nullptr, lanes[p].data(), scales[p].data(), nullptr, nullptr, nullptr, 0, rows[p].bytes, rows[p].scales.data(),
                         offsets[p].data(), offsets[p].back()});
      Lengths order(expected.size());
      for (size_t i = 0; i < order.size(); i++) order[i] = i;
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return expected[a].first > expected[b].first; });
      order.resize(kept);
      std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return expected[a].second > expected[b].second; });
      const is_collection collection = {parts.data(), 2, bits, block_words, 0, INT8, BEST_ROW, rows[0].row_bytes / 4, dim};
      const Encoded directions = encode(random_vectors(2, dim), 2, dim, INT8);
      Floats projection((dim + 2 + rank) * rank);  // of the numbers beside alone, which are the vector
      for (int64_t r = 0; r < rank; r++) projection[(dim + 2 + r) * rank + r] = 1;
      const is_features features = {directions.bytes, directions.scales.data(), 2, directions.row_bytes / 4, projection.data(), rank, rank};
      const is_cascade_query asked = {&features, vector.data(), nullptr, 0, query.data(), bias.data(), 2, kept, 0, k, std::numeric_limits<float>::infinity()};
      for (int path = 0; path < checked_paths; path++)
        for (int threads : {1, 3}) {
          Lengths found(k), counted(4);
          Floats scores(k);
          std::vector<double> seconds(3, -1);
          const is_cascade_found into = {found.data(), scores.data(), counted.data(), seconds.data()};
          expect(is_cascade(path, &collection, &asked, threads, &into) == 0, "status of a cascade");
          for (double spent : seconds) expect(spent >= 0, "seconds of a cascade");
          expect(counted == Lengths({kept, kept, kept, k}), "stages of a cascade");
          for (int64_t i = 0; i < k; i++) expect(found[i] == order[i], std::string("cascade by ") + is_path_name(path));
        }
    }
}

void check_best_rows() {
  const float lowest = -std::numeric_limits<float>::infinity();
  const Floats scores = {3, lowest, 7, 3, 3, -2, 7.000001f, 0, lowest};
  const std::vector<Lengths> right = {{6}, {2, 6}, {0, 2, 6}, {0, 2, 3, 6}, {0, 2, 3, 4, 6}, {0, 2, 3, 4, 6, 7}, {0, 2, 3, 4, 5, 6, 7},
                                      {0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3, 4, 5, 6, 7, 8}};
  for (const Lengths& rows : right) {
    Lengths found(rows.size());
    expect(is_best_rows(scores.data(), scores.size(), rows.size(), found.data()) == 0 && found == rows, "best rows");
  }
}

void check_fork() {
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a pool of the parent's would be waited for in vain
    check_scores(5, {3, 0, 1, 33, 8, 17, 2}, {33, 2}, INT8, BEST_ROW);
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  expect(status == 0, "a forked child");
}

// All paths here, or the best ones alone, which must have these names.
void choose_paths(const std::vector<std::string>& names) {
  for (; is_path_name(checked_paths) && (names.empty() || checked_paths < static_cast<int>(names.size())); checked_paths++)
    expect(names.empty() || names[checked_paths] == is_path_name(checked_paths), std::string("a path that was not expected: ") + is_path_name(checked_paths));
  expect(checked_paths > 0 && checked_paths >= static_cast<int>(names.size()), "fewer paths than expected");
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> names(arguments + 1, arguments + count);
  const bool forks = names.empty() || names[0] != "--no-fork";
  if (!forks) names.erase(names.begin());
  choose_paths(names);
  check_all_scores();
  check_damaged_offsets();
  check_rounding();
  check_codes();
  check_code_table();
  check_cascade();
  check_best_rows();
  if (forks) check_fork();
  std::printf("%lld comparisons\n", static_cast<long long>(compared));
}
