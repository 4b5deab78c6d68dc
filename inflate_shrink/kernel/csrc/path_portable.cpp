// Any processor.
#include "codes.h"
#include "lanes.h"
#include "ops_portable.h"

namespace inflate_shrink {

const Path PORTABLE = {"portable", {operations<PortableFloat32>(), operations<PortableBfloat16>(), operations<PortableInt8>()}, score_codes, scan_of<LanesPortable>()};

}  // namespace inflate_shrink
