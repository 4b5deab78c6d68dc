// Since Alder Lake (2021) and Zen 5 (2024).
#include "problem.h"
#if defined(HAS_AVX_VNNI)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,avxvnni"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,avxvnni")
#endif
#include "codes.h"
#include "lanes_avx_vnni.h"
#include "ops_avx_vnni.h"
#include "training.h"

namespace inflate_shrink {

const Path AVX_VNNI = {"avx_vnni", {operations<VectorFloat32<Avx2>>(), operations<VectorBfloat16<Avx2>>(), operations<AvxVnni>()}, score_codes, scan_of<LanesAvxVnni>(), TRAINING};

}  // namespace inflate_shrink
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
