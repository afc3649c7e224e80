// Pooling over windows and over everything: the largest value, the mean or the sum. Gradients are gathered by each cell of the
// input from the windows that see it.
#include "kernel.h"

// As in `src/kernels/pool.rs`: the windows along an axis, or, of size 0, those that share its cells.
struct Axis {
    int cells;
    int windows;
    int size;
    int stride;
    int before;
};

struct Pool {
    Axis axes[3];
    int channels;
    int is_mean;
};

struct Range {
    int first;
    int end;
};

DEVICE int clip(int x, int high) { return x < 0 ? 0 : x < high ? x : high; }

// What of `many` falls to `at` of `parts`, and what to its successor, rounded up.
DEVICE Range part(int at, int many, int parts) {
    return {int(Index(at) * many / parts), int((Index(at + 1) * many + parts - 1) / parts)};
}

// The cells that a window sees.
DEVICE Range cells(const Axis &axis, int at) {
    if (axis.size == 0) return part(at, axis.cells, axis.windows);
    int first = at * axis.stride - axis.before;
    return {clip(first, axis.cells), clip(first + axis.size, axis.cells)};
}

// The windows that see a cell.
DEVICE Range windows(const Axis &axis, int cell) {
    if (axis.size == 0) return part(cell, axis.windows, axis.cells);
    int at = cell + axis.before;
    return {at < axis.size ? 0 : (at - axis.size) / axis.stride + 1, clip(at / axis.stride + 1, axis.windows)};
}

// Where a value is: its example, its place along each axis, and its channel.
struct Position {
    Index example;
    int along[3];
    int channel;
};

template <class I> DEVICE Position split(I i, int depth, int height, int width, int channels) {
    Position at;
    at.channel = int(i % channels);
    i /= channels;
    at.along[2] = int(i % width);
    i /= width;
    at.along[1] = int(i % height);
    i /= height;
    at.along[0] = int(i % depth);
    at.example = i / depth;
    return at;
}

DEVICE Position position(Index i, int depth, int height, int width, int channels) {
    // Division of long numbers takes long.
    return i >> 32 ? split(i, depth, height, width, channels) : split(unsigned(i), depth, height, width, channels);
}

DEVICE Position position_of_cell(const Pool &of, Index i) {
    return position(i, of.axes[0].cells, of.axes[1].cells, of.axes[2].cells, of.channels);
}

DEVICE Position position_of_window(const Pool &of, Index i) {
    return position(i, of.axes[0].windows, of.axes[1].windows, of.axes[2].windows, of.channels);
}

// The first value of an example in one channel.
DEVICE Index start_of_cells(const Pool &of, const Position &at) {
    return at.example * of.axes[0].cells * of.axes[1].cells * of.axes[2].cells * of.channels + at.channel;
}

DEVICE Index start_of_windows(const Pool &of, const Position &at) {
    return at.example * of.axes[0].windows * of.axes[1].windows * of.axes[2].windows * of.channels + at.channel;
}

// Ranges along each axis: the cells of a window, or the windows of a cell.
struct Box {
    Range z;
    Range y;
    Range x;
};

DEVICE Box box(const Pool &of, int z, int y, int x) {
    return {cells(of.axes[0], z), cells(of.axes[1], y), cells(of.axes[2], x)};
}

// Every one of the ranges `z`, `y` and `x` of places along the axes, of which the last two have so many, as its place among
// the values of its example and channel.
#define EACH_PLACE(place, ranges, height, width, channels) \
    for (int z = (ranges).z.first; z < (ranges).z.end; z++) \
        for (int y = (ranges).y.first; y < (ranges).y.end; y++) \
            for (Index place = ((Index(z) * (height) + y) * (width) + (ranges).x.first) * (channels), x = (ranges).x.first; \
                 x < (ranges).x.end; x++, place += (channels))

// Every cell that a window sees, row by row.
#define EACH_CELL(cell, of, box) EACH_PLACE(cell, box, (of).axes[1].cells, (of).axes[2].cells, (of).channels)

// The number that the sum over a window is divided by.
DEVICE Real divisor(const Pool &of, const Box &box) {
    if (!of.is_mean) return 1;
    return Real(Index(box.z.end - box.z.first) * (box.y.end - box.y.first) * (box.x.end - box.x.first));
}

// The larger; not a number is kept, so that it is seen.
DEVICE Real larger(Real most, Real x) { return x > most || x != x ? x : most; }

KERNEL(max_values, Write<Real> ys, Read<Real> xs, Pool of, Index count) {
    EACH(i, count) {
        Position at = position_of_window(of, i);
        Box seen = box(of, at.along[0], at.along[1], at.along[2]);
        Read<Real> image = xs + start_of_cells(of, at);
        Real most = -INFINITY;
        EACH_CELL(cell, of, seen) most = larger(most, image[cell]);
        ys[i] = most;
    }
}

KERNEL(mean_values, Write<Real> ys, Read<Real> xs, Pool of, Index count) {
    EACH(i, count) {
        Position at = position_of_window(of, i);
        Box seen = box(of, at.along[0], at.along[1], at.along[2]);
        Read<Real> image = xs + start_of_cells(of, at);
        Real sum = 0;
        EACH_CELL(cell, of, seen) sum += image[cell];
        ys[i] = sum / divisor(of, seen);
    }
}

// Whether no cell of the window before `mine` has its largest value too.
DEVICE bool is_first(Read<Real> image, const Pool &of, const Box &seen, Index mine, Real most) {
    EACH_CELL(cell, of, seen) {
        if (cell == mine) return true;
        if (image[cell] == most) return false;
    }
    return true;
}

// The windows that see a cell.
DEVICE Box seen_by(const Pool &of, const Position &at) {
    return {windows(of.axes[0], at.along[0]), windows(of.axes[1], at.along[1]), windows(of.axes[2], at.along[2])};
}

// Every one of them, row by row.
#define EACH_WINDOW(window, of, seen_by) EACH_PLACE(window, seen_by, (of).axes[1].windows, (of).axes[2].windows, (of).channels)

KERNEL(max_gradients, Write<Real> out, Read<Real> xs, Read<Real> ys, Read<Real> grad, Pool of, Index count) {
    EACH(i, count) {
        Position at = position_of_cell(of, i);
        Index start = start_of_cells(of, at), outputs = start_of_windows(of, at);
        Box seen = seen_by(of, at);
        Real value = xs[i], sum = 0;
        EACH_WINDOW(window, of, seen) {
            if (value == ys[outputs + window] && is_first(xs + start, of, box(of, z, y, int(x)), i - start, value))
                sum += grad[outputs + window];
        }
        out[i] = sum;
    }
}

KERNEL(mean_gradients, Write<Real> out, Read<Real> grad, Pool of, Index count) {
    EACH(i, count) {
        Position at = position_of_cell(of, i);
        Index outputs = start_of_windows(of, at);
        Box seen = seen_by(of, at);
        Real sum = 0;
        EACH_WINDOW(window, of, seen) sum += grad[outputs + window] * (1 / divisor(of, box(of, z, y, int(x))));
        out[i] = sum;
    }
}

// As in `src/kernels/global_pool.rs`: images of `rows` pixels, of which `sharers` threads take each so manyeth.
struct Images {
    Index examples;
    Index rows;
    Index channels;
    Index sharers;
};

// `result` folded over the pixels of every thread: `N, sharers, C`. All take what one of them takes.
#define GLOBAL(name, start, folded) \
    KERNEL(name, Write<Real> ys, Read<Real> xs, Read<Real> most, Images of, Real divisor) { \
        EACH(i, of.examples * of.sharers * of.channels) { \
            Index channel = i % of.channels, pixel = i / of.channels, example = pixel / of.sharers; \
            Read<Real> image = xs + example * of.rows * of.channels + channel; \
            Real result = start; \
            for (Index row = pixel % of.sharers; row < of.rows; row += of.sharers) { \
                Real x = image[row * of.channels]; \
                result = folded; \
            } \
            ys[i] = result / divisor; \
        } \
    }

GLOBAL(global_most, -INFINITY, larger(result, x))
GLOBAL(global_sum, 0, result + x)
// How many pixels have the largest value.
GLOBAL(global_ties, 0, result + Real(x == most[example * of.channels + channel]))

KERNEL(global_max_gradients, Write<Real> out, Read<Real> xs, Read<Real> ys, Read<Real> ties, Read<Real> grad, Images of) {
    EACH(i, of.examples * of.rows * of.channels) {
        Index output = i / (of.rows * of.channels) * of.channels + i % of.channels;
        out[i] = xs[i] == ys[output] ? grad[output] / ties[output] : Real(0);
    }
}

KERNEL(global_mean_gradients, Write<Real> out, Read<Real> grad, Images of) {
    EACH(i, of.examples * of.rows * of.channels) {
        out[i] = grad[i / (of.rows * of.channels) * of.channels + i % of.channels] / Real(of.rows);
    }
}
