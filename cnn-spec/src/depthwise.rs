//! What convolutions of single channels are: the rules that `DepthwiseConv1D`, `SeparableConv1D` and their siblings share.

use crate::activation::Activation;
use crate::layer::image_of;
use crate::{
    Constraint, Convolution, Dim, Inferred, Initializer, Operand, Parameter, Parameters, Regularizer, ShapeError, Sliding, rules,
};

/// A convolution over `N` spatial axes in which each channel has `depth_multiplier` filters of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthwiseConvolution<const N: usize> {
    /// The name of its layer in messages.
    pub layer: &'static str,
    /// The kernel, and how it slides.
    pub window: Sliding<N>,
    /// The number of feature maps that each channel gives.
    pub depth_multiplier: usize,
    /// The function applied to its output.
    pub activation: Activation,
    /// Whether each feature map has a bias.
    pub use_bias: bool,
    /// How the kernel begins.
    pub depthwise_initializer: Initializer,
    /// How the bias begins.
    pub bias_initializer: Initializer,
    /// The penalty on the kernel in the loss.
    pub depthwise_regularizer: Option<Regularizer>,
    /// The penalty on the bias in the loss.
    pub bias_regularizer: Option<Regularizer>,
    /// What the kernel is held to after each step of training.
    pub depthwise_constraint: Option<Constraint>,
    /// What the bias is held to after each step of training.
    pub bias_constraint: Option<Constraint>,
}

impl<const N: usize> DepthwiseConvolution<N> {
    /// The weight for so many channels: `channels·depth_multiplier, 1`, and the kernel's size; the filters of one channel
    /// side by side.
    pub const fn weight(&self, channels: usize) -> Parameter {
        let (taps, filters) = (self.window.taps(), channels.saturating_mul(self.depth_multiplier));
        Parameter::kernel("weight", [filters, 1], self.window.size, self.depthwise_initializer)
            .fans(taps.saturating_mul(channels), taps.saturating_mul(self.depth_multiplier))
            .regularized(self.depthwise_regularizer)
            .constrained("depthwise_constraint", self.depthwise_constraint)
            .depthwise(self.depth_multiplier)
    }

    /// Spatial sizes by the window rule, and `C·depth_multiplier` channels; as many kernels and biases.
    ///
    /// # Errors
    /// If the input has other axes, or the kernel does not fit it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::spatial::<N>(self.layer, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let channels = match rules::channels(self.layer, input) {
            Ok(channels) => channels,
            Err(error) => return Err(error),
        };
        if let Err(error) = rules::size("depth_multiplier", self.depth_multiplier) {
            return Err(error);
        }
        if let Initializer::Fixed(kernels) = self.depthwise_initializer
            && let Err(error) = kernels.fit(&self.window, "depth_multiplier", self.depth_multiplier)
        {
            return Err(error);
        }
        match self.window.output(input) {
            Ok(output) => Ok(self.inferred(output, channels).sum(self.window.sums(input))),
            Err(error) => Err(error),
        }
    }

    const fn inferred(&self, output: [Dim; N], channels: usize) -> Inferred {
        let filters = channels.saturating_mul(self.depth_multiplier);
        let shape = image_of(output, Dim::Known(filters));
        let parameters = Parameters::NONE.with(self.weight(channels));
        let parameters = if self.use_bias {
            let bias = Parameter::new("bias", [filters], self.bias_initializer).regularized(self.bias_regularizer);
            parameters.with(bias.constrained("bias_constraint", self.bias_constraint))
        } else {
            parameters
        };
        Inferred::shape(shape)
            .parameters(parameters)
            .macs(rules::product(&[rules::elements(&shape), Some(self.window.taps())]))
            .reach(self.window.reach())
            .ends_in(self.activation)
    }
}

/// A depthwise convolution, and a convolution with a kernel of one cell that mixes the channels it gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeparableConvolution<const N: usize> {
    /// The first, which has neither bias nor activation.
    pub depthwise: DepthwiseConvolution<N>,
    /// The second.
    pub pointwise: Convolution<N>,
}

impl<const N: usize> SeparableConvolution<N> {
    /// Spatial sizes by the window rule, and `filters` channels.
    ///
    /// # Errors
    /// If the input has other axes, or the kernel does not fit it.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let first = match self.depthwise.infer(inputs) {
            Ok(first) => first,
            Err(error) => return Err(error),
        };
        if let Err(error) = rules::bounded(self.depthwise.layer, &first.shape) {
            return Err(error);
        }
        match self.pointwise.infer(&[Operand::new("depthwise", first.shape)]) {
            Ok(second) => Ok(Self::both(first, second)),
            Err(error) => Err(error),
        }
    }

    const fn both(first: Inferred, second: Inferred) -> Inferred {
        let depthwise = first.parameters.as_slice()[0].called("depthwise_weight");
        let pointwise = second.parameters.as_slice()[0].called("pointwise_weight");
        let pointwise = pointwise.constrained("pointwise_constraint", pointwise.constraint);
        let parameters = Parameters::NONE.with(depthwise).with(pointwise);
        let parameters = match second.parameters.as_slice() {
            [_, bias] => parameters.with(*bias),
            _ => parameters,
        };
        let macs = match (first.macs, second.macs) {
            (Some(first), Some(second)) => Some(first.saturating_add(second)),
            _ => None,
        };
        Inferred { parameters, macs, reach: first.reach, sum: first.sum, ..second }
    }
}

/// Declares the layer that a [`DepthwiseConvolution`] over so many axes is, with the arguments that all of them have.
macro_rules! depthwise_convolution {
    ($(#[$doc:meta])* $name:ident $snake:literal {
        axes: $axes:literal, ones: $ones:expr, kernel: $kernel:literal, padding: $padding:literal,
        input: $input:literal, shapes: $shapes:literal, $(fixed: $fixed:ident,)?
    }) => {
        use crate::activation::Activation;
        use crate::{Constraint, DepthwiseConvolution, Inferred, Initializer, Operand, Padding, Regularizer, ShapeError, Sliding};

        $crate::layer::layer! {
            $(#[$doc])*
            $name $snake {
                #[doc = concat!(" The kernel's ", $kernel, ".")]
                kernel_size: [usize; $axes],
                ;
                /// The cells from one position of the kernel to the next.
                strides | stride: [usize; $axes] = $ones,
                #[doc = concat!(" ", $padding)]
                padding: Padding<$axes> = Padding::Valid,
                /// The number of feature maps that each channel gives.
                depth_multiplier: usize = 1,
                /// The cells from one tap of the kernel to the next.
                dilation_rate | dilation: [usize; $axes] = $ones,
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
                /// What the output adds to the training loss, divided by the number of examples.
                activity_regularizer: Option<Regularizer> = None,
                /// What the kernels of single channels are held to after each step of training.
                depthwise_constraint: Option<Constraint> = None,
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
            /// The depthwise convolution it is.
            pub const fn convolution(&self) -> DepthwiseConvolution<$axes> {
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
                    depthwise_initializer: {
                        let initializer = self.depthwise_initializer;
                        $( let initializer = if let Some(kernels) = self.$fixed { Initializer::Fixed(kernels) } else { initializer }; )?
                        initializer
                    },
                    bias_initializer: self.bias_initializer,
                    depthwise_regularizer: self.depthwise_regularizer,
                    bias_regularizer: self.bias_regularizer,
                    depthwise_constraint: self.depthwise_constraint,
                    bias_constraint: self.bias_constraint,
                }
            }

            #[doc = concat!(" ", $shapes, " by the window rule; as many kernels and biases.")]
            ///
            /// # Errors
            #[doc = concat!(" If the input is no ", $input, ", or the kernel does not fit it.")]
            pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
                self.convolution().infer(inputs)
            }
        }
    };
}
pub(crate) use depthwise_convolution;

/// Declares the layer that a [`SeparableConvolution`] over so many axes is, with the arguments that all of them have.
macro_rules! separable_convolution {
    ($(#[$doc:meta])* $name:ident $snake:literal {
        axes: $axes:literal, ones: $ones:expr, kernel: $kernel:literal, padding: $padding:literal,
        input: $input:literal, shapes: $shapes:literal,
    }) => {
        use crate::activation::Activation;
        use crate::{Constraint, Convolution, DepthwiseConvolution, Inferred, Initializer, Operand, Padding, Regularizer, SeparableConvolution, ShapeError, Sliding};

        $crate::layer::layer! {
            $(#[$doc])*
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
                /// What the output adds to the training loss, divided by the number of examples.
                activity_regularizer: Option<Regularizer> = None,
                /// What the kernels of single channels are held to after each step of training.
                depthwise_constraint: Option<Constraint> = None,
                /// What the mixing weights are held to after each step of training.
                pointwise_constraint: Option<Constraint> = None,
                /// What the bias is held to after each step of training.
                bias_constraint: Option<Constraint> = None,
                /// Whether a kernel that does not fit a whole number of times is an error.
                strict: bool = false,
            }
        }

        impl $name {
            /// The two convolutions it is.
            pub const fn convolution(&self) -> SeparableConvolution<$axes> {
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
                    depthwise_constraint: self.depthwise_constraint,
                    bias_constraint: None,
                };
                let pointwise = Convolution {
                    layer: Self::NAME,
                    filters: self.filters,
                    window: Sliding::kernel($ones),
                    groups: 1,
                    activation: self.activation,
                    use_bias: self.use_bias,
                    kernel_initializer: self.pointwise_initializer,
                    bias_initializer: self.bias_initializer,
                    kernel_regularizer: self.pointwise_regularizer,
                    bias_regularizer: self.bias_regularizer,
                    kernel_constraint: self.pointwise_constraint,
                    bias_constraint: self.bias_constraint,
                };
                SeparableConvolution { depthwise, pointwise }
            }

            #[doc = concat!(" ", $shapes, " by the window rule; `kernel·C·depth_multiplier` and `C·depth_multiplier·filters` weights")]
            /// and `filters` biases.
            ///
            /// # Errors
            #[doc = concat!(" If the input is no ", $input, ", or the kernel does not fit it.")]
            pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
                self.convolution().infer(inputs)
            }
        }
    };
}
pub(crate) use separable_convolution;
