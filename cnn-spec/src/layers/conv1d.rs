//! `Conv1D`: a learned filter bank slid along a sequence.

use crate::layer::layer;
use crate::{Activation, Convolution, Inferred, Initializer, Operand, Padding, Regularizer, ShapeError, Sliding};

layer! {
    /// A 1-D convolution (cross-correlation) over `N, L, C`, as Keras' `Conv1D`.
    ///
    /// `kernel_size` cells in each window and channel are weighed and summed, once for each of `filters` feature maps.
    Conv1D "conv1d" {
        /// The number of feature maps it gives.
        filters: usize,
        /// The kernel's length.
        kernel_size: [usize; 1],
        ;
        /// The cells from one position of the kernel to the next.
        strides | stride: [usize; 1] = [1],
        /// The cells added around the sequence. `causal` adds them all before it.
        padding: Padding<1> = Padding::Valid,
        /// The cells from one tap of the kernel to the next.
        dilation_rate | dilation: [usize; 1] = [1],
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

impl Conv1D {
    /// The convolution it is.
    pub const fn convolution(&self) -> Convolution<1> {
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

    /// `L, C` to `L', filters` by the window rule; `kernel·C/groups·filters` weights and `filters` biases.
    ///
    /// # Errors
    /// If the input is no sequence, the kernel does not fit it, or `groups` divides its channels or the filters unevenly.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        self.convolution().infer(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reach, Shape};

    fn on(shape: Shape, layer: Conv1D) -> Result<Inferred, ShapeError> {
        layer.infer(&[Operand::new("i", shape)])
    }

    #[test]
    fn slides_along_the_steps() {
        let inferred = on(Shape::new([128, 3]), Conv1D::new(16, [5]).strides([2])).unwrap();
        assert_eq!(inferred.shape, Shape::new([62, 16]));
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [16, 3, 5]);
        assert_eq!((inferred.parameters.count(), inferred.macs), (256, Some(62 * 16 * 15)));
        assert_eq!(inferred.reach, Reach::Window { span: [5, 1], strides: [2, 1] });
    }

    #[test]
    fn causal_padding_keeps_the_length() {
        let causal = Conv1D::new(4, [3]).padding(Padding::Causal).dilation_rate([4]);
        assert_eq!(on(Shape::new([10, 2]), causal).unwrap().shape, Shape::new([10, 4]));
        assert_eq!(on(Shape::new([10, 2]), causal.strides([3])).unwrap().shape, Shape::new([4, 4]));
    }

    #[test]
    fn wants_a_sequence() {
        let error = on(Shape::new([128]), Conv1D::new(16, [5])).unwrap_err();
        assert_eq!(error.message.as_str(), "`Conv1D` takes steps, channels; `i` is 128");
        assert_eq!(error.help.as_str(), "give it a channel axis, as in `Input(128, 1)`");
        let error = on(Shape::new([4, 3]), Conv1D::new(16, [5])).unwrap_err();
        assert_eq!(error.message.as_str(), "kernel 5 does not fit the 4 sequence `i`");
    }
}
