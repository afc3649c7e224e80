//! `Embedding`: a trained vector for each of so many symbols.

use crate::spec::{self, Activation, Operand, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};

/// The vector of each symbol: `N, …` to `N, …, output_dim`.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// One vector for each symbol, `input_dim, output_dim`.
    pub weight: Tensor,
    spec: spec::layers::Embedding,
}

impl Embedding {
    /// The layer, with its tensor from `weights`.
    ///
    /// # Errors
    /// If the layer does not take examples of shape `input`, or `weights` lacks a tensor of the right shape.
    pub fn build(spec: spec::layers::Embedding, input: Shape, weights: &Weights) -> Result<Self> {
        let inferred = spec.infer(&[Operand::new("input", input)]).map_err(candle_core::Error::wrap)?;
        Ok(Self { weight: layers::tensors(&inferred, weights)?.remove(0), spec })
    }

    /// The vectors of the symbols `xs`, whole numbers in a tensor of any type.
    ///
    /// # Errors
    /// If a number is not whole, or is no symbol; on a GPU the vector of such a number is not a number instead.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let vectors = kernels::embed(&cx.parameter(&self.weight), xs)?;
        layers::regularized(vectors, self.spec.activity_regularizer, Activation::Linear, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::gpu::Gpu;
    use candle_core::{DType, Device};

    #[test]
    fn symbols_that_do_not_exist_are_named() {
        let weights = Weights::fresh(Seed(1), DType::F32, &Device::Cpu);
        let layer = Embedding::build(spec::Embedding::new(5, 3), Shape::new([2]), &weights).unwrap();
        let on = |xs: Tensor| layer.forward(&xs, &Context::inference());
        let symbols = [[0u32, 4], [2, 2]];
        let vectors = on(Tensor::new(&symbols, &Device::Cpu).unwrap()).unwrap();
        assert_eq!(vectors.dims(), [2, 2, 3]);
        let floats = on(Tensor::new(&[[0f32, 4.], [2., 2.]], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(floats.to_vec3::<f32>().unwrap(), vectors.to_vec3::<f32>().unwrap());
        // There nothing waits for the numbers to be looked at.
        if Gpu::of(&Device::Cpu).is_some() {
            return;
        }
        for (wrong, shown) in [(5.0, "5"), (-1.0, "-1"), (1.5, "1.5"), (f32::NAN, "NaN")] {
            let error = on(Tensor::new(&[[0f32, 4.], [2., wrong]], &Device::Cpu).unwrap()).unwrap_err().to_string();
            let expected = format!("`Embedding` takes whole numbers from 0 to 4, found {shown} in example 1 of the batch");
            assert!(error.contains(&expected), "{error}");
        }
    }
}
