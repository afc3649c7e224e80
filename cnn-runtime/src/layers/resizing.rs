//! `Resizing`: an image of any size becomes one of a given size.

use crate::kernels::Taps;
use crate::spec::{self, Shape};
use crate::{Context, Weights, kernels, layers};
use candle_core::{Result, Tensor};
use std::array::from_fn;

/// Images sampled anew: `N, H, W, C` to `N, height, width, C`.
#[derive(Clone, Debug)]
pub struct Resizing {
    spec: spec::layers::Resizing,
}

impl Resizing {
    /// The layer; it has no tensors.
    ///
    /// # Errors
    /// None; the signature is that of every layer.
    pub fn build(spec: spec::layers::Resizing, _input: Shape, _weights: &Weights) -> Result<Self> {
        Ok(Self { spec })
    }

    /// Resizes `xs`, `N, H, W, C`.
    ///
    /// # Errors
    /// If `xs` is not a batch of images of at least one pixel.
    pub fn forward(&self, xs: &Tensor, _cx: &Context) -> Result<Tensor> {
        let name = spec::layers::Resizing::NAME;
        let (input, output) = (layers::spatial::<2>(name, xs)?, [self.spec.height, self.spec.width]);
        kernels::expect_values(xs, name)?;
        let spec::layers::Resizing { interpolation, antialias, fill_value, .. } = self.spec;
        let resize = |axis: usize, start, len| Taps::resize(start, len, output[axis], interpolation, antialias);
        if self.spec.pad_to_aspect_ratio {
            let taps = from_fn(|axis| {
                let before = self.added(input, axis);
                resize(axis, 0, input[axis] + 2 * before).inside(before, input[axis])
            });
            // What is added is 0 where `fill_value` is.
            return kernels::resample::<2>(name, &xs.affine(1.0, -fill_value)?, taps)?.affine(1.0, fill_value);
        }
        let parts = match self.spec.crop_to_aspect_ratio {
            true => layers::proportional(input, output),
            false => input.map(|n| (0, n)),
        };
        let taps = from_fn(|axis| resize(axis, parts[axis].0, parts[axis].1));
        kernels::resample::<2>(name, xs, taps)
    }

    /// The cells to add on either side of `axis`, so that an image has the proportions of the output; as in Keras, half of
    /// them rounded down.
    fn added(&self, input: [usize; 2], axis: usize) -> usize {
        let output = [self.spec.height, self.spec.width];
        (input[1 - axis] * output[axis] / output[1 - axis]).saturating_sub(input[axis]) / 2
    }
}
