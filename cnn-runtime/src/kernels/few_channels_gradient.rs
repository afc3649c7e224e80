//! The gradient of the weights of a convolution of few channels.
//!
//! As in the [forward pass](super::few_channels), gathering patches would cost more than multiplying them. The sums of some taps,
//! for as many filters as two vectors hold, stay in registers while the pixels of a band pass by: each value that a tap
//! sees, repeated over a vector, times the gradients of the pixel.

use super::few_channels::FewChannels;
use super::patches::Geometry;
use super::pieces::sum_over_pieces;
use super::simd::arch;
use super::weighted::{Gradients, add_rows, undo_activation};
use crate::spec::Activation;
use pulp::{Simd, WithSimd};

/// Output pixels that are summed apart from others, so that long sums keep their digits.
const BAND: usize = 256;

impl FewChannels {
    /// The gradients of the weights, in the order of patches, and of the biases, from that of the output `ys` of an activation.
    /// Where it is linear, `ys` is not read.
    pub(super) fn weight_gradient(&self, xs: &[f32], ys: &[f32], grad: &[f32], activation: Activation) -> Gradients<f32> {
        let Geometry { batch, output: [height, width], .. } = self.geometry;
        let (filters, lines) = (self.filters, (BAND / width).clamp(1, height));
        let bands = height.div_ceil(lines);
        sum_over_pieces(batch * bands, [self.taps.len() * filters, filters], None, |numbers, _| {
            let (mut weight, mut bias) = (vec![0.0; self.taps.len() * filters], vec![0.0; filters]);
            let (mut before, mut of_band) = (Vec::new(), vec![0.0; filters]);
            for number in numbers {
                let (image, first) = (number / bands, number % bands * lines);
                let band = first..height.min(first + lines);
                let range = (image * height + band.start) * width * filters..(image * height + band.end) * width * filters;
                let grad = match activation {
                    Activation::Linear => &grad[range],
                    activation => undo_activation(activation, &ys[range.clone()], &grad[range], &mut before),
                };
                of_band.fill(0.0);
                add_rows(&mut of_band, grad);
                add_rows(&mut bias, &of_band);
                let padded = self.pad(&xs[image * self.geometry.image_len()..][..self.geometry.image_len()], band);
                arch().dispatch(Band { conv: self, padded: &padded, grad, sums: &mut weight });
            }
            (weight, bias)
        })
    }
}

/// Adds the gradients of the weights over some lines of output to `sums`.
struct Band<'a> {
    conv: &'a FewChannels,
    padded: &'a [f32],
    grad: &'a [f32],
    sums: &'a mut [f32],
}

impl WithSimd for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // With two vectors of sums each, as many as processors with such vectors have registers for. The last tap is summed
        // several times if that fills a block, as seldom as may be.
        let most = if S::F32_LANES == 16 { 9 } else { 5 };
        let taps = self.conv.taps.len();
        match taps.div_ceil(taps.div_ceil(most)) {
            1 => self.taps::<S, 1>(simd),
            2 => self.taps::<S, 2>(simd),
            3 => self.taps::<S, 3>(simd),
            4 => self.taps::<S, 4>(simd),
            5 => self.taps::<S, 5>(simd),
            6 => self.taps::<S, 6>(simd),
            7 => self.taps::<S, 7>(simd),
            8 => self.taps::<S, 8>(simd),
            9 => self.taps::<S, 9>(simd),
            _ => unreachable!("there are registers for nine"),
        }
    }
}

impl Band<'_> {
    #[inline(always)]
    fn taps<S: Simd, const TAPS: usize>(mut self, simd: S) {
        let (filters, lanes) = (self.conv.filters, S::F32_LANES);
        for (number, taps) in self.conv.taps.chunks(TAPS).enumerate() {
            let taps = std::array::from_fn(|tap| taps[tap.min(taps.len() - 1)]);
            let mut filter = 0;
            while filter + 2 * lanes <= filters {
                self.add::<S, TAPS, 2>(simd, &taps, number * TAPS, filter);
                filter += 2 * lanes;
            }
            if filter < filters {
                self.add::<S, TAPS, 1>(simd, &taps, number * TAPS, filter);
            }
        }
    }

    /// Adds what some taps, from number `first` on, see of all pixels, for `VECTORS` vectors of filters from `filter` on.
    #[inline(always)]
    fn add<S: Simd, const TAPS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        taps: &[usize; TAPS],
        first: usize,
        filter: usize,
    ) {
        let Geometry { channels, output: [_, width], strides, .. } = self.conv.geometry;
        let (filters, line_len, apart) = (self.conv.filters, strides[0] * self.conv.columns * channels, strides[1] * channels);
        let furthest = taps.iter().max().map_or(0, |tap| tap + (width - 1) * apart);
        let mut found = [[simd.splat_f32s(0.0); VECTORS]; TAPS];
        for (line, grad) in self.grad.chunks_exact(width * filters).enumerate() {
            let seen = &self.padded[line * line_len..];
            assert!(furthest < seen.len(), "taps of the last pixel");
            for (x, grad) in grad.chunks_exact(filters).enumerate() {
                let (grad, _) = S::as_simd_f32s(&grad[filter..filter + VECTORS * S::F32_LANES]);
                let grad: [S::f32s; VECTORS] = std::array::from_fn(|vector| grad[vector]);
                for (tap, found) in taps.iter().zip(&mut found) {
                    // SAFETY: no tap is further than the furthest, and of that the last pixel's was checked.
                    let value = simd.splat_f32s(unsafe { *seen.get_unchecked(tap + x * apart) });
                    for vector in 0..VECTORS {
                        found[vector] = simd.mul_add_f32s(value, grad[vector], found[vector]);
                    }
                }
            }
        }
        for (sums, found) in self.sums[first * filters..].chunks_exact_mut(filters).zip(found) {
            let (sums, _) = S::as_mut_simd_f32s(&mut sums[filter..filter + VECTORS * S::F32_LANES]);
            sums.iter_mut().zip(found).for_each(|(sum, found)| *sum = simd.add_f32s(*sum, found));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;
    use crate::kernels::conv::Conv;
    use crate::kernels::few_channels::Lanes;
    use crate::spec::{Conv1D, Conv2D, Convolution, Padding};
    use crate::testing::numbers;

    /// Whether the kernel takes the convolution; if so, its gradients have to be what products of patches give in `f64`.
    fn agrees<const N: usize>(spec: Convolution<N>, dims: &[usize], activation: Activation) -> bool {
        let geometry = Geometry::new("test", dims, &spec.window).unwrap();
        let conv = Conv { geometry, filters: spec.filters, groups: 1, ends_in: activation, precision: Precision::F32 };
        let Some(few) = conv.few_channels() else { return false };
        let patch = geometry.taps() * geometry.channels;
        let ys = geometry.batch * geometry.pixels() * spec.filters;
        let (xs, weight) = (dims.iter().product(), vec![0.0; patch * spec.filters]);
        let found = few.weight_gradient(&numbers(xs, 1), &numbers(ys, 2), &numbers(ys, 3), activation);
        let exact = conv.backward_on_vectors(&numbers::<f64>(xs, 1), &weight, &numbers(ys, 2), &numbers(ys, 3), false);
        let expect_near = |found: &[f32], exact: &[f64]| {
            let distance = found.iter().zip(exact).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(found.len() == exact.len() && distance < 2e-4, "{spec:?} of {dims:?}: {distance}");
        };
        expect_near(&conv.unpack(&found.weight), &exact.weight);
        expect_near(&found.bias, &exact.bias);
        true
    }

    #[test]
    fn sums_are_those_of_patches() {
        let mut taken = 0;
        for padding in [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[3, 0], [1, 5]])] {
            for (channels, filters) in [(1, 32), (3, 48), (4, 16), (2, 40)] {
                for (size, strides) in [([3, 3], [1, 1]), ([3, 3], [2, 2]), ([5, 2], [1, 3]), ([1, 1], [2, 1])] {
                    let conv = Conv2D::new(filters, size).strides(strides).padding(padding);
                    for dims in [[1, 28, 28, channels], [3, 9, 13, channels], [2, 70, 33, channels]] {
                        for activation in [Activation::Linear, Activation::Relu, Activation::Tanh] {
                            taken += usize::from(agrees(conv.convolution(), &dims, activation));
                        }
                    }
                }
                let conv = Conv2D::new(filters, [3, 2]).dilation_rate([2, 3]).padding(padding);
                taken += usize::from(agrees(conv.convolution(), &[2, 12, 11, channels], Activation::Relu));
            }
        }
        let conv = Conv1D::new(32, [4]).padding(Padding::Causal);
        taken += usize::from(agrees(conv.convolution(), &[2, 50, 1], Activation::Linear));
        assert!(taken > 300 || arch().dispatch(Lanes) == 1, "{taken} were taken");
    }
}
