//! What a convolution is over any number of spatial axes: the rule that `Conv1D`, `Conv2D` and `Conv3D` share.

use crate::activation::Activation;
use crate::layer::image_of;
use crate::{
    At, Constraint, Dim, Inferred, Initializer, Operand, Parameter, Parameters, Regularizer, ShapeError, Sliding, Text, rules,
};

/// A convolution over `N` spatial axes: a filter bank that slides over each of `groups` of the channels.
///
/// A stride together with a dilation, which Keras refuses, means what it does in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Convolution<const N: usize> {
    /// The name of its layer in messages.
    pub layer: &'static str,
    /// The number of feature maps it gives.
    pub filters: usize,
    /// The kernel, and how it slides.
    pub window: Sliding<N>,
    /// The number of groups its channels are split into; each filter sees one group.
    pub groups: usize,
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

impl<const N: usize> Convolution<N> {
    /// The weight for so many channels: `filters, channels / groups`, and the kernel's size.
    pub const fn weight(&self, channels: usize) -> Parameter {
        let (taps, per_group) = (self.window.taps(), channels / self.groups);
        Parameter::kernel("weight", [self.filters, per_group], self.window.size, self.kernel_initializer)
            .fans(taps.saturating_mul(per_group), taps.saturating_mul(self.filters))
            .regularized(self.kernel_regularizer)
            .constrained("kernel_constraint", self.kernel_constraint)
    }

    /// Spatial sizes by the window rule, and `filters` channels; `kernel·C/groups·filters` weights and `filters` biases.
    ///
    /// # Errors
    /// If the input has other axes, the kernel does not fit it, or `groups` divides its channels or the filters unevenly.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match self.checked(inputs) {
            Ok((output, channels)) => Ok(self.inferred(output, channels).sum(self.window.sums(&inputs[0]))),
            Err(error) => Err(error),
        }
    }

    const fn checked(&self, inputs: &[Operand]) -> Result<([Dim; N], usize), ShapeError> {
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
        if let Err(error) = rules::size("groups", self.groups) {
            return Err(error);
        }
        if let Err(error) = self.even_groups(input, channels) {
            return Err(error);
        }
        if let Initializer::Fixed(kernels) = self.kernel_initializer
            && let Err(error) = kernels.fit(&self.window, "filters", self.filters)
        {
            return Err(error);
        }
        match self.window.output(input) {
            Ok(output) => Ok((output, channels)),
            Err(error) => Err(error),
        }
    }

    const fn even_groups(&self, input: &Operand, channels: usize) -> Result<(), ShapeError> {
        let groups = self.groups;
        if !channels.is_multiple_of(groups) {
            let (noun, verb) = if channels == 1 { (" channel of `", "` does") } else { (" channels of `", "` do") };
            let message = Text::from("the ").num(channels).and(noun).and(input.name).and(verb);
            let message = message.and(" not divide into ").num(groups).and(" groups");
            let help = Text::from("use `groups=").num(common_divisor(channels, self.filters)).and("`");
            return Err(ShapeError::new(At::Argument("groups"), message).help(help));
        }
        if !self.filters.is_multiple_of(groups) {
            let message = Text::num(Text::new(), self.filters).and(" filters do not divide into ").num(groups).and(" groups");
            let help = Text::from("use ").num(self.filters.next_multiple_of(groups)).and(" filters, or `groups=");
            let help = help.num(common_divisor(channels, self.filters)).and("`");
            return Err(ShapeError::new(At::Argument("groups"), message).help(help));
        }
        Ok(())
    }

    const fn inferred(&self, output: [Dim; N], channels: usize) -> Inferred {
        let shape = image_of(output, Dim::Known(self.filters));
        let parameters = Parameters::NONE.with(self.weight(channels));
        let parameters = if self.use_bias {
            let bias = Parameter::new("bias", [self.filters], self.bias_initializer).regularized(self.bias_regularizer);
            parameters.with(bias.constrained("bias_constraint", self.bias_constraint))
        } else {
            parameters
        };
        Inferred::shape(shape)
            .parameters(parameters)
            .macs(rules::product(&[rules::elements(&shape), Some(self.window.taps()), Some(channels / self.groups)]))
            .reach(self.window.reach())
            .ends_in(self.activation)
    }
}

const fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Declares the layer that a [`Convolution`] over so many axes is, with the arguments that all of them have.
macro_rules! convolution {
    ($(#[$doc:meta])* $name:ident $snake:literal {
        axes: $axes:literal, ones: $ones:expr, kernel: $kernel:literal, padding: $padding:literal,
        input: $input:literal, shapes: $shapes:literal, $(fixed: $fixed:ident,)?
    }) => {
        use crate::activation::Activation;
        use crate::{Constraint, Convolution, Inferred, Initializer, Operand, Padding, Regularizer, ShapeError, Sliding};

        $crate::layer::layer! {
            $(#[$doc])*
            ///
            /// `kernel_size` cells in each window and channel are weighed and summed, once for each of `filters` feature maps.
            $name $snake {
                /// The number of feature maps it gives.
                filters: usize,
                #[doc = concat!(" The kernel's ", $kernel, ".")]
                kernel_size: [usize; $axes],
                ;
                /// The cells from one position of the kernel to the next.
                strides | stride: [usize; $axes] = $ones,
                #[doc = concat!(" ", $padding)]
                padding: Padding<$axes> = Padding::Valid,
                /// The cells from one tap of the kernel to the next.
                dilation_rate | dilation: [usize; $axes] = $ones,
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
                /// What the output adds to the training loss, divided by the number of examples.
                activity_regularizer: Option<Regularizer> = None,
                /// What the weights are held to after each step of training.
                kernel_constraint: Option<Constraint> = None,
                /// What the bias is held to after each step of training.
                bias_constraint: Option<Constraint> = None,
                $(
                    /// Fixed filters that the kernel begins as, instead of what its initializer draws; add `frozen` to keep
                    /// them.
                    $fixed: Option<$crate::Kernels> = None,
                )?
                /// Whether a kernel that does not fit a whole number of times is an error.
                strict: bool = false,
            }
        }

        impl $name {
            /// The convolution it is.
            pub const fn convolution(&self) -> Convolution<$axes> {
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
                    kernel_initializer: {
                        let initializer = self.kernel_initializer;
                        $( let initializer = if let Some(kernels) = self.$fixed { Initializer::Fixed(kernels) } else { initializer }; )?
                        initializer
                    },
                    bias_initializer: self.bias_initializer,
                    kernel_regularizer: self.kernel_regularizer,
                    bias_regularizer: self.bias_regularizer,
                    kernel_constraint: self.kernel_constraint,
                    bias_constraint: self.bias_constraint,
                }
            }

            #[doc = concat!(" ", $shapes, " by the window rule; `kernel·C/groups·filters` weights and `filters` biases.")]
            ///
            /// # Errors
            #[doc = concat!(" If the input is no ", $input, ", the kernel does not fit it, or `groups` divides its channels or")]
            /// the filters unevenly.
            pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
                self.convolution().infer(inputs)
            }
        }
    };
}
pub(crate) use convolution;
