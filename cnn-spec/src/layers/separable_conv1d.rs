//! `SeparableConv1D`: filters for each channel of a sequence alone, and weights that mix what they give.

use crate::layer::layer;
use crate::{
    Activation, Convolution, DepthwiseConvolution, Inferred, Initializer, Operand, Padding, Regularizer, SeparableConvolution,
    ShapeError, Sliding,
};

layer! {
    /// A 1-D depthwise separable convolution over `N, L, C`, as Keras' `SeparableConv1D`: a depthwise convolution without bias or
    /// activation, then a convolution with a kernel of one cell.
    SeparableConv1D "separable_conv1d" {
        /// The number of feature maps it gives.
        filters: usize,
        /// The kernel's length.
        kernel_size: [usize; 1],
        ;
        /// The cells from one position of the kernel to the next.
        strides | stride: [usize; 1] = [1],
        /// The cells added around the sequence.
        padding: Padding<1> = Padding::Valid,
        /// The cells from one tap of the kernel to the next.
        dilation_rate | dilation: [usize; 1] = [1],
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

impl SeparableConv1D {
    /// The two convolutions it is.
    pub const fn convolution(&self) -> SeparableConvolution<1> {
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
            window: Sliding::kernel([1]),
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

    /// `L, C` to `L', filters` by the window rule; `kernel·C·depth_multiplier` and `C·depth_multiplier·filters` weights
    /// and `filters` biases.
    ///
    /// # Errors
    /// If the input is no sequence, or the kernel does not fit it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        self.convolution().infer(inputs)
    }
}
