// What the processor can run.
#pragma once
#include <vector>

#include "problem.h"

namespace inflate_shrink {

// The paths that this processor and system can run, the best first.
const std::vector<const Path*>& paths();

}  // namespace inflate_shrink
