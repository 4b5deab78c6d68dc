// Since Graviton3 (2021), Apple M2 (2022) and Cortex-X2 (2021).
#if defined(__aarch64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod,bf16,i8mm"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod+bf16+i8mm")
#endif
#include "codes.h"
#include "lanes.h"
#include "ops_neon_i8mm.h"
#include "training.h"

namespace inflate_shrink {

const Path NEON_I8MM = {"neon_i8mm", {operations<VectorFloat32<Neon>>(), operations<NeonDotBfloat16>(), operations<NeonMixedDot>()}, score_codes, scan_of<LanesNeonI8mm>(), TRAINING};

}  // namespace inflate_shrink
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
