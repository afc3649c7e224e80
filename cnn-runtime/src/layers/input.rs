//! `Input`: where a tensor enters the network, and is checked.

use super::FromSpec;
use crate::error::sizes;
use crate::spec::{self, Graph, Shape};
use crate::{Context, Weights};
use candle_core::{Result, Tensor};

/// Checks that a batch has the shape the network was declared for.
#[derive(Clone, Debug)]
pub struct Input {
    spec: spec::Input,
    name: String,
    /// The smallest example that the layers behind it take, where sizes are open.
    smallest: Option<Shape>,
}

impl FromSpec for Input {
    fn from_spec(spec: &spec::Layer, inputs: &[Shape], weights: &Weights) -> Result<Self> {
        match spec {
            spec::Layer::Input(spec) => Self::build(*spec, inputs[0], weights),
            other => candle_core::bail!("`{}` is no `Input`", other.name()),
        }
    }

    fn within(self, graph: &Graph, index: usize) -> Self {
        let place = graph.inputs.iter().position(|input| *input == index);
        Self { smallest: graph.smallest_input().zip(place).map(|(smallest, place)| smallest[place]), ..self }
    }
}

impl Input {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::Input, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string(), smallest: None })
    }

    /// Gives `xs` itself, laid out row by row.
    ///
    /// # Errors
    /// If `xs` is not a batch of examples of the declared shape.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let declared = self.spec.shape;
        let fits = |(size, dim): (&usize, &spec::Dim)| dim.admits(*size);
        let name = &self.name;
        if xs.rank() != declared.rank() + 1 || !xs.dims()[1..].iter().zip(declared.dims()).all(fits) {
            let help = if xs.rank() == declared.rank() { "; add the batch axis in front with `unsqueeze(0)`" } else { "" };
            candle_core::bail!("`{name}` takes a batch of N×{declared}, found {}{help}", sizes(xs.dims()))
        }
        let is_below = |(size, least): (&usize, &spec::Dim)| least.known().is_some_and(|least| *size < least);
        if let Some(smallest) = &self.smallest
            && xs.dims()[1..].iter().zip(smallest.dims()).any(is_below)
        {
            candle_core::bail!("`{name}` takes a batch of at least N×{smallest}, found {}", sizes(xs.dims()))
        }
        xs.contiguous()
    }
}
