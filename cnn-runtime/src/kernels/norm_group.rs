//! Normalisation of groups of channels within each example: group and instance normalisation.

use super::fill::in_chunks;
use super::norm::{add_up, normalize, piece, products, row, squares, sums, undo};
use super::real::Real;
use super::share::map;
use super::sums::{fold_columns_on_gpu, sharers};
use super::weighted::{self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted};
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments, tensor};
use crate::spec::Activation;
use candle_core::{DType, Result, Shape, Storage, Tensor};

/// Gives each of `groups` groups of the `channels` of every example mean 0 and variance 1, over all its positions, then
/// multiplies each channel by its weight and adds its bias.
///
/// `xs` is a row of examples of so many positions and channels, whatever its axes.
///
/// # Errors
/// If there is not one weight and one bias for each channel.
pub(crate) fn group_norm(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    positions: usize,
    groups: usize,
    epsilon: f64,
) -> Result<Tensor> {
    let op = GroupNorm { dims: xs.dims().to_vec(), positions, channels: weight.elem_count(), groups, epsilon };
    if bias.is_some_and(|bias| bias.elem_count() != op.channels) || !xs.elem_count().is_multiple_of(op.example().max(1)) {
        candle_core::bail!("`{}` has {} weights for a batch {:?}", GroupNorm::NAME, op.channels, xs.dims());
    }
    weighted::apply(xs, weight, bias, Activation::Linear, |_| op)
}

struct GroupNorm {
    dims: Vec<usize>,
    positions: usize,
    channels: usize,
    groups: usize,
    epsilon: f64,
}

impl GroupNorm {
    /// The number of values in an example.
    fn example(&self) -> usize {
        self.positions * self.channels
    }

    /// The examples of one piece, in values; it follows from the shape alone.
    fn piece(&self) -> usize {
        (piece(self.channels) / self.example()).max(1) * self.example()
    }

    /// The sum of each group's channels, for each of its channels.
    fn in_groups(&self, values: &[f64]) -> Vec<f64> {
        let size = self.channels / self.groups;
        values.chunks_exact(size).flat_map(|group| vec![group.iter().sum::<f64>(); size]).collect()
    }

    /// For each channel, its group's mean and one over its group's standard deviation.
    fn moments<T: Real>(&self, xs: &[T]) -> (Vec<f64>, Vec<f64>) {
        let share = self.groups as f64 / xs.len() as f64;
        let mean = self.in_groups(&sums(xs, self.channels)).into_iter().map(|sum| T::of(sum * share).wide());
        let mean: Vec<f64> = mean.collect();
        let total = self.in_groups(&squares(xs, &mean));
        let inverse = total.into_iter().map(|total| (total * share + self.epsilon).sqrt().recip()).collect();
        (mean, inverse)
    }

    fn forward_example<T: Real>(&self, ys: &mut [T], xs: &[T], weight: &[T], shift: &[T]) {
        let (mean, inverse) = self.moments(xs);
        let scale = inverse.iter().zip(weight).map(|(inverse, weight)| inverse * weight.wide());
        let (mean, scale) = (row::<T>(mean.iter().copied(), self.channels), row::<T>(scale, self.channels));
        normalize(ys, xs, [&mean, &scale, shift]);
    }

    /// With `x̂ = (x − mean)·inverse` and `M` values in each group, the gradient of `x` is
    /// `inverse·(weight·g − Σ(weight·g)/M − x̂·Σ(weight·g·x̂)/M)`; gives `Σ(g·x̂)` and `Σg` of each channel.
    fn backward_example<T: Real>(&self, out: &mut [T], xs: &[T], weight: &[T], grad: &[T]) -> (Vec<f64>, Vec<f64>) {
        let (mean, inverse) = self.moments(xs);
        let (sum, mut along) = products(grad, xs, &mean);
        along.iter_mut().zip(&inverse).for_each(|(along, inverse)| *along *= inverse);
        if !out.is_empty() {
            let share = self.groups as f64 / xs.len() as f64;
            let weighted = |values: &[f64]| -> Vec<f64> {
                self.in_groups(&values.iter().zip(weight).map(|(value, weight)| value * weight.wide()).collect::<Vec<_>>())
            };
            let (of_sum, of_along) = (weighted(&sum), weighted(&along));
            let channels = 0..self.channels;
            let slope = row::<T>(channels.clone().map(|c| inverse[c] * weight[c].wide()), self.channels);
            let along = row::<T>(channels.clone().map(|c| -inverse[c] * inverse[c] * of_along[c] * share), self.channels);
            let constant = row::<T>(channels.map(|c| -inverse[c] * of_sum[c] * share), self.channels);
            undo(out, grad, xs, [&row::<T>(mean.iter().copied(), self.channels), &slope, &along, &constant]);
        }
        (along, sum)
    }
}

impl Weighted for GroupNorm {
    const NAME: &'static str = "GroupNormalization";

    fn shape(&self) -> Shape {
        self.dims.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
        let shift = match bias {
            Some(bias) => row::<T>(bias.iter().map(|bias| bias.wide()), self.channels),
            None => row::<T>(std::iter::repeat(0.0), self.channels),
        };
        in_chunks(xs.len(), self.piece(), |number, ys| {
            let xs = &xs[number * self.piece()..];
            for (ys, xs) in ys.chunks_mut(self.example()).zip(xs.chunks(self.example())) {
                self.forward_example(ys, xs, weight, &shift);
            }
        })
    }

    fn backward<T: Real>(&self, xs: &[T], weight: &[T], _ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        let (example, length) = (self.example(), self.piece());
        let mut input = if of_input.is_some() { vec![T::zero(); xs.len()] } else { Vec::new() };
        let mut outs: Vec<&mut [T]> = input.chunks_mut(length).collect();
        outs.resize_with(xs.len().div_ceil(length), Default::default);
        let pieces = outs.into_iter().zip(xs.chunks(length)).zip(grad.chunks(length));
        let pieces = map(pieces.collect(), |((out, xs), grad)| {
            let mut totals = (vec![0.0; self.channels], vec![0.0; self.channels]);
            let mut outs = out.chunks_mut(example);
            for (xs, grad) in xs.chunks(example).zip(grad.chunks(example)) {
                let (along, sum) = self.backward_example(outs.next().unwrap_or_default(), xs, weight, grad);
                add_up(&mut totals.0, &along);
                add_up(&mut totals.1, &sum);
            }
            totals
        });
        let (mut along, mut sum) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for piece in &pieces {
            add_up(&mut along, &piece.0);
            add_up(&mut sum, &piece.1);
        }
        let tensor = |values: Vec<f64>| values.into_iter().map(T::of).collect();
        Gradients { input, weight: tensor(along), bias: tensor(sum) }
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        self.on_gpu().forward(gpu, xs, weight, bias)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        self.on_gpu().backward(gpu, tensors, grad, wants)
    }

    fn reads_output(&self) -> bool {
        false
    }
}

impl GroupNorm {
    fn on_gpu(&self) -> Groups {
        let examples = self.dims.iter().product::<usize>().checked_div(self.example()).unwrap_or(0);
        let [examples, positions, channels, groups] =
            [examples, self.positions, self.channels, self.groups].map(|size| size as i64);
        Groups { examples, positions, channels, groups, epsilon: self.epsilon, is_centered: 1, wants_input: 0 }
    }
}

/// Examples of positions of channels, which are normalised in groups on a GPU; as in `cuda/norm.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Groups {
    pub(crate) examples: i64,
    pub(crate) positions: i64,
    pub(crate) channels: i64,
    pub(crate) groups: i64,
    pub(crate) epsilon: f64,
    /// Whether the mean is taken away; else values are divided by the root of their mean square.
    pub(crate) is_centered: i64,
    pub(crate) wants_input: i64,
}

// SAFETY: it is numbers of one size, and so are those of `cuda/norm.cu`.
unsafe impl Geometry for Groups {}

impl Groups {
    const FAMILY: &str = "norm";

    /// A block for each group of each example, whose values its threads share.
    fn work(&self) -> Work {
        let count = (self.examples * self.groups) as usize;
        Work::Blocks { count, width: (self.positions * self.channels / self.groups.max(1)) as usize }
    }

    pub(crate) fn forward(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        let mut ys = gpu.empty(xs.dtype(), xs.elem_count())?;
        let kernel = Kernel::new(Self::FAMILY, "group_values", xs.dtype());
        // SAFETY: it reads and writes the values of each group of each example, which are all, and reads one of the others for
        // each channel.
        unsafe { gpu.launch(&kernel, self.work(), arguments![&mut ys, xs, weight, bias, self]) }?;
        Ok(ys)
    }

    pub(crate) fn backward(self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        let Kept { xs, weight, .. } = tensors;
        let (groups, dtype) = (Self { wants_input: wants.input.into(), ..self }, xs.dtype());
        let count = (self.examples * self.groups) as usize;
        let (mut means, mut inverses) = (gpu.empty(dtype, count)?, gpu.empty(dtype, count)?);
        let mut input = gpu.empty(dtype, if wants.input { xs.elem_count() } else { 0 })?;
        let kernel = Kernel::new(Self::FAMILY, "group_gradients", dtype);
        let arguments = arguments![&mut input, &mut means, &mut inverses, grad, xs, weight, &groups];
        // SAFETY: it reads the values of each group of each example, and writes as many if they are wanted, and two for each
        // group.
        unsafe { gpu.launch(&kernel, self.work(), arguments) }?;
        let (rows, channels) = ((self.examples * self.positions) as usize, self.channels as usize);
        let sharers = sharers(rows, channels);
        let mut sums = gpu.empty(DType::F64, 2 * sharers * channels)?;
        let kernel = Kernel::new(Self::FAMILY, "group_products", dtype);
        let arguments = arguments![&mut sums, grad, xs, &means, &inverses, &groups, sharers];
        // SAFETY: it reads the same, and writes two for each sharer of each channel.
        unsafe { gpu.launch(&kernel, Work::Each(sharers * channels), arguments) }?;
        let both = tensor(fold_columns_on_gpu(gpu, &sums, sharers, 2 * channels, dtype)?, (2, channels));
        let of = |index: usize| both.get(index);
        Ok(TensorGradients {
            input: wants.input.then(|| tensor(input, xs.shape())),
            weight: of(1)?,
            bias: wants.bias.then(|| of(0)).transpose()?,
        })
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::*;
    use crate::kernels::weighted::on_gpu::expect_the_same;

    #[test]
    fn a_gpu_gives_the_same_however_threads_share_the_values() {
        let cases = [
            (vec![5, 9, 7, 6], 63, 3, true),
            (vec![300, 70], 1, 1, true),
            (vec![2, 40, 8], 40, 8, false),
            (vec![90, 4, 1], 4, 1, true),
        ];
        for (dims, positions, groups, has_bias) in cases {
            let channels = dims[dims.len() - 1];
            let op = GroupNorm { dims: dims.clone(), positions, channels, groups, epsilon: 1e-3 };
            expect_the_same(&op, &dims, &[channels], has_bias.then_some(channels));
        }
    }
}
