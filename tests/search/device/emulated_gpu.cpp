// The thread blocks of late_interaction.cuh on the CPU: a phase runs for one thread after another.
// A barrier that is missing on the GPU shows as a result that depends on the order of the threads, and
// shared memory that is read before it is written as NaN. Reads a problem from stdin, writes its scores to stdout.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "late_interaction.cuh"

using namespace late_interaction;

static float to_float(uint16_t half) {
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    float value = std::ldexp(float(exponent ? fraction + 1024 : fraction), (exponent ? exponent : 1) - 25);
    if (exponent == 31) value = fraction ? NAN : INFINITY;
    return half >> 15 ? -value : value;
}

static uint16_t to_half(float value) {  // to the nearest, ties to even, as nearbyint does
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const float size = std::fabs(value);
    if (std::isnan(value)) return 0x7e00;
    if (size >= 65520.0f) return sign | 0x7c00;
    const int exponent = size < 0x1p-14f ? -14 : std::ilogb(size);
    return sign | uint16_t(int(std::nearbyint(std::ldexp(size, 10 - exponent))) + ((exponent + 14) << 10));
}

static std::vector<float> table_of_halves() {
    std::vector<float> table(1 << 16);
    for (int i = 0; i < 1 << 16; ++i) table[i] = to_float(uint16_t(i));
    return table;
}

static const std::vector<float> kFloat = table_of_halves();

template <int M> struct EmulatedTile {  // a thread keeps one row's sums
    float sums[M];
    void clear() { std::memset(sums, 0, sizeof sums); }
    void multiply(const uint16_t* query, const uint16_t* rows, int thread) {
        for (int k = 0; k < kDepth; ++k) {
            const float element = kFloat[rows[thread * kStride + k]];
            for (int m = 0; m < M; ++m) sums[m] += element * kFloat[query[m * kStride + k]];
        }
    }
    void store(float* similarity, int thread) const { std::memcpy(similarity + thread * (M + 4), sums, sizeof sums); }
};

template <class Stored, int M> struct EmulatedTeam {
    using State = ThreadState<Stored, M, EmulatedTile<M>>;
    std::vector<State> states = std::vector<State>(kThreads);
    bool backwards;
    template <class Phase> void each(Phase phase) {
        for (int i = 0; i < kThreads; ++i) {
            const int thread = backwards ? kThreads - 1 - i : i;
            phase(thread, states[thread]);
        }
    }
    static uint32_t pack(float low, float high) { return to_half(low) | uint32_t(to_half(high)) << 16; }
    static uint32_t subtract(uint32_t a, uint32_t b) {
        return pack(kFloat[a & 0xffff] - kFloat[b & 0xffff], kFloat[a >> 16] - kFloat[b >> 16]);
    }
};

template <class Stored, int M> static void run(const Problem& problem, bool backwards) {
    const int64_t blocks = (problem.n_items + problem.items_per_block - 1) / problem.items_per_block * problem.n_queries;
    EmulatedTeam<Stored, M> team;
    team.backwards = backwards;
    for (int64_t block = 0; block < blocks; ++block) {
        auto shared = std::make_unique<Shared<M>>();  // of its own, so that a sanitizer sees its ends
        std::memset(static_cast<void*>(shared.get()), 0xff, sizeof *shared);  // NaN, and no row or item
        score_block<M>(team, *shared, problem, block);
    }
}

template <class Element> static std::vector<Element> read(size_t count) {
    std::vector<Element> values(count);
    if (count && std::fread(values.data(), sizeof(Element), count, stdin) != count) std::exit(3);
    return values;
}

int main() {
    enum { kQueries, kItems, kQueryRows, kRows, kWidth, kPrecision, kItemsPerBlock, kSumOverRows, kM, kShift, kSettings };
    const auto n = read<int64_t>(kSettings);
    const int64_t element = n[kPrecision] == 2 ? 1 : 2;
    const auto query_offsets = read<int64_t>(n[kQueries] + 1);
    const auto begins = read<int64_t>(n[kItems]), positions = read<int64_t>(n[kItems] + 1);
    const auto scales = read<float>(n[kPrecision] == 2 ? n[kRows] : 0);
    const auto queries = read<uint16_t>(n[kQueryRows] * n[kWidth]);
    const auto stored = read<unsigned char>(n[kRows] * n[kWidth] * element);
    // exactly as large as the rows, and where wanted not at a multiple of 16 bytes
    std::vector<unsigned char> rows(stored.size() + n[kShift]);
    std::copy(stored.begin(), stored.end(), rows.begin() + n[kShift]);
    std::vector<float> scores[2];
    for (int backwards = 0; backwards < 2; ++backwards) {
        scores[backwards].assign(n[kQueries] * n[kItems], NAN);
        const Problem problem{queries.data(), query_offsets.data(), rows.data() + n[kShift], scales.empty() ? nullptr : scales.data(),
                              begins.data(), positions.data(), scores[backwards].data(), n[kItems], int(n[kQueries]), int(n[kWidth]),
                              int(n[kItemsPerBlock]), n[kSumOverRows] != 0};
        const bool wide = n[kM] == 64;
        if (n[kPrecision] == 0) (wide ? run<Fp16, 64> : run<Fp16, 32>)(problem, backwards);
        if (n[kPrecision] == 1) (wide ? run<Bf16, 64> : run<Bf16, 32>)(problem, backwards);
        if (n[kPrecision] == 2) (wide ? run<Int8, 64> : run<Int8, 32>)(problem, backwards);
    }
    if (std::memcmp(scores[0].data(), scores[1].data(), scores[0].size() * sizeof(float))) {
        std::fputs("the scores depend on the order of the threads\n", stderr);
        return 1;
    }
    std::fwrite(scores[0].data(), sizeof(float), scores[0].size(), stdout);
}
