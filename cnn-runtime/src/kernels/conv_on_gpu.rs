//! Convolution on a GPU: by cuDNN, or as matrix products over patches.
//!
//! Patches are rows of a workspace, which is filled again and again: what is summed over all rows is summed in their order.

use super::conv::Conv;
use super::patches::Geometry;
use crate::gpu::{Convolution, Gpu, Kernel, Onto, Pass, Place, Window, Work, arguments, on_three_axes, tensor};
use candle_core::{DType, Result, Storage, Tensor};
use std::ops::Range;

const FAMILY: &str = "patches";

/// Values in the workspace: 128 megabytes of `f32`, so many that products of what fits keep a GPU busy.
const WORKSPACE: usize = 32 * 1024 * 1024;

impl<const N: usize> Geometry<N> {
    /// It as kernels are told.
    pub(super) fn window(&self) -> Window {
        Window {
            batch: self.batch as i64,
            channels: self.channels as i64,
            input: on_three_axes(self.input, 1),
            output: on_three_axes(self.output, 1),
            size: on_three_axes(self.size, 1),
            strides: on_three_axes(self.strides, 1),
            dilation: on_three_axes(self.dilation, 1),
            before: on_three_axes(self.before, 0),
        }
    }

    /// What the window sees of `xs` from output positions `rows` of the batch, a row each, cut into `groups` of channels.
    fn patches_on_gpu(&self, gpu: Gpu, xs: &Tensor, groups: usize, rows: Range<usize>) -> Result<Tensor> {
        let (count, len) = (rows.len(), self.taps() * self.channels);
        let mut patches = gpu.empty(xs.dtype(), count * len)?;
        let kernel = Kernel::new(FAMILY, "patches", xs.dtype());
        let window = self.window();
        let arguments = arguments![&mut patches, xs, &window, groups, rows.start, count];
        // SAFETY: it reads values of the images of these rows, and writes `count` rows of `len` values.
        unsafe { gpu.launch(&kernel, Work::Each(count * len), arguments) }?;
        Ok(tensor(patches, (count, len)))
    }

    /// Adds up what `patches` of output positions `rows` have for each value of `images`, which earlier rows have been added to.
    fn images_on_gpu(&self, gpu: Gpu, images: &mut Storage, patches: &Storage, groups: usize, rows: Range<usize>) -> Result<()> {
        let touched = rows.end.div_ceil(self.pixels()) - rows.start / self.pixels();
        let kernel = Kernel::new(FAMILY, "images", images.dtype());
        let window = self.window();
        let arguments = arguments![images, patches, &window, groups, rows.start, rows.len()];
        // SAFETY: it reads these rows of patches, and reads and writes values of the images that they are of.
        unsafe { gpu.launch(&kernel, Work::Each(touched * self.image_len()), arguments) }
    }
}

impl<const N: usize> Conv<N> {
    /// The output before bias and activation.
    pub(super) fn values_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor) -> Result<Storage> {
        let weight = self.channels_last(weight)?;
        match self.by_cudnn(gpu, Pass::Values, [xs, &weight])? {
            Some(values) => Ok(values),
            None => self.values_by_products(gpu, xs, &weight, WORKSPACE),
        }
    }

    /// The gradient of the input, from that of the output before the activation.
    pub(super) fn input_gradient_on_gpu(&self, gpu: Gpu, weight: &Tensor, grad: &Tensor) -> Result<Storage> {
        let weight = self.channels_last(weight)?;
        match self.by_cudnn(gpu, Pass::InputGradient, [&weight, grad])? {
            Some(gradient) => Ok(gradient),
            None => self.input_gradient_by_products(gpu, &weight, grad, WORKSPACE),
        }
    }

    /// The gradient of the weights, from that of the output before the activation.
    pub(super) fn weight_gradient_on_gpu(&self, gpu: Gpu, xs: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let gradient = match self.by_cudnn(gpu, Pass::WeightGradient, [xs, grad])? {
            Some(gradient) => gradient,
            None => self.weight_gradient_by_products(gpu, xs, grad, WORKSPACE)?,
        };
        let Geometry { size, .. } = self.geometry;
        let shape = [&[self.filters, self.depth()][..], &size].concat();
        let gradient = tensor(gradient, (self.filters, self.geometry.taps(), self.depth()));
        gradient.transpose(1, 2)?.contiguous()?.reshape(shape)
    }

    /// The weights `F, C / groups, KH, KW` as `F, KH·KW, C / groups`.
    fn channels_last(&self, weight: &Tensor) -> Result<Tensor> {
        weight.reshape((self.filters, self.depth(), self.geometry.taps()))?.transpose(1, 2)?.contiguous()
    }

    /// What cuDNN computes, if it does.
    fn by_cudnn(&self, gpu: Gpu, pass: Pass, tensors: [&Tensor; 2]) -> Result<Option<Storage>> {
        let rows = self.geometry.batch * self.geometry.pixels();
        if !gpu.has_cudnn() || N > 2 || tensors[0].dtype() != DType::F32 || rows == 0 {
            return Ok(None);
        }
        self.evenly_padded(gpu, pass, tensors, |conv, tensors| {
            let &Self { geometry, filters, groups, precision, .. } = conv;
            gpu.convolve(&Convolution { window: geometry.window(), filters, groups, precision }, pass, tensors)
        })
    }

    /// What `compute` computes, of convolutions with as much padding after images as before them; other padding is put around
    /// the images first.
    fn evenly_padded(
        &self,
        gpu: Gpu,
        pass: Pass,
        [first, second]: [&Tensor; 2],
        compute: impl Fn(&Self, [&Tensor; 2]) -> Result<Option<Storage>>,
    ) -> Result<Option<Storage>> {
        let Some((padding, padded)) = self.padded() else { return compute(self, [first, second]) };
        let cells = 0..padding.batch * padding.pixels();
        if pass != Pass::InputGradient {
            return compute(&padded, [&padding.patches_on_gpu(gpu, first, 1, cells)?, second]);
        }
        let Some(around) = compute(&padded, [first, second])? else { return Ok(None) };
        let mut input = gpu.empty(second.dtype(), self.geometry.batch * self.geometry.image_len())?;
        padding.images_on_gpu(gpu, &mut input, &around, 1, cells)?;
        Ok(Some(input))
    }

    /// The padding, as a window of one cell that sees each cell of a padded image, and the convolution of what it sees; `None`
    /// if as much padding after the image as before it gives this output.
    fn padded(&self) -> Option<(Geometry<N>, Self)> {
        let Geometry { input, output, size, strides, dilation, before, .. } = self.geometry;
        let reach: [usize; N] = std::array::from_fn(|axis| (size[axis] - 1) * dilation[axis] + 1);
        let positions =
            |axis: usize| (input[axis] + 2 * before[axis]).checked_sub(reach[axis]).map(|left| left / strides[axis] + 1);
        if (0..N).all(|axis| positions(axis) == Some(output[axis])) {
            return None;
        }
        let seen: [usize; N] = std::array::from_fn(|axis| (output[axis] - 1) * strides[axis] + reach[axis]);
        let padding = Geometry { output: seen, size: [1; N], strides: [1; N], dilation: [1; N], ..self.geometry };
        let padded = Self { geometry: Geometry { input: seen, before: [0; N], ..self.geometry }, ..*self };
        Some((padding, padded))
    }

    /// The rows of patches, in blocks that fit into `workspace` values.
    fn blocks(&self, workspace: usize) -> impl Iterator<Item = Range<usize>> {
        let rows = self.geometry.batch * self.geometry.pixels();
        let len = self.patch_len() * self.groups;
        let block = if self.geometry.is_pointwise() { rows } else { workspace / len };
        let block = block.max(1);
        (0..rows).step_by(block).map(move |start| start..rows.min(start + block))
    }

    /// Patches of some rows as matrices of one group each: `groups, rows, patch`. Where they are the pixels themselves, nothing
    /// is moved.
    fn grouped_patches(&self, gpu: Gpu, xs: &Tensor, rows: Range<usize>) -> Result<Tensor> {
        let grouped = (rows.len(), self.groups, self.patch_len());
        let patches = if self.geometry.is_pointwise() {
            xs.reshape(((), self.geometry.channels))?.narrow(0, rows.start, rows.len())?
        } else {
            self.geometry.patches_on_gpu(gpu, xs, self.groups, rows)?
        };
        patches.reshape(grouped)?.transpose(0, 1)
    }

    /// Some rows of the gradient as matrices of one group each: `groups, rows, filters`.
    fn grouped_gradient(&self, grad: &Tensor, rows: Range<usize>) -> Result<Tensor> {
        let grad = grad.reshape(((), self.groups, self.group_filters()))?;
        grad.narrow(0, rows.start, rows.len())?.transpose(0, 1)
    }

    fn values_by_products(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, workspace: usize) -> Result<Storage> {
        let (len, filters) = (self.patch_len(), self.group_filters());
        let weight = weight.reshape((self.groups, filters, len))?.transpose(1, 2)?;
        let mut ys = gpu.empty(xs.dtype(), self.geometry.batch * self.geometry.pixels() * self.filters)?;
        for rows in self.blocks(workspace) {
            let place = Place { first: rows.start * self.filters, row: self.filters, matrix: filters, onto: Onto::Nothing };
            gpu.products(&self.grouped_patches(gpu, xs, rows)?, &weight, &mut ys, place, self.precision)?;
        }
        Ok(ys)
    }

    fn input_gradient_by_products(&self, gpu: Gpu, weight: &Tensor, grad: &Tensor, workspace: usize) -> Result<Storage> {
        let len = self.patch_len();
        let weight = weight.reshape((self.groups, self.group_filters(), len))?;
        let mut input = gpu.empty(grad.dtype(), self.geometry.batch * self.geometry.image_len())?;
        let place = Place { first: 0, row: self.groups * len, matrix: len, onto: Onto::Nothing };
        for rows in self.blocks(workspace) {
            let grad = self.grouped_gradient(grad, rows.clone())?;
            if self.geometry.is_pointwise() {
                gpu.products(&grad, &weight, &mut input, place, self.precision)?;
                continue;
            }
            let mut patches = gpu.empty(grad.dtype(), rows.len() * self.groups * len)?;
            gpu.products(&grad, &weight, &mut patches, place, self.precision)?;
            self.geometry.images_on_gpu(gpu, &mut input, &patches, self.groups, rows)?;
        }
        Ok(input)
    }

    fn weight_gradient_by_products(&self, gpu: Gpu, xs: &Tensor, grad: &Tensor, workspace: usize) -> Result<Storage> {
        let (len, filters) = (self.patch_len(), self.group_filters());
        if self.geometry.batch == 0 {
            return gpu.zeros(grad.dtype(), self.filters * len);
        }
        let mut weight = gpu.empty(grad.dtype(), self.filters * len)?;
        for rows in self.blocks(workspace) {
            let onto = if rows.start == 0 { Onto::Nothing } else { Onto::Sums };
            let place = Place { first: 0, row: len, matrix: filters * len, onto };
            let grad = self.grouped_gradient(grad, rows.clone())?.transpose(1, 2)?;
            gpu.products(&grad, &self.grouped_patches(gpu, xs, rows)?, &mut weight, place, self.precision)?;
        }
        Ok(weight)
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::super::weighted::{Ending, Gradients, Weighted};
    use super::*;
    use crate::Precision;
    use crate::spec::{self, Activation, Conv1D, Conv2D, Conv3D, Padding};
    use candle_core::Device;

    /// Numbers in no order, exact in sums.
    fn numbers(count: usize) -> Vec<f64> {
        (0..count).map(|i| (i * i % 23) as f64 - 11.0).collect()
    }

    /// That a convolution's passes, each as `compute` computes it of channels-last weights, are those of the processor.
    fn agrees<const N: usize>(conv: Conv<N>, compute: impl Fn(Pass, [&Tensor; 2]) -> Result<Storage>) {
        let Geometry { batch, .. } = conv.geometry;
        let xs = numbers(batch * conv.geometry.image_len());
        let weight = numbers(conv.patch_len() * conv.filters);
        let grad = numbers(batch * conv.geometry.pixels() * conv.filters);
        let expected = conv.forward(&xs, &weight, None);
        let Gradients { input, weight: of_weight, .. } = conv.backward(&xs, &weight, &expected, &grad, Some(Ending::default()));

        let on_device = |values: &[f64]| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
        let (xs, grad) = (on_device(&xs), on_device(&grad));
        let last = |weight: &[f64]| conv.channels_last(&on_device(weight)).unwrap();
        let weight = last(&weight);
        let compute = |pass, tensors, len| tensor(compute(pass, tensors).unwrap(), len).to_vec1::<f64>().unwrap();
        assert_eq!(compute(Pass::Values, [&xs, &weight], expected.len()), expected, "{:?}", conv.geometry);
        assert_eq!(compute(Pass::InputGradient, [&weight, &grad], input.len()), input, "{:?}", conv.geometry);
        let found = compute(Pass::WeightGradient, [&xs, &grad], of_weight.len());
        assert_eq!(found, last(&of_weight).flatten_all().unwrap().to_vec1::<f64>().unwrap(), "{:?}", conv.geometry);
    }

    /// That products over patches, in blocks of all sizes and with padding of its own, are this convolution.
    fn products_agree<const N: usize>(spec: spec::Convolution<N>, dims: &[usize]) {
        let gpu = Gpu::emulated();
        let geometry = Geometry::new("test", dims, &spec.window).unwrap();
        let (ends_in, precision) = (Activation::Linear, Precision::F32);
        let conv = Conv { geometry, filters: spec.filters, groups: spec.groups, ends_in, precision };
        let compute = |conv: &Conv<N>, pass: Pass, [first, second]: [&Tensor; 2], workspace: usize| match pass {
            Pass::Values => conv.values_by_products(gpu, first, second, workspace),
            Pass::InputGradient => conv.input_gradient_by_products(gpu, first, second, workspace),
            Pass::WeightGradient => conv.weight_gradient_by_products(gpu, first, second, workspace),
        };
        for workspace in [1, 100, 333, WORKSPACE] {
            agrees(conv, |pass, tensors| compute(&conv, pass, tensors, workspace));
        }
        agrees(conv, |pass, tensors| {
            let evenly = |conv: &Conv<N>, tensors: [&Tensor; 2]| compute(conv, pass, tensors, WORKSPACE).map(Some);
            Ok(conv.evenly_padded(gpu, pass, tensors, evenly)?.expect("it is computed"))
        });
    }

    #[test]
    fn products_over_patches_are_convolutions() {
        for padding in [Padding::Valid, Padding::Same, Padding::Full, Padding::Explicit([[3, 0], [0, 2]])] {
            for (strides, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 2]), ([3, 2], [1, 1]), ([1, 2], [2, 1])] {
                let conv = Conv2D::new(4, [3, 2]).strides(strides).dilation_rate(dilation).padding(padding);
                products_agree(conv.convolution(), &[3, 7, 6, 3]);
                products_agree(conv.groups(2).convolution(), &[2, 8, 5, 4]);
            }
        }
        products_agree(Conv2D::new(6, [1, 1]).convolution(), &[2, 5, 3, 4]);
        products_agree(Conv2D::new(6, [1, 1]).groups(2).convolution(), &[2, 5, 3, 4]);
        products_agree(Conv2D::new(3, [1, 1]).strides([2, 2]).convolution(), &[2, 5, 4, 2]);
        products_agree(Conv1D::new(3, [4]).strides([2]).padding(Padding::Causal).convolution(), &[2, 13, 2]);
        products_agree(Conv1D::new(3, [2]).strides([5]).convolution(), &[1, 17, 2]);
        products_agree(Conv3D::new(2, [3, 1, 2]).strides([2, 1, 1]).padding(Padding::Same).convolution(), &[2, 7, 3, 4, 2]);
    }

    #[test]
    fn only_uneven_padding_is_put_around_images() {
        let padded = |conv: Conv2D, dims: [usize; 4]| {
            let geometry = Geometry::new("test", &dims, &conv.convolution().window).unwrap();
            let (filters, groups, precision) = (conv.filters, conv.groups, Precision::F32);
            let conv = Conv { geometry, filters, groups, ends_in: Activation::Linear, precision };
            conv.padded().map(|(_, padded)| padded.geometry.input)
        };
        let same = Conv2D::new(1, [3, 3]).padding(Padding::Same);
        assert_eq!(padded(same, [1, 8, 7, 1]), None);
        assert_eq!(padded(same.strides([2, 2]), [1, 7, 9, 1]), None);
        assert_eq!(padded(same.strides([2, 2]), [1, 8, 7, 1]), Some([9, 9]));
        assert_eq!(padded(Conv2D::new(1, [2, 2]).strides([3, 3]), [1, 9, 10, 1]), None);
        assert_eq!(padded(Conv2D::new(1, [7, 7]).strides([2, 2]).padding(Padding::Same), [1, 224, 224, 3]), Some([229, 229]));
    }
}
