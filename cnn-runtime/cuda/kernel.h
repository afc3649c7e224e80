// What every kernel is written in: one source for nvcc and, by `emulated.h`, for the host's C++ compiler.
//
// A file is compiled once for each `REAL`, float and double. A kernel is right for any number of blocks and of threads in a
// block, 1 included: it walks its work with `EACH`, `EACH_BLOCK` and `EACH_THREAD`. It adds in an order that follows from
// the launch alone, so no atomic additions. All memory comes in as `Read` and `Write`, which are checked where it is emulated.
#pragma once

typedef REAL Real;
typedef long long Index;

#ifdef __CUDACC__
template <class E> using Read = const E *__restrict__;
template <class E> using Write = E *__restrict__;

// A kernel and its parameters: arrays, `Index`, `int`, `Real`, or a struct of them.
#define KERNEL(name, ...) extern "C" __global__ void name(__VA_ARGS__)
// A function that kernels call.
#define DEVICE static __device__ __forceinline__
#define DEVICE_MEMBER __device__ __forceinline__
// An array that the threads of a block share.
#define SHARED(type, name, length) __shared__ type name[length]
// Before a loop that a thread goes through once, mostly.
#define SELDOM_REPEATED _Pragma("unroll 1")
// Before a loop that a thread goes through many times, so that it waits for several values at once.
#define OFTEN_REPEATED _Pragma("unroll 8")
// Waits for all threads of the block: all of them, or none, come here.
#define BARRIER() __syncthreads()
#else
#include "emulated.h"
#endif

// Every index below `count`, shared by all threads of the launch.
#define EACH(index, count) \
    SELDOM_REPEATED \
    for (Index index = Index(blockIdx.x) * blockDim.x + threadIdx.x; index < (count); index += Index(blockDim.x) * gridDim.x)
// Every index below `count`, shared by the blocks: the threads of a block have the same one.
#define EACH_BLOCK(index, count) for (Index index = blockIdx.x; index < (count); index += gridDim.x)
// Every index below `count`, shared by the threads of a block.
#define EACH_THREAD(index, count) for (Index index = threadIdx.x; index < (count); index += blockDim.x)

// The most threads of a block; `src/gpu.rs` launches no more.
#define MOST_THREADS 256

// `x`, or `low` if it is smaller; not a number stays so.
DEVICE Real at_least(Real x, Real low) { return x < low ? low : x; }

// `x`, or `high` if it is larger; not a number stays so.
DEVICE Real at_most(Real x, Real high) { return x > high ? high : x; }

// Folds the values of a block's threads into one, which all of them get.
template <class E, class Fold> DEVICE E block_fold(E value, Fold fold) {
    SHARED(E, values, MOST_THREADS);
    values[threadIdx.x] = value;
    BARRIER();
    for (unsigned left = blockDim.x; left > 1;) {
        unsigned half = (left + 1) / 2;
        if (threadIdx.x < left - half) values[threadIdx.x] = fold(values[threadIdx.x], values[threadIdx.x + half]);
        BARRIER();
        left = half;
    }
    E folded = values[0];
    BARRIER();
    return folded;
}

struct Sum {
    template <class E> DEVICE_MEMBER E operator()(E a, E b) const { return a + b; }
};

struct Most {
    template <class E> DEVICE_MEMBER E operator()(E a, E b) const { return a < b ? b : a; }
};

// The sum of the values of a block's threads.
template <class E> DEVICE E block_sum(E value) { return block_fold(value, Sum()); }

// The largest of the values of a block's threads.
template <class E> DEVICE E block_most(E value) { return block_fold(value, Most()); }

// Whether it is so for any of a block's threads.
DEVICE bool block_any(bool is_so) {
#ifdef __CUDACC__
    return __syncthreads_or(is_so);
#else
    return block_most(int(is_so));
#endif
}
