//! `Conv3D`: a learned filter bank slid through a volume.

use crate::layer::layer;
use crate::{Activation, Convolution, Inferred, Initializer, Operand, Padding, Regularizer, ShapeError, Sliding};

layer! {
    /// A 3-D convolution (cross-correlation) over `N, D, H, W, C`, as Keras' `Conv3D`.
    ///
    /// `kernel_size` cells in each window and channel are weighed and summed, once for each of `filters` feature maps.
    Conv3D "conv3d" {
        /// The number of feature maps it gives.
        filters: usize,
        /// The kernel's depth, height and width.
        kernel_size: [usize; 3],
        ;
        /// The cells from one position of the kernel to the next.
        strides | stride: [usize; 3] = [1, 1, 1],
        /// The cells added around the volume.
        padding: Padding<3> = Padding::Valid,
        /// The cells from one tap of the kernel to the next.
        dilation_rate | dilation: [usize; 3] = [1, 1, 1],
        /// The number of groups its channels are split into; each filter sees one group.
        groups: usize = 1,
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
        /// Whether a kernel that does not fit a whole number of times is an error.
        strict: bool = false,
    }
}

impl Conv3D {
    /// The convolution it is.
    pub const fn convolution(&self) -> Convolution<3> {
        Convolution {
            layer: Self::NAME,
            filters: self.filters,
            window: Sliding {
                strides: self.strides,
                dilation: self.dilation_rate,
                padding: self.padding,
                strict: self.strict,
                ..Sliding::kernel(self.kernel_size)
            },
            groups: self.groups,
            activation: self.activation,
            use_bias: self.use_bias,
            kernel_initializer: self.kernel_initializer,
            bias_initializer: self.bias_initializer,
            kernel_regularizer: self.kernel_regularizer,
            bias_regularizer: self.bias_regularizer,
        }
    }

    /// `D, H, W, C` to `D', H', W', filters` by the window rule; `kernel·C/groups·filters` weights and `filters` biases.
    ///
    /// # Errors
    /// If the input is no volume, the kernel does not fit it, or `groups` divides its channels or the filters unevenly.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        self.convolution().infer(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reach, Shape};

    fn on(shape: Shape, layer: Conv3D) -> Result<Inferred, ShapeError> {
        layer.infer(&[Operand::new("i", shape)])
    }

    #[test]
    fn slides_along_three_axes() {
        let inferred = on(Shape::new([9, 8, 7, 2]), Conv3D::new(4, [3, 2, 1]).strides([2, 1, 3])).unwrap();
        assert_eq!(inferred.shape, Shape::new([4, 7, 3, 4]));
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [4, 2, 3, 2, 1]);
        assert_eq!(inferred.parameters.count(), 4 * 12 + 4);
        assert_eq!(inferred.reach, Reach::Window { span: [2, 1], strides: [1, 3] });
    }

    #[test]
    fn wants_a_volume() {
        let error = on(Shape::new([9, 9, 9]), Conv3D::new(4, [3; 3])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Conv3D` takes depth, height, width, channels; `i` is 9×9×9");
        assert_eq!(error.help.as_str(), "give it a channel axis, as in `Input(9, 9, 9, 1)`");
    }
}
