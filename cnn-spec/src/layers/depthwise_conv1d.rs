//! `DepthwiseConv1D`: learned filters for each channel of a sequence alone.

use crate::depthwise::depthwise_convolution;

depthwise_convolution! {
    /// A 1-D depthwise convolution over `N, L, C`, as Keras' `DepthwiseConv1D`: each channel has `depth_multiplier` kernels.
    DepthwiseConv1D "depthwise_conv1d" {
        axes: 1, ones: [1], kernel: "length", padding: "The cells added around the sequence. `causal` adds them all before it.",
        input: "sequence", shapes: "`L, C` to `L', C·depth_multiplier`",
    }
}
