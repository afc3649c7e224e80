// Patches of images as rows of a matrix, and back: what makes matrix products of convolutions.
#include "window.h"

// What the window sees from `count` output positions of a batch, from position `first` on, each as a row: its groups one
// after the other, in each the taps, of each the channels of the group.
KERNEL(patches, Write<Real> out, Read<Real> xs, Window of, Index groups, Index first, Index count) {
    Index positions = product_of(of.output), image_len = product_of(of.input) * of.channels;
    unsigned depth = of.channels / groups, taps = product_of(of.size);
    Index len = of.channels * taps;
    EACH(i, count * len) {
        Index row = i / len;
        unsigned value = unsigned(i - row * len);
        unsigned tap = value / depth, group = tap / taps;
        unsigned channel = value - tap * depth + group * depth;
        Index image = (first + row) / positions;
        Point at = point(of.output, unsigned(first + row - image * positions));
        Index cell = seen(of, at, point(of.size, tap - group * taps));
        out[i] = cell < 0 ? Real(0) : xs[image * image_len + cell * of.channels + channel];
    }
}

// The sum, for each value of the images, of all that rows of patches have for it: the transpose of `patches`. These are
// `count` rows from `first` on; where earlier ones belong to the same image, the sums of those are there and are added to.
KERNEL(images, Write<Real> out, Read<Real> patches, Window of, Index groups, Index first, Index count) {
    Index positions = product_of(of.output), cells = product_of(of.input);
    Index taps = product_of(of.size), depth = of.channels / groups;
    Index begin = first / positions, end = (first + count - 1) / positions + 1;
    EACH(i, (end - begin) * cells * of.channels) {
        Index pixel = i / of.channels, image = begin + pixel / cells;
        unsigned channel = unsigned(i - pixel * of.channels);
        unsigned group = channel / unsigned(depth);
        Point cell = point(of.input, unsigned(pixel - (image - begin) * cells));
        // The first value of this channel in the rows of this image.
        Index start = group * taps * depth + (channel - group * depth);
        Index number = 0;
        Real sum = 0;
        EACH_TAP(tap, of) {
            Index position = seen_from(of, cell, tap), row = image * positions + position - first;
            if (position >= 0 && row >= 0 && row < count) sum += patches[row * taps * of.channels + start + number * depth];
            number++;
        }
        Index to = begin * cells * of.channels + i;
        out[to] = image * positions < first ? out[to] + sum : sum;
    }
}
