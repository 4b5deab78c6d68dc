// What a training update does between its products. Plain loops, which compilers vectorise for the instruction set of the
// file that includes this; sums are of 16 lanes in a fixed order, whatever the set and the number of threads.
#pragma once
#include <cstdint>

#include "problem.h"
#include "tile.h"

namespace inflate_shrink {
namespace {

constexpr int SUMS = 16;

INLINE float folded(float (&sums)[SUMS]) {
  for (int half = SUMS / 2; half; half /= 2)
    for (int i = 0; i < half; i++) sums[i] += sums[i + half];
  return sums[0];
}

// The sum of `term(0)` to `term(count - 1)`.
template <class Term>
INLINE float sum_of(int64_t count, const Term& term) {
  float sums[SUMS] = {};
  int64_t i = 0;
  for (; i + SUMS <= count; i += SUMS)
    for (int lane = 0; lane < SUMS; lane++) sums[lane] += term(i + lane);
  for (int lane = 0; i < count; i++, lane++) sums[lane] += term(i);
  return folded(sums);
}

template <class Term>
INLINE float greatest_of(int64_t count, const Term& term) {
  float most[SUMS];
  for (int lane = 0; lane < SUMS; lane++) most[lane] = -__builtin_inff();
  int64_t i = 0;
  for (; i + SUMS <= count; i += SUMS)
    for (int lane = 0; lane < SUMS; lane++) most[lane] = most[lane] < term(i + lane) ? term(i + lane) : most[lane];
  for (int lane = 0; i < count; i++, lane++) most[lane] = most[lane] < term(i) ? term(i) : most[lane];
  for (int half = SUMS / 2; half; half /= 2)
    for (int lane = 0; lane < half; lane++) most[lane] = most[lane] < most[lane + half] ? most[lane + half] : most[lane];
  return most[0];
}

// e^x to 2 units in the last place, for x <= 0 as all here are; 0 below -87. Cephes' polynomial.
INLINE float exponential(float x) {
  constexpr float ROUND = 12582912.0f;  // 1.5 * 2^23: what is added to it is rounded to a whole number
  const float low = x < -87.0f ? -87.0f : x;
  const float shifted = low * 1.44269504f + ROUND, n = shifted - ROUND;
  const float f = (low - n * 0.693359375f) + n * 2.12194440e-4f;
  float sum = 1.9875691500e-4f;
  sum = sum * f + 1.3981999507e-3f;
  sum = sum * f + 8.3334519073e-3f;
  sum = sum * f + 4.1665795894e-2f;
  sum = sum * f + 1.6666665459e-1f;
  sum = sum * f + 5.0000001201e-1f;
  sum = sum * (f * f) + f + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  __builtin_memcpy(&power, &bits, 4);
  return x < -87.0f ? 0.0f : sum * power;
}

INLINE float kept(const Dropout& dropout, int64_t i) { return dropout.drawn[i] >= dropout.least ? dropout.scale : 0.0f; }

inline void add_bias(float* __restrict x, const float* __restrict bias, int64_t begin, int64_t end, int64_t dim) {
  for (int64_t row = begin; row < end; row++)
    for (int64_t d = 0; d < dim; d++) x[row * dim + d] += bias[d];
}

// The normal distribution function by Abramowitz and Stegun's 7.1.26, to 1e-7.
inline void gelu(float* __restrict x, const float* __restrict bias, float* __restrict out, int64_t begin, int64_t end, int64_t dim) {
  for (int64_t row = begin; row < end; row++)
    for (int64_t d = 0; d < dim; d++) {
      const float z = x[row * dim + d] + bias[d], above = z < 0 ? -z : z;
      const float bell = exponential(-0.5f * z * z), t = 1.0f / (1.0f + 0.3275911f * 0.70710678f * above);
      const float tail =
          0.5f * t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f)))) * bell;
      const float share = z < 0 ? tail : 1.0f - tail;
      out[row * dim + d] = z * share;
      x[row * dim + d] = share + z * (0.39894228f * bell);
    }
}

inline void column_sums(const float* __restrict g, const float* __restrict factor, float* __restrict products, float* __restrict sums, int64_t begin,
                        int64_t end, int64_t rows, int64_t dim) {
  for (int64_t d = begin; d < end; d++) sums[d] = 0;
  for (int64_t row = 0; row < rows; row++) {
    const int64_t at = row * dim;
    if (products)
      for (int64_t d = begin; d < end; d++) products[at + d] = g[at + d] * factor[at + d], sums[d] += products[at + d];
    else if (factor)
      for (int64_t d = begin; d < end; d++) sums[d] += g[at + d] * factor[at + d];
    else
      for (int64_t d = begin; d < end; d++) sums[d] += g[at + d];
  }
}

inline void add_and_normalise(const float* __restrict x, const float* __restrict branch, const Dropout& dropout, const Norm& norm, float* __restrict normal,
                              float* __restrict inverse, float* __restrict out, int64_t begin, int64_t end) {
  const int64_t dim = norm.dim;
  for (int64_t row = begin; row < end; row++) {
    const float* __restrict from = x + row * dim;
    const float* __restrict added = branch + row * dim;
    float* __restrict to = normal + row * dim;
    if (dropout.drawn)
      for (int64_t d = 0; d < dim; d++) to[d] = from[d] + added[d] * kept(dropout, row * dim + d);
    else if (branch)
      for (int64_t d = 0; d < dim; d++) to[d] = from[d] + added[d];
    else
      for (int64_t d = 0; d < dim; d++) to[d] = from[d];
    const float mean = sum_of(dim, [=](int64_t d) { return to[d]; }) / static_cast<float>(dim);
    const float variance = sum_of(dim, [=](int64_t d) { return (to[d] - mean) * (to[d] - mean); }) / static_cast<float>(dim);
    const float factor = inverse[row] = 1.0f / __builtin_sqrtf(variance + norm.epsilon);
    float* __restrict result = out + row * dim;
    for (int64_t d = 0; d < dim; d++) to[d] = (to[d] - mean) * factor, result[d] = to[d] * norm.weight[d] + norm.bias[d];
  }
}

inline void normalise_gradient(const float* __restrict g, const float* __restrict normal, const float* __restrict inverse, const Dropout& dropout,
                               const Norm& norm, float* __restrict of_x, float* __restrict of_branch, int64_t begin, int64_t end) {
  const int64_t dim = norm.dim;
  const float* __restrict weight = norm.weight;
  for (int64_t row = begin; row < end; row++) {
    const float* __restrict given = g + row * dim;
    const float* __restrict unit = normal + row * dim;
    float* __restrict to = of_x + row * dim;
    const float mean = sum_of(dim, [=](int64_t d) { return given[d] * weight[d]; }) / static_cast<float>(dim);
    const float along = sum_of(dim, [=](int64_t d) { return given[d] * weight[d] * unit[d]; }) / static_cast<float>(dim);
    const float factor = inverse[row];
    for (int64_t d = 0; d < dim; d++) to[d] = factor * (given[d] * weight[d] - mean - unit[d] * along);
    if (!of_branch) continue;
    float* __restrict other = of_branch + row * dim;
    for (int64_t d = 0; d < dim; d++) other[d] = to[d] * kept(dropout, row * dim + d);
  }
}

inline void softmax(float* __restrict x, const float* __restrict bias, float scale, const Dropout& dropout, float* __restrict dropped, int64_t begin,
                    int64_t end, int64_t rows_of_item, int64_t length) {
  for (int64_t row = begin; row < end; row++) {
    float* __restrict logits = x + row * length;
    const float* __restrict added = bias + row / rows_of_item * length;
    for (int64_t i = 0; i < length; i++) logits[i] = logits[i] * scale + added[i];
    const float most = greatest_of(length, [=](int64_t i) { return logits[i]; });
    for (int64_t i = 0; i < length; i++) logits[i] = exponential(logits[i] - most);
    const float share = 1.0f / sum_of(length, [=](int64_t i) { return logits[i]; });
    for (int64_t i = 0; i < length; i++) logits[i] *= share;
    if (dropout.drawn)
      for (int64_t i = 0; i < length; i++) dropped[row * length + i] = logits[i] * kept(dropout, row * length + i);
  }
}

inline void softmax_gradient(float* __restrict g, const float* __restrict shares, float scale, const Dropout& dropout, int64_t begin, int64_t end,
                             int64_t length) {
  for (int64_t row = begin; row < end; row++) {
    float* __restrict given = g + row * length;
    const float* __restrict share = shares + row * length;
    if (dropout.drawn)
      for (int64_t i = 0; i < length; i++) given[i] *= kept(dropout, row * length + i);
    const float mean = sum_of(length, [=](int64_t i) { return given[i] * share[i]; });
    for (int64_t i = 0; i < length; i++) given[i] = scale * share[i] * (given[i] - mean);
  }
}

using Numbers = float __attribute__((vector_size(4 * SUMS)));
using HalfNumbers = float __attribute__((vector_size(2 * SUMS)));
using QuarterNumbers = float __attribute__((vector_size(SUMS)));
using Places = int32_t __attribute__((vector_size(4 * SUMS)));
using HalfPlaces = int32_t __attribute__((vector_size(2 * SUMS)));
using QuarterPlaces = int32_t __attribute__((vector_size(SUMS)));

// What `two` makes of all lanes, half by half.
template <class Half, class Quarter, class Vector, class Two>
INLINE auto across(const Vector& all, const Two& two) {
  Half halves[2];
  __builtin_memcpy(halves, &all, sizeof all);
  const Half half = two(halves[0], halves[1]);
  Quarter quarters[2];
  __builtin_memcpy(quarters, &half, sizeof half);
  const Quarter quarter = two(quarters[0], quarters[1]);
  const auto first = quarter[0], second = quarter[1], third = quarter[2], fourth = quarter[3];
  return two(two(first, second), two(third, fourth));
}

// 16 numbers at a time, each lane with the place of its greatest; of equal ones the first.
template <bool BIASED>
INLINE void best_of(const float* from, const float* added, int64_t length, float* greatest, int32_t* choice) {
  Numbers most = Numbers{} - __builtin_inff();
  Places places{}, here;
  for (int lane = 0; lane < SUMS; lane++) here[lane] = lane;
  int64_t i = 0;
  for (; i + SUMS <= length; i += SUMS, here += SUMS) {
    Numbers value, bias;
    __builtin_memcpy(&value, from + i, sizeof value);
    if (BIASED) __builtin_memcpy(&bias, added + i, sizeof bias), value += bias;
    const Places better = value > most;
    most = better ? value : most, places = better ? here : places;
  }
  float top = across<HalfNumbers, QuarterNumbers>(most, [](auto a, auto b) { return a > b ? a : b; });
  const Places candidates = most == top ? places : places * 0 + (static_cast<int32_t>(length) - 1);
  int32_t first = across<HalfPlaces, QuarterPlaces>(candidates, [](auto a, auto b) { return a < b ? a : b; });
  for (; i < length; i++) {
    const float value = BIASED ? from[i] + added[i] : from[i];
    if (value > top) top = value, first = static_cast<int32_t>(i);
  }
  *greatest = top, *choice = first;
}

inline void best(const float* products, const float* bias, int64_t images, int64_t length, float* greatest, int32_t* choice, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++)
    for (int64_t image = 0; image < images; image++) {
      const int64_t at = row * images + image;
      const float* from = products + at * length;
      if (bias)
        best_of<true>(from, bias + image * length, length, greatest + at, choice + at);
      else
        best_of<false>(from, nullptr, length, greatest + at, choice + at);
    }
}

inline void best_gradient_of_text(const float* __restrict g, const int32_t* __restrict choice, const float* __restrict image, int64_t images, int64_t length,
                                  int64_t dim, float* __restrict of_text, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) {
    float* __restrict to = of_text + row * dim;
    for (int64_t d = 0; d < dim; d++) to[d] = 0;
    for (int64_t i = 0; i < images; i++) {
      const float weight = g[row * images + i];
      if (weight == 0) continue;
      const float* __restrict from = image + (i * length + choice[row * images + i]) * dim;
      for (int64_t d = 0; d < dim; d++) to[d] += weight * from[d];
    }
  }
}

inline void best_gradient_of_image(const float* __restrict g, const int32_t* __restrict choice, const float* __restrict text, int64_t rows, int64_t images,
                                   int64_t length, int64_t dim, float* __restrict of_image, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    float* __restrict to = of_image + i * length * dim;
    for (int64_t d = 0; d < length * dim; d++) to[d] = 0;
    for (int64_t row = 0; row < rows; row++) {
      const float weight = g[row * images + i];
      if (weight == 0) continue;
      float* __restrict chosen = to + choice[row * images + i] * dim;
      const float* __restrict from = text + row * dim;
      for (int64_t d = 0; d < dim; d++) chosen[d] += weight * from[d];
    }
  }
}

inline void adamw(float* __restrict weight, const float* __restrict gradient, float* __restrict first, float* __restrict second, const AdamW& settings,
                  int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    const float g = gradient[i] * settings.gradient_scale;
    first[i] = settings.beta1 * first[i] + (1.0f - settings.beta1) * g;
    second[i] = settings.beta2 * second[i] + (1.0f - settings.beta2) * (g * g);
    weight[i] = weight[i] * settings.kept - settings.rate * (first[i] / (__builtin_sqrtf(second[i]) + settings.epsilon));
  }
}

inline double square_sum(const float* g, int64_t begin, int64_t end) { return sum_of(end - begin, [=](int64_t i) { return g[begin + i] * g[begin + i]; }); }

constexpr Training TRAINING = {add_bias,        gelu, column_sums,           add_and_normalise,      normalise_gradient, softmax,
                               softmax_gradient, best, best_gradient_of_text, best_gradient_of_image, square_sum, adamw};

}  // namespace
}  // namespace inflate_shrink
