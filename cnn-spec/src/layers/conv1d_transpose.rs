//! `Conv1DTranspose`: a learned filter bank that spreads each cell of a sequence over a larger one.

use crate::transposed::transposed_convolution;

transposed_convolution! {
    /// A 1-D transposed convolution over `N, L, C`, as Keras' `Conv1DTranspose`.
    Conv1DTranspose "conv1d_transpose" {
        axes: 1, ones: [1], kernel: "length", of: "Conv1D",
        input: "sequence", shapes: "`L, C` to `L', filters`",
    }
}
