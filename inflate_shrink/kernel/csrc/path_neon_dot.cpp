// Since Cortex-A76 (2018), Apple M1 (2020) and Graviton2 (2019).
#if defined(__aarch64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#include "codes.h"
#include "lanes.h"
#include "ops_neon_dot.h"
#include "training.h"

namespace inflate_shrink {

const Path NEON_DOT = {"neon_dot", {operations<VectorFloat32<Neon>>(), operations<VectorBfloat16<Neon>>(), operations<NeonDot>()}, score_codes, scan_of<LanesPortable>(), TRAINING};

}  // namespace inflate_shrink
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
