//! The words for how images are sampled anew: between pixels, beyond their edges, and mirrored.

use crate::argument::words;

words! { @Word(Self::WORDS),
    /// How an image of another size is made of the pixels there are; pixel centres lie half a pixel from the edge.
    ///
    /// All but the first are weighted means, along each axis, of the pixels that the kernel of that name reaches.
    Resampling, "interpolation" {
        /// The nearest pixel.
        Nearest "nearest",
        /// The kernel falls straight from 1 to 0 at a distance of 1 pixel.
        Bilinear "bilinear",
        /// Keys' cubic convolution (1981) with `a = −0.5`, of 2 pixels to each side.
        Bicubic "bicubic",
        /// The Lanczos kernel of 3 pixels to each side.
        Lanczos3 "lanczos3",
        /// The Lanczos kernel of 5 pixels to each side.
        Lanczos5 "lanczos5",
    }
}

words! { @Word(Self::WORDS),
    /// How a value between pixels is found where an image is turned or moved; pixel centres lie half a pixel from the edge.
    Interpolation, "interpolation" {
        /// That of the nearest pixel.
        Nearest "nearest",
        /// A mean of the nearest two along each axis, by their distances.
        Bilinear "bilinear",
    }
}

words! { @Word(Self::WORDS),
    /// What lies beyond the edges of an image whose pixels are `a b c d`.
    FillMode, "fill mode" {
        /// The image mirrored at its edges: `d c b a | a b c d | d c b a`.
        Reflect "reflect",
        /// One value: `k k k k | a b c d | k k k k`.
        Constant "constant",
        /// The image again: `a b c d | a b c d | a b c d`.
        Wrap "wrap",
        /// The pixel at the edge: `a a a a | a b c d | d d d d`.
        Nearest "nearest",
    }
}

words! { @Word(Self::WORDS),
    /// The ways an image may be mirrored.
    FlipMode, "flip mode" {
        /// Left and right are exchanged.
        Horizontal "horizontal",
        /// Top and bottom are exchanged.
        Vertical "vertical",
        /// Both, each by its own chance.
        HorizontalAndVertical "horizontal_and_vertical",
    }
}
