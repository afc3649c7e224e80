//! `Cropping3D`: the edges of a volume cut off.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Each channel without its edges: `N, D, H, W, C` to `N, D', H', W', C`.
#[derive(Clone, Debug)]
pub struct Cropping3D {
    spec: spec::layers::Cropping3D,
}

impl Cropping3D {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Cropping3D, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Crops `xs`, `N, D, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of volumes, or nothing would be left of them.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::Cropping3D::NAME;
        let output = layers::output(|operand| self.spec.infer(operand), xs)?;
        let sizes = layers::spatial::<3>(name, xs)?;
        let taps = from_fn(|axis| Taps::part(sizes[axis], self.spec.cropping[axis][0] as isize, output[axis]));
        kernels::resample::<3>(name, xs, taps)
    }
}
