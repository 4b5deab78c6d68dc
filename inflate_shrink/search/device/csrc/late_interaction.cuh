// Late interaction (Eq. 3 and Eq. 5) of one query with some items, by one thread block.
//
// The rows of the items follow each other in tiles of 128. A tile's products with up to M query fragments
// are summed on tensor cores, 64 elements of the rows at a time, and go to shared memory, where each item's
// maxima are taken and summed; similarities are never written to global memory. Rows are read as they are
// stored (fp16, bf16, or int8 as byte = value + 128) and become fp16 on their way to shared memory, which
// is exact for int8, and for bf16 from 2^-14 to 65504: one arithmetic, from sm_70 on.
//
// The algorithm is a sequence of phases, `team.each(phase)`, with a barrier after each. `Team` says what a
// thread is: on the GPU a thread (late_interaction.cu), in the tests one turn of a loop on the CPU. It has
//     State                 what a thread keeps from phase to phase: `pieces` and `tile`
//     each(phase)           run phase(thread, state) for all threads, then wait for all of them
//     pack(float, float)    two fp16 numbers in a word
//     subtract(a, b)        a - b, of two fp16 numbers in a word
#pragma once
#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#else
#define DEVICE inline
#endif

namespace late_interaction {

constexpr int kThreads = 128;
constexpr int kTileRows = 128;     // rows of a tile: 32 for each warp
constexpr int kDepth = 64;         // elements of a row that are multiplied at a time
constexpr int kStride = kDepth + 8;  // fp16 numbers from one row to the next in shared memory; 8 against bank conflicts
constexpr int kMaxItems = 128;     // of a block

struct Problem {
    const uint16_t* queries;       // (query rows, width) fp16, one query after another
    const int64_t* query_offsets;  // (n_queries + 1,): query q has the rows query_offsets[q] : query_offsets[q + 1]
    const unsigned char* rows;     // (rows, width), fewer than 2^31 of them; what pads a row meets zeros in the query
    const float* scales;           // (rows,) of int8 rows, positive; null: 1
    const int64_t* begins;         // (n_items,) each item's first row
    const int64_t* positions;      // (n_items + 1,) sums of the items' lengths: item i has positions[i + 1] - positions[i] rows
    float* scores;                 // (n_queries, n_items); -infinity for an item without rows, for a text also of a query without fragments
    int64_t n_items;
    int n_queries;
    int width;                     // elements of a row, of the queries and of the index; even, of int8 rows a multiple of 4
    int items_per_block;           // at most kMaxItems
    bool sum_over_rows;            // the items are texts: sum over their rows of the best query fragment
};

template <int M> struct Shared {
    union {
        struct {
            uint16_t query[2][M * kStride];
            uint16_t rows[2][kTileRows * kStride];
        };
        float similarity[kTileRows * (M + 4)];  // once a tile's products are complete
    };
    int start[kMaxItems + 1];  // where each item's rows begin, counted from the block's first row
    float score[kMaxItems];
    int row[kTileRows];        // the tile's rows in the index; -1 beyond the end
    float scale[kTileRows];
    float best[kTileRows];     // sum over rows: each row's maximum over the query fragments seen so far
    float carry[2][M];         // sum over the query: the maxima of the item that began in the previous tile
    int first, last;           // items of the tile
};

struct alignas(16) Piece { uint32_t word[4]; };  // what a thread moves at a time

struct Fp16 {
    static constexpr int kBytes = 2;
    template <class Team> static DEVICE void store(const Piece& piece, uint16_t* to) { *reinterpret_cast<Piece*>(to) = piece; }
};

struct Bf16 {  // the upper half of a float
    static constexpr int kBytes = 2;
    union Word { uint32_t bits; float value; };
    template <class Team> static DEVICE void store(const Piece& piece, uint16_t* to) {
        Piece halves;
        for (int i = 0; i < 4; ++i) {
            Word low, high;
            low.bits = piece.word[i] << 16;
            high.bits = piece.word[i] & 0xffff0000u;
            halves.word[i] = Team::pack(low.value, high.value);
        }
        *reinterpret_cast<Piece*>(to) = halves;
    }
};

struct Int8 {  // 0x6400 | byte is the fp16 number 1024 + byte, 0x6480 is 1152
    static constexpr int kBytes = 1;
    template <class Team> static DEVICE void store(const Piece& piece, uint16_t* to) {
        Piece halves[2];
        for (int i = 0; i < 4; ++i) {
            const uint32_t bytes = piece.word[i], upper = bytes >> 16;
            halves[i / 2].word[i % 2 * 2] = Team::subtract((bytes & 0xffu) | (bytes & 0xff00u) << 8 | 0x64006400u, 0x64806480u);
            halves[i / 2].word[i % 2 * 2 + 1] = Team::subtract((upper & 0xffu) | (upper & 0xff00u) << 8 | 0x64006400u, 0x64806480u);
        }
        reinterpret_cast<Piece*>(to)[0] = halves[0];
        reinterpret_cast<Piece*>(to)[1] = halves[1];
    }
};

// The 16 bytes at `byte` of a row of `bytes` bytes (a multiple of 4), zeros beyond its end.
DEVICE Piece load_piece(const unsigned char* row, int byte, int bytes, bool aligned) {
    if (aligned && byte + 16 <= bytes) return *reinterpret_cast<const Piece*>(row + byte);
    Piece piece;
    for (int i = 0; i < 4; ++i)
        piece.word[i] = byte + 4 * i < bytes ? *reinterpret_cast<const uint32_t*>(row + byte + 4 * i) : 0u;
    return piece;
}

// What a thread carries of `kRows` rows, kDepth elements of each, from global to shared memory.
template <class Stored, int kRows> struct Pieces {
    static constexpr int kPerRow = kDepth * Stored::kBytes / 16, kPieces = kRows * kPerRow / kThreads;
    Piece piece[kPieces];

    // `row_of(r)` is the index of the r-th row, or -1 for zeros.
    template <class RowOf> DEVICE void load(const unsigned char* rows, RowOf row_of, int width, int chunk, int thread) {
        const int bytes = width * Stored::kBytes;
        const bool aligned = (reinterpret_cast<uintptr_t>(rows) | bytes) % 16 == 0;
        for (int i = 0; i < kPieces; ++i) {
            const int index = thread + i * kThreads, byte = (chunk * kPerRow + index % kPerRow) * 16;
            const int64_t row = row_of(index / kPerRow);
            piece[i] = load_piece(rows + (row < 0 ? 0 : row) * bytes, byte, row < 0 ? 0 : bytes, aligned);
        }
    }

    template <class Team> DEVICE void store(uint16_t* to, int thread) const {
        for (int i = 0; i < kPieces; ++i) {
            const int index = thread + i * kThreads;
            Stored::template store<Team>(piece[i], to + index / kPerRow * kStride + index % kPerRow * (16 / Stored::kBytes));
        }
    }
};

template <class Stored, int M, class Tile> struct ThreadState {
    Pieces<Fp16, M> query;
    Pieces<Stored, kTileRows> rows;
    Tile tile;
};

DEVICE float larger(float a, float b) { return a > b ? a : b; }

// Scores of one query with the block's items. Blocks count queries first, so that those that read the same rows run together.
template <int M, class Team> DEVICE void score_block(Team& team, Shared<M>& s, const Problem& p, int64_t block) {
    using State = typename Team::State;
    const int query = static_cast<int>(block % p.n_queries);
    const int64_t first_item = block / p.n_queries * p.items_per_block, left = p.n_items - first_item;
    const int items = left < p.items_per_block ? static_cast<int>(left) : p.items_per_block;
    const int64_t first_position = p.positions[first_item], first_fragment = p.query_offsets[query];
    const int rows = static_cast<int>(p.positions[first_item + items] - first_position);
    const int fragments = static_cast<int>(p.query_offsets[query + 1] - first_fragment);
    const int tiles = (rows + kTileRows - 1) / kTileRows, groups = (fragments + M - 1) / M, chunks = (p.width + kDepth - 1) / kDepth;
    const float kNone = -INFINITY;

    team.each([&](int thread, State&) {
        for (int i = thread; i <= items; i += kThreads) s.start[i] = static_cast<int>(p.positions[first_item + i] - first_position);
        for (int i = thread; i < items; i += kThreads) s.score[i] = 0;
    });

    for (int step = 0; step < tiles * groups; ++step) {  // what is summed is the outer loop
        const int tile = p.sum_over_rows ? step / groups : step % tiles, group = p.sum_over_rows ? step % groups : step / tiles;
        const int tile_start = tile * kTileRows, tile_end = tile_start + kTileRows;
        const int tile_rows = rows < tile_end ? rows - tile_start : kTileRows;
        const int group_fragments = fragments < (group + 1) * M ? fragments - group * M : M;

        team.each([&](int thread, State&) {  // which rows of the index these are
            s.row[thread] = -1;
            if (thread >= tile_rows) return;
            int item = 0, beyond = items;  // the last item that starts at this row or before it
            while (beyond - item > 1) {
                const int middle = (item + beyond) / 2;
                (s.start[middle] <= tile_start + thread ? item : beyond) = middle;
            }
            const int64_t row = p.begins[first_item + item] + tile_start + thread - s.start[item];
            s.row[thread] = static_cast<int>(row);
            s.scale[thread] = p.scales ? p.scales[row] : 1.0f;
            if (thread == 0) s.first = item;
            if (thread == tile_rows - 1) s.last = item;
        });

        const auto load = [&](int chunk, int thread, State& state) {
            const auto query_row = [&](int r) { return r < group_fragments ? first_fragment + group * M + r : int64_t{-1}; };
            state.query.load(reinterpret_cast<const unsigned char*>(p.queries), query_row, p.width, chunk, thread);
            state.rows.load(p.rows, [&](int r) { return int64_t{s.row[r]}; }, p.width, chunk, thread);
        };
        const auto store = [&](int chunk, int thread, State& state) {
            state.query.template store<Team>(s.query[chunk % 2], thread);
            state.rows.template store<Team>(s.rows[chunk % 2], thread);
        };
        team.each([&](int thread, State& state) {
            state.tile.clear();
            load(0, thread, state);
            store(0, thread, state);
        });
        for (int chunk = 0; chunk < chunks; ++chunk)
            team.each([&](int thread, State& state) {  // the next chunk is on its way while this one is multiplied
                if (chunk + 1 < chunks) load(chunk + 1, thread, state);
                state.tile.multiply(s.query[chunk % 2], s.rows[chunk % 2], thread);
                if (chunk + 1 < chunks) store(chunk + 1, thread, state);
            });
        team.each([&](int thread, State& state) { state.tile.store(s.similarity, thread); });

        const auto similarity = [&](int r, int m) -> float& { return s.similarity[r * (M + 4) + m]; };
        const auto rows_from = [&](int item) { return s.start[item] < tile_start ? 0 : s.start[item] - tile_start; };
        const auto rows_to = [&](int item) { return s.start[item + 1] > tile_end ? kTileRows : s.start[item + 1] - tile_start; };
        if (p.sum_over_rows) {
            team.each([&](int r, State&) {
                if (r >= tile_rows) return;
                float best = group == 0 ? kNone : s.best[r];
                for (int m = 0; m < group_fragments; ++m) best = larger(best, similarity(r, m) * s.scale[r]);
                s.best[r] = best;
            });
            if (group + 1 < groups) continue;
            team.each([&](int thread, State&) {
                for (int item = s.first + thread; item <= s.last; item += kThreads)
                    for (int r = rows_from(item); r < rows_to(item); ++r) s.score[item] += s.best[r];
            });
        } else {
            team.each([&](int thread, State&) {  // an item's maxima replace the similarities of its first row
                for (int pair = thread; pair < (s.last - s.first + 1) * M; pair += kThreads) {
                    const int item = s.first + pair / M, m = pair % M, from = rows_from(item), to = rows_to(item);
                    if (m >= group_fragments || from >= to) continue;
                    float best = s.start[item] < tile_start ? s.carry[tile % 2][m] : kNone;
                    for (int r = from; r < to; ++r) best = larger(best, similarity(r, m) * s.scale[r]);
                    (s.start[item + 1] > tile_end ? s.carry[(tile + 1) % 2][m] : similarity(from, m)) = best;
                }
            });
            team.each([&](int thread, State&) {
                for (int item = s.first + thread; item <= s.last; item += kThreads) {
                    if (s.start[item + 1] > tile_end || rows_from(item) >= rows_to(item)) continue;
                    float sum = 0;
                    for (int m = 0; m < group_fragments; ++m) sum += similarity(rows_from(item), m);
                    s.score[item] += sum;
                }
            });
        }
    }
    team.each([&](int thread, State&) {
        for (int i = thread; i < items; i += kThreads) {
            const bool none = s.start[i] == s.start[i + 1] || (p.sum_over_rows && fragments == 0);
            p.scores[query * p.n_items + first_item + i] = none ? kNone : s.score[i];
        }
    });
}

}  // namespace late_interaction
