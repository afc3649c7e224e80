//! How kernels become candle operations: slices out of tensors, and one wrapper for every operation of one tensor.

use super::computed::Computed;
use super::real::Real;
use super::tape::{self, Arrived};
use crate::gpu::{Gpu, no_path, tensor};
use candle_core::{CpuStorage, CudaStorage, CustomOp1, DType, Device, Layout, Result, Shape, Storage, Tensor};

/// Calls a function generic over [`Real`] with the type that `$dtype` names.
macro_rules! dispatch {
    ($dtype:expr, $name:expr, $function:ident($($argument:expr),* $(,)?)) => {
        match $dtype {
            candle_core::DType::F32 => $function::<f32>($($argument),*),
            candle_core::DType::F64 => $function::<f64>($($argument),*),
            other => candle_core::bail!("`{}` computes in f32 or f64, found {}", $name, other.as_str()),
        }
    };
}
pub(crate) use dispatch;

/// The elements of a storage that is laid out row by row, and not where the processor stands for a GPU.
pub(crate) fn slice<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout, name: &str) -> Result<&'a [T]> {
    if Gpu::of(&Device::Cpu).is_some() {
        return Err(no_path(name));
    }
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&T::cpu_storage_as_slice(storage)?[start..end]),
        None => candle_core::bail!("`{name}` takes tensors laid out row by row"),
    }
}

/// The same of a storage that may be elsewhere.
pub(crate) fn slice_on_cpu<'a, T: Real>(storage: &'a Storage, layout: &Layout, name: &str) -> Result<&'a [T]> {
    match storage {
        Storage::Cpu(storage) => slice(storage, layout, name),
        Storage::Cuda(_) => Err(no_path(name)),
        Storage::Metal(_) => candle_core::bail!("`{name}` computes on the CPU or a CUDA device"),
    }
}

/// Calls `with` with the elements of tensors that are on the CPU.
pub(crate) fn with_slices<T: Real, R, const N: usize>(
    tensors: [&Tensor; N],
    name: &str,
    with: impl FnOnce([&[T]; N]) -> R,
) -> Result<R> {
    if let Some(other) = tensors.iter().find(|tensor| tensor.dtype() != T::DTYPE) {
        let (ours, found) = (T::DTYPE.as_str(), other.dtype().as_str());
        candle_core::bail!("`{name}` takes tensors of one type, found {found} beside {ours}");
    }
    let storages = tensors.map(Tensor::storage_and_layout);
    let mut slices: [&[T]; N] = [&[]; N];
    for (slot, (storage, layout)) in slices.iter_mut().zip(&storages) {
        *slot = slice_on_cpu(storage, layout, name)?;
    }
    Ok(with(slices))
}

/// That tensors for a kernel, which does not look at their types, are of one that it computes in.
pub(crate) fn expect_reals<const N: usize>(tensors: [&Tensor; N], name: &str) -> Result<()> {
    let first = tensors[0].dtype();
    if !matches!(first, DType::F32 | DType::F64) {
        candle_core::bail!("`{name}` computes in f32 or f64, found {}", first.as_str());
    }
    match tensors.iter().find(|tensor| tensor.dtype() != first) {
        Some(other) => {
            candle_core::bail!("`{name}` takes tensors of one type, found {} and {}", first.as_str(), other.dtype().as_str())
        }
        None => Ok(()),
    }
}

/// That the examples of a batch, of which there may be none, have values.
pub(crate) fn expect_values(xs: &Tensor, name: &str) -> Result<()> {
    if xs.dims().iter().skip(1).any(|size| *size == 0) {
        candle_core::bail!("`{name}` takes inputs of at least one cell, found {:?}", xs.dims());
    }
    Ok(())
}

/// The type of a storage's elements.
pub(crate) fn dtype(storage: &CpuStorage) -> DType {
    candle_core::backend::BackendStorage::dtype(storage)
}

/// An operation of one tensor, as functions over slices, and over tensors on a GPU.
pub(crate) trait Unary: Sized + Send + Sync + 'static {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// The shape of its output for an input of these sizes.
    fn shape(&self, dims: &[usize]) -> Shape {
        dims.into()
    }

    /// Its output for an input of these sizes.
    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T>;

    /// The gradient of its input, from the gradient `grad` of its output `ys`. What it does not read may be empty.
    fn backward<T: Real>(&self, xs: &[T], ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T>;

    /// As [`forward`](Self::forward), on a GPU. `xs` lies row by row and has no gradient.
    fn forward_on_gpu(&self, _gpu: Gpu, _xs: &Tensor) -> Result<Storage> {
        Err(no_path(self.name()))
    }

    /// As [`backward`](Self::backward), on a GPU. The tensors lie row by row and have no gradients.
    fn backward_on_gpu(&self, _gpu: Gpu, _xs: &Tensor, _ys: &Tensor, _grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        Err(no_path(self.name()))
    }

    /// The same operation for an input that is the output of a rectifier, whose backward pass over slices undoes that too, if it can
    /// at no cost.
    fn undoes_rectifier(&self) -> Option<Self> {
        None
    }

    /// Whether its backward pass reads the input, which is then kept for it.
    fn reads_input(&self) -> bool {
        true
    }

    /// Whether its backward pass reads the output, which is then kept for it.
    fn reads_output(&self) -> bool {
        true
    }
}

/// Applies `op` to `xs`.
pub(crate) fn apply(xs: &Tensor, op: impl Unary) -> Result<Tensor> {
    let xs = xs.contiguous()?;
    let (values, shape) = (values(&op, &xs)?, op.shape(xs.dims()));
    if tape::is_recording(xs.device()) {
        return note(xs, op, values, shape);
    }
    if !xs.track_op() {
        return Ok(tensor(values, shape));
    }
    xs.apply_op1(Operation { op, output: Computed::new(values, shape) })
}

/// The output of `op`, wherever `xs` is.
fn values(op: &impl Unary, xs: &Tensor) -> Result<Storage> {
    fn on_cpu<T: Real>(op: &impl Unary, xs: &Tensor) -> Result<Storage> {
        let values = with_slices([xs], op.name(), |[values]: [&[T]; 1]| op.forward(values, xs.dims()))?;
        Ok(Storage::Cpu(T::to_cpu_storage_owned(values)))
    }
    match Gpu::of(xs.device()) {
        Some(gpu) => {
            expect_reals([xs], op.name())?;
            op.forward_on_gpu(gpu, &xs.detach())
        }
        None => dispatch!(xs.dtype(), op.name(), on_cpu(op, xs)),
    }
}

/// Notes the output of `op` on the tape.
fn note(xs: Tensor, op: impl Unary, values: Storage, shape: Shape) -> Result<Tensor> {
    let before = xs.shape().clone();
    tape::note(&[&xs], values, shape, false, |ys| {
        let (xs, ys) = (kept(&xs, op.reads_input())?, kept(ys, op.reads_output())?);
        Ok(Box::new(move |Arrived { gradient: grad, .. }, passing| {
            let op = match op.undoes_rectifier() {
                Some(op) if passing.is_rectified && passing.others.is_none() && Gpu::of(grad.device()).is_none() => {
                    passing.is_rectified = false;
                    op
                }
                _ => op,
            };
            Ok(vec![Some(gradient(&op, &xs, &ys, &grad, &before)?)])
        }))
    })
}

/// What is kept of a tensor for a backward pass: one without values, on the CPU, stands for what it does not read.
pub(crate) fn kept(tensor: &Tensor, is_read: bool) -> Result<Tensor> {
    if is_read { Ok(tensor.detach()) } else { Tensor::zeros(0, tensor.dtype(), &Device::Cpu) }
}

/// The gradient of the input of `op`, which is of shape `before`.
fn gradient(op: &impl Unary, xs: &Tensor, ys: &Tensor, grad: &Tensor, before: &Shape) -> Result<Tensor> {
    fn on_cpu<T: Real>(op: &impl Unary, xs: &Tensor, ys: &Tensor, grad: &Tensor, before: &Shape) -> Result<Tensor> {
        let values = with_slices([xs, ys, grad], op.name(), |[x, y, g]: [&[T]; 3]| op.backward(x, y, g, before.dims()))?;
        Tensor::from_vec(values, before, grad.device())
    }
    let grad = grad.contiguous()?;
    match Gpu::of(grad.device()) {
        Some(gpu) => {
            expect_reals([&grad, xs, ys], op.name())?;
            Ok(tensor(op.backward_on_gpu(gpu, xs, ys, &grad, before.dims())?, before))
        }
        None => dispatch!(grad.dtype(), op.name(), on_cpu(op, xs, ys, &grad, before)),
    }
}

/// An operation in candle's graph.
struct Operation<U> {
    op: U,
    output: Computed,
}

impl<U: Unary> CustomOp1 for Operation<U> {
    fn name(&self) -> &'static str {
        self.op.name()
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.output.take_from_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.output.take_from_cuda()
    }

    fn bwd(&self, xs: &Tensor, ys: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        gradient(&self.op, &xs.detach(), &ys.detach(), &grad.detach(), xs.shape()).map(Some)
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
pub(crate) mod on_gpu {
    //! What an operation computes on a GPU beside what it computes over slices.

    use super::*;

    /// Numbers that look random and are of few kinds, so that some are equal; with a mean far from 0.
    pub(crate) fn numbers(dims: &[usize], purpose: u64) -> Tensor {
        let number = |i: u64| (i + purpose).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let values = (0..dims.iter().product::<usize>() as u64).map(|i| (number(i) % 1013) as f64 / 500.0 - 0.9).collect();
        Tensor::from_vec(values, dims, &Device::Cpu).expect("as many values as the sizes say")
    }

    pub(crate) fn values(tensor: &Tensor) -> Vec<f64> {
        tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("a tensor of f64")
    }

    pub(crate) fn expect_close(found: &[f64], expected: &[f64], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            let is_close = (found - expected).abs() <= 1e-11 * expected.abs().max(1.0);
            assert!(is_close, "{what}: value {i} is {found}, expected {expected}");
        }
    }

    /// Checks that both passes of `op` for an input of these sizes give the same.
    pub(crate) fn expect_the_same(op: &impl Unary, dims: &[usize]) {
        let (gpu, name) = (Gpu::emulated(), op.name());
        let xs = numbers(dims, 0);
        let expected = op.forward(&values(&xs), dims);
        let ys = tensor(op.forward_on_gpu(gpu, &xs).expect(name), op.shape(dims));
        expect_close(&values(&ys), &expected, name);
        // From the same output, so that the same values are equal to it.
        let ys = Tensor::from_vec(expected.clone(), op.shape(dims), &Device::Cpu).expect("of its shape");
        let grad = numbers(ys.dims(), 7);
        let expected = op.backward(&values(&xs), &expected, &values(&grad), dims);
        let found = op.backward_on_gpu(gpu, &xs, &ys, &grad, dims).expect(name);
        expect_close(&values(&tensor(found, dims)), &expected, name);
    }
}
