// NEON: vectors of 4 lanes, 32 registers.
#pragma once
#include <arm_neon.h>

#include "ops_vectors.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

struct Neon {
  static constexpr int LANES = 4;
  static constexpr int VECTORS = 4;
  static constexpr int ROWS[] = {16, 12, 8, 6};
  static constexpr int PANEL = 16384;  // bytes of a slice of the query: at most half a level-one cache
  using Float = float32x4_t;
  using Int = int32x4_t;
  static INLINE Float fill(float value) { return vdupq_n_f32(value); }
  static INLINE Float load(const float* from) { return vld1q_f32(from); }
  static INLINE void store(float* to, Float a) { vst1q_f32(to, a); }
  static INLINE Float max(Float a, Float b) { return vmaxq_f32(a, b); }
  static INLINE Float add(Float a, Float b) { return vaddq_f32(a, b); }
  static INLINE Float multiply(Float a, Float b) { return vmulq_f32(a, b); }
  static INLINE float sum(Float a) { return vaddvq_f32(a); }
  static INLINE float maximum(Float a) { return vmaxvq_f32(a); }
  static INLINE Float floats(Int a) { return vreinterpretq_f32_s32(a); }
  static INLINE Float to_floats(Int a) { return vcvtq_f32_s32(a); }
  static INLINE Float fused(Float a, Float b, Float c) { return vfmaq_f32(c, a, b); }
  static INLINE Int integers(const void* from) { return vld1q_s32(static_cast<const int32_t*>(from)); }
  static INLINE Int broadcast(const RowWord* row) { return vdupq_n_s32(static_cast<int32_t>(*row)); }
  template <class Vector>
  static INLINE void keep(Vector& a) {  // the optimiser must not reason about it
    asm volatile("" : "+w"(a));
  }
};

}  // namespace
}  // namespace inflate_shrink
