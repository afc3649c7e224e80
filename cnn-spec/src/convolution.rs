//! What a convolution is over any number of spatial axes: the rule that `Conv1D`, `Conv2D` and `Conv3D` share.

use crate::layer::image_of;
use crate::{
    Activation, At, Dim, Inferred, Initializer, Operand, Parameter, Parameters, Regularizer, ShapeError, Sliding, Text, rules,
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
}

impl<const N: usize> Convolution<N> {
    /// The weight for so many channels: `filters, channels / groups`, and the kernel's size.
    pub const fn weight(&self, channels: usize) -> Parameter {
        let (taps, per_group) = (self.window.taps(), channels / self.groups);
        Parameter::kernel("weight", [self.filters, per_group], self.window.size, self.kernel_initializer)
            .fans(taps.saturating_mul(per_group), taps.saturating_mul(self.filters))
            .regularized(self.kernel_regularizer)
    }

    /// Spatial sizes by the window rule, and `filters` channels; `kernel·C/groups·filters` weights and `filters` biases.
    ///
    /// # Errors
    /// If the input has other axes, the kernel does not fit it, or `groups` divides its channels or the filters unevenly.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        match self.checked(inputs) {
            Ok((output, channels)) => Ok(self.inferred(output, channels)),
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
            let message = Text::from("the ").num(channels).and(" channels of `").and(input.name);
            let message = message.and("` do not divide into ").num(groups).and(" groups");
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
            parameters.with(Parameter::new("bias", [self.filters], self.bias_initializer).regularized(self.bias_regularizer))
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
