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

using Work = std::function<void(int64_t, int64_t, int)>;

// Waits busily for a few microseconds, then lets others run: those waited for may be among them.
class Wait {
 public:
  void once() {
    if (++times_ > 2000) return std::this_thread::yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

 private:
  int times_ = 0;
};

// One thread: parts in order.
class Alone : public Team {
 public:
  Alone() : Team(1) {}
  void each(int64_t count, int64_t part, const Work& work) override {
    for (int64_t begin = 0; begin < count; begin += part) work(begin, std::min(begin + part, count), 0);
  }
};

// The leader and its helpers. A round is over when all its parts are done, whoever did them: a helper that comes late,
// or never, is not waited for.
class Together : public Team {
 public:
  explicit Together(int size) : Team(size) {}

  void each(int64_t count, int64_t part, const Work& work) override {
    const int64_t parts = (count + part - 1) / part;
    if (parts <= 0) return;
    const uint64_t round = (ticket_ >> PARTS) + 1;
    ticket_ |= NONE;  // before the work changes: who still asks for a part of the round before must not be given one of this
    work_ = &work, count_ = count, part_ = part, done_ = 0;
    ticket_ = round << PARTS;
    take_parts(round, 0);
    for (Wait wait; done_ < parts;) wait.once();
    if (failed_.exchange(false)) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

  void help(int member) {
    uint64_t seen = 0;
    for (Wait wait; !over_;) {
      const uint64_t round = ticket_ >> PARTS;
      if (round == seen) {
        wait.once();
        continue;
      }
      take_parts(round, member);
      seen = round, wait = Wait();
    }
  }

  void end() { over_ = true; }

 private:
  static constexpr int PARTS = 40;  // bits of the ticket that count parts; the others count rounds
  static constexpr uint64_t NONE = (1ull << PARTS) - 1;  // of a round's parts are left

  // What a round is was read before its part is taken: a part of that round is only there while the round is.
  void take_parts(uint64_t round, int member) {
    for (uint64_t ticket = ticket_;;) {
      const Work* const work = work_;
      const int64_t count = count_, part = part_, taken = ticket & NONE;
      if (ticket >> PARTS != round || ticket == (ticket | NONE) || taken * part >= count) return;
      if (!ticket_.compare_exchange_weak(ticket, ticket + 1)) continue;
      try {
        if (!failed_) (*work)(taken * part, std::min(taken * part + part, count), member);
      } catch (...) {  // ends the round, not the process
        std::lock_guard<std::mutex> lock(mutex_);
        if (!failed_) failure_ = std::current_exception(), failed_ = true;
      }
      done_++;
      ticket = ticket_;
    }
  }

  std::atomic<uint64_t> ticket_{0};
  std::atomic<const Work*> work_{nullptr};
  std::atomic<int64_t> count_{0}, part_{1}, done_{0};
  std::atomic<bool> over_{false}, failed_{false};
  std::mutex mutex_;
  std::exception_ptr failure_;
};

class Pool {
 public:
  const pid_t owner = getpid();
  std::atomic<int> callers{0};  // of with_team

  // Leads a team of this thread and helpers; false, and nothing is done, if another one does and is not to be waited for.
  bool run(int helpers, bool wait, const std::function<void(Team&)>& lead) {
    std::unique_lock<std::mutex> turn(turn_, std::defer_lock);
    if (wait)
      turn.lock();
    else if (!turn.try_lock())
      return false;
    helpers = std::min(helpers, grow(helpers));
    Together team(helpers + 1);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      team_ = &team, helpers_ = helpers;
      round_++;
    }
    start_.notify_all();
    std::exception_ptr failure;
    try {
      lead(team);
    } catch (...) {
      failure = std::current_exception();
    }
    team.end();
    std::unique_lock<std::mutex> lock(mutex_);
    team_ = nullptr;  // who comes now is too late
    for (Wait wait_; busy_ > 0;) {
      lock.unlock();
      wait_.once();
      lock.lock();
    }
    if (failure) std::rethrow_exception(failure);
    return true;
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
      if (!team_ || number >= helpers_) continue;
      Together* const team = team_;
      busy_++;
      lock.unlock();
      team->help(number + 1);
      lock.lock();
      busy_--;
    }
  }

  std::mutex turn_, mutex_;
  std::condition_variable start_;
  std::vector<std::thread> threads_;
  Together* team_ = nullptr;
  int helpers_ = 0, busy_ = 0;
  uint64_t round_ = 0;
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
  const Work each = [&work](int64_t begin, int64_t end, int) { work(begin, end); };
  const int64_t parts = (count + part - 1) / part;
  const int helpers = static_cast<int>(std::min<int64_t>(threads, parts)) - 1;
  if (helpers <= 0)
    Alone().each(count, part, each);
  else
    pool().run(helpers, true, [&](Team& team) { team.each(count, part, each); });
}

void with_team(int threads, const std::function<void(Team&)>& lead) {
  struct Counted {
    std::atomic<int>& callers;
    const int others = callers++;
    ~Counted() { callers--; }
  } const counted{pool().callers};
  if (threads - counted.others > 1 && pool().run(threads - counted.others - 1, false, lead)) return;
  Alone alone;
  lead(alone);
}

}  // namespace inflate_shrink
