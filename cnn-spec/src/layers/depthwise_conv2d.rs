//! `DepthwiseConv2D`: learned filters for each channel of an image alone.

use crate::layer::layer;
use crate::{
    Activation, DepthwiseConvolution, Inferred, Initializer, Kernels, Operand, Padding, Regularizer, ShapeError, Sliding,
};

layer! {
    /// A 2-D depthwise convolution over `N, H, W, C`, as Keras' `DepthwiseConv2D`: each channel has `depth_multiplier` kernels.
    DepthwiseConv2D "depthwise_conv2d" {
        /// The kernel's height and width.
        kernel_size: [usize; 2],
        ;
        /// The cells from one position of the kernel to the next.
        strides | stride: [usize; 2] = [1, 1],
        /// The cells added around the image.
        padding: Padding<2> = Padding::Valid,
        /// The number of feature maps that each channel gives.
        depth_multiplier: usize = 1,
        /// The cells from one tap of the kernel to the next.
        dilation_rate | dilation: [usize; 2] = [1, 1],
        /// The function applied to its output.
        activation: Activation = Activation::Linear,
        /// Whether each feature map has a bias.
        use_bias | bias: bool = true,
        /// How the kernels of single channels begin.
        depthwise_initializer: Initializer = Initializer::GlorotUniform,
        /// How the bias begins.
        bias_initializer: Initializer = Initializer::Zeros,
        /// What the kernels of single channels add to the training loss.
        depthwise_regularizer: Option<Regularizer> = None,
        /// What the bias adds to the training loss.
        bias_regularizer: Option<Regularizer> = None,
        /// Fixed filters that the kernel begins as, instead of what its initializer draws; add `frozen` to keep them.
        kernel: Option<Kernels> = None,
        /// Whether a kernel that does not fit a whole number of times is an error.
        strict: bool = false,
    }
}

impl DepthwiseConv2D {
    /// The depthwise convolution it is.
    pub const fn convolution(&self) -> DepthwiseConvolution<2> {
        DepthwiseConvolution {
            layer: Self::NAME,
            window: Sliding {
                strides: self.strides,
                dilation: self.dilation_rate,
                padding: self.padding,
                strict: self.strict,
                ..Sliding::kernel(self.kernel_size)
            },
            depth_multiplier: self.depth_multiplier,
            activation: self.activation,
            use_bias: self.use_bias,
            depthwise_initializer: match self.kernel {
                Some(kernels) => Initializer::Fixed(kernels),
                None => self.depthwise_initializer,
            },
            bias_initializer: self.bias_initializer,
            depthwise_regularizer: self.depthwise_regularizer,
            bias_regularizer: self.bias_regularizer,
        }
    }

    /// `H, W, C` to `H', W', C·depth_multiplier` by the window rule; as many kernels and biases.
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
