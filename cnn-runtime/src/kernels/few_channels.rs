//! Convolution of images of few channels, such as those that enter a network.
//!
//! Patches of one to a few channels are so short that gathering them costs more than multiplying them. Here the sums of some
//! pixels stay in registers while the taps pass by: each value of the image, repeated over a vector, times the weights of as
//! many filters. The image is padded first, so that every tap of every pixel is there.

use super::patches::Geometry;
use super::share::{for_each, threads};
use super::simd::arch;
use super::weighted::Ending;
use crate::spec::Activation;
use pulp::{Simd, WithSimd};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Output pixels that a thread computes at a time, at most.
const BAND: usize = 1024;

/// Output pixels that are worth another thread's while.
const LEAST: usize = 64;

/// A convolution without groups, as this kernel computes it.
pub(super) struct FewChannels {
    pub(super) geometry: Geometry,
    pub(super) filters: usize,
    /// Pixels of a line whose sums are in registers at once.
    pixels: usize,
    /// The columns of a padded line.
    pub(super) columns: usize,
    /// Where, from a pixel's first tap, each number of its patch lies in the padded image.
    pub(super) taps: Vec<usize>,
}

impl FewChannels {
    /// The convolution, if it is one that this kernel is better at.
    pub(super) fn new<const N: usize>(geometry: &Geometry<N>, filters: usize, groups: usize) -> Option<Self> {
        const CHANNELS: usize = 4;
        let geometry = geometry.planar()?;
        let Geometry { channels, output, size, strides, dilation, .. } = geometry;
        let lanes = arch().dispatch(Lanes);
        if groups > 1 || channels > CHANNELS || lanes == 1 || !filters.is_multiple_of(lanes) {
            return None;
        }
        // With two vectors of sums each, as many as processors with such vectors have registers for. The last pixels of a line are
        // computed together with some that are not there, as few as may be.
        let most = if lanes == 16 { 8 } else { 5 };
        let pixels = output[1].div_ceil(output[1].div_ceil(most));
        let positions = output[1].next_multiple_of(pixels);
        let columns = (positions - 1) * strides[1] + (size[1] - 1) * dilation[1] + 1;
        let tap = |y: usize, x: usize| (y * dilation[0] * columns + x * dilation[1]) * channels;
        let taps = (0..size[0]).flat_map(|y| (0..size[1]).map(move |x| tap(y, x)));
        let taps = taps.flat_map(|tap| (0..channels).map(move |channel| tap + channel)).collect();
        Some(Self { geometry, filters, pixels, columns, taps })
    }

    /// The output for all images, from weights in the order of patches, a row of filters for each number of one.
    pub(super) fn forward(&self, xs: &[f32], packed: &[f32], ending: Ending<f32>) -> Vec<f32> {
        let Geometry { batch, output: [height, width], .. } = self.geometry;
        let pixels = (batch * height * width).div_ceil(threads()).clamp(LEAST, BAND);
        let (len, lines) = (batch * height * width * self.filters, pixels.div_ceil(width).min(height));
        let zeros = vec![0.0; self.filters];
        let bias = ending.bias.unwrap_or(&zeros);
        let is_all = ending.added.is_none() && matches!(ending.activation, Activation::Linear | Activation::Relu);
        let rectified = is_all && ending.activation == Activation::Relu;
        let mut ys = Vec::with_capacity(len);
        let image_len = height * width * self.filters;
        let mut bands = Vec::new();
        for (image, ys) in ys.spare_capacity_mut()[..len].chunks_mut(image_len).enumerate() {
            for (band, ys) in ys.chunks_mut(lines * width * self.filters).enumerate() {
                bands.push((image, band * lines, ys));
            }
        }
        for_each(bands, |(image, first, ys)| {
            let band = first..first + ys.len() / (width * self.filters);
            let padded = self.pad(&xs[image * self.geometry.image_len()..][..self.geometry.image_len()], band);
            let first = image * image_len + first * width * self.filters;
            arch().dispatch(Band { conv: self, padded: &padded, packed, bias, rectified, ys });
            if !is_all {
                // SAFETY: the sums of every pixel of the band have been written.
                Ending { bias: None, ..ending }.finish(unsafe { ys.assume_init_mut() }, self.filters, first);
            }
        });
        // SAFETY: the bands have all `len` values, and each has been written.
        unsafe { ys.set_len(len) };
        ys
    }

    /// What some output lines of an image see, padded.
    pub(super) fn pad(&self, image: &[f32], lines: Range<usize>) -> Vec<f32> {
        let Geometry { input, channels, size, strides, dilation, before, .. } = self.geometry;
        let count = (lines.len() - 1) * strides[0] + (size[0] - 1) * dilation[0] + 1;
        let mut padded = vec![0.0; count * self.columns * channels];
        let seen = self.columns.saturating_sub(before[1]).min(input[1]) * channels;
        for (y, line) in (lines.start * strides[0]..).zip(padded.chunks_exact_mut(self.columns * channels)) {
            if let Some(y) = y.checked_sub(before[0]).filter(|y| *y < input[0]) {
                let start = line.len().min(before[1] * channels);
                line[start..start + seen].copy_from_slice(&image[y * input[1] * channels..][..seen]);
            }
        }
        padded
    }
}

/// How many `f32` this processor's vectors hold.
pub(super) struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// The sums of some lines of output.
struct Band<'a> {
    conv: &'a FewChannels,
    padded: &'a [f32],
    packed: &'a [f32],
    bias: &'a [f32],
    /// Whether what is negative is written as 0.
    rectified: bool,
    ys: &'a mut [MaybeUninit<f32>],
}

impl WithSimd for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.conv.pixels {
            1 => self.lines::<S, 1>(simd),
            2 => self.lines::<S, 2>(simd),
            3 => self.lines::<S, 3>(simd),
            4 => self.lines::<S, 4>(simd),
            5 => self.lines::<S, 5>(simd),
            6 => self.lines::<S, 6>(simd),
            7 => self.lines::<S, 7>(simd),
            8 => self.lines::<S, 8>(simd),
            _ => unreachable!("there are registers for eight"),
        }
    }
}

impl Band<'_> {
    #[inline(always)]
    fn lines<S: Simd, const PIXELS: usize>(self, simd: S) {
        let Geometry { channels, output: [_, width], strides, .. } = self.conv.geometry;
        let (filters, lanes) = (self.conv.filters, S::F32_LANES);
        let Self { conv, padded, packed, bias, rectified, ys } = self;
        let block = Block { conv, packed, bias, rectified };
        for (line, ys) in ys.chunks_exact_mut(width * filters).enumerate() {
            for x in (0..width).step_by(PIXELS) {
                let seen = &padded[(line * strides[0] * conv.columns + x * strides[1]) * channels..];
                let ys = &mut ys[x * filters..][..PIXELS.min(width - x) * filters];
                let mut filter = 0;
                while filter + 2 * lanes <= filters {
                    block.write::<S, PIXELS, 2>(simd, seen, filter, ys);
                    filter += 2 * lanes;
                }
                if filter < filters {
                    block.write::<S, PIXELS, 1>(simd, seen, filter, ys);
                }
            }
        }
    }
}

/// What the sums of some pixels of a line are computed from, wherever they lie.
struct Block<'a> {
    conv: &'a FewChannels,
    packed: &'a [f32],
    bias: &'a [f32],
    rectified: bool,
}

impl Block<'_> {
    /// Writes the sums of some pixels for `VECTORS` vectors of filters from `filter` on.
    #[inline(always)]
    fn write<S: Simd, const PIXELS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        seen: &[f32],
        filter: usize,
        ys: &mut [MaybeUninit<f32>],
    ) {
        let (filters, taps) = (self.conv.filters, &self.conv.taps);
        let apart = self.conv.geometry.strides[1] * self.conv.geometry.channels;
        let furthest = taps.last().copied().unwrap_or(0) + (PIXELS - 1) * apart;
        assert!(furthest < seen.len(), "taps of the last pixel");
        let vectors = |row: &[f32]| -> [S::f32s; VECTORS] {
            let (vectors, _) = S::as_simd_f32s(&row[filter..filter + VECTORS * S::F32_LANES]);
            std::array::from_fn(|vector| vectors[vector])
        };
        let mut sums = [vectors(self.bias); PIXELS];
        for (tap, weights) in taps.iter().zip(self.packed.chunks_exact(filters)) {
            let weights = vectors(weights);
            for (pixel, sums) in sums.iter_mut().enumerate() {
                // SAFETY: no tap is further than the last, and of that the last pixel's was checked.
                let value = simd.splat_f32s(unsafe { *seen.get_unchecked(tap + pixel * apart) });
                for vector in 0..VECTORS {
                    sums[vector] = simd.mul_add_f32s(value, weights[vector], sums[vector]);
                }
            }
        }
        // What is less is 0; not a number stays so.
        let least = simd.splat_f32s(if self.rectified { 0.0 } else { f32::NEG_INFINITY });
        for (ys, sums) in ys.chunks_exact_mut(filters).zip(&sums) {
            for (ys, sum) in ys[filter..].chunks_exact_mut(S::F32_LANES).zip(sums) {
                ys.write_copy_of_slice(pulp::bytemuck::cast_slice(&[simd.max_f32s(least, *sum)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Precision;
    use crate::kernels::conv::Conv;
    use crate::spec::{Conv1D, Conv2D, Convolution, Padding};
    use crate::testing::numbers;

    /// That the kernel, if it takes the convolution, gives what products of patches give in `f64`.
    fn agrees<const N: usize>(spec: Convolution<N>, dims: &[usize]) -> bool {
        let geometry = Geometry::new("test", dims, &spec.window).unwrap();
        let conv =
            Conv { geometry, filters: spec.filters, groups: spec.groups, ends_in: Activation::Tanh, precision: Precision::F32 };
        let Some(few) = conv.few_channels() else { return false };
        let (patch, rows) = (geometry.taps() * geometry.channels, geometry.batch * geometry.pixels());
        let [xs, weight, bias, added] = [dims.iter().product(), patch * spec.filters, spec.filters, rows * spec.filters];
        let found = {
            let (bias, added) = (numbers::<f32>(bias, 3), numbers::<f32>(added, 4));
            few.forward(&numbers(xs, 1), &conv.pack::<f32>(&numbers(weight, 2)), ending(&bias, &added))
        };
        let (bias, added) = (numbers::<f64>(bias, 3), numbers::<f64>(added, 4));
        let exact = conv.forward_on_vectors(&numbers(xs, 1), &conv.pack::<f64>(&numbers(weight, 2)), ending(&bias, &added));
        let distance = found.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(found.len() == exact.len() && distance < 2e-6, "{spec:?} of {dims:?}: {distance}");
        true
    }

    fn ending<'a, T>(bias: &'a [T], added: &'a [T]) -> Ending<'a, T> {
        Ending { bias: Some(bias), added: Some(added), activation: Activation::Tanh }
    }

    #[test]
    fn sums_are_those_of_patches() {
        let mut taken = 0;
        for padding in [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[3, 0], [1, 5]])] {
            for (channels, filters) in [(1, 32), (3, 48), (4, 16), (2, 40)] {
                for (size, strides) in [([3, 3], [1, 1]), ([3, 3], [2, 2]), ([5, 2], [1, 3]), ([1, 1], [2, 1])] {
                    let conv = Conv2D::new(filters, size).strides(strides).padding(padding);
                    for dims in [[1, 28, 28, channels], [3, 9, 13, channels], [2, 70, 33, channels]] {
                        taken += usize::from(agrees(conv.convolution(), &dims));
                    }
                }
                let conv = Conv2D::new(filters, [3, 2]).dilation_rate([2, 3]).padding(padding);
                taken += usize::from(agrees(conv.convolution(), &[2, 12, 11, channels]));
            }
        }
        taken += usize::from(agrees(Conv1D::new(32, [4]).padding(Padding::Causal).convolution(), &[2, 50, 1]));
        assert!(taken > 100 || arch().dispatch(Lanes) == 1, "{taken} were taken");
    }
}
