// Sums of many values, each added up in an order that follows from the sizes alone.
#include "kernel.h"

// As in `src/kernels/sums.rs`.
struct Columns {
    Index rows;
    Index width;
    Index pieces;
    Index length;
};

// The sums of each column of `rows` rows of `width` values, in `pieces` of `length` rows.
KERNEL(column_sums, Write<Real> sums, Read<Real> xs, Columns of) {
    EACH(i, of.pieces * of.width) {
        Index piece = i / of.width, column = i % of.width;
        Index first = piece * of.length, end = first + of.length < of.rows ? first + of.length : of.rows;
        Real sum = 0;
        for (Index row = first; row < end; row++) sum += xs[row * of.width + column];
        sums[i] = sum;
    }
}

// `scale` times the sum of all values, by one block.
KERNEL(total, Write<Real> sum, Read<Real> xs, Index count, Real scale) {
    EACH_BLOCK(only, 1) {
        Real total = 0;
        EACH_THREAD(i, count) total += xs[i];
        total = block_sum(total);
        if (threadIdx.x == 0) sum[only] = total * scale;
    }
}

// The sums of each column of `rows` rows of so many columns, each by one block.
KERNEL(fold_columns, Write<Real> sums, Read<double> parts, Index rows, Index columns) {
    EACH_BLOCK(column, columns) {
        double sum = 0;
        EACH_THREAD(row, rows) sum += parts[row * columns + column];
        sum = block_sum(sum);
        if (threadIdx.x == 0) sums[column] = Real(sum);
    }
}
