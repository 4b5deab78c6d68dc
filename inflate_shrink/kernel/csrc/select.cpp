// The best of many scores, in one pass and a look at those near the limit.
#include <algorithm>
#include <cstring>
#include <vector>

#include "library.h"

namespace {

// Bits in the order of the numbers; 0 and -0 are one.
uint32_t ordered(float score) {
  uint32_t bits;
  std::memcpy(&bits, &score, 4);
  return bits >> 31 ? 0u - bits : bits | 0x80000000u;
}

}  // namespace

int is_best_rows(const float* scores, int64_t count, int64_t best, int64_t* rows) {
  try {
    constexpr int SHIFT = 18;  // bins by sign, exponent and five bits of the fraction
    std::vector<int64_t> bins(1 << (32 - SHIFT), 0);
    for (int64_t i = 0; i < count; i++) bins[ordered(scores[i]) >> SHIFT]++;
    uint32_t limit = static_cast<uint32_t>(bins.size()) - 1;  // the bin of the last one taken
    int64_t above = 0;
    while (above + bins[limit] < best) above += bins[limit--];
    std::vector<uint64_t> near;  // of that bin: the best first, of equal ones the lower row
    near.reserve(bins[limit]);
    int64_t taken = 0;
    for (int64_t i = 0; i < count; i++) {
      const uint32_t bits = ordered(scores[i]);
      if (bits >> SHIFT > limit) rows[taken++] = i;
      if (bits >> SHIFT == limit) near.push_back(static_cast<uint64_t>(~bits & ((1u << SHIFT) - 1)) << 40 | static_cast<uint64_t>(i));
    }
    std::nth_element(near.begin(), near.begin() + (best - above - 1), near.end());
    for (int64_t i = 0; i < best - above; i++) rows[taken++] = static_cast<int64_t>(near[i] & ((1ull << 40) - 1));
    std::sort(rows, rows + best);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}
