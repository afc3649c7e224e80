//! Batch normalisation: two passes over the data forward, two backward.

use super::activation::{finish_on_gpu, undo_on_gpu};
use super::fill::in_chunks;
use super::norm::{add_up, normalize, part, piece, products, rectified_products, row, squares, sums, undo, undo_rectified};
use super::op::{dispatch, expect_reals, with_slices};
use super::real::Real;
use super::share::map;
use super::sums::sharers;
use super::weighted::{self, Ending, Gradients, Kept, TensorGradients, Wants, Weighted, finish, undo_activation};
use crate::gpu::{Argument, Geometry, Gpu, Kernel, Work, arguments, no_path, tensor};
use crate::spec::Activation;
use candle_core::{CpuStorage, CudaStorage, DType, Device, InplaceOp2, Layout, Result, Shape, Storage, Tensor, Var};

const FAMILY: &str = "norm";

/// The mean and the biased variance of every channel, in double precision, on the device of the values.
#[derive(Clone, Debug)]
pub(crate) struct Moments {
    pub(crate) mean: Tensor,
    pub(crate) variance: Tensor,
}

impl Moments {
    /// The moments of the last axis of `xs` over all others: the first pass.
    ///
    /// # Errors
    /// If there is no value to take the mean of.
    pub(crate) fn of(xs: &Tensor) -> Result<Self> {
        fn moments<T: Real>(xs: &Tensor, channels: usize) -> Result<Moments> {
            let of_slice = |[xs]: [&[T]; 1]| Moments::of_slice(xs, channels);
            let [mean, variance] = with_slices([xs], BatchNorm::NAME, of_slice)?;
            let tensor = |values| Tensor::from_vec(values, channels, xs.device());
            Ok(Moments { mean: tensor(mean)?, variance: tensor(variance)? })
        }
        let (xs, channels) = (xs.contiguous()?, channels(xs.dims()));
        if xs.elem_count() == 0 {
            candle_core::bail!("`{}` trains on at least one value of each channel, found {:?}", BatchNorm::NAME, xs.dims());
        }
        match Gpu::of(xs.device()) {
            Some(gpu) => Self::on_gpu(gpu, &xs, channels),
            None => dispatch!(xs.dtype(), BatchNorm::NAME, moments(&xs, channels)),
        }
    }

    fn on_gpu(gpu: Gpu, xs: &Tensor, channels: usize) -> Result<Self> {
        expect_reals([xs], BatchNorm::NAME)?;
        let batch = Batch::new(xs.elem_count(), channels);
        let parts = batch.threads as usize;
        let empty = |len| gpu.empty(DType::F64, len);
        let (mut means, mut squares) = (empty(parts)?, empty(parts)?);
        let kernel = Kernel::new(FAMILY, "moments", xs.dtype());
        // SAFETY: it reads the values, whose number is that of the batch, and writes one of each for each thread.
        unsafe { gpu.launch(&kernel, Work::Each(parts), arguments![&mut means, &mut squares, xs, &batch]) }?;
        let (mut mean, mut variance) = (empty(channels)?, empty(channels)?);
        let kernel = Kernel::new(FAMILY, "join_moments", xs.dtype());
        let work = Work::Blocks { count: channels, width: parts / channels };
        // SAFETY: it reads what each thread has written, and writes one of each for each channel.
        unsafe { gpu.launch(&kernel, work, arguments![&mut mean, &mut variance, &means, &squares, &batch]) }?;
        Ok(Self { mean: tensor(mean, channels), variance: tensor(variance, channels) })
    }

    /// Each piece is summed while it is in the cache, first for its means, then for the distances from them; pieces are
    /// added by the formula of Chan, Golub & LeVeque (1979), which large means do not disturb.
    fn of_slice<T: Real>(xs: &[T], channels: usize) -> [Vec<f64>; 2] {
        let pieces = map(xs.chunks(piece(channels)).collect(), |xs| {
            let count = (xs.len() / channels) as f64;
            let means: Vec<f64> = sums(xs, channels).into_iter().map(|sum| sum / count).collect();
            // Distances are from the means as the loop sees them.
            let means: Vec<f64> = means.into_iter().map(|mean| T::of(mean).wide()).collect();
            (count, squares(xs, &means), means)
        });
        let (mut count, mut mean, mut total) = (0.0, vec![0.0; channels], vec![0.0; channels]);
        for (other, squares, means) in pieces {
            let sum = count + other;
            for channel in 0..channels {
                let apart = means[channel] - mean[channel];
                mean[channel] += apart * other / sum;
                total[channel] += squares[channel] + apart * apart * count * other / sum;
            }
            count = sum;
        }
        [mean, total.into_iter().map(|total| total / count).collect()]
    }

    /// Those that running statistics have.
    pub(crate) fn running(mean: &Var, variance: &Var) -> Result<Self> {
        let values = |statistic: &Var| statistic.as_detached_tensor().to_dtype(DType::F64);
        Ok(Self { mean: values(mean)?, variance: values(variance)? })
    }

    /// Moves running statistics towards these: `running = momentum·running + (1 − momentum)·batch`.
    pub(crate) fn remember(&self, mean: &Var, variance: &Var, momentum: f64) -> Result<()> {
        for (running, batch) in [(mean, &self.mean), (variance, &self.variance)] {
            if Gpu::of(running.device()).is_some() {
                running.inplace_op2(batch, &Remember { momentum, device: running.device(), dtype: running.dtype() })?;
            } else {
                let (old, new) = ((running.as_detached_tensor().to_dtype(DType::F64)? * momentum)?, (batch * (1.0 - momentum))?);
                running.set(&(old + new)?.to_dtype(running.dtype())?)?;
            }
        }
        Ok(())
    }
}

/// A running statistic on a GPU that moves, in place, towards that of a batch.
struct Remember<'a> {
    momentum: f64,
    device: &'a Device,
    dtype: DType,
}

/// As in `cuda/norm.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Momentum(f64);

// SAFETY: it is one number.
unsafe impl Geometry for Momentum {}

impl Remember<'_> {
    fn launch(&self, running: Argument, batch: Argument, count: usize) -> Result<()> {
        let Some(gpu) = Gpu::of(self.device) else { return Err(no_path(BatchNorm::NAME)) };
        let (kernel, momentum) = (Kernel::new(FAMILY, "remember", self.dtype), Momentum(self.momentum));
        // SAFETY: it reads and writes the `count` values of the one, and reads those of the other, which has as many.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![running, batch, &momentum, count]) }
    }
}

impl InplaceOp2 for Remember<'_> {
    fn name(&self) -> &'static str {
        BatchNorm::NAME
    }

    fn cpu_fwd(&self, running: &mut CpuStorage, to: &Layout, batch: &CpuStorage, from: &Layout) -> Result<()> {
        self.launch((running, to).into(), (batch, from).into(), to.shape().elem_count())
    }

    fn cuda_fwd(&self, running: &mut CudaStorage, to: &Layout, batch: &CudaStorage, from: &Layout) -> Result<()> {
        self.launch((running, to).into(), (batch, from).into(), to.shape().elem_count())
    }
}

/// Values of so many channels that threads of a GPU share, each every so manyeth of one channel; as in `cuda/norm.cu`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Batch {
    count: i64,
    channels: i64,
    /// A multiple of the channels.
    threads: i64,
    epsilon: f64,
    rectifies: i64,
    of_the_batch: i64,
}

// SAFETY: it is numbers of one size, and so are those of `cuda/norm.cu`.
unsafe impl Geometry for Batch {}

impl Batch {
    fn new(count: usize, channels: usize) -> Self {
        let threads = sharers(count / channels, channels) * channels;
        let (count, channels, threads) = (count as i64, channels as i64, threads as i64);
        Self { count, channels, threads, epsilon: 0.0, rectifies: 0, of_the_batch: 0 }
    }
}

/// `(xs − mean)/√(variance + epsilon)·weight + bias` of every channel of `xs`, the last axis: the second pass.
///
/// `activation` comes last. The gradient of `xs` goes through the moments too if they are `of_the_batch`, that is, of `xs` itself.
///
/// # Errors
/// If there is not one weight, bias and moment for each channel.
pub(crate) fn batch_norm(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    moments: Moments,
    epsilon: f64,
    of_the_batch: bool,
    activation: Activation,
) -> Result<Tensor> {
    let channels = channels(xs.dims());
    let means = moments.mean.elem_count();
    if weight.dims() != [channels] || bias.is_some_and(|bias| bias.dims() != [channels]) || means != channels {
        let found = [weight.elem_count(), bias.map_or(channels, Tensor::elem_count), means];
        candle_core::bail!("`{}` of {channels} channels has weights, biases and means {found:?}", BatchNorm::NAME);
    }
    let (mut mean, mut inverse, mut shift) = (Vec::new(), Vec::new(), Vec::new());
    let on_gpu = Gpu::of(xs.device()).map(|_| OnGpu { moments: moments.clone(), bias: bias.map(Tensor::detach) });
    if on_gpu.is_none() {
        mean = moments.mean.to_vec1()?;
        let variance: Vec<f64> = moments.variance.to_vec1()?;
        inverse = variance.into_iter().map(|variance| (variance + epsilon).sqrt().recip()).collect();
        shift = bias.map_or(Ok(vec![0.0; channels]), |bias| bias.to_dtype(DType::F64)?.to_vec1())?;
    }
    let dims = xs.dims().to_vec();
    let op = |ends_in| BatchNorm { dims, mean, inverse, shift, on_gpu, epsilon, of_the_batch, ends_in };
    weighted::apply(xs, weight, bias, activation, op)
}

fn channels(dims: &[usize]) -> usize {
    dims.last().copied().unwrap_or(1).max(1)
}

struct BatchNorm {
    dims: Vec<usize>,
    /// On the CPU.
    mean: Vec<f64>,
    /// One over the standard deviation, on the CPU.
    inverse: Vec<f64>,
    /// The bias, on the CPU.
    shift: Vec<f64>,
    on_gpu: Option<OnGpu>,
    epsilon: f64,
    of_the_batch: bool,
    ends_in: Activation,
}

/// What the passes over tensors on a GPU read besides those they are given.
struct OnGpu {
    moments: Moments,
    bias: Option<Tensor>,
}

impl BatchNorm {
    /// The values as threads of a GPU share them, and whether the rectifier among activations is part of the passes.
    fn batch(&self) -> Batch {
        let channels = channels(&self.dims);
        Batch {
            epsilon: self.epsilon,
            rectifies: (self.ends_in == Activation::Relu).into(),
            of_the_batch: self.of_the_batch.into(),
            ..Batch::new(self.dims.iter().product(), channels)
        }
    }

    /// What [`batch_norm`] has found of the tensors on a GPU.
    fn on_gpu(&self) -> Result<&OnGpu> {
        self.on_gpu.as_ref().ok_or_else(|| no_path(Self::NAME))
    }

    /// The mean of every channel, what distances from it are multiplied by, and what is added then, as rows.
    fn rows<T: Real>(&self, weight: &[T]) -> [Vec<T>; 3] {
        let channels = self.mean.len();
        [
            row(self.mean.iter().copied(), channels),
            row((0..channels).map(|channel| self.scale(weight, channel)), channels),
            row(self.shift.iter().copied(), channels),
        ]
    }

    fn scale<T: Real>(&self, weight: &[T], channel: usize) -> f64 {
        weight[channel].wide() * self.inverse[channel]
    }

    /// The mean as the loops see it.
    fn mean<T: Real>(&self) -> Vec<f64> {
        self.mean.iter().map(|mean| T::of(*mean).wide()).collect()
    }
}

impl Weighted for BatchNorm {
    const NAME: &'static str = "BatchNormalization";

    fn shape(&self) -> Shape {
        self.dims.as_slice().into()
    }

    fn forward<T: Real>(&self, xs: &[T], weight: &[T], _bias: Option<&[T]>) -> Vec<T> {
        let channels = self.mean.len();
        let [mean, scale, shift] = self.rows(weight);
        let length = part(channels);
        in_chunks(xs.len(), length, |number, ys| {
            normalize(ys, &xs[number * length..], [&mean, &scale, &shift]);
            finish(ys, 1, &[], self.ends_in);
        })
    }

    /// With `x̂ = (x − mean)·inverse` and `M` values in each channel, the gradient of `x` is
    /// `weight·inverse·(g − Σg/M − x̂·Σ(g·x̂)/M)`, without the sums where the moments are given.
    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T> {
        let channels = self.mean.len();
        let (length, means) = (piece(channels), self.mean::<T>());
        let rows = self.rows(weight);
        let pieces = grad.chunks(length).zip(xs.chunks(length)).enumerate();
        let pieces = map(pieces.collect(), |(number, (grad, xs))| match self.ends_in {
            Activation::Relu => rectified_products(grad, xs, rows.each_ref().map(Vec::as_slice), channels),
            _ => products(self.before_activation(ys, grad, number * length, &mut Vec::new()), xs, &means),
        });
        let (mut sum, mut along) = (vec![0.0; channels], vec![0.0; channels]);
        for (sums, products) in &pieces {
            add_up(&mut sum, sums);
            add_up(&mut along, products);
        }
        along.iter_mut().zip(&self.inverse).for_each(|(along, inverse)| *along *= inverse);
        let input =
            if of_input.is_some() { self.gradient_of_input([xs, ys, grad], weight, rows, &sum, &along) } else { Vec::new() };
        let tensor = |values: Vec<f64>| values.into_iter().map(T::of).collect();
        Gradients { input, weight: tensor(along), bias: tensor(sum) }
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
        let (batch, dtype, Moments { mean, variance }) = (self.batch(), xs.dtype(), &self.on_gpu()?.moments);
        let mut ys = gpu.empty(dtype, xs.elem_count())?;
        let kernel = Kernel::new(FAMILY, "batch_values", dtype);
        let arguments = arguments![&mut ys, xs, mean, variance, weight, bias, &batch];
        // SAFETY: it reads and writes as many values as the batch has, and reads one of the others for each channel.
        unsafe { gpu.launch(&kernel, Work::Each(batch.threads as usize), arguments) }?;
        if batch.rectifies == 0 {
            finish_on_gpu(gpu, &mut ys, xs.elem_count(), None, self.ends_in)?;
        }
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, tensors: Kept, grad: &Tensor, wants: Wants) -> Result<TensorGradients> {
        let Kept { xs, weight, ys } = tensors;
        let (batch, dtype, OnGpu { moments: Moments { mean, variance }, bias }) = (self.batch(), xs.dtype(), self.on_gpu()?);
        let (bias, channels, threads) = (bias.as_ref(), batch.channels as usize, batch.threads as usize);
        // A rectifier is undone on the way.
        let grad = &if batch.rectifies == 0 { undo_on_gpu(gpu, self.ends_in, ys, grad)? } else { grad.clone() };
        let mut sums = gpu.empty(DType::F64, 2 * threads)?;
        let kernel = Kernel::new(FAMILY, "batch_products", dtype);
        let arguments = arguments![&mut sums, grad, xs, mean, variance, weight, bias, &batch];
        // SAFETY: it reads as many values as the batch has, and one of the others for each channel; it writes two for each
        // thread.
        unsafe { gpu.launch(&kernel, Work::Each(threads), arguments) }?;
        let (mut of_weight, mut of_bias) = (gpu.empty(dtype, channels)?, gpu.empty(dtype, channels)?);
        let mut factors = gpu.empty(dtype, 3 * channels)?;
        let kernel = Kernel::new(FAMILY, "batch_factors", dtype);
        let work = Work::Blocks { count: channels, width: threads / channels };
        let arguments = arguments![&mut of_weight, &mut of_bias, &mut factors, &sums, variance, weight, &batch];
        // SAFETY: it reads what each thread has written, and writes five values for each channel.
        unsafe { gpu.launch(&kernel, work, arguments) }?;
        let mut input = None;
        if wants.input {
            let mut out = gpu.empty(dtype, xs.elem_count())?;
            let kernel = Kernel::new(FAMILY, "batch_gradients", dtype);
            let arguments = arguments![&mut out, grad, xs, mean, variance, weight, bias, &factors, &batch];
            // SAFETY: as the first pass; it writes as many values as it reads.
            unsafe { gpu.launch(&kernel, Work::Each(threads), arguments) }?;
            input = Some(tensor(out, xs.shape()));
        }
        let bias = wants.bias.then(|| tensor(of_bias, channels));
        Ok(TensorGradients { input, weight: tensor(of_weight, channels), bias })
    }

    fn reads_output(&self) -> bool {
        // A rectifier's output is computed again, which takes less time than to read it.
        !matches!(self.ends_in, Activation::Linear | Activation::Relu)
    }
}

impl BatchNorm {
    /// The second pass backward, from `sum`, `Σg`, and `along`, `Σ(g·x̂)`.
    fn gradient_of_input<T: Real>(
        &self,
        [xs, ys, grad]: [&[T]; 3],
        weight: &[T],
        [mean, scale, shift]: [Vec<T>; 3],
        sum: &[f64],
        along: &[f64],
    ) -> Vec<T> {
        let channels = self.mean.len();
        let share = if self.of_the_batch { channels as f64 / xs.len() as f64 } else { 0.0 };
        let factor = |channel: usize| self.scale(weight, channel);
        let along = (0..channels).map(|channel| -factor(channel) * self.inverse[channel] * along[channel] * share);
        let along = row::<T>(along, channels);
        let constant = row::<T>((0..channels).map(|channel| -factor(channel) * sum[channel] * share), channels);
        let length = part(channels);
        in_chunks(xs.len(), length, |number, out| {
            let (start, mut before) = (number * length, Vec::new());
            let grad = &grad[start..start + out.len()];
            if self.ends_in == Activation::Relu {
                return undo_rectified(out, grad, &xs[start..], [&mean, &scale, &shift, &along, &constant]);
            }
            let grad = self.before_activation(ys, grad, start, &mut before);
            undo(out, grad, &xs[start..], [&mean, &scale, &along, &constant]);
        })
    }

    /// The gradient before the activation, of some values from `start` on.
    fn before_activation<'a, T: Real>(&self, ys: &[T], grad: &'a [T], start: usize, scratch: &'a mut Vec<T>) -> &'a [T] {
        match self.ends_in {
            Activation::Linear => grad,
            activation => undo_activation(activation, &ys[start..start + grad.len()], grad, scratch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn moments_of_large_means_keep_their_digits() {
        let values: Vec<f32> = (0..60_000).map(|i| 10_000.0 + (i % 3) as f32).collect();
        let moments = Moments::of(&Tensor::from_vec(values, (60_000, 1), &Device::Cpu).unwrap()).unwrap();
        let [mean, variance] = [moments.mean, moments.variance].map(|moment| moment.to_vec1::<f64>().unwrap()[0]);
        assert!((mean - 10_001.0).abs() < 1e-2, "{mean}");
        assert!((variance - 2.0 / 3.0).abs() < 1e-4, "{variance}");
    }

    #[test]
    fn no_values_have_no_mean() {
        let nothing = Tensor::zeros((0, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(Moments::of(&nothing).unwrap_err().to_string().contains("at least one value of each channel"));
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_gives_the_same_however_threads_share_the_values() {
        use crate::kernels::op::on_gpu::{expect_close, numbers, values};
        use crate::kernels::weighted::on_gpu::expect_the_same;
        for (dims, has_bias) in [([7, 50, 13, 3], true), ([1, 1, 1, 5], true), ([3, 70, 2, 70], false)] {
            let (xs, channels) = (numbers(&dims, 0), dims[3]);
            let [mean, variance] = Moments::of_slice(&values(&xs), channels);
            let found = Moments::on_gpu(Gpu::emulated(), &xs, channels).unwrap();
            expect_close(&values(&found.mean), &mean, "the mean");
            expect_close(&values(&found.variance), &variance, "the variance");
            let inverse: Vec<f64> = variance.iter().map(|variance| (variance + 1e-3).sqrt().recip()).collect();
            for (ends_in, of_the_batch) in
                [(Activation::Linear, true), (Activation::Relu, true), (Activation::Relu, false), (Activation::Tanh, true)]
            {
                let bias = has_bias.then(|| numbers(&[channels], 5));
                let on_gpu = Some(OnGpu { moments: found.clone(), bias: bias.clone() });
                let (dims, mean, inverse) = (dims.to_vec(), mean.clone(), inverse.clone());
                let shift = bias.as_ref().map_or(vec![0.0; channels], values);
                let op = BatchNorm { dims: dims.clone(), mean, inverse, shift, on_gpu, epsilon: 1e-3, of_the_batch, ends_in };
                expect_the_same(&op, &dims, &[channels], has_bias.then_some(channels));
            }
        }
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn moments_of_large_means_keep_their_digits_on_a_gpu() {
        let values: Vec<f32> = (0..60_000).map(|i| if i == 0 { 0.0 } else { 10_000.0 + (i % 3) as f32 }).collect();
        let exact: Vec<f64> = values.iter().map(|x| f64::from(*x)).collect();
        let xs = Tensor::from_vec(values, (60_000, 1), &Device::Cpu).unwrap();
        let moments = Moments::on_gpu(Gpu::emulated(), &xs, 1).unwrap();
        let [mean, variance] = Moments::of_slice(&exact, 1);
        let close = |found: &Tensor, expected: f64| (found.to_vec1::<f64>().unwrap()[0] / expected - 1.0).abs() < 1e-6;
        assert!(close(&moments.mean, mean[0]) && close(&moments.variance, variance[0]), "{moments:?}, {mean:?}, {variance:?}");
    }
}
