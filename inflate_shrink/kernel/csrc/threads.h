// One pool of threads for all calls of a process.
#pragma once
#include <cstdint>
#include <functional>

namespace inflate_shrink {

// Calls `work(begin, end)` for parts of 0 ... count - 1, `part` at a time, on so many threads, this one among them.
// Calls from several threads take turns.
void in_parallel(int threads, int64_t count, int64_t part, const std::function<void(int64_t, int64_t)>& work);

}  // namespace inflate_shrink
