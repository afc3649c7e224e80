//! `SeparableConv2D`: filters for each channel of an image alone, and weights that mix what they give.

use crate::layer::layer;
use crate::{
    Activation, Convolution, DepthwiseConvolution, Inferred, Initializer, Operand, Padding, Regularizer, SeparableConvolution,
    ShapeError, Sliding,
};

layer! {
    /// A 2-D depthwise separable convolution over `N, H, W, C`, as Keras' `SeparableConv2D`: a depthwise convolution without bias or
    /// activation, then a convolution with a kernel of one cell.
    SeparableConv2D "separable_conv2d" {
        /// The number of feature maps it gives.
        filters: usize,
        /// The kernel's height and width.
        kernel_size: [usize; 2],
        ;
        /// The cells from one position of the kernel to the next.
        strides | stride: [usize; 2] = [1, 1],
        /// The cells added around the image.
        padding: Padding<2> = Padding::Valid,
        /// The cells from one tap of the kernel to the next.
        dilation_rate | dilation: [usize; 2] = [1, 1],
        /// The number of feature maps that each channel gives to be mixed.
        depth_multiplier: usize = 1,
        /// The function applied to its output.
        activation: Activation = Activation::Linear,
        /// Whether each feature map has a bias.
        use_bias | bias: bool = true,
        /// How the kernels of single channels begin.
        depthwise_initializer: Initializer = Initializer::GlorotUniform,
        /// How the mixing weights begin.
        pointwise_initializer: Initializer = Initializer::GlorotUniform,
        /// How the bias begins.
        bias_initializer: Initializer = Initializer::Zeros,
        /// What the kernels of single channels add to the training loss.
        depthwise_regularizer: Option<Regularizer> = None,
        /// What the mixing weights add to the training loss.
        pointwise_regularizer: Option<Regularizer> = None,
        /// What the bias adds to the training loss.
        bias_regularizer: Option<Regularizer> = None,
        /// Whether a kernel that does not fit a whole number of times is an error.
        strict: bool = false,
    }
}

impl SeparableConv2D {
    /// The two convolutions it is.
    pub const fn convolution(&self) -> SeparableConvolution<2> {
        let depthwise = DepthwiseConvolution {
            layer: Self::NAME,
            window: Sliding {
                strides: self.strides,
                dilation: self.dilation_rate,
                padding: self.padding,
                strict: self.strict,
                ..Sliding::kernel(self.kernel_size)
            },
            depth_multiplier: self.depth_multiplier,
            activation: Activation::Linear,
            use_bias: false,
            depthwise_initializer: self.depthwise_initializer,
            bias_initializer: self.bias_initializer,
            depthwise_regularizer: self.depthwise_regularizer,
            bias_regularizer: None,
        };
        let pointwise = Convolution {
            layer: Self::NAME,
            filters: self.filters,
            window: Sliding::kernel([1, 1]),
            groups: 1,
            activation: self.activation,
            use_bias: self.use_bias,
            kernel_initializer: self.pointwise_initializer,
            bias_initializer: self.bias_initializer,
            kernel_regularizer: self.pointwise_regularizer,
            bias_regularizer: self.bias_regularizer,
        };
        SeparableConvolution { depthwise, pointwise }
    }

    /// `H, W, C` to `H', W', filters` by the window rule; `kernel·C·depth_multiplier` and `C·depth_multiplier·filters` weights
    /// and `filters` biases.
    ///
    /// # Errors
    /// If the input is no image, or the kernel does not fit it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        self.convolution().infer(inputs)
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
