//! `DepthwiseConv1D`: learned filters for each channel of a sequence alone.

use crate::layer::layer;
use crate::{Activation, DepthwiseConvolution, Inferred, Initializer, Operand, Padding, Regularizer, ShapeError, Sliding};

layer! {
    /// A 1-D depthwise convolution over `N, L, C`, as Keras' `DepthwiseConv1D`: each channel has `depth_multiplier` kernels.
    DepthwiseConv1D "depthwise_conv1d" {
        /// The kernel's length.
        kernel_size: [usize; 1],
        ;
        /// The cells from one position of the kernel to the next.
        strides | stride: [usize; 1] = [1],
        /// The cells added around the sequence.
        padding: Padding<1> = Padding::Valid,
        /// The number of feature maps that each channel gives.
        depth_multiplier: usize = 1,
        /// The cells from one tap of the kernel to the next.
        dilation_rate | dilation: [usize; 1] = [1],
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
        /// Whether a kernel that does not fit a whole number of times is an error.
        strict: bool = false,
    }
}

impl DepthwiseConv1D {
    /// The depthwise convolution it is.
    pub const fn convolution(&self) -> DepthwiseConvolution<1> {
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
            depthwise_initializer: self.depthwise_initializer,
            bias_initializer: self.bias_initializer,
            depthwise_regularizer: self.depthwise_regularizer,
            bias_regularizer: self.bias_regularizer,
        }
    }

    /// `L, C` to `L', C·depth_multiplier` by the window rule; as many kernels and biases.
    ///
    /// # Errors
    /// If the input is no sequence, or the kernel does not fit it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        self.convolution().infer(inputs)
    }
}
