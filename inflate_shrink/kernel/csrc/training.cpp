// The C interface to training.h.
#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <numeric>
#include <vector>

#include "library.h"
#include "problem.h"
#include "processor.h"
#include "threads.h"

using namespace inflate_shrink;

namespace {

constexpr int64_t PART = 1 << 14;  // numbers: fewer are not worth a thread
constexpr int64_t COLUMNS = 64;    // whole lines of cache

int64_t rows_of_part(int64_t dim) { return std::max<int64_t>(1, PART / std::max<int64_t>(1, dim)); }

Dropout dropout_of(const is_dropout* dropout) {
  return dropout ? Dropout{dropout->drawn, static_cast<int32_t>(dropout->least), dropout->scale} : Dropout{nullptr, 0, 1.0f};
}

// An OpenMP runtime's team, lent by is_lend_threads: threads of products that have just ended wait there, awake.
std::atomic<is_parallel> lent{nullptr};

struct Round {
  const std::function<void(int64_t, int64_t)>& work;
  int64_t count, part;
  std::atomic<int64_t> next{0};
};

void take_parts(void* of) {
  Round& round = *static_cast<Round*>(of);
  for (int64_t begin; (begin = round.next.fetch_add(round.part)) < round.count;) round.work(begin, std::min(begin + round.part, round.count));
}

void share(int threads, int64_t count, int64_t part, const std::function<void(int64_t, int64_t)>& work) {
  const int64_t most = std::min<int64_t>(threads, (count + part - 1) / part);
  const is_parallel parallel = lent;
  if (!parallel || most < 2) return in_parallel(threads, count, part, work);
  Round round{work, count, part};
  parallel(take_parts, &round, static_cast<unsigned>(most), 0);
}

template <class Work>
int run(int path, int threads, int64_t count, int64_t part, const Work& work) {
  try {
    const Training& training = paths()[path]->training;
    share(threads, count, part, [&](int64_t begin, int64_t end) { work(training, begin, end); });
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

}  // namespace

int is_lend_threads(is_parallel parallel) {
  lent = parallel;
  return 0;
}

int is_add_bias(int path, float* x, const float* bias, int64_t rows, int64_t dim, int threads) {
  return run(path, threads, rows, rows_of_part(dim), [&](const Training& to, int64_t begin, int64_t end) { to.add_bias(x, bias, begin, end, dim); });
}

int is_gelu(int path, float* x, const float* bias, float* out, int64_t rows, int64_t dim, int threads) {
  return run(path, threads, rows, rows_of_part(4 * dim), [&](const Training& to, int64_t begin, int64_t end) { to.gelu(x, bias, out, begin, end, dim); });
}

int is_column_sums(int path, const float* g, const float* factor, float* products, float* sums, int64_t rows, int64_t dim, int threads) {
  if (rows * dim < PART) threads = 1;
  return run(path, threads, dim, COLUMNS,
             [&](const Training& to, int64_t begin, int64_t end) { to.column_sums(g, factor, products, sums, begin, end, rows, dim); });
}

int is_add_and_normalise(int path, const float* x, const float* branch, const is_dropout* dropout, const float* weight, const float* bias, float epsilon,
                         float* normal, float* inverse, float* out, int64_t rows, int64_t dim, int threads) {
  const Norm norm = {weight, bias, epsilon, dim};
  return run(path, threads, rows, rows_of_part(dim), [&](const Training& to, int64_t begin, int64_t end) {
    to.add_and_normalise(x, branch, dropout_of(dropout), norm, normal, inverse, out, begin, end);
  });
}

int is_normalise_gradient(int path, const float* g, const float* normal, const float* inverse, const is_dropout* dropout, const float* weight, float* of_x,
                          float* of_branch, int64_t rows, int64_t dim, int threads) {
  const Norm norm = {weight, nullptr, 0, dim};
  return run(path, threads, rows, rows_of_part(dim), [&](const Training& to, int64_t begin, int64_t end) {
    to.normalise_gradient(g, normal, inverse, dropout_of(dropout), norm, of_x, of_branch, begin, end);
  });
}

int is_softmax(int path, float* x, const float* bias, float scale, const is_dropout* dropout, float* dropped, int64_t items, int64_t rows_of_item,
               int64_t length, int threads) {
  return run(path, threads, items * rows_of_item, rows_of_part(2 * length), [&](const Training& to, int64_t begin, int64_t end) {
    to.softmax(x, bias, scale, dropout_of(dropout), dropped, begin, end, rows_of_item, length);
  });
}

int is_softmax_gradient(int path, float* g, const float* shares, float scale, const is_dropout* dropout, int64_t rows, int64_t length, int threads) {
  return run(path, threads, rows, rows_of_part(length), [&](const Training& to, int64_t begin, int64_t end) {
    to.softmax_gradient(g, shares, scale, dropout_of(dropout), begin, end, length);
  });
}

int is_best(int path, const float* products, const float* bias, int64_t rows, int64_t images, int64_t length, float* greatest, int32_t* choice, int threads) {
  return run(path, threads, rows, rows_of_part(images * length), [&](const Training& to, int64_t begin, int64_t end) {
    to.best(products, bias, images, length, greatest, choice, begin, end);
  });
}

int is_best_gradient(int path, const float* g, const int32_t* choice, const float* text, const float* image, int64_t rows, int64_t images, int64_t length,
                     int64_t dim, float* of_text, float* of_image, int threads) {
  const int status = !of_text ? 0 : run(path, threads, rows, rows_of_part(images * dim), [&](const Training& to, int64_t begin, int64_t end) {
    to.best_gradient_of_text(g, choice, image, images, length, dim, of_text, begin, end);
  });
  if (status || !of_image) return status;
  return run(path, threads, images, 1, [&](const Training& to, int64_t begin, int64_t end) {
    to.best_gradient_of_image(g, choice, text, rows, images, length, dim, of_image, begin, end);
  });
}

int is_square_sum(int path, const float* g, int64_t count, double* sum, int threads) {
  std::vector<double> parts((count + PART - 1) / PART);
  const int status = run(path, threads, count, PART, [&](const Training& to, int64_t begin, int64_t end) { parts[begin / PART] = to.square_sum(g, begin, end); });
  *sum = std::accumulate(parts.begin(), parts.end(), 0.0);
  return status;
}

int is_adamw(int path, float* weight, const float* gradient, float* first, float* second, int64_t count, float rate, float kept, float beta1, float beta2,
             float epsilon, float gradient_scale, int threads) {
  const AdamW settings = {rate, kept, beta1, beta2, epsilon, gradient_scale};
  return run(path, threads, count, PART, [&](const Training& to, int64_t begin, int64_t end) { to.adamw(weight, gradient, first, second, settings, begin, end); });
}
