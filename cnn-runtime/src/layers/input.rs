//! `Input`: where a tensor enters the network, and is checked.

use super::FromSpec;
use crate::error::sizes;
use crate::spec::{self, Graph, Shape};
use crate::{Context, Weights};
use candle_core::{DType, Result, Tensor};

/// Checks that a batch has the shape the network was declared for.
#[derive(Clone, Debug)]
pub struct Input {
    spec: spec::Input,
    name: String,
    /// That of the weights, which numbers that are not whole have to share.
    dtype: DType,
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
        Ok(Self { spec, name: weights.path().to_string(), dtype: weights.dtype(), smallest: None })
    }

    /// Gives `xs` itself, laid out row by row.
    ///
    /// # Errors
    /// If `xs` is not a batch of examples of the declared shape, or of floats of another type than the weights.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let declared = self.spec.shape;
        let fits = |(size, dim): (&usize, &spec::Dim)| dim.admits(*size);
        let name = &self.name;
        if xs.rank() != declared.rank() + 1 || !xs.dims()[1..].iter().zip(declared.dims()).all(fits) {
            let help = if xs.rank() == declared.rank() { "; add the batch axis in front with `unsqueeze(0)`" } else { "" };
            candle_core::bail!("`{name}` takes a batch of N×{declared}, found {}{help}", sizes(xs.dims()))
        }
        if xs.dtype().is_float() && xs.dtype() != self.dtype {
            let (ours, found) = (self.dtype.as_str(), xs.dtype().as_str());
            candle_core::bail!("`{name}` takes `{ours}`, as the weights are, found `{found}`; convert it with `to_dtype`")
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn floats_are_of_the_type_of_the_weights() {
        let weights = Weights::fresh(crate::Seed(1), DType::F32, &Device::Cpu);
        let shape = Shape::new([2, 3, 1]);
        let input = Input::build(spec::Input { shape }, shape, &weights.pp("input")).unwrap();
        let forward = |dtype| input.forward(&Tensor::zeros((1, 2, 3, 1), dtype, &Device::Cpu).unwrap(), &Context::inference());
        assert!(forward(DType::F32).is_ok() && forward(DType::U32).is_ok());
        let error = forward(DType::F64).unwrap_err().to_string();
        assert!(error.starts_with("`input` takes `f32`, as the weights are, found `f64`; convert it with `to_dtype`"), "{error}");
    }
}
