//! How kernels become candle operations: slices out of tensors, and one wrapper for every operation of one tensor.

use super::real::Real;
use super::tape;
use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Storage, Tensor};

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

/// The elements of a storage that is laid out row by row.
pub(crate) fn slice<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout, name: &str) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&T::cpu_storage_as_slice(storage)?[start..end]),
        None => candle_core::bail!("`{name}` takes tensors laid out row by row"),
    }
}

/// Calls `with` with the elements of tensors that are on the CPU.
pub(crate) fn with_slices<T: Real, R, const N: usize>(
    tensors: [&Tensor; N],
    name: &str,
    with: impl FnOnce([&[T]; N]) -> R,
) -> Result<R> {
    let storages = tensors.map(Tensor::storage_and_layout);
    let mut slices: [&[T]; N] = [&[]; N];
    for (slot, (storage, layout)) in slices.iter_mut().zip(&storages) {
        *slot = match &**storage {
            Storage::Cpu(storage) => slice(storage, layout, name)?,
            _ => candle_core::bail!("`{name}` has no backward pass for this device"),
        };
    }
    Ok(with(slices))
}

/// The type of a storage's elements.
pub(crate) fn dtype(storage: &CpuStorage) -> DType {
    candle_core::backend::BackendStorage::dtype(storage)
}

/// An operation of one tensor, as functions over slices.
pub(crate) trait Unary: Send + Sync + 'static {
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
    let (xs, op) = (xs.contiguous()?, Operation(op));
    match tape::is_recording(xs.device()) {
        true => dispatch!(xs.dtype(), op.name(), note(xs, op)),
        false => xs.apply_op1(op),
    }
}

/// The output of `op`, noted on the tape.
fn note<T: Real>(xs: Tensor, op: Operation<impl Unary>) -> Result<Tensor> {
    let ys = with_slices([&xs], op.name(), |[values]: [&[T]; 1]| op.0.forward(values, xs.dims()))?;
    let (shape, before) = (op.0.shape(xs.dims()), xs.shape().clone());
    tape::note(&[&xs], ys, shape, |ys| {
        let xs = kept(&xs, op.0.reads_input())?;
        let ys = kept(ys, op.0.reads_output())?;
        Ok(Box::new(move |grad| Ok(vec![Some(op.gradient(&xs, &ys, grad, &before)?)])))
    })
}

/// What is kept of a tensor for a backward pass: one without values stands for what it does not read.
pub(crate) fn kept(tensor: &Tensor, is_read: bool) -> Result<Tensor> {
    if is_read { Ok(tensor.clone()) } else { Tensor::zeros(0, tensor.dtype(), tensor.device()) }
}

struct Operation<U>(U);

impl<U: Unary> Operation<U> {
    /// The gradient of its input, which is of shape `before`.
    fn gradient(&self, xs: &Tensor, ys: &Tensor, grad: &Tensor, before: &Shape) -> Result<Tensor> {
        fn backward<T: Real>(op: &impl Unary, xs: &Tensor, ys: &Tensor, grad: &Tensor, before: &Shape) -> Result<Tensor> {
            let values = with_slices([xs, ys, grad], op.name(), |[x, y, g]: [&[T]; 3]| op.backward(x, y, g, before.dims()))?;
            Tensor::from_vec(values, before, grad.device())
        }
        let grad = grad.contiguous()?;
        dispatch!(grad.dtype(), self.name(), backward(&self.0, xs, ys, &grad, before))
    }
}

impl<U: Unary> CustomOp1 for Operation<U> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        fn forward<T: Real>(op: &impl Unary, storage: &CpuStorage, layout: &Layout) -> Result<CpuStorage> {
            let xs: &[T] = slice(storage, layout, op.name())?;
            Ok(T::to_cpu_storage_owned(op.forward(xs, layout.dims())))
        }
        let values = dispatch!(dtype(storage), self.name(), forward(&self.0, storage, layout))?;
        Ok((values, self.0.shape(layout.dims())))
    }

    fn bwd(&self, xs: &Tensor, ys: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.gradient(xs, ys, grad, xs.shape()).map(Some)
    }
}
