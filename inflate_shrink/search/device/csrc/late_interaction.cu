// The thread block of late_interaction.cuh on a GPU, from sm_70 on, and the C interface of the library.
#include <cuda_fp16.h>
#include <mma.h>

#include "late_interaction.cuh"

namespace late_interaction {

// A warp's 32 rows times M query fragments, in 16 x 16 products.
template <int M> struct TensorCoreTile {
    template <class Use, class Layout> using Operand = nvcuda::wmma::fragment<Use, 16, 16, 16, __half, Layout>;
    nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float> sums[M / 16][2];

    DEVICE void clear() {
        for (int i = 0; i < M / 16; ++i)
            for (int j = 0; j < 2; ++j) nvcuda::wmma::fill_fragment(sums[i][j], 0.0f);
    }

    DEVICE void multiply(const uint16_t* query, const uint16_t* rows, int thread) {
        const __half* fragments = reinterpret_cast<const __half*>(query);
        const __half* mine = reinterpret_cast<const __half*>(rows) + thread / 32 * 32 * kStride;
#pragma unroll
        for (int k = 0; k < kDepth; k += 16) {
            Operand<nvcuda::wmma::matrix_b, nvcuda::wmma::col_major> b[2];
            for (int j = 0; j < 2; ++j) nvcuda::wmma::load_matrix_sync(b[j], mine + j * 16 * kStride + k, kStride);
#pragma unroll
            for (int i = 0; i < M / 16; ++i) {
                Operand<nvcuda::wmma::matrix_a, nvcuda::wmma::row_major> a;
                nvcuda::wmma::load_matrix_sync(a, fragments + i * 16 * kStride + k, kStride);
                for (int j = 0; j < 2; ++j) nvcuda::wmma::mma_sync(sums[i][j], a, b[j], sums[i][j]);
            }
        }
    }

    DEVICE void store(float* similarity, int thread) const {  // (rows, M + 4)
        for (int i = 0; i < M / 16; ++i)
            for (int j = 0; j < 2; ++j)
                nvcuda::wmma::store_matrix_sync(
                    similarity + (thread / 32 * 32 + j * 16) * (M + 4) + i * 16, sums[i][j], M + 4, nvcuda::wmma::mem_col_major);
    }
};

template <class Stored, int M> struct CudaTeam {
    using State = ThreadState<Stored, M, TensorCoreTile<M>>;
    State state;

    template <class Phase> DEVICE void each(Phase phase) {
        phase(static_cast<int>(threadIdx.x), state);
        __syncthreads();
    }

    static DEVICE uint32_t pack(float low, float high) { return bits(__floats2half2_rn(low, high)); }
    static DEVICE uint32_t subtract(uint32_t a, uint32_t b) { return bits(__hsub2(halves(a), halves(b))); }
    static DEVICE uint32_t bits(__half2 value) { return *reinterpret_cast<uint32_t*>(&value); }
    static DEVICE __half2 halves(uint32_t value) { return *reinterpret_cast<__half2*>(&value); }
};

template <class Stored, int M> __global__ void __launch_bounds__(kThreads) score_kernel(Problem problem) {
    extern __shared__ __align__(128) unsigned char memory[];
    CudaTeam<Stored, M> team;
    score_block<M>(team, *reinterpret_cast<Shared<M>*>(memory), problem, blockIdx.x);
}

}  // namespace late_interaction

#ifndef __CUDACC_RTC__
namespace late_interaction {

template <class Stored, int M> cudaError_t launch(const Problem& problem, unsigned blocks, cudaStream_t stream) {
    const int bytes = sizeof(Shared<M>);
    const cudaError_t error = cudaFuncSetAttribute(score_kernel<Stored, M>, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) return error;
    score_kernel<Stored, M><<<blocks, kThreads, bytes, stream>>>(problem);
    return cudaGetLastError();
}

template <class Stored> cudaError_t launch(const Problem& problem, int fragments, unsigned blocks, cudaStream_t stream) {
    return fragments > 32 ? launch<Stored, 64>(problem, blocks, stream) : launch<Stored, 32>(problem, blocks, stream);
}

}  // namespace late_interaction

// Starts the computation on `stream` and returns 0, or an error for late_interaction_error. All pointers are of the
// current device; their meaning is that of late_interaction::Problem. `precision`: 0 fp16, 1 bf16, 2 int8.
// `fragments`: those of the longest query, by which the tile is chosen; any number is right.
extern "C" int late_interaction_scores(
    const void* queries, const int64_t* query_offsets, int n_queries, int fragments, const void* rows, const float* scales, int precision,
    int width, const int64_t* begins, const int64_t* positions, int64_t n_items, int items_per_block, int sum_over_rows, float* scores,
    void* stream) {
    using namespace late_interaction;
    if (n_queries == 0 || n_items == 0) return cudaSuccess;
    if (items_per_block < 1 || items_per_block > kMaxItems || width < 2 || width % (precision == 2 ? 4 : 2)) return cudaErrorInvalidValue;
    const int64_t blocks = (n_items + items_per_block - 1) / items_per_block * n_queries;
    if (blocks > 0x7fffffff) return cudaErrorInvalidConfiguration;
    const Problem problem{static_cast<const uint16_t*>(queries), query_offsets, static_cast<const unsigned char*>(rows), scales, begins, positions,
                          scores, n_items, n_queries, width, items_per_block, sum_over_rows != 0};
    const auto run = precision == 0 ? launch<Fp16> : precision == 1 ? launch<Bf16> : launch<Int8>;
    return run(problem, fragments, static_cast<unsigned>(blocks), static_cast<cudaStream_t>(stream));
}

extern "C" const char* late_interaction_error(int error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }
#endif
