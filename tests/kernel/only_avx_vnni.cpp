// In place of csrc/processor.cpp: the path that test_emulated.py has given instructions which its processor knows.
#include "processor.h"

namespace inflate_shrink {

std::vector<const Path*> supported_paths() { return {&AVX_VNNI}; }

}  // namespace inflate_shrink
