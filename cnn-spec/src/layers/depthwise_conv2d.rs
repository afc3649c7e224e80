//! `DepthwiseConv2D`: learned filters for each channel of an image alone.

use crate::depthwise::depthwise_convolution;

depthwise_convolution! {
    /// A 2-D depthwise convolution over `N, H, W, C`, as Keras' `DepthwiseConv2D`: each channel has `depth_multiplier` kernels.
    DepthwiseConv2D "depthwise_conv2d" {
        axes: 2, ones: [1, 1], kernel: "height and width", padding: "The cells added around the image.",
        input: "image", shapes: "`H, W, C` to `H', W', C·depth_multiplier`",
        fixed: kernel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn each_channel_has_kernels_of_its_own() {
        let layer = DepthwiseConv2D::new([3, 3]).depth_multiplier(2);
        let inferred = layer.infer(&[Operand::new("i", Shape::new([8, 7, 5]))]).unwrap();
        assert_eq!(inferred.shape, Shape::new([6, 5, 10]));
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [10, 1, 3, 3]);
        assert_eq!((inferred.parameters.count(), inferred.macs), (100, Some(30 * 10 * 9)));
        let error = layer.depth_multiplier(0).infer(&[Operand::new("i", Shape::new([8, 7, 5]))]).unwrap_err();
        assert_eq!(error.message.as_str(), "`depth_multiplier` must be at least 1, found 0");
    }
}
