// Any 64-bit ARM processor.
#if defined(__aarch64__)
#include "codes.h"
#include "lanes.h"
#include "ops_neon.h"
#include "training.h"

namespace inflate_shrink {

const Path NEON = {"neon", {operations<VectorFloat32<Neon>>(), operations<VectorBfloat16<Neon>>(), operations<VectorInt8InWords<Neon>>()}, score_codes, scan_of<LanesPortable>(), TRAINING};

}  // namespace inflate_shrink
#endif
