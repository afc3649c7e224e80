// Random numbers of ChaCha with 8 rounds (Bernstein, 2008), those that the processor draws, and what layers do with them.
#include "kernel.h"

// Whose random numbers are drawn; as in `src/kernels/random.rs`.
struct Key {
    unsigned words[8];
};

// Sixteen random words.
struct Words {
    unsigned at[16];
};

// The values that share one stream, a word for each; as in `src/kernels/random.rs`.
#define STREAM 16384
// The values whose words the threads of a block draw together; a stream has a whole number of tiles.
#define TILE 4096

DEVICE unsigned rotated(unsigned x, int by) { return x << by | x >> (32 - by); }

DEVICE void quarter_round(unsigned &a, unsigned &b, unsigned &c, unsigned &d) {
    a += b;
    d = rotated(d ^ a, 16);
    c += d;
    b = rotated(b ^ c, 12);
    a += b;
    d = rotated(d ^ a, 8);
    c += d;
    b = rotated(b ^ c, 7);
}

// The words of values `16 * number` to `16 * number + 15` of a stream.
DEVICE Words chacha(const Key &key, unsigned stream, unsigned number) {
    const Words start = {{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key.words[0], key.words[1], key.words[2], key.words[3],
                          key.words[4], key.words[5], key.words[6], key.words[7], number, 0, stream, 0}};
    Words x = start;
    for (int rounds = 0; rounds < 8; rounds += 2) {
        quarter_round(x.at[0], x.at[4], x.at[8], x.at[12]);
        quarter_round(x.at[1], x.at[5], x.at[9], x.at[13]);
        quarter_round(x.at[2], x.at[6], x.at[10], x.at[14]);
        quarter_round(x.at[3], x.at[7], x.at[11], x.at[15]);
        quarter_round(x.at[0], x.at[5], x.at[10], x.at[15]);
        quarter_round(x.at[1], x.at[6], x.at[11], x.at[12]);
        quarter_round(x.at[2], x.at[7], x.at[8], x.at[13]);
        quarter_round(x.at[3], x.at[4], x.at[9], x.at[14]);
    }
    for (int i = 0; i < 16; i++) x.at[i] += start.at[i];
    return x;
}

// Where the word of value `at` of a tile is kept: sixteen that one thread writes are beside those of its neighbour by an odd
// number of banks.
DEVICE int place(Index at) { return int(at) + int(at) / 16; }

// Draws the words of a tile; all threads of a block do so together.
DEVICE bool drawn(unsigned *words, const Key &key, Index tile) {
    EACH_THREAD(block, TILE / 16) {
        Index first = tile * TILE + block * 16;
        Words of_block = chacha(key, unsigned(first / STREAM), unsigned(first % STREAM / 16));
        for (int i = 0; i < 16; i++) words[place(block * 16 + i)] = of_block.at[i];
    }
    BARRIER();
    return true;
}

// Ends a tile, whose words nobody needs any more.
DEVICE bool done() {
    BARRIER();
    return false;
}

// A normal number of the two words of a pair of values (Box & Muller, 1958).
DEVICE Real normal(unsigned first, unsigned second, bool is_second) {
    Real radius = sqrt(-2 * log((Real(first) + 1) * Real(2.3283064365386962890625e-10)));
    Real angle = Real(second) * Real(1.4629180792671596e-9);
    return radius * (is_second ? sin(angle) : cos(angle));
}

// Walks through all values: within it `i` is one, and `words[place(at)]` the word of value `at` of its tile. A mask, whose values
// are all 1 before, is made without an input.
#define EACH_WITH_WORDS(i, count) \
    SHARED(unsigned, words, TILE + TILE / 16); \
    EACH_BLOCK(tile, ((count) + TILE - 1) / TILE) \
    for (bool is_drawn = drawn(words, key, tile); is_drawn; is_drawn = done()) \
        for (Index at = threadIdx.x, i = tile * TILE + at; at < TILE && i < (count); at += blockDim.x, i += blockDim.x)

KERNEL(dropout, Write<Real> ys, Read<Real> xs, Index count, Key key, Index threshold, Real scale) {
    EACH_WITH_WORDS(i, count) ys[i] = words[place(at)] < threshold ? Real(0) : xs ? xs[i] * scale : scale;
}

// As in `src/kernels/dropout.rs`: the axes of a tensor, and how far apart in a mask neighbours along each are, 0 if together.
struct Axes {
    Index rank;
    Index sizes[8];
    Index steps[8];
};

// Each value times its factor of a mask.
KERNEL(masked, Write<Real> ys, Read<Real> xs, Read<Real> factors, Index count, Axes axes) {
    EACH(i, count) {
        Index rest = i, at = 0;
        for (Index axis = axes.rank - 1; axis >= 0; axis--) {
            at += rest % axes.sizes[axis] * axes.steps[axis];
            rest /= axes.sizes[axis];
        }
        ys[i] = xs[i] * factors[at];
    }
}

// The normal number of value `at` of a tile.
#define NORMAL(at) normal(words[place((at) & ~Index(1))], words[place((at) | 1)], (at) & 1)

KERNEL(gaussian_noise, Write<Real> ys, Read<Real> xs, Index count, Key key, Real deviation) {
    EACH_WITH_WORDS(i, count) ys[i] = xs[i] + deviation * NORMAL(at);
}

KERNEL(gaussian_dropout, Write<Real> ys, Read<Real> xs, Index count, Key key, Real deviation) {
    EACH_WITH_WORDS(i, count) ys[i] = xs[i] * (1 + deviation * NORMAL(at));
}

// Whether value `i` of images is in the rectangle of its own image; `rectangles` has four numbers for each.
DEVICE bool is_inside(Read<unsigned> rectangles, Index i, Index height, Index width, Index channels) {
    Index pixel = i / channels;
    unsigned in_image = pixel % (height * width), y = in_image / unsigned(width), x = in_image % unsigned(width);
    Read<unsigned> of = rectangles + pixel / (height * width) * 4;
    return y >= of[0] && y < of[1] && x >= of[2] && x < of[3];
}

// Images whose rectangles are filled with `fill`, or with noise of this deviation if it is not 0, cut to `low` and `high`.
KERNEL(erase, Write<Real> ys, Read<Real> xs, Read<unsigned> rectangles, Index count, Index height, Index width,
       Index channels, Key key, Real deviation, Real fill, Real low, Real high) {
    EACH(i, count) {
        if (!is_inside(rectangles, i, height, width, channels)) {
            ys[i] = xs[i];
            continue;
        }
        Real value = fill;
        if (deviation != 0) {
            // Seldom enough for each thread to draw alone.
            Words words = chacha(key, unsigned(i / STREAM), unsigned(i % STREAM / 16));
            unsigned first = 0, second = 0;
            for (int pair = 0; pair < 8; pair++) {
                if (i % 16 / 2 == pair) first = words.at[2 * pair], second = words.at[2 * pair + 1];
            }
            value = deviation * normal(first, second, i & 1);
        }
        ys[i] = at_most(at_least(value, low), high);
    }
}

// The gradient outside the rectangles.
KERNEL(erase_gradients, Write<Real> out, Read<Real> grad, Read<unsigned> rectangles, Index count, Index height, Index width,
       Index channels) {
    EACH(i, count) out[i] = is_inside(rectangles, i, height, width, channels) ? Real(0) : grad[i];
}
