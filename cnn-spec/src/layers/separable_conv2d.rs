//! `SeparableConv2D`: filters for each channel of an image alone, and weights that mix what they give.

use crate::depthwise::separable_convolution;

separable_convolution! {
    /// A 2-D depthwise separable convolution over `N, H, W, C`, as Keras' `SeparableConv2D`: a depthwise convolution without bias or
    /// activation, then a convolution with a kernel of one cell.
    SeparableConv2D "separable_conv2d" {
        axes: 2, ones: [1, 1], kernel: "height and width", padding: "The cells added around the image.",
        input: "image", shapes: "`H, W, C` to `H', W', filters`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn counts_both_convolutions() {
        let layer = SeparableConv2D::new(64, [3, 3]).depth_multiplier(2).padding(Padding::Same).strides([2, 2]);
        let inferred = layer.infer(&[Operand::new("i", Shape::new([9, 9, 32]))]).unwrap();
        assert_eq!(inferred.shape, Shape::new([5, 5, 64]));
        let dims: Vec<(&str, Vec<usize>)> =
            inferred.parameters.as_slice().iter().map(|parameter| (parameter.name, parameter.dims().to_vec())).collect();
        let expected = [("depthwise_weight", vec![64, 1, 3, 3]), ("pointwise_weight", vec![64, 64, 1, 1]), ("bias", vec![64])];
        assert_eq!(dims, expected);
        assert_eq!(inferred.macs, Some(25 * 64 * 9 + 25 * 64 * 64));
    }

    #[test]
    fn blames_the_kernel_that_does_not_fit() {
        let error = SeparableConv2D::new(4, [5, 5]).infer(&[Operand::new("i", Shape::new([3, 3, 1]))]).unwrap_err();
        assert_eq!(error.message.as_str(), "kernel 5×5 does not fit the 3×3 image `i`");
    }
}
