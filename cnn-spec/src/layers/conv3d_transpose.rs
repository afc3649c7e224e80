//! `Conv3DTranspose`: a learned filter bank that spreads each cell of a volume over a larger one.

use crate::layer::layer;
use crate::{Activation, Inferred, Initializer, Operand, Padding, Regularizer, ShapeError, Sliding, TransposedConvolution};

layer! {
    /// A 3-D transposed convolution over `N, D, H, W, C`, as Keras' `Conv3DTranspose`.
    ///
    /// Its input and output have the shapes of the output and the input of a `Conv3D`.
    Conv3DTranspose "conv3d_transpose" {
        /// The number of feature maps it gives.
        filters: usize,
        /// The kernel's depth, height and width.
        kernel_size: [usize; 3],
        ;
        /// The cells of the output from one position of the kernel to the next.
        strides | stride: [usize; 3] = [1, 1, 1],
        /// `same` gives `strides` cells for each cell of the input; a number is taken away from both ends, as in PyTorch.
        padding: Padding<3> = Padding::Valid,
        /// Cells added at the end of each axis, below the stride; as many as `padding` promises unless given.
        output_padding: Option<[usize; 3]> = None,
        /// The cells from one tap of the kernel to the next.
        dilation_rate | dilation: [usize; 3] = [1, 1, 1],
        /// The function applied to its output.
        activation: Activation = Activation::Linear,
        /// Whether each feature map has a bias.
        use_bias | bias: bool = true,
        /// How the kernel begins.
        kernel_initializer: Initializer = Initializer::GlorotUniform,
        /// How the bias begins.
        bias_initializer: Initializer = Initializer::Zeros,
        /// What the weights add to the training loss.
        kernel_regularizer: Option<Regularizer> = None,
        /// What the bias adds to the training loss.
        bias_regularizer: Option<Regularizer> = None,
    }
}

impl Conv3DTranspose {
    /// The transposed convolution it is.
    pub const fn convolution(&self) -> TransposedConvolution<3> {
        TransposedConvolution {
            layer: Self::NAME,
            filters: self.filters,
            window: Sliding {
                strides: self.strides,
                dilation: self.dilation_rate,
                padding: self.padding,
                ..Sliding::kernel(self.kernel_size)
            },
            output_padding: self.output_padding,
            activation: self.activation,
            use_bias: self.use_bias,
            kernel_initializer: self.kernel_initializer,
            bias_initializer: self.bias_initializer,
            kernel_regularizer: self.kernel_regularizer,
            bias_regularizer: self.bias_regularizer,
        }
    }

    /// `D, H, W, C` to `D', H', W', filters`; `kernel·C·filters` weights and `filters` biases.
    ///
    /// # Errors
    /// If the input is no volume, `output_padding` is not below the stride, or the padding leaves nothing.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        self.convolution().infer(inputs)
    }
}
