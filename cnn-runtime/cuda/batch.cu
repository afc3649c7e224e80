// Batches of a data set that is on the device.
#include "kernel.h"

// Image `order[i]` of bytes, or `i` without an order, as numbers from 0 to 1.
KERNEL(images_of_bytes, Write<Real> images, Read<unsigned char> pixels, Read<unsigned> order, Index count, Index length) {
    EACH(i, count * length) {
        Index image = i / length;
        images[i] = Real(pixels[order ? Index(order[image]) * length + i % length : i]) / Real(255);
    }
}

KERNEL(images_of_numbers, Write<Real> images, Read<Real> pixels, Read<unsigned> order, Index count, Index length) {
    EACH(i, count * length) images[i] = pixels[Index(order[i / length]) * length + i % length];
}

KERNEL(labels, Write<unsigned> labels, Read<unsigned> all, Read<unsigned> order, Index count) {
    EACH(i, count) labels[i] = all[order[i]];
}
