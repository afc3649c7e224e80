//! Convolution as matrix products over patches, with bias and activation in the same pass.
//!
//! The output, taken as a matrix of one row for each output pixel, is `patches·weights`. It is computed in blocks of rows
//! whose patches stay in a core's cache. The gradients are products over the same patches:
//! `patchesᵀ·grad` for the weights and `grad·weightsᵀ`, scattered back, for the input.

use super::activation::finish_on_gpu;
use super::depthwise::depthwise_of;
use super::direct::Direct;
use super::direct_scatter;
use super::fill::in_chunks;
use super::gathered;
use super::grouped::Grouped;
use super::matmul::{Into, Matrix, Threads, matmul, matmul_new};
use super::patches::{Geometry, gather, operand, scatter};
use super::pieces::sum_over_pieces;
use super::real::Real;
use super::share::{for_each, new_in_chunks};
use super::sums::column_sums_on_gpu;
use super::tile_conv::TileConv;
use super::tile_input_gradient::InputGradient;
use super::tile_scatter;
use super::weighted::{
    self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted, add_rows, expect_weight, undo_activation,
};
use super::winograd::Winograd;
use crate::Precision;
use crate::gpu::{Gpu, tensor};
use crate::spec::{Activation, Convolution};
use candle_core::{Result, Shape, Storage, Tensor};
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
    weighted::apply(xs, weight, bias, activation, |ends_in| Conv {
        geometry,
        filters,
        groups,
        ends_in,
        precision: Precision::current(),
    })
}

/// Values in the patches of one block of rows: half a megabyte of `f32`, a fraction of a core's second-level cache.
const BLOCK: usize = 128 * 1024;

/// The least rows of a larger image over which weight gradients are summed apart.
const PART: usize = 256;

/// Weights that one thread reorders sooner than it wakes another.
const SMALL: usize = 4 * 1024;

/// A convolution, all of whose sizes are resolved.
#[derive(Clone, Copy)]
pub(super) struct Conv<const N: usize> {
    pub(super) geometry: Geometry<N>,
    pub(super) filters: usize,
    pub(super) groups: usize,
    pub(super) ends_in: Activation,
    pub(super) precision: Precision,
}

impl<const N: usize> Conv<N> {
    /// Input channels of one group.
    pub(super) fn depth(&self) -> usize {
        self.geometry.channels / self.groups
    }

    /// Values in a patch of one group.
    pub(super) fn patch_len(&self) -> usize {
        self.geometry.taps() * self.depth()
    }

    /// Filters of one group.
    pub(super) fn group_filters(&self) -> usize {
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
    pub(super) fn pack<T: Real>(&self, weight: &[T]) -> Vec<T> {
        let (taps, depth, filters) = (self.geometry.taps(), self.depth(), self.group_filters());
        let mut packed = vec![T::zero(); weight.len()];
        let rows_at_once = (SMALL / filters).max(1);
        for_each(packed.chunks_mut(rows_at_once * filters).enumerate().collect(), |(number, packed)| {
            for (row, packed) in packed.chunks_mut(filters).enumerate() {
                let row = number * rows_at_once + row;
                let (group, tap, channel) = (row / (taps * depth), row / depth % taps, row % depth);
                let first = (group * filters * depth + channel) * taps + tap;
                packed.iter_mut().enumerate().for_each(|(filter, value)| *value = weight[first + filter * depth * taps]);
            }
        });
        packed
    }

    /// The reverse of [`Self::pack`].
    pub(super) fn unpack<T: Real>(&self, packed: &[T]) -> Vec<T> {
        /// Filters at a time: what lies in one cache line.
        const SIDE: usize = 16;
        let (taps, depth, filters) = (self.geometry.taps(), self.depth(), self.group_filters());
        let len = taps * depth;
        // Those of one group at a time.
        let side = if self.groups == 1 { SIDE } else { filters };
        in_chunks(packed.len(), len * side, |number, weight| {
            let (first, count) = (number * side, weight.len() / len.max(1));
            let (packed, filter) = (&packed[first / filters * filters * len..], first % filters);
            for (row, packed) in packed.chunks_exact(filters).take(len).enumerate() {
                let at = row % depth * taps + row / depth;
                let of_part = packed[filter..filter + count].iter();
                weight[at..].iter_mut().step_by(len).zip(of_part).for_each(|(weight, value)| *weight = *value);
            }
        })
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
    pub(super) fn patches<'a, T: Real>(&self, xs: &'a [T], rows: Range<usize>, group: usize, scratch: &'a mut Vec<T>) -> &'a [T] {
        let len = self.patch_len();
        if self.needs_no_patches() {
            return &xs[rows.start * len..rows.end * len];
        }
        let image_len = self.geometry.image_len();
        scratch.resize(scratch.len().max(rows.len() * len), T::zero());
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
            let grad = match self.ends_in {
                Activation::Linear => &grad[range],
                activation => undo_activation(activation, &ys[range.clone()], &grad[range], &mut before),
            };
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
        scratch.resize(scratch.len().max(block.len() * len), T::zero());
        matmul(scratch, len, Into::Replace, grad, weights, Threads::One);
        for (image, range, at) in self.images(block) {
            let image = &mut input[(image - first_image) * image_len..][..image_len];
            let patches = &scratch[at * len..][..range.len() * len];
            scatter(&self.geometry, patches, range, self.channels_of(group), image);
        }
    }

    /// The gradient of the input, from that of the output before any activation: what a transposed convolution computes.
    ///
    /// Threads share each image in bands of lines, each of which `finish` is given when it is done.
    pub(super) fn input_gradient<T: Real>(&self, weight: &[T], grad: &[T], finish: impl Fn(&mut [T]) + Sync) -> Vec<T> {
        self.input_gradient_in_bands(self.band_lines(), weight, grad, finish)
    }

    fn input_gradient_in_bands<T: Real>(
        &self,
        lines: usize,
        weight: &[T],
        grad: &[T],
        finish: impl Fn(&mut [T]) + Sync,
    ) -> Vec<T> {
        let (packed, image_len) = (self.pack(weight), self.geometry.image_len());
        let (line_len, grad_len) = (image_len / self.geometry.input[0], self.geometry.pixels() * self.filters);
        let mut input = vec![T::zero(); self.geometry.batch * image_len];
        let images = input.chunks_mut(image_len).zip(grad.chunks(grad_len));
        let bands = images.flat_map(|(image, grad)| image.chunks_mut(lines * line_len).enumerate().map(move |band| (band, grad)));
        for_each(bands.collect(), |((band, input), grad)| {
            let start = band * lines;
            let (geometry, first) = self.geometry.band(start..start + input.len() / line_len);
            let grad = &grad[first * (grad_len / self.geometry.output[0])..];
            Self { geometry, ..*self }.add_input_gradient(&packed, grad, &mut Vec::new(), input);
            finish(input);
        });
        input
    }

    /// The output, computed on vector registers from packed weights.
    pub(super) fn forward_by_patches<T: Real>(&self, xs: &[T], packed: &[T], ending: Ending<T>) -> Vec<T> {
        let rows = self.block_rows();
        let len = self.geometry.batch * self.geometry.pixels() * self.filters;
        let compute = |patches: &mut Vec<T>, block: usize, ys: &mut [MaybeUninit<T>]| {
            let first = block * rows;
            self.forward_block(xs, packed, first..first + ys.len() / self.filters, patches, ys);
            // SAFETY: each group's product has written its columns of every row, and the groups' columns are all there are.
            let ys = unsafe { ys.assume_init_mut() };
            ending.finish(ys, self.filters, first * self.filters);
        };
        // SAFETY: every value of a block is written.
        unsafe { new_in_chunks(len, rows * self.filters, 0, compute) }
    }

    /// The gradients, computed on vector registers.
    pub(super) fn backward_by_patches<T: Real>(
        &self,
        xs: &[T],
        weight: &[T],
        ys: &[T],
        grad: &[T],
        wants_input: bool,
    ) -> Gradients<T> {
        let (packed, pixels) = (self.pack(weight), self.geometry.pixels());
        let (rows, image_len) = (self.geometry.batch * pixels, wants_input.then(|| self.geometry.image_len()));
        // Only the gradient of the input has to be cut between images.
        let part = if wants_input { pixels } else { pixels.min(PART) };
        let sums = sum_over_pieces(rows.div_ceil(part), [weight.len(), self.filters], image_len, |parts, input| {
            self.backward_piece(xs, &packed, ys, grad, parts.start * part..rows.min(parts.end * part), input)
        });
        Gradients { weight: self.unpack(&sums.weight), ..sums }
    }

    /// This convolution as tiles compute it, if they do.
    pub(super) fn on_tiles(&self) -> Option<TileConv> {
        let tiled = TileConv::new(&self.geometry, self.filters, self.groups, self.precision)?;
        (!self.skips_pixels()).then_some(tiled)
    }

    /// Whether vectors take less time for all products of `f32`: windows of one cell lie apart, so that most of what tiles would lay out is
    /// not seen.
    fn skips_pixels(&self) -> bool {
        self.precision != Precision::Bf16 && self.geometry.taps() == 1 && self.geometry.strides != [1; N]
    }

    /// Whether vectors take less time in training for a quarter of the products than tiles for all of them. In inference they do
    /// not: the weights of several layers, four times as many, leave each other no room in a cache.
    fn trains_on_vectors(&self, winograd: Option<Winograd>) -> bool {
        self.precision != Precision::Bf16 && winograd.is_some_and(|winograd| winograd.outdoes_tile_registers())
    }

    /// This convolution as tiles compute it in training, if they do.
    fn trained_on_tiles(&self) -> Option<TileConv> {
        self.on_tiles().filter(|_| !self.trains_on_vectors(self.winograd()))
    }

    /// This convolution as vectors compute it filter by filter of many groups, if groups are so small that they fill no vectors of their own.
    pub(super) fn grouped(&self) -> Option<Grouped<N>> {
        /// Channels or filters that fill half of a vector, if vectors are short.
        const FEW: usize = 4;
        let least = self.depth().min(self.group_filters());
        let is_small = self.groups > 1 && least < FEW.max(gathered::lanes() / 2);
        is_small.then_some(Grouped { geometry: self.geometry, filters: self.filters, groups: self.groups })
    }

    /// This convolution as vectors compute it without patches, if they do.
    pub(super) fn direct(&self) -> Option<Direct> {
        Direct::of_output(&self.geometry, self.filters, self.groups, self.precision)
    }

    /// This convolution as vectors compute it with fewer products, if they do.
    pub(super) fn winograd(&self) -> Option<Winograd> {
        Winograd::of_output(&self.geometry, self.filters, self.groups)
    }

    /// The gradient of the input, from that of the output before the activation, if tiles or vectors compute it. Patches do otherwise.
    fn input_gradient_of_singles<T: Real>(&self, weight: &[T], grad: &[T], ending: Ending<T>) -> Option<Vec<T>> {
        let (weight, grad, ending) = (T::singles(weight)?, T::singles(grad)?, ending.singles()?);
        let winograd = || Winograd::of_input(&self.geometry, self.filters, self.groups);
        if !self.skips_pixels()
            && !self.trains_on_vectors(winograd())
            && let Some(input) = self.input_gradient_on_tiles(weight, grad, ending)
        {
            return Some(T::from_singles(input));
        }
        let input = match winograd() {
            Some(winograd) => winograd.compute(grad, &winograd.weights(weight), ending),
            None => {
                let direct = Direct::of_input(&self.geometry, self.filters, self.groups, self.precision)?;
                let scattered =
                    if self.groups > 1 { None } else { direct_scatter::input_gradient(self, &direct, weight, grad, ending) };
                scattered.unwrap_or_else(|| direct.compute(grad, &direct.right(weight), ending))
            }
        };
        Some(T::from_singles(input))
    }

    /// The gradient of the input, computed on tile registers if they pay, from that of the output before the activation: by a
    /// convolution where windows lie side by side, otherwise pixel by pixel if images are small and many, or window by window.
    pub(super) fn input_gradient_on_tiles(&self, weight: &[f32], grad: &[f32], ending: Ending<f32>) -> Option<Vec<f32>> {
        if let Some(turned) = TileConv::of_input_gradient(&self.geometry, self.filters, self.groups, self.precision) {
            return Some(turned.turned_right(weight).packed(|weight| turned.forward(grad, weight, ending)));
        }
        if self.groups > 1 {
            return None;
        }
        if let Some(gradient) = InputGradient::new(&self.geometry, self.filters, self.precision) {
            return Some(gradient.compute(weight, grad, ending));
        }
        let mut input = tile_scatter::input_gradient(&self.geometry, weight, grad, self.precision)?;
        ending.finish_all(&mut input, self.geometry.channels);
        Some(input)
    }

    /// The lines of a band of an image, which follow from the shapes alone.
    ///
    /// There are so many bands in a batch that threads share it evenly, but none so small that waking a thread or computing
    /// twice what two bands see costs more than it saves.
    fn band_lines(&self) -> usize {
        const BANDS: usize = 16;
        const PRODUCTS: usize = 256 * 1024;
        let Geometry { batch, input, size, strides, dilation, .. } = self.geometry;
        let products = self.geometry.pixels() * self.patch_len() * self.filters / input[0];
        // Two bands both compute the positions whose windows reach from one into the other.
        let shared = ((size[0] - 1) * dilation[0] + 1).saturating_sub(strides[0]).next_multiple_of(strides[0]);
        input[0].div_ceil(BANDS.div_ceil(batch.max(1))).max(PRODUCTS / products.max(1)).max(8 * shared).max(1)
    }

    /// Adds the gradient of one image, from that of its output, to `input`.
    fn add_input_gradient<T: Real>(&self, packed: &[T], grad: &[T], patches: &mut Vec<T>, input: &mut [T]) {
        let (pixels, len, filters) = (self.geometry.pixels(), self.patch_len(), self.group_filters());
        for start in (0..pixels).step_by(self.block_rows()) {
            let block = start..(start + self.block_rows()).min(pixels);
            for group in 0..self.groups {
                let grad = &grad[block.start * self.filters + group * filters..];
                let grad = Matrix::strided(grad, block.len(), filters, self.filters);
                let weights = Matrix::new(&packed[group * len * filters..][..len * filters], len, filters).transposed();
                self.input_block(grad, weights, block.clone(), group, 0, patches, input);
            }
        }
    }
}

impl<const N: usize> Weighted for Conv<N> {
    const ENDS_INPUT: bool = true;

    const NAME: &'static str = match N {
        1 => "Conv1D",
        2 => "Conv2D",
        _ => "Conv3D",
    };

    fn shape(&self) -> Shape {
        self.geometry.output_shape(self.filters)
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        if let Some(grouped) = self.grouped() {
            let ending = Ending { bias, activation: self.ends_in, ..Ending::default() };
            return grouped.forward(xs, &grouped.weights(weight), ending);
        }
        match (self.trained_on_tiles(), T::singles(xs), T::singles(weight)) {
            (Some(tiled), Some(xs), Some(weight)) => {
                let ending = Ending { bias: bias.and_then(T::singles), activation: self.ends_in, ..Ending::default() };
                T::from_singles(tiled.right(weight).packed(|weight| tiled.forward(xs, weight, ending)))
            }
            (None, Some(xs), Some(weight)) if let Some(winograd) = self.winograd() => {
                let ending = Ending { bias: bias.and_then(T::singles), activation: self.ends_in, ..Ending::default() };
                T::from_singles(winograd.compute(xs, &winograd.weights(weight), ending))
            }
            (None, Some(xs), Some(weight)) if let Some(direct) = self.direct() => {
                let ending = Ending { bias: bias.and_then(T::singles), activation: self.ends_in, ..Ending::default() };
                T::from_singles(direct.compute(xs, &direct.right(weight), ending))
            }
            _ => self.forward_by_patches(xs, &self.pack(weight), Ending { bias, activation: self.ends_in, ..Ending::default() }),
        }
    }

    fn apart(&self, of_weights_alone: bool) -> Option<(Activation, Self)> {
        // Vectors undo it block by block, which costs less where nothing else reads the gradient.
        let in_blocks =
            of_weights_alone && self.trained_on_tiles().is_none() && !self.direct().is_some_and(|direct| direct.rounds);
        let is_undone = self.ends_in == Activation::Linear || in_blocks;
        (!is_undone).then_some((self.ends_in, Self { ends_in: Activation::Linear, ..*self }))
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        if let Some(grouped) = self.grouped() {
            let mut found = grouped.backward([xs, weight, ys, grad], self.ends_in, of_input.is_some());
            of_input.iter().for_each(|ending| ending.finish_all(&mut found.input, self.geometry.channels));
            return found;
        }
        let tiled = self.trained_on_tiles().filter(|_| T::singles(xs).is_some());
        let input = of_input.and_then(|ending| self.input_gradient_of_singles(weight, grad, ending));
        let of_weights = |weight: Vec<f32>, bias: Vec<f32>| Gradients {
            input: Vec::new(),
            weight: T::from_singles(weight),
            bias: T::from_singles(bias),
        };
        let mut found = match (tiled, T::singles(xs), T::singles(ys), T::singles(grad)) {
            (Some(tiled), Some(xs), _, Some(grad)) => {
                let (weight, bias) = tiled.weight_gradient(xs, grad);
                of_weights(weight, bias)
            }
            (None, Some(xs), Some(ys), Some(grad)) if let Some(winograd) = self.winograd() => {
                let sums = winograd.weight_gradient(xs, ys, grad, self.ends_in);
                of_weights(self.unpack(&sums.weight), sums.bias)
            }
            (None, Some(xs), Some(ys), Some(grad)) if let Some(direct) = self.direct() => {
                let sums = direct.weight_gradient(xs, ys, grad, self.ends_in);
                of_weights(self.unpack(&sums.weight), sums.bias)
            }
            _ => self.backward_by_patches(xs, weight, ys, grad, of_input.is_some() && input.is_none()),
        };
        match (input, of_input) {
            (Some(input), _) => found.input = input,
            (None, Some(ending)) => {
                if found.input.is_empty() {
                    found.input = self.input_gradient(weight, grad, |_| {});
                }
                ending.finish_all(&mut found.input, self.geometry.channels);
            }
            (None, None) => {}
        }
        found
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        let mut ys = self.values_on_gpu(gpu, xs, weight)?;
        finish_on_gpu(gpu, &mut ys, self.shape().elem_count(), bias, self.ends_in)?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        let Kept { xs, weight, .. } = tensors;
        let input = wants.input.then(|| self.input_gradient_on_gpu(gpu, weight, grad)).transpose()?;
        Ok(TensorGradients {
            input: input.map(|input| tensor(input, xs.shape())),
            weight: self.weight_gradient_on_gpu(gpu, xs, grad)?,
            bias: wants.bias.then(|| column_sums_on_gpu(gpu, &grad.reshape(((), self.filters))?)).transpose()?,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kernels::factor::Pair;
    use crate::kernels::factor::tests::rounded;
    use crate::kernels::tiles;
    use crate::kernels::weighted::backward_of_all;
    use crate::spec::{Conv1D, Conv2D, Conv3D, Padding};
    use crate::testing::numbers;

    /// The largest distance between two results.
    pub(in super::super) fn distance(found: &[f32], exact: &[f64]) -> f64 {
        assert_eq!(found.len(), exact.len());
        found.iter().zip(exact).map(|(found, exact)| (f64::from(*found) - exact).abs()).fold(0.0, f64::max)
    }

    /// How far off rounding may take sums of so many products of numbers between −1 and 1, which are `exact` or what an
    /// activation made of them.
    fn rounding(products: usize, exact: &[f64]) -> f64 {
        let largest = exact.iter().fold(0.0, |largest: f64, y| largest.max(y.abs()));
        2e-6 * ((products as f64).sqrt() + largest)
    }

    /// The output as products of patches.
    pub(in super::super) fn by_patches<T: Real, const N: usize>(conv: &Conv<N>, xs: &[T], weight: &[T], bias: &[T]) -> Vec<T> {
        let ending = Ending { bias: Some(bias), activation: conv.ends_in, ..Ending::default() };
        conv.forward_by_patches(xs, &conv.pack(weight), ending)
    }

    /// That a convolution, computed in whichever way, is about as near to the same in `f64` as products of patches of `f32` are,
    /// forward and backward.
    fn agrees<const N: usize>(spec: Convolution<N>, dims: &[usize]) {
        let geometry = Geometry::new("test", dims, &spec.window).unwrap();
        let conv = Conv { geometry, filters: spec.filters, groups: 1, ends_in: Activation::Tanh, precision: Precision::F32 };
        let patch = geometry.taps() * geometry.channels;
        let (xs, weight) = (numbers(dims.iter().product(), 1), numbers(patch * spec.filters, 2));
        let (bias, grad) = (numbers(spec.filters, 3), numbers(geometry.batch * geometry.pixels() * spec.filters, 4));
        let wide = |xs: &[f32]| xs.iter().copied().map(f64::from).collect::<Vec<f64>>();
        let exact = by_patches(&conv, &wide(&xs), &wide(&weight), &wide(&bias));
        let rounded: Vec<f32> = exact.iter().map(|y| *y as f32).collect();
        let gradients = conv.backward_by_patches(&wide(&xs), &wide(&weight), &wide(&rounded), &wide(&grad), true);
        let on_tiles = tiles::available() && !conv.skips_pixels() && !conv.trains_on_vectors(conv.winograd());
        let near = |found: &[f32], patches: &[f32], exact: &[f64], products: usize, what: &str| {
            let (found, patches) = (distance(found, exact), distance(patches, exact));
            let limit = if on_tiles { 3.0 * patches + 1e-6 } else { rounding(products, exact) };
            assert!(found <= limit, "{what} of {spec:?}, {dims:?}: {found} off, {patches} by patches, {limit} at most");
        };
        let patches = by_patches(&conv, &xs, &weight, &bias);
        near(&conv.forward(&xs, &weight, Some(&bias)), &patches, &exact, patch, "output");
        // Predictors compute on tiles also what is trained on vectors.
        if let Some(tiled) = conv.on_tiles() {
            let ending = Ending { bias: Some(&bias[..]), activation: conv.ends_in, ..Ending::default() };
            let output = tiled.right(&weight).packed(|weight| tiled.forward(&xs, weight, ending));
            let [found, patches] = [&output, &patches].map(|output| distance(output, &exact));
            assert!(found <= 3.0 * patches + 1e-6, "output on tiles of {spec:?}, {dims:?}: {found} off, {patches} by patches");
        }
        let found = backward_of_all(&conv, [&xs, &weight, &rounded, &grad]);
        let patches = conv.backward_by_patches(&xs, &weight, &rounded, &grad, true);
        let pixels = geometry.batch * geometry.pixels();
        near(&found.weight, &patches.weight, &gradients.weight, pixels, "weight gradient");
        near(&found.bias, &patches.bias, &gradients.bias, pixels, "bias gradient");
        near(&found.input, &patches.input, &gradients.input, geometry.taps() * spec.filters, "input gradient");
    }

    /// The passes of a convolution that one way to compute them takes; the gradient of the weights in the order of patches.
    pub(in super::super) struct Passes {
        pub(in super::super) output: Option<Vec<f32>>,
        pub(in super::super) sums: Option<Gradients<f32>>,
        pub(in super::super) input: Option<Vec<f32>>,
    }

    /// What [`expect_passes`] computes passes from. The gradient is that of the output before the activation for the gradient of the
    /// input, and after it for that of the weights.
    pub(in super::super) struct Numbers<T> {
        pub(in super::super) xs: Vec<T>,
        pub(in super::super) weight: Vec<T>,
        pub(in super::super) bias: Vec<T>,
        pub(in super::super) added: Vec<T>,
        pub(in super::super) grad: Vec<T>,
        pub(in super::super) activation: Activation,
        /// What is added to the gradient of the input.
        pub(in super::super) others: Vec<T>,
    }

    impl<T: Real> Numbers<T> {
        pub(in super::super) fn ending(&self) -> Ending<'_, T> {
            Ending { bias: Some(&self.bias), added: Some(&self.added), activation: self.activation, ..Ending::default() }
        }

        /// What is to become of the gradient of the input.
        pub(in super::super) fn of_input(&self) -> Ending<'_, T> {
            Ending { added: Some(&self.others), rectified: Some(&self.xs), ..Ending::default() }
        }
    }

    /// Checks passes of a convolution against products of patches in `f64`, and counts them. `rounds` says whether those of the convolution,
    /// and of the gradient of its input, are of numbers rounded to `bf16`.
    pub(in super::super) fn expect_passes<const N: usize>(
        spec: Convolution<N>,
        dims: &[usize],
        activation: Activation,
        rounds: [bool; 2],
        passes: impl Fn(&Conv<N>, Numbers<f32>) -> Passes,
    ) -> usize {
        fn made<T: Real + From<f32>>(lens: [usize; 4], activation: Activation, rounds: bool) -> Numbers<T> {
            let [xs, weight, bias, ys] = lens;
            let factors = |count: usize, seed: usize| -> Vec<T> {
                let xs: Vec<f32> = numbers(count, seed);
                xs.into_iter().map(|x| <T as From<f32>>::from(if rounds { rounded(x) } else { x })).collect()
            };
            let others = numbers(xs, 6);
            let (xs, weight, bias) = (factors(xs, 1), factors(weight, 2), numbers(bias, 3));
            Numbers { xs, weight, bias, added: numbers(ys, 4), grad: factors(ys, 5), activation, others }
        }
        // A gradient is rounded when its activation has been undone.
        assert!(rounds == [false; 2] || matches!(activation, Activation::Linear | Activation::Relu));
        let geometry = Geometry::new("test", dims, &spec.window).unwrap();
        let conv = |ends_in| Conv { geometry, filters: spec.filters, groups: spec.groups, ends_in, precision: Precision::F32 };
        let (patch, pixels) = (geometry.taps() * geometry.channels / spec.groups, geometry.batch * geometry.pixels());
        let lens = [dims.iter().product(), patch * spec.filters, spec.filters, pixels * spec.filters];
        let found = passes(&conv(activation), made(lens, activation, false));
        let near = |found: &[f32], exact: &[f64], products: usize, what: &str| {
            let (found, limit) = (distance(found, exact), rounding(products, exact));
            assert!(found <= limit, "{what} of {spec:?}, {dims:?}: {found} off, {limit} at most");
        };
        let gradients = |activation: Activation, rounds: bool, wants_input: bool| {
            let exact = made::<f64>(lens, activation, rounds);
            conv(activation).backward_by_patches(&exact.xs, &exact.weight, &exact.added, &exact.grad, wants_input)
        };
        let mut count = 0;
        if let Some(output) = found.output {
            let (exact, linear) = (made::<f64>(lens, activation, rounds[0]), conv(Activation::Linear));
            near(&output, &linear.forward_by_patches(&exact.xs, &linear.pack(&exact.weight), exact.ending()), patch, "output");
            count += 1;
        }
        if let Some(sums) = found.sums {
            let weight = conv(activation).unpack(&sums.weight);
            near(&weight, &gradients(activation, rounds[0], false).weight, pixels, "weight gradient");
            near(&sums.bias, &gradients(activation, false, false).bias, pixels, "bias gradient");
            count += 1;
        }
        if let Some(input) = found.input {
            let mut exact = gradients(Activation::Linear, rounds[1], true).input;
            made::<f64>(lens, activation, rounds[1]).of_input().finish_all(&mut exact, geometry.channels);
            near(&input, &exact, geometry.taps() * spec.filters / spec.groups, "input gradient");
            count += 1;
        }
        count
    }

    /// That bands of any number of lines have the gradient of whole images.
    fn bands_agree<const N: usize>(spec: Convolution<N>, dims: &[usize]) {
        let geometry = Geometry::new("test", dims, &spec.window).unwrap();
        let (filters, groups) = (spec.filters, spec.groups);
        let conv = Conv { geometry, filters, groups, ends_in: Activation::Linear, precision: Precision::F32 };
        let numbers = |count: usize| (0..count).map(|i| (i * i % 23) as f64 - 11.0).collect::<Vec<f64>>();
        let weight = numbers(conv.patch_len() * filters);
        let grad = numbers(geometry.batch * geometry.pixels() * filters);
        let halved = |input: &mut [f64]| input.iter_mut().for_each(|x| *x *= 0.5);
        let whole = conv.input_gradient_in_bands(geometry.input[0], &weight, &grad, halved);
        for lines in 1..=4 {
            assert_eq!(conv.input_gradient_in_bands(lines, &weight, &grad, halved), whole, "{lines} lines of {spec:?}");
        }
    }

    #[test]
    fn singles_are_trained_on_vectors_where_these_have_less_to_do() {
        let on_tiles = |spec: Conv2D, dims: [usize; 4], precision: Precision| {
            let geometry = Geometry::<2>::new("test", &dims, &spec.convolution().window).unwrap();
            let conv = Conv { geometry, filters: spec.filters, groups: 1, ends_in: Activation::Linear, precision };
            [conv.on_tiles(), conv.trained_on_tiles()].map(|tiled| tiled.is_some())
        };
        let (same, strided) = (Conv2D::new(32, [3, 3]).padding(Padding::Same), Conv2D::new(32, [3, 3]).strides([2, 2]));
        let skips = Conv2D::new(32, [1, 1]).strides([2, 2]);
        let available = tiles::available();
        for (spec, dims, expected) in [
            (same, [8, 16, 16, 32], [available, false]),
            (same, [8, 8, 8, 32], [available; 2]),
            (strided, [8, 16, 16, 32], [available; 2]),
            (skips, [8, 32, 32, 32], [false; 2]),
        ] {
            assert_eq!(on_tiles(spec, dims, Precision::F32), expected, "{spec:?}");
            assert_eq!(on_tiles(spec, dims, Precision::Bf16), [available; 2], "{spec:?}");
        }
    }

    #[test]
    fn no_images_have_gradients() {
        for (strides, precision) in [([1, 1], Precision::F32), ([2, 2], Precision::F32), ([2, 2], Precision::Bf16)] {
            let spec = Conv2D::new(32, [3, 3]).strides(strides).convolution();
            let geometry = Geometry::new("test", &[0, 8, 8, 16], &spec.window).unwrap();
            let conv = Conv { geometry, filters: 32, groups: 1, ends_in: Activation::Linear, precision };
            let found = conv.backward::<f32>(&[], &[1.0; 32 * 16 * 9], &[], &[], Some(Ending::default()));
            assert_eq!((found.input.len(), found.weight, found.bias), (0, vec![0.0; 32 * 16 * 9], vec![0.0; 32]));
        }
    }

    #[test]
    fn bands_of_an_image_have_its_gradient() {
        for padding in [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[3, 0], [0, 2]])] {
            for (strides, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([4, 3], [1, 1]), ([1, 2], [2, 1]), ([2, 2], [3, 1])]
            {
                let conv = Conv2D::new(4, [3, 2]).strides(strides).dilation_rate(dilation).padding(padding);
                bands_agree(conv.convolution(), &[2, 11, 5, 3]);
                bands_agree(conv.groups(2).convolution(), &[1, 9, 4, 4]);
            }
        }
        bands_agree(Conv2D::new(3, [1, 1]).convolution(), &[2, 5, 3, 2]);
        bands_agree(Conv1D::new(3, [4]).strides([2]).padding(Padding::Causal).convolution(), &[2, 13, 2]);
        bands_agree(Conv1D::new(3, [2]).strides([5]).convolution(), &[1, 17, 2]);
        bands_agree(Conv3D::new(2, [3, 1, 2]).strides([2, 1, 1]).padding(Padding::Same).convolution(), &[1, 7, 3, 4, 2]);
    }

    #[test]
    fn single_images_are_cut_into_bands_and_batches_are_not() {
        let bands = |spec: Conv2D, dims: [usize; 4]| {
            let geometry = Geometry::<2>::new("test", &dims, &spec.convolution().window).unwrap();
            let conv =
                Conv { geometry, filters: spec.filters, groups: 1, ends_in: Activation::Linear, precision: Precision::F32 };
            dims[1].div_ceil(conv.band_lines())
        };
        let conv = Conv2D::new(64, [3, 3]).strides([2, 2]).padding(Padding::Same);
        assert_eq!([1, 2, 4, 16, 64].map(|batch| bands(conv, [batch, 128, 128, 32])), [8, 8, 4, 1, 1]);
        assert_eq!(bands(conv, [1, 6, 6, 32]), 1);
        assert_eq!(bands(Conv2D::new(64, [2, 2]).strides([2, 2]), [1, 128, 128, 32]), 16);
        assert_eq!(bands(Conv2D::new(1, [100, 1]), [1, 128, 128, 1]), 1);
    }

    #[test]
    fn singles_are_as_exact_however_they_are_computed() {
        for padding in [Padding::Valid, Padding::Same, Padding::Explicit([[2, 0], [1, 3]])] {
            for (kernel, strides) in [
                ([3, 3], [1, 1]),
                ([3, 3], [2, 2]),
                ([2, 3], [1, 2]),
                ([1, 1], [1, 1]),
                ([1, 1], [2, 2]),
                ([5, 4], [3, 2]),
                ([2, 2], [3, 4]),
            ] {
                for (channels, filters) in [(1, 32), (3, 16), (5, 20), (16, 16), (32, 24), (64, 32)] {
                    let conv = Conv2D::new(filters, kernel).strides(strides).padding(padding);
                    agrees(conv.convolution(), &[7, 41, 34, channels]);
                }
            }
        }
        agrees(Conv2D::new(32, [3, 3]).convolution(), &[40, 5, 5, 64]);
        // Input gradients pixel by pixel: several stretches of filters, strips that threads share, windows with cells and whole pixels
        // between them, sequences.
        agrees(Conv2D::new(72, [3, 3]).strides([2, 2]).convolution(), &[13, 6, 6, 40]);
        agrees(Conv2D::new(48, [3, 3]).strides([2, 2]).padding(Padding::Same).convolution(), &[16, 6, 6, 72]);
        agrees(Conv2D::new(40, [3, 2]).strides([2, 1]).dilation_rate([1, 2]).convolution(), &[16, 9, 8, 24]);
        agrees(
            Conv2D::new(33, [2, 2]).strides([3, 4]).padding(Padding::Explicit([[4, 0], [0, 3]])).convolution(),
            &[30, 9, 10, 24],
        );
        agrees(Conv1D::new(40, [4]).strides([3]).padding(Padding::Causal).convolution(), &[20, 41, 16]);
        // One image, most of whose tiles are positions that are no pixels.
        for batch in [1, 2, 3] {
            agrees(Conv2D::new(64, [3, 3]).strides([2, 2]).convolution(), &[batch, 13, 13, 32]);
            agrees(Conv2D::new(128, [3, 3]).strides([2, 2]).convolution(), &[batch, 6, 6, 64]);
        }
        // One part, a group and a slab, of whose weight gradient each thread has some filters.
        agrees(Conv2D::new(72, [3, 3]).strides([2, 2]).convolution(), &[20, 6, 6, 64]);
        agrees(Conv2D::new(136, [3, 3]).convolution(), &[2, 10, 10, 32]);
        // Groups of some lines of 32 images, of which the last are fewer.
        agrees(Conv2D::new(40, [3, 3]).strides([2, 2]).padding(Padding::Same).convolution(), &[35, 13, 13, 32]);
        for padding in [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[3, 0], [0, 2]])] {
            for (size, strides) in [(3, [1, 1]), (3, [2, 2]), (1, [2, 2]), (4, [3, 1])] {
                let conv = Conv2D::new(24, [size, size]).strides(strides).padding(padding);
                agrees(conv.convolution(), &[50, 8, 7, 16]);
                agrees(conv.convolution(), &[131, 4, 4, 40]);
                agrees(Conv2D::new(16, [3, 3]).dilation_rate([1, 2]).padding(padding).convolution(), &[5, 13, 9, 32]);
            }
        }
        agrees(Conv2D::new(40, [3, 2]).dilation_rate([2, 1]).padding(Padding::Same).convolution(), &[3, 17, 19, 9]);
        agrees(Conv1D::new(16, [4]).padding(Padding::Causal).convolution(), &[7, 301, 8]);
        agrees(Conv1D::new(16, [4]).strides([3]).padding(Padding::Causal).convolution(), &[7, 301, 8]);
        // Taps so far apart that nothing has room for what lies between them, the last ones further than numbers count.
        for dilation in [20_000, 536_870_912, 999_999_999] {
            agrees(Conv2D::new(8, [3, 3]).dilation_rate([dilation; 2]).padding(Padding::Same).convolution(), &[2, 8, 9, 16]);
        }
        let apart = Conv2D::new(8, [3, 3]).dilation_rate([536_887_292, 536_854_524]).padding(Padding::Same);
        agrees(apart.convolution(), &[1, 8, 9, 16]);
    }

    #[test]
    fn bf16_rounds_the_factors_and_nothing_else() {
        for (strides, dims) in [([1, 1], [3, 17, 20, 16]), ([2, 1], [5, 16, 16, 40]), ([2, 2], [64, 6, 6, 64])] {
            let spec = Conv2D::new(48, [3, 2]).strides(strides).padding(Padding::Same).convolution();
            let geometry = Geometry::new("test", &dims, &spec.window).unwrap();
            let conv = |precision| Conv { geometry, filters: 48, groups: 1, ends_in: Activation::Linear, precision };
            let (xs, weight) = (numbers(dims.iter().product(), 1), numbers(6 * dims[3] * 48, 2));
            let (bias, grad) = (numbers(48, 3), numbers(geometry.batch * geometry.pixels() * 48, 4));
            let rounds = tiles::available() || Pair::serve(Precision::Bf16);
            let factor = |x: &f32| f64::from(if rounds { rounded(*x) } else { *x });
            let wide = |xs: &[f32]| xs.iter().map(factor).collect::<Vec<f64>>();
            let exact: Vec<f64> = bias.iter().map(|b| f64::from(*b)).collect();
            let exact = by_patches(&conv(Precision::F32), &wide(&xs), &wide(&weight), &exact);
            let found = conv(Precision::Bf16).forward(&xs, &weight, Some(&bias));
            assert!(distance(&found, &exact) < 2e-5, "{}", distance(&found, &exact));
            let exact = conv(Precision::F32).backward_by_patches(&wide(&xs), &wide(&weight), &wide(&found), &wide(&grad), true);
            let found = conv(Precision::Bf16).backward(&xs, &weight, &found, &grad, Some(Ending::default()));
            for (found, exact) in [(&found.input, &exact.input), (&found.weight, &exact.weight)] {
                assert!(distance(found, exact) < 2e-4, "{}", distance(found, exact));
            }
        }
    }
}
