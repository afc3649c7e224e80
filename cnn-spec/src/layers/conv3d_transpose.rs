//! `Conv3DTranspose`: a learned filter bank that spreads each cell of a volume over a larger one.

use crate::transposed::transposed_convolution;

transposed_convolution! {
    /// A 3-D transposed convolution over `N, D, H, W, C`, as Keras' `Conv3DTranspose`.
    Conv3DTranspose "conv3d_transpose" {
        axes: 3, ones: [1, 1, 1], kernel: "depth, height and width", of: "Conv3D",
        input: "volume", shapes: "`D, H, W, C` to `D', H', W', filters`",
    }
}
