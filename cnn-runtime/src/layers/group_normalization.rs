//! `GroupNormalization`: groups of channels of every example are given mean 0 and variance 1.

use crate::spec::{self, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// Group normalisation of the last axis, of any shape to the same shape.
#[derive(Clone, Debug)]
pub struct GroupNormalization {
    /// What each channel is multiplied by, if anything: Keras' gamma.
    pub weight: Option<Tensor>,
    /// What is added to each channel, if anything: Keras' beta.
    pub bias: Option<Tensor>,
    channels: usize,
    spec: spec::GroupNormalization,
}

impl GroupNormalization {
    /// The layer for tensors of shape `input`, with tensors from `weights`.
    ///
    /// # Errors
    /// If the layer does not take that shape, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::GroupNormalization, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        let (weight, bias) = layers::affine(&inferred, weights)?;
        let channels = input.channels().known().expect("checked by the rule");
        Ok(Self { weight, bias, channels, spec })
    }

    /// Normalises `xs`, `N, …, C`.
    ///
    /// # Errors
    /// If `xs` has another number of channels.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let (channels, sizes) = (self.channels, xs.dims());
        if sizes.len() < 2 || sizes[sizes.len() - 1] != channels {
            candle_core::bail!("`GroupNormalization` takes {channels} channels, found a batch {sizes:?}");
        }
        let positions = sizes[1..sizes.len() - 1].iter().product();
        let (weight, bias) = layers::scale_and_shift(self.weight.as_ref(), self.bias.as_ref(), channels, xs, cx)?;
        let groups = self.spec.groups_of(channels);
        kernels::group_norm(xs, &weight, bias.as_ref(), positions, groups, self.spec.epsilon)
    }
}
