// Any processor.
#include "codes.h"
#include "lanes.h"
#include "ops_portable.h"
#include "training.h"

namespace inflate_shrink {

const Path PORTABLE = {"portable", {operations<VectorFloat32<Portable>>(), operations<VectorBfloat16<Portable>>(), operations<VectorInt8InWords<Portable>>()}, score_codes, scan_of<LanesPortable>(), TRAINING};

}  // namespace inflate_shrink
