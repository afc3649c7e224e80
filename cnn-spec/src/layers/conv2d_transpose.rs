//! `Conv2DTranspose`: a learned filter bank that spreads each cell of an image over a larger one.

use crate::layer::layer;
use crate::{Activation, Inferred, Initializer, Operand, Padding, Regularizer, ShapeError, Sliding, TransposedConvolution};

layer! {
    /// A 2-D transposed convolution over `N, H, W, C`, as Keras' `Conv2DTranspose`.
    ///
    /// Its input and output have the shapes of the output and the input of a `Conv2D`.
    Conv2DTranspose "conv2d_transpose" {
        /// The number of feature maps it gives.
        filters: usize,
        /// The kernel's height and width.
        kernel_size: [usize; 2],
        ;
        /// The cells of the output from one position of the kernel to the next.
        strides | stride: [usize; 2] = [1, 1],
        /// `same` gives `strides` cells for each cell of the input; a number is taken away from both ends, as in PyTorch.
        padding: Padding<2> = Padding::Valid,
        /// Cells added at the end of each axis, below the stride; as many as `padding` promises unless given.
        output_padding: Option<[usize; 2]> = None,
        /// The cells from one tap of the kernel to the next.
        dilation_rate | dilation: [usize; 2] = [1, 1],
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

impl Conv2DTranspose {
    /// The transposed convolution it is.
    pub const fn convolution(&self) -> TransposedConvolution<2> {
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

    /// `H, W, C` to `H', W', filters`; `kernel·C·filters` weights and `filters` biases.
    ///
    /// # Errors
    /// If the input is no image, `output_padding` is not below the stride, or the padding leaves nothing.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        self.convolution().infer(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn doubles_an_image_as_a_u_net_does() {
        let layer = Conv2DTranspose::new(8, [2, 2]).strides([2, 2]);
        let inferred = layer.infer(&[Operand::new("i", Shape::new([7, 5, 16]))]).unwrap();
        assert_eq!(inferred.shape, Shape::new([14, 10, 8]));
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [16, 8, 2, 2]);
        assert_eq!(inferred.parameters.count(), 4 * 128 + 8);
    }

    #[test]
    fn each_axis_has_an_output_padding_of_its_own() {
        let layer = Conv2DTranspose::new(1, [3, 3]).strides([2, 3]).padding(Padding::Explicit([[1, 1]; 2]));
        let on = |layer: Conv2DTranspose| layer.infer(&[Operand::new("i", Shape::new([4, 4, 1]))]).map(|inferred| inferred.shape);
        assert_eq!(on(layer.output_padding(Some([1, 2]))), Ok(Shape::new([8, 12, 1])));
        assert!(on(layer.output_padding(Some([2, 2]))).is_err());
    }
}
