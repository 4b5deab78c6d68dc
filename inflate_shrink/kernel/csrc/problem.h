// What a path (one instruction set) is given, and what it offers.
#pragma once
#include <cstddef>
#include <cstdint>

// Paths are compiled for instruction sets that this machine may lack, so nothing of theirs may be merged by the
// linker with code of the same name: they include no templates of the standard library, and keep all to themselves.
namespace inflate_shrink {

enum Precision { FLOAT32, BFLOAT16, INT8, PRECISIONS };

// How the products of an item's rows with a query's fragments become a score.
enum Reduce {
  BEST_ROW,       // sum over query fragments of the best row: the item is an image, the query a text
  BEST_FRAGMENT,  // sum over rows of the best query fragment: the item is a text, the query an image
  EACH            // every item is one row and every query one fragment: the products themselves
};

// 32 bits of a row: numbers of any type, which a file may hold at any byte.
using RowWord = uint32_t __attribute__((aligned(1), may_alias));
using RowHalf = uint16_t __attribute__((aligned(1), may_alias));

// Some vectors of lanes: as many query fragments side by side, packed dimension by dimension.
struct Block {
  const uint32_t* words;  // [word of a row, widened][vector][lane]
  const float* scales;    // of each lane; 1 but for int8, 0 for lanes that hold no fragment
  const float* bias;      // added to each lane's products; -infinity for lanes that hold no fragment
  const int32_t* starts;  // what each accumulator starts from: int8 rows are stored as value + 128
  int vectors;            // at least 1
  int fragments;          // lanes that hold one
};

struct Queries {
  const Block* blocks;
  const int64_t* first_block;  // (count + 1,): query q has the blocks first_block[q] to first_block[q + 1]
  int64_t count;
};

struct Rows {
  const RowWord* values;   // (rows, words)
  const float* scales;     // (rows,), int8 only
  const int64_t* offsets;  // item i has the rows offsets[i] to offsets[i + 1]
  const int64_t* items;    // the items to score, or null: all
  int64_t words;           // 32-bit words of a row
  int64_t following = -1;  // an item that is scored after those of `items`, as a rule: its rows are fetched meanwhile
};

struct Operations {  // of one precision
  int lanes;         // of a vector
  int vectors;       // of a block, at most
  int widening;      // words that are multiplied for a word of a row
  int dims;          // in a word of a row
  // Packs `fragments` (count, dim) into a block of `vectors`; `rounded` holds words * dims floats.
  void (*pack)(const float* fragments, int count, int64_t dim, int vectors, float* rounded, uint32_t* words, float* scales, int32_t* starts);
  // Scores of the begin-th to the end-th item with every query, out[q * stride + i].
  void (*score)(const Queries&, const Rows&, Reduce, int64_t begin, int64_t end, float* out, int64_t stride);
  // Runs the multiply-add alone, in registers; returns the operations done (2 for each product).
  double (*arithmetic)(const uint32_t* operand, int64_t rounds);
};

struct Codes {
  const uint8_t* table;    // (centroids, lanes): product of each centroid with each query fragment, as a byte
  const uint16_t* codes;   // centroid of each row
  const int64_t* offsets;  // item i has the rows offsets[i] to offsets[i + 1]
  const int64_t* items;    // the items to score, or null: all
  int64_t lanes;           // a multiple of 32
};

// Items of one vector each, 16 side by side: see lanes.h.
struct Lanes {
  static constexpr int ITEMS = 16;  // of a block
  const uint32_t* words;            // (blocks, block_words, ITEMS): numbers of 8 or 4 bits, with 128 or 8 added
  const float* scales;              // (blocks, ITEMS): of an item's products
  int64_t block_words;
  int64_t bits;
};

struct LaneVector {
  const uint32_t* words;  // [four dimensions][plane]
  int32_t start;          // of a sum of products: takes away what was added to the stored numbers
  float scale;
};

struct Scored {
  float score;
  int64_t item;
};

struct Scan {  // of Lanes
  int planes;  // words of a vector for four of its dimensions
  // Packs a vector, which is rounded in place; `sum` is that of its rounded numbers. Returns their scale.
  float (*pack)(float* vector, int64_t dims, uint32_t* words, int32_t* sum);
  // Writes the items of blocks `begin` to `end` whose score is at least the threshold to `out`, where all have room, and
  // returns how many.
  int64_t (*scan)(const Lanes&, const LaneVector&, int64_t begin, int64_t end, float threshold, Scored* out);
};

// Numbers of 16 bits; what is at least `least` is kept, times `scale`. drawn null: all, as they are.
struct Dropout {
  const uint16_t* drawn;
  int32_t least;
  float scale;
};

struct Norm {
  const float* weight;  // (dim,)
  const float* bias;
  float epsilon;
  int64_t dim;
};

struct AdamW {
  float rate;     // of the update, with the corrections of both moments
  float kept;     // of a weight, after decay
  float beta1, beta2, epsilon, gradient_scale;
};

// See training.h; library.h says what each is for. All work on rows, columns, images or numbers `begin` to `end`.
struct Training {
  void (*add_bias)(float* x, const float* bias, int64_t begin, int64_t end, int64_t dim);
  void (*gelu)(float* x, const float* bias, float* out, int64_t begin, int64_t end, int64_t dim);
  void (*column_sums)(const float* g, const float* factor, float* products, float* sums, int64_t begin, int64_t end, int64_t rows, int64_t dim);
  void (*add_and_normalise)(const float* x, const float* branch, const Dropout&, const Norm&, float* normal, float* inverse, float* out, int64_t begin,
                            int64_t end);
  void (*normalise_gradient)(const float* g, const float* normal, const float* inverse, const Dropout&, const Norm&, float* of_x, float* of_branch,
                             int64_t begin, int64_t end);
  void (*softmax)(float* x, const float* bias, float scale, const Dropout&, float* dropped, int64_t begin, int64_t end, int64_t rows_of_item, int64_t length);
  void (*softmax_gradient)(float* g, const float* shares, float scale, const Dropout&, int64_t begin, int64_t end, int64_t length);
  void (*best)(const float* products, const float* bias, int64_t images, int64_t length, float* greatest, int32_t* choice, int64_t begin, int64_t end);
  void (*best_gradient_of_text)(const float* g, const int32_t* choice, const float* image, int64_t images, int64_t length, int64_t dim, float* of_text,
                                int64_t begin, int64_t end);
  void (*best_gradient_of_image)(const float* g, const int32_t* choice, const float* text, int64_t rows, int64_t images, int64_t length, int64_t dim,
                                 float* of_image, int64_t begin, int64_t end);
  double (*square_sum)(const float* g, int64_t begin, int64_t end);
  void (*adamw)(float* weight, const float* gradient, float* first, float* second, const AdamW&, int64_t begin, int64_t end);
};

struct Path {
  const char* name;
  Operations of[PRECISIONS];
  // Sums over the lanes of the best byte among an item's rows, out[i].
  void (*score_codes)(const Codes&, int64_t begin, int64_t end, float* out);
  Scan scan;
  Training training;
};

extern const Path PORTABLE;
#if defined(__x86_64__)
extern const Path AVX2, AVX512, AVX512_VNNI, AVX512_BF16;
#if __clang_major__ >= 12 || (__GNUC__ >= 11 && !defined(__clang__))
#define HAS_AVX_VNNI  // the compiler does
extern const Path AVX_VNNI;
#endif
#elif defined(__aarch64__)
extern const Path NEON, NEON_DOT, NEON_I8MM;
#endif

}  // namespace inflate_shrink
