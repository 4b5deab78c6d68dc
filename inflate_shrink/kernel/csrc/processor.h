// What the processor can run.
#pragma once
#include <vector>

#include "problem.h"

namespace inflate_shrink {

// The paths that this processor and system can run, the best first.
std::vector<const Path*> supported_paths();

}  // namespace inflate_shrink
