// What lanes.h needs of AVX-VNNI: four products of bytes in one instruction.
#pragma once
#include "lanes_avx2.h"

namespace inflate_shrink {
namespace {

struct LanesAvxVnni : LanesAvx2Set, RoundInt8 {
  static constexpr int PLANES = 1;
  static INLINE void multiply_add(Int& acc, Int bytes, const uint32_t* vector) {
    acc = _mm256_dpbusd_avx_epi32(acc, bytes, start(static_cast<int32_t>(*vector)));
  }
  static INLINE uint32_t word_of(const float* dims, int) { return bytes_of(dims); }
};

}  // namespace
}  // namespace inflate_shrink
