//! Convolution as matrix products over patches, with bias and activation in the same pass.
//!
//! The output, taken as a matrix of one row for each output pixel, is `patches·weights`. It is computed in blocks of rows
//! whose patches stay in a core's cache. The gradients are products over the same patches:
//! `patchesᵀ·grad` for the weights and `grad·weightsᵀ`, scattered back, for the input.

use super::depthwise::depthwise_of;
use super::matmul::{Into, Matrix, Threads, matmul, matmul_new};
use super::patches::{Geometry, gather, operand, scatter};
use super::pieces::sum_over_pieces;
use super::real::Real;
use super::weighted::{self, Gradients, Weighted, add_rows, expect_weight, finish, undo_activation};
use crate::spec::{Activation, Convolution};
use candle_core::{Result, Shape, Tensor};
use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Convolves `xs`, `N, H, W, C` for images, with `weight`, `F, C / groups, KH, KW`, adds `bias`, `F`, and applies
/// `activation`: `N, H', W', F` out.
///
/// # Errors
/// If the shapes do not agree.
pub(crate) fn conv<const N: usize>(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    spec: &Convolution<N>,
    activation: Activation,
) -> Result<Tensor> {
    let geometry = Geometry::new(spec.layer, xs.dims(), &spec.window)?;
    expect_weight(spec.layer, weight, spec.infer(&[operand(xs.dims())]), geometry.channels)?;
    let (filters, groups) = (spec.filters, spec.groups);
    if groups > 1 && groups == geometry.channels {
        return depthwise_of(xs, weight, bias, geometry, filters / groups, activation);
    }
    weighted::apply(xs, weight, bias, activation, |ends_in| Conv { geometry, filters, groups, ends_in })
}

/// Values in the patches of one block of rows: half a megabyte of `f32`, a fraction of a core's second-level cache.
const BLOCK: usize = 128 * 1024;

/// Weights that one thread reorders sooner than it wakes another.
const SMALL: usize = 4 * 1024;

/// A convolution, all of whose sizes are resolved.
#[derive(Clone, Copy)]
pub(super) struct Conv<const N: usize> {
    pub(super) geometry: Geometry<N>,
    pub(super) filters: usize,
    pub(super) groups: usize,
    pub(super) ends_in: Activation,
}

impl<const N: usize> Conv<N> {
    /// Input channels of one group.
    fn depth(&self) -> usize {
        self.geometry.channels / self.groups
    }

    /// Values in a patch of one group.
    fn patch_len(&self) -> usize {
        self.geometry.taps() * self.depth()
    }

    /// Filters of one group.
    fn group_filters(&self) -> usize {
        self.filters / self.groups
    }

    fn channels_of(&self, group: usize) -> Range<usize> {
        group * self.depth()..(group + 1) * self.depth()
    }

    /// Rows in a block.
    fn block_rows(&self) -> usize {
        (BLOCK / self.patch_len()).clamp(32, 1024)
    }

    /// Whether the input itself is the matrix of patches.
    fn needs_no_patches(&self) -> bool {
        self.groups == 1 && self.geometry.is_pointwise()
    }

    /// The weights as one matrix for each group, patch by filter: what `F, C, KH, KW` is in the order of patches.
    fn pack<T: Real>(&self, weight: &[T]) -> Vec<T> {
        let (taps, depth, filters) = (self.geometry.taps(), self.depth(), self.group_filters());
        let mut packed = vec![T::zero(); weight.len()];
        packed.par_chunks_mut(filters).with_min_len(SMALL / filters).enumerate().for_each(|(row, packed)| {
            let (group, tap, channel) = (row / (taps * depth), row / depth % taps, row % depth);
            let first = (group * filters * depth + channel) * taps + tap;
            packed.iter_mut().enumerate().for_each(|(filter, value)| *value = weight[first + filter * depth * taps]);
        });
        packed
    }

    /// The reverse of [`Self::pack`].
    fn unpack<T: Real>(&self, packed: &[T]) -> Vec<T> {
        let (taps, depth, filters) = (self.geometry.taps(), self.depth(), self.group_filters());
        let mut weight = vec![T::zero(); packed.len()];
        let len = taps * depth;
        weight.par_chunks_mut(len).with_min_len(SMALL / len).enumerate().for_each(|(filter, weight)| {
            let first = filter / filters * len * filters + filter % filters;
            for (at, value) in weight.iter_mut().enumerate() {
                *value = packed[first + (at % taps * depth + at / taps) * filters];
            }
        });
        weight
    }

    /// The parts of single images that make up a range of rows, each with its place in the range.
    fn images(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>, usize)> {
        let (pixels, start) = (self.geometry.pixels(), rows.start);
        (rows.start / pixels..rows.end.div_ceil(pixels)).map(move |image| {
            let first = (image * pixels).max(rows.start);
            let last = ((image + 1) * pixels).min(rows.end);
            (image, first - image * pixels..last - image * pixels, first - start)
        })
    }

    /// Writes every value of the output of a range of rows.
    fn forward_block<T: Real>(
        &self,
        xs: &[T],
        packed: &[T],
        rows: Range<usize>,
        patches: &mut Vec<T>,
        ys: &mut [MaybeUninit<T>],
    ) {
        let (count, len, filters) = (rows.len(), self.patch_len(), self.group_filters());
        for group in 0..self.groups {
            let weights = Matrix::new(&packed[group * len * filters..][..len * filters], len, filters);
            let patches = self.patches(xs, rows.clone(), group, patches);
            let patches = Matrix::new(patches, count, len);
            matmul_new(&mut ys[group * filters..], self.filters, patches, weights, Threads::One);
        }
    }

    /// The patches of a range of rows: the input itself where it is its own patches, else gathered into `scratch`.
    fn patches<'a, T: Real>(&self, xs: &'a [T], rows: Range<usize>, group: usize, scratch: &'a mut Vec<T>) -> &'a [T] {
        let len = self.patch_len();
        if self.needs_no_patches() {
            return &xs[rows.start * len..rows.end * len];
        }
        let image_len = self.geometry.image_len();
        scratch.resize(self.block_rows().max(rows.len()) * len, T::zero());
        for (image, range, at) in self.images(rows.clone()) {
            let image = &xs[image * image_len..][..image_len];
            let patches = &mut scratch[at * len..][..range.len() * len];
            gather(&self.geometry, image, range, self.channels_of(group), patches);
        }
        &scratch[..rows.len() * len]
    }

    /// The sums of weight and bias gradients over the rows of some images, whose input gradients are added to `input`.
    fn backward_piece<T: Real>(
        &self,
        xs: &[T],
        packed: &[T],
        ys: &[T],
        grad: &[T],
        rows: Range<usize>,
        mut input: Option<&mut [T]>,
    ) -> (Vec<T>, Vec<T>) {
        let (mut weight, mut bias) = (vec![T::zero(); packed.len()], vec![T::zero(); self.filters]);
        let (mut patches, mut before) = (Vec::new(), Vec::new());
        let (len, filters, first_image) = (self.patch_len(), self.group_filters(), rows.start / self.geometry.pixels());
        for start in rows.clone().step_by(self.block_rows()) {
            let block = start..rows.end.min(start + self.block_rows());
            let range = block.start * self.filters..block.end * self.filters;
            let grad = undo_activation(self.ends_in, &ys[range.clone()], &grad[range], &mut before);
            add_rows(&mut bias, grad);
            for group in 0..self.groups {
                let part = group * len * filters..(group + 1) * len * filters;
                let grad = Matrix::strided(&grad[group * filters..], block.len(), filters, self.filters);
                let seen = Matrix::new(self.patches(xs, block.clone(), group, &mut patches), block.len(), len);
                matmul(&mut weight[part.clone()], filters, Into::Add, seen.transposed(), grad, Threads::One);
                if let Some(input) = input.as_deref_mut() {
                    let weights = Matrix::new(&packed[part], len, filters).transposed();
                    self.input_block(grad, weights, block.clone(), group, first_image, &mut patches, input);
                }
            }
        }
        (weight, bias)
    }

    /// Adds the gradient of the pixels that a block of patches saw to `input`, which starts at image `first_image`.
    #[allow(clippy::too_many_arguments)]
    fn input_block<T: Real>(
        &self,
        grad: Matrix<T>,
        weights: Matrix<T>,
        block: Range<usize>,
        group: usize,
        first_image: usize,
        scratch: &mut Vec<T>,
        input: &mut [T],
    ) {
        let (len, image_len) = (self.patch_len(), self.geometry.image_len());
        if self.needs_no_patches() {
            let start = (block.start - first_image * self.geometry.pixels()) * len;
            matmul(&mut input[start..][..block.len() * len], len, Into::Replace, grad, weights, Threads::One);
            return;
        }
        scratch.resize(block.len().max(self.block_rows()) * len, T::zero());
        matmul(scratch, len, Into::Replace, grad, weights, Threads::One);
        for (image, range, at) in self.images(block) {
            let image = &mut input[(image - first_image) * image_len..][..image_len];
            let patches = &scratch[at * len..][..range.len() * len];
            scatter(&self.geometry, patches, range, self.channels_of(group), image);
        }
    }
    /// The gradient of the input, from that of the output before any activation: what a transposed convolution computes.
    pub(super) fn input_gradient<T: Real>(&self, weight: &[T], grad: &[T]) -> Vec<T> {
        let (pixels, len, filters) = (self.geometry.pixels(), self.patch_len(), self.group_filters());
        let packed = self.pack(weight);
        let mut input = vec![T::zero(); self.geometry.batch * self.geometry.image_len()];
        let images = input.par_chunks_mut(self.geometry.image_len()).enumerate();
        images.for_each_init(Vec::new, |patches, (image, input)| {
            for start in (image * pixels..(image + 1) * pixels).step_by(self.block_rows()) {
                let block = start..(start + self.block_rows()).min((image + 1) * pixels);
                for group in 0..self.groups {
                    let grad = &grad[block.start * self.filters + group * filters..];
                    let grad = Matrix::strided(grad, block.len(), filters, self.filters);
                    let weights = Matrix::new(&packed[group * len * filters..][..len * filters], len, filters).transposed();
                    self.input_block(grad, weights, block.clone(), group, image, patches, input);
                }
            }
        });
        input
    }
}

impl<const N: usize> Weighted for Conv<N> {
    const NAME: &'static str = match N {
        1 => "Conv1D",
        2 => "Conv2D",
        _ => "Conv3D",
    };

    fn shape(&self) -> Shape {
        self.geometry.output_shape(self.filters)
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let packed = self.pack(weight);
        let rows = self.block_rows();
        let len = self.geometry.batch * self.geometry.pixels() * self.filters;
        let mut ys = Vec::with_capacity(len);
        let blocks = ys.spare_capacity_mut()[..len].par_chunks_mut(rows * self.filters).enumerate();
        blocks.for_each_init(Vec::new, |patches, (block, ys)| {
            let first = block * rows;
            self.forward_block(xs, &packed, first..first + ys.len() / self.filters, patches, ys);
            // SAFETY: each group's product has written its columns of every row, and the groups' columns are all there are.
            let ys = unsafe { ys.assume_init_mut() };
            finish(ys, self.filters, bias.unwrap_or_default(), self.ends_in);
        });
        // SAFETY: the blocks are the first `len` values, and each has been written.
        unsafe { ys.set_len(len) };
        ys
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], wants_input: bool) -> Gradients<T> {
        let (packed, pixels) = (self.pack(weight), self.geometry.pixels());
        let image_len = wants_input.then(|| self.geometry.image_len());
        let sums = sum_over_pieces(self.geometry.batch, [weight.len(), self.filters], image_len, |images, input| {
            self.backward_piece(xs, &packed, ys, grad, images.start * pixels..images.end * pixels, input)
        });
        Gradients { weight: self.unpack(&sums.weight), ..sums }
    }
}
