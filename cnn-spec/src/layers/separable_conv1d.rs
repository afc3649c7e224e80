//! `SeparableConv1D`: filters for each channel of a sequence alone, and weights that mix what they give.

use crate::depthwise::separable_convolution;

separable_convolution! {
    /// A 1-D depthwise separable convolution over `N, L, C`, as Keras' `SeparableConv1D`: a depthwise convolution without bias or
    /// activation, then a convolution with a kernel of one cell.
    SeparableConv1D "separable_conv1d" {
        axes: 1, ones: [1], kernel: "length", padding: "The cells added around the sequence. `causal` adds them all before it.",
        input: "sequence", shapes: "`L, C` to `L', filters`",
    }
}
