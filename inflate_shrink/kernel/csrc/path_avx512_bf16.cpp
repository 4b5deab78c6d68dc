// Since Cooper Lake (2020) and Zen 4 (2022).
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16")
#endif
#include "codes.h"
#include "lanes_avx512_vnni.h"
#include "ops_avx512_bf16.h"
#include "ops_avx512_vnni.h"
#include "training.h"

namespace inflate_shrink {

const Path AVX512_BF16 = {"avx512_bf16", {operations<VectorFloat32<Avx512>>(), operations<Avx512DotBfloat16>(), operations<Avx512Vnni>()}, score_codes, scan_of<LanesAvx512Vnni>(), TRAINING};

}  // namespace inflate_shrink
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
