//! What a transposed convolution is over any number of spatial axes: the rule of `Conv1DTranspose` and its siblings.
//!
//! It spreads each of `N` cells over the `F` cells that a kernel spans, `S` cells from one to the next, which gives
//! `(N − 1)·S + F` cells. Padding takes cells away from both ends, `output_padding` adds some at the end. It is the gradient of
//! a convolution by its input (Dumoulin & Visin, 2016).

use crate::activation::Activation;
use crate::layer::{height_and_width, image_of};
use crate::window::described;
use crate::{
    At, Constraint, Dim, Inferred, Initializer, Operand, Padding, Parameter, Parameters, Reach, Regularizer, ShapeError, Sliding,
    Text, rules,
};

/// A transposed convolution over `N` spatial axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TransposedConvolution<const N: usize> {
    /// The name of its layer in messages.
    pub layer: &'static str,
    /// The number of feature maps it gives.
    pub filters: usize,
    /// The kernel, and how it is spread; its padding is taken away from the output.
    pub window: Sliding<N>,
    /// Cells added at the end of each axis; unless given, as many as words of padding promise in Keras, and else none.
    pub output_padding: Option<[usize; N]>,
    /// The function applied to its output.
    pub activation: Activation,
    /// Whether each feature map has a bias.
    pub use_bias: bool,
    /// How the kernel begins.
    pub kernel_initializer: Initializer,
    /// How the bias begins.
    pub bias_initializer: Initializer,
    /// The penalty on the kernel in the loss.
    pub kernel_regularizer: Option<Regularizer>,
    /// The penalty on the bias in the loss.
    pub bias_regularizer: Option<Regularizer>,
    /// What the kernel is held to after each step of training.
    pub kernel_constraint: Option<Constraint>,
    /// What the bias is held to after each step of training.
    pub bias_constraint: Option<Constraint>,
}

/// The part of the full output of one axis that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Cells taken away before it.
    pub before: usize,
    /// How long it is; 0 or less if nothing is left.
    pub len: i64,
}

impl<const N: usize> TransposedConvolution<N> {
    /// The weight for so many channels: `channels, filters`, and the kernel's size.
    pub const fn weight(&self, channels: usize) -> Parameter {
        let taps = self.window.taps();
        Parameter::kernel("weight", [channels, self.filters], self.window.size, self.kernel_initializer)
            .fans(taps.saturating_mul(self.filters), taps.saturating_mul(channels))
            .regularized(self.kernel_regularizer)
            .constrained("kernel_constraint", self.kernel_constraint)
    }

    /// The part that is kept of what `n` cells along `axis` give.
    ///
    /// Without `output_padding`, `valid` gives `(N − 1)·S + max(F, S)` cells and `same` `N·S`. With `P` cells of it, `same`
    /// gives `(N − 1)·S + P` and one more for an odd `F`, all as in Keras; what `same` takes away is shared by both ends,
    /// the odd cell at the end.
    pub const fn kept(&self, axis: usize, n: usize) -> Kept {
        if n == 0 {
            return Kept { before: 0, len: 0 };
        }
        let (stride, span) = (self.window.strides[axis] as i64, self.window.span(axis) as i64);
        let spread = (n as i64 - 1) * stride;
        let added = match self.output_padding {
            Some(cells) => Some(cells[axis] as i64),
            None => None,
        };
        match (self.window.padding, added) {
            (Padding::Valid, None) => Kept { before: 0, len: spread + if span > stride { span } else { stride } },
            (Padding::Same, added) => {
                let len = match added {
                    None => spread + stride,
                    Some(added) => spread + span % 2 + added,
                };
                let excess = spread + span - len;
                Kept { before: if excess > 0 { excess as usize / 2 } else { 0 }, len }
            }
            (_, added) => {
                let [before, after] = self.window.padding_at(axis, n);
                let added = match added {
                    Some(added) => added,
                    None => 0,
                };
                Kept { before, len: spread + span - before as i64 - after as i64 + added }
            }
        }
    }

    /// How many cells it gives along each axis.
    ///
    /// # Errors
    /// If a size, stride or dilation is 0 or too large, `output_padding` is not below the stride, the padding is causal, or it
    /// leaves nothing.
    pub const fn output(&self, input: &Operand) -> Result<[Dim; N], ShapeError> {
        if let Err(error) = self.window.sound() {
            return Err(error);
        }
        if let Padding::Causal = self.window.padding {
            let message = Text::from("`").and(self.layer).and("` has no causal padding");
            return Err(ShapeError::new(At::Argument("padding"), message).help(Text::from("use `padding=same`")));
        }
        let mut output = [Dim::Unknown; N];
        let mut axis = 0;
        while axis < N {
            if let Err(error) = self.below_the_stride(axis) {
                return Err(error);
            }
            if let Dim::Known(n) = input.shape.dims()[axis] {
                let Kept { len, .. } = self.kept(axis, n);
                if len <= 0 {
                    return Err(self.nothing_left(axis, n, input));
                }
                output[axis] = Dim::Known(len as usize);
            }
            axis += 1;
        }
        Ok(output)
    }

    const fn below_the_stride(&self, axis: usize) -> Result<(), ShapeError> {
        let stride = self.window.strides[axis];
        match self.output_padding {
            Some(cells) if cells[axis] >= stride => {
                let message = Text::from("`output_padding` must be below the stride, found ").num(cells[axis]);
                let message = message.and(" at stride ").num(stride);
                let help = Text::from("use `output_padding=").num(stride - 1).and("`, or leave it out");
                Err(ShapeError::new(At::Element("output_padding", axis), message).help(help))
            }
            _ => Ok(()),
        }
    }

    const fn nothing_left(&self, axis: usize, n: usize, input: &Operand) -> ShapeError {
        let (span, stride, Kept { len, .. }) = (self.window.span(axis), self.window.strides[axis], self.kept(axis, n));
        let message = described::<N>(Text::from("padding leaves nothing of the "), input).and(" under a kernel of ").num(span);
        if n == 0 {
            return ShapeError::new(At::Input(0), message).help(Text::from("give it at least 1 cell along each axis"));
        }
        let full = (n as i64 - 1) * stride as i64 + span as i64;
        let sum = Text::from("(").num(n).and(" − 1)·").num(stride).and(" + ").num(span);
        let change = len - full;
        let sum = sum.and(if change < 0 { " − " } else { " + " }).num(change.unsigned_abs() as usize).and(" = ").signed(len);
        ShapeError::new(At::Element("padding", axis), message).note(sum).help(Text::from("use `padding=valid`"))
    }

    /// Spatial sizes by [`Self::kept`], and `filters` channels; `kernel·C·filters` weights and `filters` biases.
    ///
    /// # Errors
    /// If the input has other axes, or [`Self::output`] refuses it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::spatial::<N>(self.layer, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let channels = match rules::channels(self.layer, input) {
            Ok(channels) => channels,
            Err(error) => return Err(error),
        };
        if let Err(error) = rules::size("filters", self.filters) {
            return Err(error);
        }
        match self.output(input) {
            Ok(output) => Ok(self.inferred(input, output, channels)),
            Err(error) => Err(error),
        }
    }

    const fn inferred(&self, input: &Operand, output: [Dim; N], channels: usize) -> Inferred {
        let parameters = Parameters::NONE.with(self.weight(channels));
        let parameters = if self.use_bias {
            let bias = Parameter::new("bias", [self.filters], self.bias_initializer).regularized(self.bias_regularizer);
            parameters.with(bias.constrained("bias_constraint", self.bias_constraint))
        } else {
            parameters
        };
        let mut seen = [1; N];
        let mut axis = 0;
        while axis < N {
            seen[axis] = self.window.span(axis).div_ceil(self.window.strides[axis]);
            axis += 1;
        }
        Inferred::shape(image_of(output, Dim::Known(self.filters)))
            .parameters(parameters)
            .macs(rules::product(&[rules::elements(&input.shape), Some(self.window.taps()), Some(self.filters)]))
            .reach(Reach::Transposed { span: height_and_width(seen), strides: height_and_width(self.window.strides) })
            .ends_in(self.activation)
    }
}

/// Declares the layer that a [`TransposedConvolution`] over so many axes is, with the arguments that all of them have.
macro_rules! transposed_convolution {
    ($(#[$doc:meta])* $name:ident $snake:literal {
        axes: $axes:literal, ones: $ones:expr, kernel: $kernel:literal, of: $of:literal,
        input: $input:literal, shapes: $shapes:literal,
    }) => {
        use crate::activation::Activation;
        use crate::{Constraint, Inferred, Initializer, Operand, Padding, Regularizer, ShapeError, Sliding, TransposedConvolution};

        $crate::layer::layer! {
            $(#[$doc])*
            ///
            #[doc = concat!(" Its input and output have the shapes of the output and the input of a `", $of, "`.")]
            $name $snake {
                /// The number of feature maps it gives.
                filters: usize,
                #[doc = concat!(" The kernel's ", $kernel, ".")]
                kernel_size: [usize; $axes],
                ;
                /// The cells of the output from one position of the kernel to the next.
                strides | stride: [usize; $axes] = $ones,
                /// `same` gives `strides` cells for each cell of the input; a number is taken away from both ends, as in
                /// PyTorch.
                padding: Padding<$axes> = Padding::Valid,
                /// Cells added at the end of each axis, below the stride; as many as `padding` promises unless given.
                output_padding: Option<[usize; $axes]> = None,
                /// The cells from one tap of the kernel to the next.
                dilation_rate | dilation: [usize; $axes] = $ones,
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
                /// What the output adds to the training loss, divided by the number of examples.
                activity_regularizer: Option<Regularizer> = None,
                /// What the weights are held to after each step of training.
                kernel_constraint: Option<Constraint> = None,
                /// What the bias is held to after each step of training.
                bias_constraint: Option<Constraint> = None,
            }
        }

        impl $name {
            /// The transposed convolution it is.
            pub const fn convolution(&self) -> TransposedConvolution<$axes> {
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
                    kernel_constraint: self.kernel_constraint,
                    bias_constraint: self.bias_constraint,
                }
            }

            #[doc = concat!(" ", $shapes, "; `kernel·C·filters` weights and `filters` biases.")]
            ///
            /// # Errors
            #[doc = concat!(" If the input is no ", $input, ", `output_padding` is not below the stride, or the padding leaves nothing.")]
            pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
                self.convolution().infer(inputs)
            }
        }
    };
}
pub(crate) use transposed_convolution;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    fn transposed(kernel: usize, stride: usize, padding: Padding<1>, output_padding: Option<usize>) -> TransposedConvolution<1> {
        TransposedConvolution {
            layer: "Conv1DTranspose",
            filters: 2,
            window: Sliding { strides: [stride], padding, ..Sliding::kernel([kernel]) },
            output_padding: output_padding.map(|cells| [cells]),
            activation: Activation::Linear,
            use_bias: true,
            kernel_initializer: Initializer::GlorotUniform,
            bias_initializer: Initializer::Zeros,
            kernel_regularizer: None,
            bias_regularizer: None,
            kernel_constraint: None,
            bias_constraint: None,
        }
    }

    fn lengths(layer: TransposedConvolution<1>) -> Result<Shape, ShapeError> {
        layer.infer(&[Operand::new("i", Shape::new([7, 3]))]).map(|inferred| inferred.shape)
    }

    #[test]
    fn gives_the_lengths_of_keras() {
        use Padding::{Same, Valid};
        for (kernel, stride, padding, output_padding, expected) in [
            (3, 2, Valid, None, 15),
            (3, 2, Same, None, 14),
            (2, 3, Valid, None, 21),
            (4, 2, Valid, None, 16),
            (4, 2, Same, None, 14),
            (2, 1, Same, Some(0), 6),
            (3, 2, Same, Some(0), 13),
            (3, 2, Same, Some(1), 14),
            (3, 2, Valid, Some(0), 15),
            (2, 3, Valid, Some(0), 20),
        ] {
            let found = lengths(transposed(kernel, stride, padding, output_padding));
            assert_eq!(found, Ok(Shape::new([expected, 2])), "{kernel} {stride} {padding:?} {output_padding:?}");
        }
    }

    #[test]
    fn numbers_of_padding_are_taken_away_as_in_pytorch() {
        assert_eq!(lengths(transposed(4, 2, Padding::Explicit([[1, 1]]), None)), Ok(Shape::new([14, 2])));
        assert_eq!(lengths(transposed(3, 2, Padding::Explicit([[1, 1]]), Some(1))), Ok(Shape::new([14, 2])));
        assert_eq!(lengths(transposed(3, 1, Padding::Full, None)), Ok(Shape::new([5, 2])));
    }

    #[test]
    fn same_takes_the_odd_cell_from_the_end() {
        assert_eq!(transposed(3, 2, Padding::Same, None).kept(0, 2), Kept { before: 0, len: 4 });
        assert_eq!(transposed(5, 2, Padding::Same, None).kept(0, 2), Kept { before: 1, len: 4 });
    }

    #[test]
    fn refuses_what_has_no_meaning() {
        let error = lengths(transposed(3, 2, Padding::Same, Some(2))).unwrap_err();
        assert_eq!(error.message.as_str(), "`output_padding` must be below the stride, found 2 at stride 2");
        assert_eq!(error.help.as_str(), "use `output_padding=1`, or leave it out");
        let error = lengths(transposed(3, 1, Padding::Explicit([[5, 5]]), None)).unwrap_err();
        assert_eq!(error.message.as_str(), "padding leaves nothing of the sequence `i` of length 7 under a kernel of 3");
        assert_eq!(error.note.as_str(), "(7 − 1)·1 + 3 − 10 = −1");
        assert!(lengths(transposed(3, 1, Padding::Causal, None)).is_err());
    }

    #[test]
    fn counts_weights_and_products() {
        let inferred = transposed(3, 2, Padding::Valid, None).infer(&[Operand::new("i", Shape::new([7, 5]))]).unwrap();
        assert_eq!(inferred.parameters.as_slice()[0].dims(), [5, 2, 3]);
        assert_eq!((inferred.parameters.count(), inferred.macs), (32, Some(7 * 3 * 5 * 2)));
        assert_eq!(inferred.reach, Reach::Transposed { span: [2, 1], strides: [2, 1] });
    }
}
