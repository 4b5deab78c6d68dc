// Since Skylake-SP (2017).
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl")
#endif
#include "codes.h"
#include "lanes_avx512.h"
#include "ops_avx512.h"
#include "training.h"

namespace inflate_shrink {

const Path AVX512 = {"avx512", {operations<VectorFloat32<Avx512>>(), operations<Avx512Bfloat16>(), operations<VectorInt8<Avx512>>()}, score_codes, scan_of<LanesAvx512>(), TRAINING};

}  // namespace inflate_shrink
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
