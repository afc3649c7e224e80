//! Patches of an image as rows of a matrix (im2col) and back (col2im), channels-last, over any number of spatial axes.
//!
//! Row `r` of the matrix holds what the kernel sees at output pixel `r`: its taps line by line, the channels of each tap
//! side by side. With this order a convolution is one matrix product, and most of a row is copied in runs. A line is what
//! lies along the last axis: a row of an image.

use super::real::Real;
use super::simd::simd;
use crate::spec::{Dim, Operand, Shape, Sliding, TransposedConvolution};
use candle_core::Result;
use std::ops::Range;

/// Where a window lies over a batch of sequences, images or volumes, here all called images, with all sizes resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry<const N: usize = 2> {
    /// Images in the batch.
    pub(crate) batch: usize,
    /// The sizes of an image, such as height and width.
    pub(crate) input: [usize; N],
    /// Channels of an image.
    pub(crate) channels: usize,
    /// The sizes of the output.
    pub(crate) output: [usize; N],
    /// Taps of the window along each axis.
    pub(crate) size: [usize; N],
    /// Cells from one position to the next.
    pub(crate) strides: [usize; N],
    /// Cells from one tap to the next.
    pub(crate) dilation: [usize; N],
    /// Cells of padding before the image, such as above and to the left.
    pub(crate) before: [usize; N],
}

/// The parts of `dims`: the batch, the spatial sizes and the channels.
fn parts<const N: usize>(name: &str, dims: &[usize]) -> Result<(usize, [usize; N], usize)> {
    if let [batch, sizes @ .., channels] = dims
        && let Ok(sizes) = sizes.try_into()
    {
        return Ok((*batch, sizes, *channels));
    }
    let things = match N {
        1 => "sequences, N×L×C",
        2 => "images, N×H×W×C",
        _ => "volumes, N×D×H×W×C",
    };
    candle_core::bail!("`{name}` takes a batch of {things}, found {} axes", dims.len())
}

/// One example of a batch of shape `dims`, which has a batch axis, as an operand of a rule.
pub(crate) fn operand(dims: &[usize]) -> Operand<'static> {
    let dims: Vec<Dim> = dims[1..].iter().copied().map(Dim::Known).collect();
    Operand::new("xs", Shape::of(&dims))
}

fn known<const N: usize>(dims: [Dim; N]) -> [usize; N] {
    dims.map(|dim| dim.known().expect("every size of a tensor is known"))
}

impl<const N: usize> Geometry<N> {
    /// The geometry of `window` over examples of shape `dims`, `N, H, W, C` for images.
    ///
    /// # Errors
    /// If `dims` is not of a batch with `N` spatial axes, or the window does not fit them.
    pub(crate) fn new(name: &str, dims: &[usize], window: &Sliding<N>) -> Result<Self> {
        let (batch, input, channels) = parts(name, dims)?;
        let output = window.output(&operand(dims)).map_err(candle_core::Error::wrap)?;
        Ok(Self {
            batch,
            input,
            channels,
            output: known(output),
            size: window.size,
            strides: window.strides,
            dilation: window.dilation,
            before: std::array::from_fn(|axis| window.padding_at(axis, input[axis])[0]),
        })
    }

    /// The geometry of the convolution whose input gradient `spec` computes from examples of shape `dims`: their pixels are
    /// its output, and the image is what comes out.
    ///
    /// # Errors
    /// If `dims` is not of a batch with `N` spatial axes, or nothing comes out.
    pub(crate) fn transposed(dims: &[usize], spec: &TransposedConvolution<N>) -> Result<Self> {
        let (batch, output, _) = parts::<N>(spec.layer, dims)?;
        let input = spec.output(&operand(dims)).map_err(candle_core::Error::wrap)?;
        let Sliding { size, strides, dilation, .. } = spec.window;
        let before = std::array::from_fn(|axis| spec.kept(axis, output[axis]).before);
        Ok(Self { batch, input: known(input), channels: spec.filters, output, size, strides, dilation, before })
    }

    /// The geometry of some lines of one image alone, along its first axis, and the first output position that sees any.
    ///
    /// Its output has every position that sees one of these lines.
    pub(crate) fn band(&self, lines: Range<usize>) -> (Self, usize) {
        let (stride, start) = (self.strides[0], lines.start + self.before[0]);
        let reach = (self.size[0] - 1) * self.dilation[0];
        // A position no later than the first line, so that the padding before the band is not negative.
        let first = start.saturating_sub(reach).div_ceil(stride).min(start / stride).min(self.output[0]);
        let end = (lines.end + self.before[0]).div_ceil(stride).min(self.output[0]).max(first);
        let mut band = Self { batch: 1, ..*self };
        (band.input[0], band.output[0], band.before[0]) = (lines.len(), end - first, start - first * stride);
        (band, first)
    }

    /// The same window over images, a sequence being an image of one line, if they can be laid out with all that windows span; none over
    /// volumes.
    pub(crate) fn planar(&self) -> Option<Geometry> {
        self.has_room().then_some(())?;
        self.with_axes(|values, other| match values[..] {
            [value] => Some([other, value]),
            [first, second] => Some([first, second]),
            _ => None,
        })
    }

    /// The same window over volumes, an image having one plane for each line, of one line, if they can be laid out with all that windows span.
    pub(crate) fn spatial(&self) -> Option<Geometry<3>> {
        self.has_room().then_some(())?;
        self.with_axes(|values, other| match values[..] {
            [value] => Some([other, other, value]),
            [first, second] => Some([first, other, second]),
            _ => values[..].try_into().ok(),
        })
    }

    /// Whether images can be laid out with all that windows span.
    ///
    /// They cannot if padding and gaps between taps are many times as much as there is to see: those may be so many that no memory, nor
    /// number, has room for them.
    fn has_room(&self) -> bool {
        const MOST: usize = 16;
        let span = |axis: usize| {
            let between = self.output[axis].saturating_sub(1).checked_mul(self.strides[axis])?;
            (self.size[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(between)?.checked_add(1)
        };
        let spanned = (0..N).try_fold(1usize, |cells, axis| cells.checked_mul(span(axis)?));
        spanned.is_some_and(|spanned| spanned <= MOST.saturating_mul(self.input.iter().product::<usize>() + self.pixels()))
    }

    /// The same along other axes, to which `place` brings what is known of each, with what is to be known of others.
    fn with_axes<const M: usize>(&self, place: impl Fn([usize; N], usize) -> Option<[usize; M]>) -> Option<Geometry<M>> {
        Some(Geometry {
            batch: self.batch,
            input: place(self.input, 1)?,
            channels: self.channels,
            output: place(self.output, 1)?,
            size: place(self.size, 1)?,
            strides: place(self.strides, 1)?,
            dilation: place(self.dilation, 1)?,
            before: place(self.before, 0)?,
        })
    }

    /// The same images under windows of one cell, which see each pixel.
    pub(crate) fn pointwise(self) -> Self {
        let Self { batch, input, channels, .. } = self;
        let ones = [1; N];
        Self { batch, input, channels, output: input, size: ones, strides: ones, dilation: ones, before: [0; N] }
    }

    /// Elements of one input image.
    pub(crate) fn image_len(&self) -> usize {
        self.input.iter().product::<usize>() * self.channels
    }

    /// Output pixels of one image.
    pub(crate) fn pixels(&self) -> usize {
        self.output.iter().product()
    }

    /// The shape of a batch of outputs.
    pub(crate) fn output_shape(&self, channels: usize) -> candle_core::Shape {
        [&[self.batch][..], &self.output, &[channels]].concat().into()
    }

    /// Taps of the window.
    pub(crate) fn taps(&self) -> usize {
        self.size.iter().product()
    }

    /// Whether the patches are the pixels of the input themselves, in order.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.strides == [1; N] && self.before == [0; N] && self.output == self.input
    }

    /// The cell along `axis` that `tap` sees from output position `at`.
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

    /// Where output pixel `row` of an image lies along each axis.
    #[inline(always)]
    pub(crate) fn position(&self, row: usize) -> [usize; N] {
        let (mut at, mut rest) = ([0; N], row);
        for axis in (1..N).rev() {
            (at[axis], rest) = (rest % self.output[axis], rest / self.output[axis]);
        }
        at[0] = rest;
        at
    }

    /// The line of an image that line `line` of the taps sees from output position `at`, unless it lies outside.
    #[inline(always)]
    pub(crate) fn line(&self, at: &[usize; N], line: usize) -> Option<usize> {
        let (mut rest, mut seen, mut lines) = (line, 0, 1);
        for axis in (0..N - 1).rev() {
            let tap = if axis == 0 { rest } else { rest % self.size[axis] };
            // What lies before the image wraps around, to far behind it.
            let cell = (at[axis] * self.strides[axis] + tap * self.dilation[axis]).wrapping_sub(self.before[axis]);
            if cell >= self.input[axis] {
                return None;
            }
            seen += cell * lines;
            lines *= self.input[axis];
            rest = if axis == 0 { 0 } else { rest / self.size[axis] };
        }
        Some(seen)
    }

    /// Where the pixel of a line that a tap of the last axis sees lies in an image.
    #[inline(always)]
    fn pixel(&self, line: usize, at: usize, tap: usize) -> usize {
        (line * self.input[N - 1] + self.source(N - 1, at, tap)) * self.channels
    }
}

simd! {
    /// Writes the patches of output pixels `rows` of one image into `patches`, one row each, of its channels `channels`.
    pub(crate) fn gather<T: Real, const N: usize>(
        geometry: &Geometry<N>,
        image: &[T],
        rows: Range<usize>,
        channels: Range<usize>,
        patches: &mut [T],
    ) {
        let depth = channels.len();
        let runs = depth == geometry.channels && geometry.dilation[N - 1] == 1;
        for (row, patch) in rows.zip(patches.chunks_exact_mut(geometry.taps() * depth)) {
            let at = geometry.position(row);
            let across = geometry.inside(N - 1, at[N - 1]);
            for (number, line) in patch.chunks_exact_mut(geometry.size[N - 1] * depth).enumerate() {
                let Some(seen) = geometry.line(&at, number).filter(|_| !across.is_empty()) else {
                    line.fill(T::zero());
                    continue;
                };
                line[..across.start * depth].fill(T::zero());
                line[across.end * depth..].fill(T::zero());
                if runs {
                    let start = geometry.pixel(seen, at[N - 1], across.start);
                    copy(&mut line[across.start * depth..across.end * depth], &image[start..]);
                } else {
                    for tap in across.clone() {
                        let start = geometry.pixel(seen, at[N - 1], tap) + channels.start;
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
    pub(crate) fn scatter<T: Real, const N: usize>(
        geometry: &Geometry<N>,
        patches: &[T],
        rows: Range<usize>,
        channels: Range<usize>,
        image: &mut [T],
    ) {
        let depth = channels.len();
        let runs = depth == geometry.channels && geometry.dilation[N - 1] == 1;
        for (row, patch) in rows.zip(patches.chunks_exact(geometry.taps() * depth)) {
            let at = geometry.position(row);
            let across = geometry.inside(N - 1, at[N - 1]);
            for (number, line) in patch.chunks_exact(geometry.size[N - 1] * depth).enumerate() {
                let Some(seen) = geometry.line(&at, number).filter(|_| !across.is_empty()) else { continue };
                if runs {
                    let start = geometry.pixel(seen, at[N - 1], across.start);
                    add(&mut image[start..], &line[across.start * depth..across.end * depth]);
                    continue;
                }
                for tap in across.clone() {
                    let start = geometry.pixel(seen, at[N - 1], tap) + channels.start;
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
    use crate::spec::{Conv2D, Conv3D, Padding};

    fn geometry(conv: Conv2D, dims: [usize; 4]) -> Geometry {
        Geometry::new("test", &dims, &conv.convolution().window).unwrap()
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
    fn a_patch_of_a_volume_holds_its_taps_line_by_line() {
        let conv = Conv3D::new(1, [2, 2, 1]).dilation_rate([1, 2, 1]).padding(Padding::Explicit([[1, 0], [0, 0], [0, 0]]));
        let geometry = Geometry::new("test", &[1, 2, 3, 2, 1], &conv.convolution().window).unwrap();
        let image: Vec<f64> = (1..=12).map(f64::from).collect();
        let mut patches = vec![f64::NAN; 16];
        gather(&geometry, &image, 0..4, 0..1, &mut patches);
        assert_eq!(patches, [0., 0., 1., 5., 0., 0., 2., 6., 1., 5., 7., 11., 2., 6., 8., 12.]);
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
