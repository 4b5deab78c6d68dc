#include "threads.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace inflate_shrink {
namespace {

class Pool {
 public:
  void run(int helpers, int64_t count, int64_t part, const std::function<void(int64_t, int64_t)>& work) {
    std::lock_guard<std::mutex> turn(turn_);
    while (static_cast<int>(threads_.size()) < helpers) {
      threads_.emplace_back([this, number = static_cast<int>(threads_.size())] { wait_for_work(number); });
      threads_.back().detach();
    }
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
  }

 private:
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
    for (int64_t begin; (begin = next_.fetch_add(part_)) < count_;) (*work_)(begin, std::min(begin + part_, count_));
  }

  std::mutex turn_, mutex_;
  std::condition_variable start_, done_;
  std::vector<std::thread> threads_;
  const std::function<void(int64_t, int64_t)>* work_ = nullptr;
  int64_t count_ = 0, part_ = 1;
  std::atomic<int64_t> next_{0};
  int helpers_ = 0, busy_ = 0;
  uint64_t round_ = 0;
};

// Never destroyed: its threads sleep until the process ends. A forked child has none of them, and makes its own.
Pool& pool() {
  static std::mutex mutex;
  static Pool* pool = nullptr;
  static pid_t owner = 0;
  std::lock_guard<std::mutex> lock(mutex);
  if (owner != getpid()) pool = new Pool, owner = getpid();
  return *pool;
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
