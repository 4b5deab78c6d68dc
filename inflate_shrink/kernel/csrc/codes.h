// Scores of centroid codes: one table row of bytes for every row of an item, and their maximum.
#pragma once
#include "problem.h"

namespace inflate_shrink {
namespace {

void score_codes(const Codes& codes, int64_t begin, int64_t end, float* out) {
  constexpr int LANES = 32;
  for (int64_t i = begin; i < end; i++) {
    uint32_t sum = 0;
    for (int64_t l = 0; l < codes.lanes; l += LANES) {
      uint8_t best[LANES] = {};
      for (int64_t r = codes.offsets[i]; r < codes.offsets[i + 1]; r++) {
        const uint8_t* products = codes.table + codes.codes[r] * codes.lanes + l;
        for (int j = 0; j < LANES; j++) best[j] = products[j] > best[j] ? products[j] : best[j];
      }
      for (int j = 0; j < LANES; j++) sum += best[j];
    }
    out[i] = static_cast<float>(sum);
  }
}

}  // namespace
}  // namespace inflate_shrink
