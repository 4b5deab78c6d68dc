// Since Haswell (2013) and Zen (2017).
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#include "codes.h"
#include "lanes_avx2.h"
#include "ops_avx2.h"
#include "training.h"

namespace inflate_shrink {

const Path AVX2 = {"avx2", {operations<VectorFloat32<Avx2>>(), operations<VectorBfloat16<Avx2>>(), operations<VectorInt8<Avx2>>()}, score_codes, scan_of<LanesAvx2>(), TRAINING};

}  // namespace inflate_shrink
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
