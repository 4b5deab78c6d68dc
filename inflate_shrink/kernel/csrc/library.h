// The C interface. Arrays are those of inflate_shrink/kernel/rows.py; nothing is kept after a call returns.
// A path is named by its number in is_path_name; every function returns 0, -1 if memory is short, or -2 if the rows of an item are not all among the
// `stored` ones, as the offsets of a damaged file may have it. All else is the caller's to check.
#pragma once
#include <cstdint>

extern "C" {

// Some items of a cascade: a segment of an index. Items are numbered through all parts.
struct is_part {
  int64_t items;
  const uint8_t* skipped;        // (items,), or null: none
  const void* lanes;             // (ceil(items / 16), block_words, 16) words, see lanes.h
  const float* lane_scales;      // (ceil(items / 16), 16)
  const void* pooled;            // rows of int8, or null
  const float* pooled_scales;
  const int64_t* pooled_offsets;
  int64_t pooled_stored;
  const void* rows;
  const float* scales;           // of int8 only
  const int64_t* offsets;
  int64_t stored;
};

struct is_collection {
  const is_part* parts;
  int64_t count;
  int64_t bits, block_words;              // of the lanes: 8 or 4
  int64_t pooled_words;                   // of a row
  int64_t precision, reduce, row_words;   // of the rows; reduce: BEST_ROW or BEST_FRAGMENT
  int64_t dim;                            // of fragments
};

// What makes a vector of a query's fragments: their mean, the means of max(0, product) with directions, and the numbers beside,
// one after another, times a matrix.
struct is_features {
  const void* directions;        // rows of int8, all of one scale
  const float* direction_scales;
  int64_t directions_count, direction_words;
  const float* projection;       // (dim + directions_count + beside, rank)
  int64_t beside, rank;
};

struct is_cascade_query {
  const is_features* features;
  const float* beside;  // (features->beside,)
  const float* merged;  // (merged_count, dim): what is compared with pooled rows
  int64_t merged_count;
  const float* fragments;  // (count, dim)
  const float* bias;       // (count,): added to each fragment's products with BEST_FRAGMENT
  int64_t count;
  int64_t kept, pooled_kept, k;  // best items that each stage leaves, 1 or more; pooled_kept 0: no such stage
  float spreads;                 // see Cascade::exact; infinite: all that are left are scored exactly
};

struct is_cascade_found {
  int64_t* numbers;  // (k,) best first; of equal scores the lower number is better
  float* scores;     // (k,) exact
  int64_t* counted;  // (4,) how many items each of the three stages left or scored, and how many there are of the best
  double* seconds;   // (3,) that the stages took
};

// Changes with this file; inflate_shrink/kernel/compiled.py expects the same number.
int is_interface();

// The name of the path-th path that this machine can run, the best first, or null.
const char* is_path_name(int path);

// Scores out[q * count + i] of the queries with the i-th of `count` items (numbers in `items`, or null: all).
// queries: (query_offsets[n_queries], dim); bias: of each fragment, added to its products with BEST_FRAGMENT.
// rows: (stored, row_bytes); reduce: see problem.h. EACH wants offsets 0, 1, 2, ...
int is_scores(int path, int precision, int reduce, const float* queries, const float* bias, const int64_t* query_offsets, int64_t n_queries, int64_t dim,
              const void* rows, const float* scales, int64_t stored, const int64_t* offsets, int64_t row_bytes, const int64_t* items, int64_t count,
              float* out, int threads);

// The products of a query (fragments, dim) with `count` centroids, stored as rows, in bytes (count, lanes): lowest[f] + step * byte.
// lanes: a multiple of 32; those beyond the fragments are left as they are, zero.
int is_code_table(int path, int precision, const float* query, int64_t fragments, int64_t dim, const void* centroids, const float* scales,
                  int64_t row_bytes, int64_t count, int64_t lanes, uint8_t* table, float* lowest, float* step, int threads);

// Sums over lanes of the best byte of the table's rows that an item's codes name (the table has a row for each); the rest as of is_scores.
int is_code_scores(int path, const uint8_t* table, int64_t lanes, const uint16_t* codes, int64_t stored, const int64_t* offsets, const int64_t* items,
                   int64_t count, float* out, int threads);

// Rows of the `best` highest of `count` scores (1 to count), ascending; of equal scores the lower rows. NaN is above or below all others.
int is_best_rows(const float* scores, int64_t count, int64_t best, int64_t* rows);

// The k best items by a cascade.
int is_cascade(int path, const is_collection* collection, const is_cascade_query* query, int threads, const is_cascade_found* found);

// Rounds (rows, dim) numbers to a precision, (rows, row_bytes) with padding; scales for int8.
int is_encode_rows(int precision, const float* vectors, int64_t rows, int64_t dim, void* out, int64_t row_bytes, float* scales, int threads);

// What a training update does between its products, all in float32. Numbers of 16 bits drawn at random say what dropout keeps:
// those of at least `least`, times `scale`; a null dropout keeps all.
struct is_dropout {
  const uint16_t* drawn;
  int64_t least;
  float scale;
};

// GOMP_parallel of the OpenMP runtime whose threads shall do this, or null: those of the library itself.
typedef void (*is_parallel)(void (*)(void*), void*, unsigned, unsigned);
int is_lend_threads(is_parallel parallel);

// x (rows, dim) += bias (dim,).
int is_add_bias(int path, float* x, const float* bias, int64_t rows, int64_t dim, int threads);

// out = GELU(x + bias), all (rows, dim); x becomes the derivative there.
int is_gelu(int path, float* x, const float* bias, float* out, int64_t rows, int64_t dim, int threads);

// sums (dim,) over rows of g (rows, dim), or of its products with the factor (rows, dim), which go to `products` unless that is null.
int is_column_sums(int path, const float* g, const float* factor, float* products, float* sums, int64_t rows, int64_t dim, int threads);

// out = weight * normal + bias, where `normal` (rows, dim) is LayerNorm of x + dropout(branch) without them, and `inverse` (rows,) what it
// multiplied by. branch null: of x.
int is_add_and_normalise(int path, const float* x, const float* branch, const is_dropout* dropout, const float* weight, const float* bias, float epsilon,
                         float* normal, float* inverse, float* out, int64_t rows, int64_t dim, int threads);

// The gradients of x and of the branch (null: it is that of x) from that of `out`, g.
int is_normalise_gradient(int path, const float* g, const float* normal, const float* inverse, const is_dropout* dropout, const float* weight, float* of_x,
                          float* of_branch, int64_t rows, int64_t dim, int threads);

// x (items, rows_of_item, length) becomes softmax(scale * x + bias), bias (items, length); with dropout, `dropped` what is left of it.
int is_softmax(int path, float* x, const float* bias, float scale, const is_dropout* dropout, float* dropped, int64_t items, int64_t rows_of_item,
               int64_t length, int threads);

// g (rows, length), the gradient of what is_softmax leaves of the `shares`, becomes that of x.
int is_softmax_gradient(int path, float* g, const float* shares, float scale, const is_dropout* dropout, int64_t rows, int64_t length, int threads);

// The greatest of products (rows, images, length) + bias (images, length; null: 0) over the last axis, and where it is first.
int is_best(int path, const float* products, const float* bias, int64_t rows, int64_t images, int64_t length, float* greatest, int32_t* choice, int threads);

// The gradients of text (rows, dim) and image (images, length, dim) from g (rows, images), that of the greatest products; null: not wanted.
int is_best_gradient(int path, const float* g, const int32_t* choice, const float* text, const float* image, int64_t rows, int64_t images, int64_t length,
                     int64_t dim, float* of_text, float* of_image, int threads);

// The sum of the squares of so many numbers.
int is_square_sum(int path, const float* g, int64_t count, double* sum, int threads);

// One update of AdamW in place; rate: with the corrections of both moments, kept: what decay leaves of a weight.
int is_adamw(int path, float* weight, const float* gradient, float* first, float* second, int64_t count, float rate, float kept, float beta1, float beta2,
             float epsilon, float gradient_scale, int threads);

// Operations per second of the multiply-add alone, on so many threads for about `seconds`.
double is_arithmetic_limit(int path, int precision, int threads, double seconds);
}
