// Since Cascade Lake (2019).
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif
#include "codes.h"
#include "lanes_avx512_vnni.h"
#include "ops_avx512_vnni.h"
#include "training.h"

namespace inflate_shrink {

const Path AVX512_VNNI = {"avx512_vnni", {operations<VectorFloat32<Avx512>>(), operations<Avx512Bfloat16>(), operations<Avx512Vnni>()}, score_codes, scan_of<LanesAvx512Vnni>(), TRAINING};

}  // namespace inflate_shrink
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
