//! The words for how images are sampled anew: between pixels, beyond their edges, and mirrored.

use crate::argument::words;

words! { @Word(Self::WORDS),
    /// How a value between pixels is found; pixel centres lie half a pixel from the edge.
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
