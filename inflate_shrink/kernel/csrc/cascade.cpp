#include "cascade.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <stdexcept>

namespace inflate_shrink {
namespace {

constexpr float LEAST = -std::numeric_limits<float>::infinity();
constexpr int64_t SCANNED = 64;  // blocks at a time: 1,024 items
constexpr int64_t PART = 4;      // items that a thread scores before it takes more
constexpr int64_t ROUND = 32;    // items that are scored before the next look at what is left

bool better(const Scored& a, const Scored& b) { return a.score != b.score ? a.score > b.score : a.item < b.item; }

// The `count` best, in no order.
void keep_best(std::vector<Scored>& scored, int64_t count) {
  if (static_cast<int64_t>(scored.size()) <= count) return;
  std::nth_element(scored.begin(), scored.begin() + (count - 1), scored.end(), better);
  scored.resize(count);
}

class Cascade {
 public:
  Cascade(const Path& path, const is_collection& collection, const is_cascade_query& query, const CascadeQueries& packed, Team& team)
      : path_(path), collection_(collection), query_(query), packed_(packed), team_(team) {
    for (int64_t p = 0; p < collection.count; p++) {
      firsts_.push_back(items_), blocks_.push_back(all_blocks_);
      items_ += collection.parts[p].items, all_blocks_ += (collection.parts[p].items + Lanes::ITEMS - 1) / Lanes::ITEMS;
    }
  }

  // The `kept` best of all items by one vector each.
  std::vector<Scored> first(int64_t kept) {
    std::vector<std::vector<Scored>> found(team_.size());
    std::atomic<float> threshold{LEAST};  // what `kept` items have at least
    team_.each(all_blocks_, SCANNED, [&](int64_t begin, int64_t end, int member) {
      std::vector<Scored>& own = found[member];
      for (int64_t p = part_of(blocks_, begin); begin < end; p++) {
        const int64_t of_part = (collection_.parts[p].items + Lanes::ITEMS - 1) / Lanes::ITEMS;
        const int64_t last = std::min(end, blocks_[p] + of_part);
        if (begin < last) scan(p, begin - blocks_[p], last - blocks_[p], threshold, own);
        begin = std::max(begin, last);
      }
      if (static_cast<int64_t>(own.size()) < 2 * kept) return;
      keep_best(own, kept);
      const float least = own[kept - 1].score;  // where nth_element puts it
      for (float before = threshold; before < least && !threshold.compare_exchange_weak(before, least);) {
      }
    });
    std::vector<Scored> all = std::move(found[0]);
    for (size_t member = 1; member < found.size(); member++) all.insert(all.end(), found[member].begin(), found[member].end());
    keep_best(all, kept);
    return all;
  }

  // The `kept` best of some, by their pooled rows.
  void second(std::vector<Scored>& some, int64_t kept) {
    score(some, 0, some.size(), [&](const is_part& part) { return rows_of(part.pooled, part.pooled_scales, part.pooled_offsets, collection_.pooled_words); },
          path_.of[INT8], packed_.pooled, BEST_ROW, [](const is_part& part) { return part.pooled_stored; });
    keep_best(some, kept);
  }

  // The `k` best of some, best first, by all their rows. Some come in the order of what is expected of them: the rest is
  // left out when the next one is expected to fall short of the k-th best by more than the margin.
  std::vector<Scored> exact(std::vector<Scored>& some, int64_t k, float margin, int64_t* counted) {
    std::sort(some.begin(), some.end(), better);
    const int64_t count = some.size(), round = margin < std::numeric_limits<float>::infinity() ? ROUND : count;
    std::vector<Scored> best;
    int64_t done = 0;
    while (done < count) {
      if (static_cast<int64_t>(best.size()) == k && some[done].score + margin < best[k - 1].score) break;
      const int64_t end = std::min(count, done + round);
      std::sort(some.begin() + done, some.begin() + end, [](const Scored& a, const Scored& b) { return a.item < b.item; });
      score(some, done, end, [&](const is_part& part) { return rows_of(part.rows, part.scales, part.offsets, collection_.row_words); },
            path_.of[collection_.precision], packed_.exact, static_cast<Reduce>(collection_.reduce), [](const is_part& part) { return part.stored; });
      best.insert(best.end(), some.begin() + done, some.begin() + end);
      keep_best(best, k);
      std::sort(best.begin(), best.end(), better);
      done = end;
    }
    *counted = done;
    return best;
  }

 private:
  static int64_t part_of(const std::vector<int64_t>& firsts, int64_t number) {
    return std::upper_bound(firsts.begin(), firsts.end(), number) - firsts.begin() - 1;
  }

  static Rows rows_of(const void* values, const float* scales, const int64_t* offsets, int64_t words) {
    return {static_cast<const RowWord*>(values), scales, offsets, nullptr, words};
  }

  // Appends the items of blocks of a part that reach the threshold.
  void scan(int64_t p, int64_t begin, int64_t end, float threshold, std::vector<Scored>& own) {
    const is_part& part = collection_.parts[p];
    const Lanes lanes = {static_cast<const uint32_t*>(part.lanes), part.lane_scales, collection_.block_words, collection_.bits};
    Scored found[SCANNED * Lanes::ITEMS];
    const int64_t count = path_.scan.scan(lanes, packed_.first, begin, end, threshold, found);
    for (int64_t i = 0; i < count; i++)
      if (found[i].item < part.items && !(part.skipped && part.skipped[found[i].item])) own.push_back({found[i].score, firsts_[p] + found[i].item});
  }

  // Scores some[begin] to some[end - 1], neighbours in a part at once.
  template <class RowsOf, class Stored>
  void score(std::vector<Scored>& some, int64_t begin, int64_t end, RowsOf rows_of, const Operations& operations, const Queries& queries, Reduce reduce,
             Stored stored) {
    std::vector<int64_t> items(end - begin);
    std::vector<float> scores(end - begin);
    team_.each(end - begin, PART, [&](int64_t from, int64_t to, int) {
      while (from < to) {
        const int64_t p = part_of(firsts_, some[begin + from].item);
        const is_part& part = collection_.parts[p];
        Rows rows = rows_of(part);
        int64_t run = from;
        for (; run < to && part_of(firsts_, some[begin + run].item) == p; run++) {
          const int64_t item = items[run] = some[begin + run].item - firsts_[p];
          if (rows.offsets[item] < 0 || rows.offsets[item + 1] < rows.offsets[item] || rows.offsets[item + 1] > stored(part)) throw std::out_of_range("offsets");
        }
        rows.items = items.data();
        operations.score(queries, rows, reduce, from, run, scores.data(), 0);
        from = run;
      }
    });
    // NaN, as a damaged file may hold it, is below all others.
    for (int64_t i = begin; i < end; i++) some[i].score = scores[i - begin] == scores[i - begin] ? scores[i - begin] : LEAST;
  }

  const Path& path_;
  const is_collection& collection_;
  const is_cascade_query& query_;
  const CascadeQueries& packed_;
  Team& team_;
  std::vector<int64_t> firsts_, blocks_;  // of each part: its first item, and its first block of lanes
  int64_t items_ = 0, all_blocks_ = 0;
};

}  // namespace

void run_cascade(const Path& path, const is_collection& collection, const is_cascade_query& query, const CascadeQueries& packed, Team& team,
                 int64_t* numbers, float* scores, int64_t* counted) {
  Cascade cascade(path, collection, query, packed, team);
  std::vector<Scored> some = cascade.first(query.kept);
  counted[0] = some.size();
  if (query.pooled_kept) cascade.second(some, query.pooled_kept);
  counted[1] = some.size();
  const std::vector<Scored> best = cascade.exact(some, query.k, query.margin, &counted[2]);
  counted[3] = best.size();
  for (size_t i = 0; i < best.size(); i++) numbers[i] = best[i].item, scores[i] = best[i].score;
}

}  // namespace inflate_shrink
