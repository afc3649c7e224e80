//! Operations with weights and perhaps a bias, that may end in an activation: what convolutions and dense layers share.

use super::activation::{activate, slope, slope_follows_from_output, undo_on_gpu, value, with_constant};
use super::computed::Computed;
use super::fill::{CHUNK, in_chunks};
use super::op::{dispatch, expect_reals, expect_values, kept, with_slices};
use super::real::Real;
use super::share::for_each;
use super::simd::simd;
use super::tape::{self, Arrived, Passing};
use crate::gpu::{Gpu, no_path, tensor};
use crate::spec::{Activation, Inferred, ShapeError};
use candle_core::{CpuStorage, CudaStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Storage, Tensor};

/// An operation of an input, weights and perhaps a bias, as functions over slices, and over tensors on a GPU.
pub(crate) trait Weighted: Sized + Send + Sync + 'static {
    /// Its name in messages.
    const NAME: &'static str;

    /// The shape of its output.
    fn shape(&self) -> Shape;

    /// Its output.
    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T>;

    /// Its gradients, from the gradient `grad` of its output `ys`, which may be empty if it does not read it. An operation that
    /// is [`apart`](Self::apart) from its activation is not asked for them, but what it is apart from it.
    ///
    /// `of_input` is what is to become of the gradient of the input, `None` if that is not wanted.
    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], of_input: Option<Ending<T>>) -> Gradients<T>;

    /// Whether its backward pass ends the gradient of its input; otherwise a pass after it does.
    const ENDS_INPUT: bool = false;

    /// As [`forward`](Self::forward), on a GPU. The tensors lie row by row and have no gradients.
    fn forward_on_gpu(&self, _gpu: Gpu, _xs: &Tensor, _weight: &Tensor, _bias: Option<&Tensor>) -> Result<Storage> {
        Err(no_path(Self::NAME))
    }

    /// As [`backward`](Self::backward), on a GPU. The tensors lie row by row and have no gradients.
    fn backward_on_gpu(&self, _gpu: Gpu, _tensors: Kept, _grad: &Tensor, _wants: Wants) -> Result<TensorGradients> {
        Err(no_path(Self::NAME))
    }

    /// Whether its backward pass reads the output, which is then kept for it.
    fn reads_output(&self) -> bool {
        true
    }

    /// As [`backward`](Self::backward), with the gradient of the input as it is to be.
    fn gradients<T: Real>(&self, [xs, weight, ys, grad]: [&[T]; 4], of_input: Option<Ending<T>>) -> Gradients<T> {
        let mut found = self.backward(xs, weight, ys, grad, of_input);
        if let Some(ending) = of_input.filter(|_| !Self::ENDS_INPUT) {
            ending.finish_all(&mut found.input, 1);
        }
        found
    }

    /// The activation it ends in and it without, if that is undone before its backward pass and not by it.
    ///
    /// Neither the output nor the gradient after the activation is then in memory beside the gradient of the input.
    /// `of_weights_alone` says that the pass, on the CPU, is asked for no gradient of the input.
    fn apart(&self, _of_weights_alone: bool) -> Option<(Activation, Self)> {
        None
    }
}

/// The tensors of a forward pass as a backward pass on a GPU has them.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'a> {
    pub(crate) xs: &'a Tensor,
    pub(crate) weight: &'a Tensor,
    /// Without values if it does not read them.
    pub(crate) ys: &'a Tensor,
}

/// Which gradients a backward pass is asked for, besides that of the weights.
#[derive(Clone, Copy)]
pub(crate) struct Wants {
    pub(crate) input: bool,
    pub(crate) bias: bool,
}

/// What a backward pass gives, each of the shape of what it is the gradient of; `None` for what is not wanted.
pub(crate) struct TensorGradients {
    pub(crate) input: Option<Tensor>,
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
}

/// What a backward pass over slices gives; the input's gradient is empty unless it is wanted.
pub(crate) struct Gradients<T> {
    pub(crate) input: Vec<T>,
    pub(crate) weight: Vec<T>,
    pub(crate) bias: Vec<T>,
}

/// Applies the operation that `op` makes for the activation it is to end in, and the activation.
///
/// The two are one pass where the activation's slope follows from its output, or where no gradient is asked for.
///
/// # Errors
/// If an example has no value, or the tensors are not of one real type.
pub(crate) fn apply<W: Weighted>(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
    op: impl FnOnce(Activation) -> W,
) -> Result<Tensor> {
    expect_values(xs, W::NAME)?;
    let tracked = xs.track_op() || weight.track_op() || bias.is_some_and(Tensor::track_op);
    let fused = slope_follows_from_output(activation) || (!tracked && activation.is_elementwise());
    let op = op(if fused { activation } else { Activation::Linear });
    let (xs, weight, bias) = (xs.contiguous()?, weight.contiguous()?, bias.map(Tensor::contiguous).transpose()?);
    let (values, shape) = (values(&op, &xs, &weight, bias.as_ref())?, op.shape());
    let ys = if tape::is_recording(xs.device()) {
        note(xs, weight, bias, op, values)?
    } else if !tracked {
        tensor(values, shape)
    } else {
        let op = Operation { op, output: Computed::new(values, shape) };
        match bias {
            Some(bias) => xs.apply_op3(&weight, &bias, op)?,
            None => xs.apply_op2(&weight, op)?,
        }
    };
    if fused { Ok(ys) } else { activate(&ys, activation) }
}

/// The output of `op`, wherever its tensors are.
fn values<W: Weighted>(op: &W, xs: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Storage> {
    fn on_cpu<T: Real>(op: &impl Weighted, name: &str, tensors: (&Tensor, &Tensor, Option<&Tensor>)) -> Result<Storage> {
        let (xs, weight, bias) = tensors;
        let values = match bias {
            Some(bias) => with_slices([xs, weight, bias], name, |[x, w, b]: [&[T]; 3]| op.forward(x, w, Some(b))),
            None => with_slices([xs, weight], name, |[x, w]: [&[T]; 2]| op.forward(x, w, None)),
        }?;
        Ok(Storage::Cpu(T::to_cpu_storage_owned(values)))
    }
    if let Some(gpu) = Gpu::of(xs.device()) {
        expect_reals([xs, weight, bias.unwrap_or(weight)], W::NAME)?;
        return op.forward_on_gpu(gpu, &xs.detach(), &weight.detach(), bias.map(Tensor::detach).as_ref());
    }
    dispatch!(xs.dtype(), W::NAME, on_cpu(op, W::NAME, (xs, weight, bias)))
}

/// Notes the output of `op` on the tape.
fn note(xs: Tensor, weight: Tensor, bias: Option<Tensor>, op: impl Weighted, values: Storage) -> Result<Tensor> {
    let inputs: Vec<&Tensor> = [&xs, &weight].into_iter().chain(&bias).collect();
    let wants = Wants { input: xs.track_op(), bias: bias.is_some() };
    // What it is apart from is undone before its backward pass, or by whoever computes what it is given.
    let rectifies = op.apart(false).is_some_and(|(activation, _)| activation == Activation::Relu);
    tape::note(&inputs, values, op.shape(), rectifies, |ys| {
        let (xs, weight, ys) = (xs.detach(), weight.detach(), kept(ys, op.reads_output())?);
        Ok(Box::new(move |arrived, passing| {
            let TensorGradients { input, weight, bias } = gradients(&op, [&xs, &weight], ys, arrived, passing, wants)?;
            Ok(vec![input, Some(weight), bias])
        }))
    })
}

/// That `weight` is what the rule of `layer` asks for, and that nothing else breaks the rule.
pub(crate) fn expect_weight(
    layer: &str,
    weight: &Tensor,
    inferred: std::result::Result<Inferred, ShapeError>,
    channels: usize,
) -> Result<()> {
    let inferred = inferred.map_err(candle_core::Error::wrap)?;
    let expected = inferred.parameters.as_slice()[0].dims();
    if weight.dims() != expected {
        candle_core::bail!("`{layer}` of {channels} channels takes a weight of {expected:?}, found {:?}", weight.dims());
    }
    Ok(())
}

/// What becomes of the values of an operation before they are read again, in this order.
#[derive(Clone, Copy)]
pub(crate) struct Ending<'a, T> {
    /// Added to each row.
    pub(crate) bias: Option<&'a [T]>,
    /// The values of another tensor of the output's shape, added to them.
    pub(crate) added: Option<&'a [T]>,
    /// Applied to them.
    pub(crate) activation: Activation,
    /// The output of a rectifier, of the output's shape: a gradient after it becomes that before it, which is 0 where this is.
    pub(crate) rectified: Option<&'a [T]>,
}

impl<T> Default for Ending<'_, T> {
    /// Nothing.
    fn default() -> Self {
        Self { bias: None, added: None, activation: Activation::Linear, rectified: None }
    }
}

impl<T: Real> Ending<'_, T> {
    /// Ends `ys`, rows of `width` values, which are those of the output from `first` on.
    pub(crate) fn finish(&self, ys: &mut [T], width: usize, first: usize) {
        if let Some(added) = self.added {
            add_values(ys, &added[first..]);
        }
        finish(ys, width, self.bias.unwrap_or_default(), self.activation);
        if let Some(rectified) = self.rectified {
            clear_rectified(ys, &rectified[first..]);
        }
    }

    /// Ends all values of the output, rows of `width`, by a pass of its own, if there is anything to do.
    pub(crate) fn finish_all(&self, ys: &mut [T], width: usize) {
        if self.bias.is_some() || self.activation != Activation::Linear || !self.is_plain() {
            let chunk = CHUNK.next_multiple_of(width.max(1));
            let chunks = ys.chunks_mut(chunk).enumerate();
            for_each(chunks.collect(), |(number, ys)| self.finish(ys, width, number * chunk));
        }
    }

    /// The same of `f32`, if that is what the values are.
    pub(crate) fn singles(&self) -> Option<Ending<'_, f32>> {
        fn all<T: Real>(values: Option<&[T]>) -> Option<Option<&[f32]>> {
            values.map_or(Some(None), |values| T::singles(values).map(Some))
        }
        let Self { bias, added, activation, rectified } = *self;
        Some(Ending { bias: all(bias)?, added: all(added)?, activation, rectified: all(rectified)? })
    }

    /// Whether there is nothing to do but to add the bias, or to rectify after that.
    pub(crate) fn is_plain(&self) -> bool {
        self.added.is_none() && self.rectified.is_none() && matches!(self.activation, Activation::Linear | Activation::Relu)
    }
}

simd! {
    fn add_values<T: Real>(ys: &mut [T], added: &[T]) {
        ys.iter_mut().zip(added).for_each(|(y, added)| *y += *added);
    }
}

simd! {
    fn clear_rectified<T: Real>(ys: &mut [T], rectified: &[T]) {
        ys.iter_mut().zip(rectified).for_each(|(y, rectified)| *y = before_rectifier(*rectified, *y));
    }
}

simd! {
    /// Adds the bias, if it is not empty, to each row of `ys` and applies the activation.
    pub(crate) fn finish<T: Real>(ys: &mut [T], width: usize, bias: &[T], activation: Activation) {
        if !bias.is_empty() {
            for row in ys.chunks_exact_mut(width) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += *b);
            }
        }
        if activation == Activation::Linear {
            return;
        }
        with_constant!(activation, NAMED => for y in ys {
            *y = value(NAMED, *y);
        });
    }
}

/// The gradient before a rectifier whose output was `y`, from that after it.
#[inline(always)]
pub(crate) fn before_rectifier<T: Real>(y: T, grad: T) -> T {
    if y > T::zero() { grad } else { T::zero() }
}

simd! {
    /// Writes the gradient before an activation whose output was `ys`, from that after it.
    fn undo<T: Real>(activation: Activation, ys: &[T], grad: &[T], before: &mut [T]) {
        assert!(before.len() == grad.len() && grad.len() == ys.len(), "a gradient for each value");
        let all = before.iter_mut().zip(grad.iter().zip(ys));
        match activation {
            // What comes to a rectifier that gave 0 may be infinite.
            Activation::Relu => for (before, (g, y)) in all {
                *before = before_rectifier(*y, *g);
            },
            other => with_constant!(other, NAMED => for (before, (g, y)) in all {
                *before = *g * slope(NAMED, *y, *y);
            }),
        }
    }
}

simd! {
    /// Adds every row of `grad` to `sum`: the gradient of a bias.
    pub(crate) fn add_rows<T: Real>(sum: &mut [T], grad: &[T]) {
        for row in grad.chunks_exact(sum.len()) {
            sum.iter_mut().zip(row).for_each(|(sum, g)| *sum += *g);
        }
    }
}

/// The gradient before an activation whose output was `ys`, in `scratch` unless it is that after it.
pub(crate) fn undo_activation<'a, T: Real>(activation: Activation, ys: &[T], grad: &'a [T], scratch: &'a mut Vec<T>) -> &'a [T] {
    if activation == Activation::Linear {
        return grad;
    }
    scratch.resize(grad.len(), T::zero());
    undo(activation, ys, grad, scratch);
    scratch
}

/// The gradient before an activation whose output was `ys`, from what has arrived, wherever they are.
pub(crate) fn before_activation(activation: Activation, ys: &Tensor, arrived: Arrived) -> Result<Tensor> {
    fn on_cpu<T: Real>(activation: Activation, ys: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let before = with_slices([ys, grad], activation.word(), |[ys, grad]: [&[T]; 2]| {
            in_chunks(grad.len(), CHUNK, |number, before| {
                let part = number * CHUNK..number * CHUNK + before.len();
                undo(activation, &ys[part.clone()], &grad[part], before);
            })
        })?;
        Tensor::from_vec(before, grad.shape(), grad.device())
    }
    let grad = arrived.gradient.contiguous()?;
    if activation == Activation::Linear || arrived.is_undone {
        return Ok(grad);
    }
    match Gpu::of(grad.device()) {
        Some(gpu) => undo_on_gpu(gpu, activation, ys, &grad),
        None => dispatch!(grad.dtype(), activation.word(), on_cpu(activation, ys, &grad)),
    }
}

/// The gradients of the inputs of `op`; none for the input when nothing before it is trained.
fn gradients<W: Weighted>(
    op: &W,
    inputs: [&Tensor; 2],
    ys: Tensor,
    arrived: Arrived,
    passing: &mut Passing,
    wants: Wants,
) -> Result<TensorGradients> {
    fn on_cpu<T: Real>(
        op: &impl Weighted,
        name: &str,
        tensors: [&Tensor; 4],
        passing: &mut Passing,
        wants: Wants,
    ) -> Result<TensorGradients> {
        let [xs, weight, ys, grad] = tensors;
        let passing = if wants.input { std::mem::take(passing) } else { Passing::default() };
        let others = passing.others.as_ref().map_or_else(|| kept(xs, false), Tensor::contiguous)?;
        let found = with_slices([xs, weight, ys, grad, &others], name, |[x, w, y, g, others]: [&[T]; 5]| {
            let added = passing.others.is_some().then_some(others);
            let ending = Ending { added, rectified: passing.is_rectified.then_some(x), ..Ending::default() };
            op.gradients([x, w, y, g], wants.input.then_some(ending))
        })?;
        let (device, biases) = (xs.device(), found.bias.len());
        Ok(TensorGradients {
            input: wants.input.then(|| Tensor::from_vec(found.input, xs.shape(), device)).transpose()?,
            weight: Tensor::from_vec(found.weight, weight.shape(), device)?,
            bias: wants.bias.then(|| Tensor::from_vec(found.bias, biases, device)).transpose()?,
        })
    }
    let gpu = Gpu::of(inputs[0].device());
    if let Some((activation, op)) = op.apart(gpu.is_none() && !wants.input && !arrived.is_undone) {
        let (before, unread) = (before_activation(activation, &ys, arrived)?, kept(&ys, false)?);
        drop(ys);
        return gradients(&op, inputs, unread, Arrived { gradient: before, is_undone: false }, passing, wants);
    }
    let grad = arrived.gradient.contiguous()?;
    let [xs, weight] = inputs;
    if let Some(gpu) = gpu {
        expect_reals([xs, &grad], W::NAME)?;
        return op.backward_on_gpu(gpu, Kept { xs, weight, ys: &ys }, &grad, wants);
    }
    dispatch!(grad.dtype(), W::NAME, on_cpu(op, W::NAME, [xs, weight, &ys, &grad], passing, wants))
}

/// An operation in candle's graph.
struct Operation<W> {
    op: W,
    output: Computed,
}

impl<W: Weighted> Operation<W> {
    fn gradients(&self, xs: &Tensor, weight: &Tensor, ys: &Tensor, grad: &Tensor, bias: bool) -> Result<TensorGradients> {
        let wants = Wants { input: xs.track_op(), bias };
        let (xs, weight, ys) = (xs.detach(), weight.detach(), ys.detach());
        let arrived = Arrived { gradient: grad.detach(), is_undone: false };
        gradients(&self.op, [&xs, &weight], ys, arrived, &mut Passing::default(), wants)
    }
}

impl<W: Weighted> CustomOp2 for Operation<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.output.take_from_cpu()
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.output.take_from_cuda()
    }

    fn bwd(&self, xs: &Tensor, weight: &Tensor, ys: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let found = self.gradients(xs, weight, ys, grad, false)?;
        Ok((found.input, Some(found.weight)))
    }
}

impl<W: Weighted> CustomOp3 for Operation<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.output.take_from_cpu()
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.output.take_from_cuda()
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        ys: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let found = self.gradients(xs, weight, ys, grad, true)?;
        Ok((found.input, Some(found.weight), found.bias))
    }
}

/// The gradients of `op` over slices, whoever undoes its activation.
#[cfg(test)]
pub(crate) fn backward_of_all<T: Real>(op: &impl Weighted, [xs, weight, ys, grad]: [&[T]; 4]) -> Gradients<T> {
    match op.apart(false) {
        Some((activation, op)) => {
            let mut scratch = Vec::new();
            op.backward(xs, weight, &[], undo_activation(activation, ys, grad, &mut scratch), Some(Ending::default()))
        }
        None => op.backward(xs, weight, ys, grad, Some(Ending::default())),
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
pub(crate) mod on_gpu {
    //! What an operation computes on a GPU beside what it computes over slices.

    use super::*;
    use crate::kernels::op::on_gpu::{expect_close, numbers, values};

    /// Checks that both passes of `op` for an input and weights of these sizes, and perhaps a bias, give the same.
    pub(crate) fn expect_the_same<W: Weighted>(op: &W, dims: &[usize], weight: &[usize], bias: Option<usize>) {
        let gpu = Gpu::emulated();
        let (xs, weight, bias) = (numbers(dims, 0), numbers(weight, 3), bias.map(|len| numbers(&[len], 5)));
        let expected = op.forward(&values(&xs), &values(&weight), bias.as_ref().map(values).as_deref());
        let ys = op.forward_on_gpu(gpu, &xs, &weight, bias.as_ref()).expect(W::NAME);
        let ys = tensor(ys, op.shape());
        expect_close(&values(&ys), &expected, W::NAME);
        let grad = numbers(ys.dims(), 7);
        let expected = backward_of_all(op, [&values(&xs), &values(&weight), &expected, &values(&grad)]);
        let apart = op.apart(false);
        let (op, grad) = match &apart {
            Some((activation, op)) => (op, undo_on_gpu(gpu, *activation, &ys, &grad).expect(W::NAME)),
            None => (op, grad),
        };
        let wants = Wants { input: true, bias: bias.is_some() };
        let kept = Kept { xs: &xs, weight: &weight, ys: &ys };
        let found = op.backward_on_gpu(gpu, kept, &grad, wants).expect(W::NAME);
        expect_close(&values(&found.input.expect("it is wanted")), &expected.input, "the gradient of the input");
        expect_close(&values(&found.weight), &expected.weight, "the gradient of the weights");
        assert_eq!(found.weight.dims(), weight.dims());
        if bias.is_some() {
            expect_close(&values(&found.bias.expect("it is wanted")), &expected.bias, "the gradient of the bias");
        }
        let without = op.backward_on_gpu(gpu, kept, &grad, Wants { input: false, bias: false }).expect(W::NAME);
        expect_close(&values(&without.weight), &expected.weight, "the gradient of the weights alone");
        assert!(without.input.is_none() && without.bias.is_none());
    }
}
