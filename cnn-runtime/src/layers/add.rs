//! `Add`: tensors added element by element.

use crate::spec::{self, Activation, Graph, Shape};
use crate::{Context, Weights, kernels};
use candle_core::{Result, Tensor};

/// The sum of tensors of one shape.
#[derive(Clone, Debug)]
pub struct Add {
    /// What the layer behind this one would do, and this one does in a pass of `fit` over the whole network.
    then: Activation,
}

impl Add {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(_spec: spec::layers::Add, _inputs: &[Shape], _weights: &Weights) -> Result<Self> {
        Ok(Self { then: Activation::Linear })
    }

    /// The same layer, which knows whether its pass of `fit` rectifies too.
    pub(super) fn then_rectifies(self, graph: &Graph, index: usize) -> Self {
        Self { then: graph.rectifier(index).map_or(Activation::Linear, |(_, rectifier)| rectifier) }
    }

    /// Adds `xs`, each `N, …` of one shape.
    ///
    /// # Errors
    /// If their shapes differ; none is broadcast.
    pub fn forward(&self, xs: &[&Tensor], _cx: &Context) -> Result<Tensor> {
        match xs {
            [a, b] if kernels::is_recording(a.device()) => kernels::sum(a, b, self.then),
            _ => kernels::add(xs),
        }
    }
}
