// Scores of centroid codes: one table row of bytes for every row of an item, and their maximum.
#pragma once
#include "tile.h"

namespace inflate_shrink {
namespace {

using Bytes = uint8_t __attribute__((vector_size(32)));

INLINE Bytes bytes_at(const uint8_t* from) {
  Bytes bytes;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  return bytes;
}

void score_codes(const Codes& codes, int64_t begin, int64_t end, float* out) {
  constexpr int64_t LANES = sizeof(Bytes);
  for (int64_t i = begin; i < end; i++) {
    const int64_t item = codes.items ? codes.items[i] : i;
    uint32_t sum = 0;
    for (int64_t l = 0; l < codes.lanes; l += LANES) {
      Bytes best = {};
      for (int64_t r = codes.offsets[item]; r < codes.offsets[item + 1]; r++) {
        const Bytes products = bytes_at(codes.table + codes.codes[r] * codes.lanes + l);
        best = products > best ? products : best;
      }
      for (int64_t lane = 0; lane < LANES; lane++) sum += best[lane];
    }
    out[i] = static_cast<float>(sum);
  }
}

}  // namespace
}  // namespace inflate_shrink
