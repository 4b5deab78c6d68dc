// Two products of bf16 numbers in one instruction, summed in fp32.
#pragma once
#include "ops_avx512.h"

namespace inflate_shrink {
namespace {

struct Avx512DotBfloat16 : Avx512Bfloat16 {
  static INLINE void multiply_add(Acc& acc, Word word, const uint32_t* query) {
    acc = _mm512_dpbf16_ps(acc, (__m512bh)word, (__m512bh)integers(query));
  }
};

}  // namespace
}  // namespace inflate_shrink
