// The pool of threads alone: calls from several threads at once, more and fewer helpers, and parts that fail.
// Built and run by test_sanitized.py.
#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "threads.h"

using inflate_shrink::in_parallel;
using inflate_shrink::Team;
using inflate_shrink::with_team;

namespace {

// Every part is worked on once, whoever else uses the pool meanwhile.
int parts_missed(int caller) {
  int missed = 0;
  for (int round = 0; round < 200; round++) {
    std::vector<int> done(101 + caller);
    in_parallel(1 + (caller + round) % 4, done.size(), 3, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) done[i]++;
    });
    for (int times : done) missed += times != 1;
  }
  return missed;
}

// Rounds of a team are over before the next begins, and no two of its members are one.
int rounds_missed(int caller, int calls = 100) {
  int missed = 0;
  for (int call = 0; call < calls; call++)
    with_team(1 + (caller + call) % 4, [&](Team& team) {
      std::vector<int> done(40), by_member(team.size());
      int expected = 0;
      for (int round = 1; round <= 10; round++) {
        const int count = round % 2 ? 3 + round : 40;  // the next round has parts where this one has none left
        std::fill(done.begin(), done.end(), 0);
        team.each(count, 1 + round % 3, [&](int64_t begin, int64_t end, int member) {
          for (int64_t i = begin; i < end; i++) done[i]++, by_member[member]++;
        });
        for (int i = 0; i < 40; i++) missed += done[i] != (i < count);
        expected += count;
      }
      int all = 0;
      for (int times : by_member) all += times;
      missed += all != expected;
    });
  return missed;
}

// The failure of a part comes back to the caller.
bool fails(int threads) {
  try {
    in_parallel(threads, 100, 1, [](int64_t begin, int64_t) {
      if (begin % 7 == 0) throw std::runtime_error("stop");
    });
  } catch (const std::runtime_error& error) {
    return error.what() == std::string("stop");
  }
  return false;
}

}  // namespace

int main() {
  std::vector<int> missed(4);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; caller++) callers.emplace_back([&missed, caller] { missed[caller] = parts_missed(caller) + rounds_missed(caller); });
  for (std::thread& caller : callers) caller.join();
  for (int parts : missed)
    if (parts) return 1;
  if (!fails(1) || !fails(3) || parts_missed(3) || rounds_missed(3, 3000)) return 1;
  std::printf("%zu comparisons\n", missed.size() + 3);
}
