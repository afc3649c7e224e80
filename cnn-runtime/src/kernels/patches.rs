//! Patches of an image as rows of a matrix (im2col) and back (col2im), channels-last.
//!
//! Row `r` of the matrix holds what the kernel sees at output pixel `r`: its taps row by row, the channels of each tap
//! side by side. With this order a convolution is one matrix product, and most of a row is copied in runs.

use super::real::Real;
use super::simd::simd;
use crate::spec::{Operand, Shape, Sliding};
use candle_core::Result;
use std::ops::Range;

/// Where a window lies over a batch of images, all sizes resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Images in the batch.
    pub(crate) batch: usize,
    /// Height and width of an image.
    pub(crate) input: [usize; 2],
    /// Channels of an image.
    pub(crate) channels: usize,
    /// Height and width of the output.
    pub(crate) output: [usize; 2],
    /// Taps of the window in height and width.
    pub(crate) size: [usize; 2],
    /// Cells from one position to the next.
    pub(crate) strides: [usize; 2],
    /// Cells from one tap to the next.
    pub(crate) dilation: [usize; 2],
    /// Cells of padding above and to the left.
    pub(crate) before: [usize; 2],
}

impl Geometry {
    /// The geometry of `window` over images of shape `dims`, `N, H, W, C`.
    ///
    /// # Errors
    /// If `dims` is not of a batch of images, or the window does not fit them.
    pub(crate) fn new(name: &str, dims: &[usize], window: &Sliding<2>) -> Result<Self> {
        let &[batch, height, width, channels] = dims else {
            candle_core::bail!("`{name}` takes a batch of images, N×H×W×C, found {} axes", dims.len());
        };
        let operand = Operand::new("xs", Shape::new([height, width, channels]));
        let output = window.output(&operand).map_err(candle_core::Error::wrap)?;
        Ok(Self {
            batch,
            input: [height, width],
            channels,
            output: output.map(|dim| dim.known().expect("every size of a tensor is known")),
            size: window.size,
            strides: window.strides,
            dilation: window.dilation,
            before: [window.padding_at(0, height)[0], window.padding_at(1, width)[0]],
        })
    }

    /// Elements of one input image.
    pub(crate) fn image_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    /// Output pixels of one image.
    pub(crate) fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Taps of the window.
    pub(crate) fn taps(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Whether the patches are the pixels of the input themselves, in order.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.strides == [1, 1] && self.before == [0, 0] && self.output == self.input
    }

    /// The input row or column that `tap` sees from output position `at`.
    ///
    /// `tap` must be one of [`Self::inside`].
    #[inline(always)]
    pub(crate) fn source(&self, axis: usize, at: usize, tap: usize) -> usize {
        at * self.strides[axis] + tap * self.dilation[axis] - self.before[axis]
    }

    /// The taps along `axis` that lie inside the image from output position `at`.
    #[inline(always)]
    pub(crate) fn inside(&self, axis: usize, at: usize) -> Range<usize> {
        let (start, step, size) = (at * self.strides[axis], self.dilation[axis], self.size[axis]);
        let first = self.before[axis].saturating_sub(start).div_ceil(step).min(size);
        let end = (self.input[axis] + self.before[axis]).saturating_sub(start).div_ceil(step).min(size);
        first..end.max(first)
    }

    /// Where the pixel that the taps see lies in an image.
    #[inline(always)]
    fn pixel(&self, y: usize, at: usize, tap: usize) -> usize {
        (y * self.input[1] + self.source(1, at, tap)) * self.channels
    }
}

simd! {
    /// Writes the patches of output pixels `rows` of one image into `patches`, one row each, of its channels `channels`.
    pub(crate) fn gather<T: Real>(geometry: &Geometry, image: &[T], rows: Range<usize>, channels: Range<usize>, patches: &mut [T]) {
        let depth = channels.len();
        let runs = depth == geometry.channels && geometry.dilation[1] == 1;
        for (row, patch) in rows.zip(patches.chunks_exact_mut(geometry.taps() * depth)) {
            let at = [row / geometry.output[1], row % geometry.output[1]];
            let (down, across) = (geometry.inside(0, at[0]), geometry.inside(1, at[1]));
            for (tap, line) in patch.chunks_exact_mut(geometry.size[1] * depth).enumerate() {
                if !down.contains(&tap) || across.is_empty() {
                    line.fill(T::zero());
                    continue;
                }
                let y = geometry.source(0, at[0], tap);
                line[..across.start * depth].fill(T::zero());
                line[across.end * depth..].fill(T::zero());
                if runs {
                    let start = geometry.pixel(y, at[1], across.start);
                    copy(&mut line[across.start * depth..across.end * depth], &image[start..]);
                } else {
                    for tap in across.clone() {
                        let start = geometry.pixel(y, at[1], tap) + channels.start;
                        copy(&mut line[tap * depth..][..depth], &image[start..]);
                    }
                }
            }
        }
    }
}

/// Fills `to` from the start of `from`; a short run, as of an image with few channels, without a call.
#[inline(always)]
fn copy<T: Copy>(to: &mut [T], from: &[T]) {
    let from = &from[..to.len()];
    if to.len() < 16 {
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
    } else {
        to.copy_from_slice(from);
    }
}

simd! {
    /// Adds each patch back to the pixels it was gathered from: the transpose of [`gather`].
    pub(crate) fn scatter<T: Real>(geometry: &Geometry, patches: &[T], rows: Range<usize>, channels: Range<usize>, image: &mut [T]) {
        let depth = channels.len();
        let runs = depth == geometry.channels && geometry.dilation[1] == 1;
        for (row, patch) in rows.zip(patches.chunks_exact(geometry.taps() * depth)) {
            let at = [row / geometry.output[1], row % geometry.output[1]];
            let (down, across) = (geometry.inside(0, at[0]), geometry.inside(1, at[1]));
            for tap in down {
                let line = &patch[tap * geometry.size[1] * depth..][..geometry.size[1] * depth];
                let y = geometry.source(0, at[0], tap);
                if runs && !across.is_empty() {
                    let start = geometry.pixel(y, at[1], across.start);
                    add(&mut image[start..], &line[across.start * depth..across.end * depth]);
                    continue;
                }
                for tap in across.clone() {
                    let start = geometry.pixel(y, at[1], tap) + channels.start;
                    add(&mut image[start..], &line[tap * depth..][..depth]);
                }
            }
        }
    }
}

/// Adds `from` to the start of `to`.
#[inline(always)]
fn add<T: Real>(to: &mut [T], from: &[T]) {
    for (to, from) in to[..from.len()].iter_mut().zip(from) {
        *to += *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Conv2D, Padding};

    fn geometry(conv: Conv2D, dims: [usize; 4]) -> Geometry {
        Geometry::new("test", &dims, &conv.window()).unwrap()
    }

    #[test]
    fn a_patch_holds_what_the_window_sees() {
        let geometry = geometry(Conv2D::new(1, [3, 3]).strides([2, 2]).padding(Padding::Same), [1, 4, 4, 1]);
        let image: Vec<f64> = (0..16).map(f64::from).collect();
        let mut patches = vec![f64::NAN; 36];
        gather(&geometry, &image, 0..4, 0..1, &mut patches);
        let sums: Vec<f64> = patches.chunks(9).map(|patch| patch.iter().sum()).collect();
        assert_eq!(sums, [45.0, 39.0, 66.0, 50.0]);
    }

    #[test]
    fn scatter_is_the_transpose_of_gather() {
        let padded = Padding::Explicit([[1, 2], [0, 3]]);
        for (dilation, channels) in [([2, 1], 0..3), ([2, 1], 1..3), ([1, 2], 0..3)] {
            let conv = Conv2D::new(1, [2, 3]).strides([1, 2]).dilation_rate(dilation).padding(padded);
            let geometry = geometry(conv, [1, 5, 4, 3]);
            let (rows, width) = (geometry.pixels(), 6 * channels.len());
            let image: Vec<f64> = (0..60).map(|i| f64::from(i * i % 17)).collect();
            let patches: Vec<f64> = (0..rows * width).map(|i| (i * i % 23) as f64).collect();
            let mut gathered = vec![f64::NAN; rows * width];
            gather(&geometry, &image, 0..rows, channels.clone(), &mut gathered);
            let mut scattered = vec![0.0; 60];
            scatter(&geometry, &patches, 0..rows, channels, &mut scattered);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            assert_eq!(dot(&gathered, &patches), dot(&image, &scattered));
        }
    }

    #[test]
    fn a_window_that_reaches_past_a_padded_edge_sees_zeros() {
        let geometry = geometry(Conv2D::new(1, [1, 3]).padding(Padding::Explicit([[3, 3], [4, 4]])), [1, 1, 2, 1]);
        let mut patches = vec![f64::NAN; geometry.pixels() * 3];
        gather(&geometry, &[5.0, 7.0], 0..geometry.pixels(), 0..1, &mut patches);
        assert_eq!(patches.iter().sum::<f64>(), 36.0);
        assert_eq!(patches[..9], [0.0; 9]);
    }
}
