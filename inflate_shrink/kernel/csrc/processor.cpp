#include "processor.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace inflate_shrink {
namespace {

#if defined(HAS_AVX_VNNI)
// Compilers came to know its name in __builtin_cpu_supports at different times. Its registers are AVX2's.
bool has_avx_vnni() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax >> 4 & 1);
}
#endif

#if defined(__aarch64__) && defined(__linux__)
bool has_dot() { return getauxval(AT_HWCAP) >> 20 & 1; }             // HWCAP_ASIMDDP
bool has_i8mm() { return (getauxval(AT_HWCAP2) >> 13 & 3) == 3; }    // HWCAP2_I8MM, HWCAP2_BF16
#elif defined(__aarch64__) && defined(__APPLE__)
bool has(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value;
}
bool has_dot() { return has("hw.optional.arm.FEAT_DotProd"); }
bool has_i8mm() { return has("hw.optional.arm.FEAT_I8MM") && has("hw.optional.arm.FEAT_BF16"); }
#elif defined(__aarch64__)
bool has_dot() { return false; }
bool has_i8mm() { return false; }
#endif

std::vector<const Path*> supported_paths() {
  std::vector<const Path*> paths;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (vnni && __builtin_cpu_supports("avx512bf16")) paths.push_back(&AVX512_BF16);
  if (vnni) paths.push_back(&AVX512_VNNI);
  if (avx512) paths.push_back(&AVX512);
#if defined(HAS_AVX_VNNI)
  if (avx2 && has_avx_vnni()) paths.push_back(&AVX_VNNI);
#endif
  if (avx2) paths.push_back(&AVX2);
#elif defined(__aarch64__)
  if (has_dot() && has_i8mm()) paths.push_back(&NEON_I8MM);
  if (has_dot()) paths.push_back(&NEON_DOT);
  paths.push_back(&NEON);
#endif
  paths.push_back(&PORTABLE);
  return paths;
}

}  // namespace

const std::vector<const Path*>& paths() {
  static const auto* const found = new std::vector<const Path*>(supported_paths());  // never destroyed: a thread may outlive main
  return *found;
}

}  // namespace inflate_shrink
