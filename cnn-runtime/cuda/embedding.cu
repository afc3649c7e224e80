// The vectors of symbols.
#include "kernel.h"

// `length` values for each of `count` symbols; not a number for what is no symbol, of which there are so many.
KERNEL(embedding_values, Write<Real> ys, Read<Real> vectors, Read<double> symbols, Index count, Index length, Index most) {
    EACH(i, count * length) {
        double symbol = symbols[i / length];
        bool is_one = symbol >= 0 && symbol < double(most) && symbol == floor(symbol);
        ys[i] = is_one ? vectors[Index(symbol) * length + i % length] : Real(NAN);
    }
}

// The gradient of each vector, by one block: the sum of those of its appearances, the first ones first.
KERNEL(embedding_gradients, Write<Real> out, Read<double> symbols, Read<Real> grad, Index count, Index length, Index most) {
    SHARED(bool, is_here, MOST_THREADS);
    EACH_BLOCK(symbol, most) {
        Write<Real> sums = out + symbol * length;
        EACH_THREAD(k, length) sums[k] = 0;
        for (Index start = 0; start < count; start += blockDim.x) {
            Index mine = start + threadIdx.x;
            is_here[threadIdx.x] = mine < count && symbols[mine] == double(symbol);
            if (!block_any(is_here[threadIdx.x])) continue;
            for (Index i = start; i < start + blockDim.x; i++) {
                if (!is_here[i - start]) continue;
                EACH_THREAD(k, length) sums[k] += grad[i * length + k];
            }
            BARRIER();
        }
    }
}
