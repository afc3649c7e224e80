//! `Input`: where a tensor enters the network, and is checked.

use crate::spec::{self, Shape};
use crate::{Context, Weights};
use candle_core::{Result, Tensor};

/// Checks that a batch has the shape the network was declared for.
#[derive(Clone, Debug)]
pub struct Input {
    spec: spec::Input,
    name: String,
}

impl Input {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::Input, _input: Shape, weights: &Weights) -> Result<Self> {
        Ok(Self { spec, name: weights.path().to_string() })
    }

    /// Gives `xs` itself, laid out row by row.
    ///
    /// # Errors
    /// If `xs` is not a batch of examples of the declared shape.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let declared = self.spec.shape;
        let fits = |(size, dim): (&usize, &spec::Dim)| dim.known().is_none_or(|known| known == *size);
        if xs.rank() == declared.rank() + 1 && xs.dims()[1..].iter().zip(declared.dims()).all(fits) {
            return xs.contiguous();
        }
        let sizes: Vec<String> = xs.dims().iter().map(usize::to_string).collect();
        let help = if xs.rank() == declared.rank() { "; add the batch axis in front with `unsqueeze(0)`" } else { "" };
        candle_core::bail!("`{}` takes a batch of N×{declared}, found {}{help}", self.name, sizes.join("×"))
    }
}
