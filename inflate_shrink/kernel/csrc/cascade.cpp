#include "cascade.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace inflate_shrink {
namespace {

constexpr float LEAST = -std::numeric_limits<float>::infinity();
constexpr int64_t SCANNED = 64;  // blocks at a time: 1,024 items
constexpr int64_t PART = 4;      // items that a thread scores before it takes more
constexpr int64_t ROUND = 32;    // items that are scored before the next look at what is left
constexpr int64_t DIRECTIONS = 128, COLUMNS = 32;  // of features, and of what they are multiplied with: at a time

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

  // What is multiplied with the items' vectors: features of the query.
  void make_vector() {
    const is_features& features = *query_.features;
    const int64_t dim = collection_.dim, raw_count = dim + features.directions_count + features.beside;
    std::vector<float> raw(raw_count, 0.0f);
    for (int64_t f = 0; f < query_.count; f++)
      for (int64_t d = 0; d < dim; d++) raw[d] += query_.fragments[f * dim + d];
    team_.each(features.directions_count, DIRECTIONS, [&](int64_t begin, int64_t end, int) {
      const RowWord* const values = static_cast<const RowWord*>(features.directions) + begin * features.direction_words;
      std::vector<float> products(query_.count * DIRECTIONS);
      path_.of[INT8].score(packed_.each, rows_of(values, features.direction_scales + begin, nullptr, features.direction_words), EACH, 0, end - begin,
                           products.data(), DIRECTIONS);
      for (int64_t f = 0; f < query_.count; f++)
        for (int64_t i = begin; i < end; i++) raw[dim + i] += std::max(0.0f, products[f * DIRECTIONS + i - begin]);
    });
    std::copy(query_.beside, query_.beside + features.beside, raw.begin() + (raw_count - features.beside));
    const int64_t bits = collection_.bits, dims = collection_.block_words * (32 / bits);
    std::vector<float> vector(dims, 0.0f);
    team_.each(features.rank, COLUMNS, [&](int64_t begin, int64_t end, int) {
      float sums[COLUMNS] = {};  // in registers
      for (int64_t i = 0; i < raw_count; i++) {
        const float* const row = features.projection + i * features.rank + begin;
        if (end - begin == COLUMNS)
          for (int64_t r = 0; r < COLUMNS; r++) sums[r] += raw[i] * row[r];
        else
          for (int64_t r = 0; r < end - begin; r++) sums[r] += raw[i] * row[r];
      }
      std::copy(sums, sums + (end - begin), vector.begin() + begin);
    });
    words_.resize(dims / 4 * path_.scan.planes);
    int32_t sum;
    const float scale = path_.scan.pack(vector.data(), dims, words_.data(), &sum);
    vector_ = {words_.data(), -sum * (bits == 8 ? 128 : 8), scale};
  }

  // The `kept` best of all items by one vector each.
  std::vector<Scored> first(int64_t kept) {
    const float least = likely_least(kept);
    std::vector<Scored> found = first(kept, least);
    if (static_cast<int64_t>(found.size()) < kept && least > LEAST) found = first(kept, LEAST);  // the sample had more of the best than its share
    return found;
  }

  // The `kept` best of some, by their pooled rows.
  void second(std::vector<Scored>& some, int64_t kept) {
    score(some, 0, some.size(), [&](const is_part& part) { return rows_of(part.pooled, part.pooled_scales, part.pooled_offsets, collection_.pooled_words); },
          path_.of[INT8], packed_.pooled, BEST_ROW, [](const is_part& part) { return part.pooled_stored; });
    keep_best(some, kept);
  }

  // The `k` best of some, best first, by all their rows. They are scored in the order of the stage before, whose score is
  // off by what it was off on average so far, give or take some spreads: the rest is left out when the next one, so
  // many spreads better than expected, were still below the k-th best.
  std::vector<Scored> exact(std::vector<Scored>& some, int64_t k, double spreads, int64_t* counted) {
    std::sort(some.begin(), some.end(), better);
    const int64_t count = some.size(), round = spreads < std::numeric_limits<float>::infinity() ? ROUND : count;
    std::vector<Scored> best;
    std::vector<float> expected(round);
    double errors = 0, squares = 0;
    int64_t done = 0;
    while (done < count) {
      if (done && static_cast<int64_t>(best.size()) == k) {
        const double mean = errors / done, spread = std::sqrt(std::max(0.0, squares / done - mean * mean));
        if (some[done].score + mean + spreads * spread < best[k - 1].score) break;
      }
      const int64_t end = std::min(count, done + round);
      std::sort(some.begin() + done, some.begin() + end, [](const Scored& a, const Scored& b) { return a.item < b.item; });
      for (int64_t i = done; i < end; i++) expected[i - done] = some[i].score;
      score(some, done, end, [&](const is_part& part) { return rows_of(part.rows, part.scales, part.offsets, collection_.row_words); },
            path_.of[collection_.precision], packed_.exact, static_cast<Reduce>(collection_.reduce), [](const is_part& part) { return part.stored; });
      for (int64_t i = done; i < end; i++) {
        const double error = static_cast<double>(some[i].score) - expected[i - done];
        errors += error, squares += error * error;
      }
      best.insert(best.end(), some.begin() + done, some.begin() + end);
      keep_best(best, k);
      std::sort(best.begin(), best.end(), better);
      done = end;
    }
    *counted = done;
    return best;
  }

 private:
  // What the `kept` best of all items are likely to reach, and few others: a sample of the items tells.
  float likely_least(int64_t kept) {
    if (all_blocks_ < 8 * SCANNED) return LEAST;
    std::vector<Scored> sample;
    for (int64_t i = 0; i < SCANNED; i++) {
      const int64_t block = all_blocks_ / SCANNED * i, p = part_of(blocks_, block);
      scan(p, block - blocks_[p], block - blocks_[p] + 1, LEAST, sample);
    }
    const int64_t share = 2 * kept * SCANNED / all_blocks_ + 8;  // twice as many, since a sample may have more than its share
    if (share >= static_cast<int64_t>(sample.size())) return LEAST;
    keep_best(sample, share);
    return sample[share - 1].score;
  }

  // The `kept` best of those that reach a threshold.
  std::vector<Scored> first(int64_t kept, float least) {
    std::vector<std::vector<Scored>> found(team_.size());
    std::atomic<float> threshold{least};  // what `kept` items have at least, once that is known
    team_.each(all_blocks_, SCANNED, [&](int64_t begin, int64_t end, int member) {
      std::vector<Scored>& own = found[member];
      for (int64_t p = part_of(blocks_, begin); begin < end; p++) {
        const int64_t of_part = (collection_.parts[p].items + Lanes::ITEMS - 1) / Lanes::ITEMS;
        const int64_t last = std::min(end, blocks_[p] + of_part);
        if (begin < last) scan(p, begin - blocks_[p], last - blocks_[p], threshold, own);
        begin = std::max(begin, last);
      }
      if (static_cast<int64_t>(own.size()) < 4 * kept) return;
      keep_best(own, kept);
      const float reached = own[kept - 1].score;  // where nth_element puts it
      for (float before = threshold; before < reached && !threshold.compare_exchange_weak(before, reached);) {
      }
    });
    std::vector<Scored> all = std::move(found[0]);
    for (size_t member = 1; member < found.size(); member++) all.insert(all.end(), found[member].begin(), found[member].end());
    keep_best(all, kept);
    return all;
  }

  static int64_t part_of(const std::vector<int64_t>& firsts, int64_t number) {
    return std::upper_bound(firsts.begin(), firsts.end(), number) - firsts.begin() - 1;
  }

  static Rows rows_of(const void* values, const float* scales, const int64_t* offsets, int64_t words) {
    return {static_cast<const RowWord*>(values), scales, offsets, nullptr, words};
  }

  static void require_stored(const Rows& rows, int64_t item, int64_t stored) {
    if (rows.offsets[item] < 0 || rows.offsets[item + 1] < rows.offsets[item] || rows.offsets[item + 1] > stored) throw std::out_of_range("offsets");
  }

  // Appends the items of blocks of a part that reach the threshold.
  void scan(int64_t p, int64_t begin, int64_t end, float threshold, std::vector<Scored>& own) {
    const is_part& part = collection_.parts[p];
    const Lanes lanes = {static_cast<const uint32_t*>(part.lanes), part.lane_scales, collection_.block_words, collection_.bits};
    Scored found[SCANNED * Lanes::ITEMS];
    const int64_t count = path_.scan.scan(lanes, vector_, begin, end, threshold, found);
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
          items[run] = some[begin + run].item - firsts_[p];
          require_stored(rows, items[run], stored(part));
        }
        rows.items = items.data();
        const int64_t next = begin + to + (team_.size() - 1) * PART;  // where this thread goes on, if all keep pace
        if (next < end && part_of(firsts_, some[next].item) == p) require_stored(rows, rows.following = some[next].item - firsts_[p], stored(part));
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
  std::vector<uint32_t> words_;
  LaneVector vector_ = {};
  std::vector<int64_t> firsts_, blocks_;  // of each part: its first item, and its first block of lanes
  int64_t items_ = 0, all_blocks_ = 0;
};

}  // namespace

void run_cascade(const Path& path, const is_collection& collection, const is_cascade_query& query, const CascadeQueries& packed, Team& team,
                 const is_cascade_found& found) {
  auto since = std::chrono::steady_clock::now();
  int64_t* counted = found.counted;
  double* seconds = found.seconds;
  const auto ended = [&](int64_t left) {
    const auto now = std::chrono::steady_clock::now();
    *seconds++ = std::chrono::duration<double>(now - since).count(), *counted++ = left;
    since = now;
  };
  Cascade cascade(path, collection, query, packed, team);
  cascade.make_vector();
  std::vector<Scored> some = cascade.first(query.kept);
  ended(some.size());
  if (query.pooled_kept) cascade.second(some, query.pooled_kept);
  ended(some.size());
  int64_t scored;
  const std::vector<Scored> best = cascade.exact(some, query.k, query.spreads, &scored);
  ended(scored);
  *counted = best.size();
  for (size_t i = 0; i < best.size(); i++) found.numbers[i] = best[i].item, found.scores[i] = best[i].score;
}

}  // namespace inflate_shrink
