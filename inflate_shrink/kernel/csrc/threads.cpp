#include "threads.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace inflate_shrink {
namespace {

class Pool {
 public:
  const pid_t owner = getpid();

  void run(int helpers, int64_t count, int64_t part, const std::function<void(int64_t, int64_t)>& work) {
    std::lock_guard<std::mutex> turn(turn_);
    helpers = std::min(helpers, grow(helpers));
    {
      std::lock_guard<std::mutex> lock(mutex_);
      work_ = &work, count_ = count, part_ = part, next_ = 0;
      helpers_ = busy_ = helpers;
      round_++;
    }
    start_.notify_all();
    take_parts();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  // Makes threads until there are `wanted`, or as many as the system grants; returns how many there are.
  int grow(int wanted) {
    try {
      while (static_cast<int>(threads_.size()) < wanted) {
        threads_.emplace_back([this, number = static_cast<int>(threads_.size())] { wait_for_work(number); });
        threads_.back().detach();
      }
    } catch (const std::system_error&) {
    }
    return static_cast<int>(threads_.size());
  }

  void wait_for_work(int number) {
    uint64_t seen = 0;
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      start_.wait(lock, [&] { return round_ != seen; });
      seen = round_;
      if (number >= helpers_) continue;
      lock.unlock();
      take_parts();
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void take_parts() {
    try {
      for (int64_t begin; (begin = next_.fetch_add(part_)) < count_;) (*work_)(begin, std::min(begin + part_, count_));
    } catch (...) {  // ends the call, not the process
      std::lock_guard<std::mutex> lock(mutex_);
      failure_ = std::current_exception();
      next_ = count_;
    }
  }

  std::mutex turn_, mutex_;
  std::condition_variable start_, done_;
  std::vector<std::thread> threads_;
  const std::function<void(int64_t, int64_t)>* work_ = nullptr;
  int64_t count_ = 0, part_ = 1;
  std::atomic<int64_t> next_{0};
  int helpers_ = 0, busy_ = 0;
  uint64_t round_ = 0;
  std::exception_ptr failure_;
};

// Never destroyed: its threads sleep until the process ends. A forked child has none of them, and makes its own.
Pool& pool() {
  static std::atomic<Pool*> pool{nullptr};  // and no mutex, which a fork would copy while it is held
  Pool* found = pool;
  while (!found || found->owner != getpid()) {
    Pool* const own = new Pool;
    if (pool.compare_exchange_strong(found, own)) return *own;
    delete own;
  }
  return *found;
}

}  // namespace

void in_parallel(int threads, int64_t count, int64_t part, const std::function<void(int64_t, int64_t)>& work) {
  const int64_t parts = (count + part - 1) / part;
  const int helpers = static_cast<int>(std::min<int64_t>(threads, parts)) - 1;
  if (helpers <= 0) {
    for (int64_t begin = 0; begin < count; begin += part) work(begin, std::min(begin + part, count));
  } else {
    pool().run(helpers, count, part, work);
  }
}

}  // namespace inflate_shrink
