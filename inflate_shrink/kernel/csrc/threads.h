// One pool of threads for all calls of a process.
#pragma once
#include <cstdint>
#include <functional>

namespace inflate_shrink {

// Calls `work(begin, end)` for parts of 0 ... count - 1, `part` at a time, on so many threads, this one among them.
// Calls from several threads take turns.
void in_parallel(int threads, int64_t count, int64_t part, const std::function<void(int64_t, int64_t)>& work);

// Threads that stay together over several rounds of work, which one thread leads.
class Team {
 public:
  // As in_parallel; `member` is below `size` and tells the threads of a round apart.
  virtual void each(int64_t count, int64_t part, const std::function<void(int64_t begin, int64_t end, int member)>& work) = 0;
  int size() const { return size_; }

 protected:
  explicit Team(int size) : size_(size) {}
  ~Team() = default;

 private:
  int size_;
};

// Calls `lead` with a team of so many threads at most, all callers of this function together, or of this one alone where
// others use the pool: callers at once, each on a thread of its own, lose no time with waking and waiting.
void with_team(int threads, const std::function<void(Team&)>& lead);

}  // namespace inflate_shrink
