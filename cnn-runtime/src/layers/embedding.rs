//! `Embedding`: a trained vector for each of so many symbols.

use crate::spec::{self, Activation, Operand, Shape};
use crate::{Context, Weights, layers};
use candle_core::{DType, Result, Tensor};

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
    /// If a number is not whole, or is no symbol.
    pub fn forward(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        let (symbols, length) = self.weight.dims2()?;
        let values = xs.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        if let Some(place) = values.iter().position(|x| !(*x >= 0.0 && *x < symbols as f64 && x.fract() == 0.0)) {
            let (example, found) = (place / (values.len() / xs.dim(0)?), values[place]);
            candle_core::bail!(
                "`Embedding` takes whole numbers from 0 to {}, found {found} in example {example} of the batch",
                symbols - 1
            );
        }
        let symbols: Vec<u32> = values.into_iter().map(|x| x as u32).collect();
        let count = symbols.len();
        let vectors = cx.parameter(&self.weight).index_select(&Tensor::from_vec(symbols, count, xs.device())?, 0)?;
        let vectors = vectors.reshape([xs.dims(), &[length]].concat())?;
        layers::regularized(vectors, self.spec.activity_regularizer, Activation::Linear, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use candle_core::Device;

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
        for (wrong, shown) in [(5.0, "5"), (-1.0, "-1"), (1.5, "1.5"), (f32::NAN, "NaN")] {
            let error = on(Tensor::new(&[[0f32, 4.], [2., wrong]], &Device::Cpu).unwrap()).unwrap_err().to_string();
            let expected = format!("`Embedding` takes whole numbers from 0 to 4, found {shown} in example 1 of the batch");
            assert!(error.contains(&expected), "{error}");
        }
    }
}
