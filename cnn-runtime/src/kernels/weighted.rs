//! Operations with weights and perhaps a bias, that may end in an activation: what convolutions and dense layers share.

use super::activation::{activate, slope, slope_follows_from_output, value};
use super::fill::in_chunks;
use super::op::{dispatch, dtype, kept, slice, with_slices};
use super::real::Real;
use super::simd::simd;
use super::tape;
use crate::spec::{Activation, Inferred, ShapeError};
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

/// An operation of an input, weights and perhaps a bias, as functions over slices.
pub(crate) trait Weighted: Send + Sync + 'static {
    /// Its name in messages.
    const NAME: &'static str;

    /// The shape of its output.
    fn shape(&self) -> Shape;

    /// Its output.
    fn forward<T: Real>(&self, xs: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T>;

    /// Its gradients, from the gradient `grad` of its output `ys`, which may be empty if it does not read it.
    fn backward<T: Real>(&self, xs: &[T], weight: &[T], ys: &[T], grad: &[T], wants_input: bool) -> Gradients<T>;

    /// Whether its backward pass reads the output, which is then kept for it.
    fn reads_output(&self) -> bool {
        true
    }
}

/// What a backward pass gives; the input's gradient is empty unless it is wanted.
pub(crate) struct Gradients<T> {
    pub(crate) input: Vec<T>,
    pub(crate) weight: Vec<T>,
    pub(crate) bias: Vec<T>,
}

/// Applies the operation that `op` makes for the activation it is to end in, and the activation.
///
/// The two are one pass where the activation's slope follows from its output, or where no gradient is asked for.
pub(crate) fn apply<W: Weighted>(
    xs: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    activation: Activation,
    op: impl FnOnce(Activation) -> W,
) -> Result<Tensor> {
    let tracked = xs.track_op() || weight.track_op() || bias.is_some_and(Tensor::track_op);
    let fused = slope_follows_from_output(activation) || (!tracked && activation.is_elementwise());
    let op = Operation(op(if fused { activation } else { Activation::Linear }));
    let (xs, weight, bias) = (xs.contiguous()?, weight.contiguous()?, bias.map(Tensor::contiguous).transpose()?);
    let ys = match bias {
        bias if tape::is_recording(xs.device()) => dispatch!(xs.dtype(), W::NAME, note(xs, weight, bias, op)),
        Some(bias) => xs.apply_op3(&weight, &bias, op),
        None => xs.apply_op2(&weight, op),
    }?;
    if fused { Ok(ys) } else { activate(&ys, activation) }
}

/// The output of `op`, noted on the tape.
fn note<T: Real>(xs: Tensor, weight: Tensor, bias: Option<Tensor>, op: Operation<impl Weighted>) -> Result<Tensor> {
    let name = CustomOp2::name(&op);
    let ys = match &bias {
        Some(bias) => with_slices([&xs, &weight, bias], name, |[x, w, b]: [&[T]; 3]| op.0.forward(x, w, Some(b))),
        None => with_slices([&xs, &weight], name, |[x, w]: [&[T]; 2]| op.0.forward(x, w, None)),
    }?;
    let inputs: Vec<&Tensor> = [&xs, &weight].into_iter().chain(&bias).collect();
    tape::note(&inputs, ys, op.0.shape(), |ys| {
        let (xs, weight, ys) = (xs.clone(), weight.clone(), kept(ys, op.0.reads_output())?);
        Ok(Box::new(move |grad| {
            let (input, weight, bias) = op.gradients(&xs, &weight, &ys, grad)?;
            Ok(vec![input, Some(weight), Some(bias)])
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

/// What becomes of the values of an operation before they are read again.
#[derive(Clone, Copy)]
pub(crate) struct Ending<'a, T> {
    /// Added to each row.
    pub(crate) bias: Option<&'a [T]>,
    /// The values of another tensor of the output's shape, added to them.
    pub(crate) added: Option<&'a [T]>,
    /// Applied last.
    pub(crate) activation: Activation,
}

impl<T: Real> Ending<'_, T> {
    /// Ends `ys`, rows of `width` values, which are those of the output from `first` on.
    pub(crate) fn finish(&self, ys: &mut [T], width: usize, first: usize) {
        if let Some(added) = self.added {
            add_values(ys, &added[first..]);
        }
        finish(ys, width, self.bias.unwrap_or_default(), self.activation);
    }
}

simd! {
    fn add_values<T: Real>(ys: &mut [T], added: &[T]) {
        ys.iter_mut().zip(added).for_each(|(y, added)| *y += *added);
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
        match activation {
            Activation::Linear => {}
            // Named by itself so that the loop is compiled for it alone.
            Activation::Relu => ys.iter_mut().for_each(|y| *y = value(Activation::Relu, *y)),
            other => ys.iter_mut().for_each(|y| *y = value(other, *y)),
        }
    }
}

simd! {
    /// Turns the gradient after an activation whose output was `ys` into that before it.
    fn before_activation<T: Real>(activation: Activation, ys: &[T], grad: &mut [T]) {
        match activation {
            Activation::Linear => {}
            Activation::Relu => grad.iter_mut().zip(ys).for_each(|(g, y)| *g *= slope(Activation::Relu, *y, *y)),
            other => grad.iter_mut().zip(ys).for_each(|(g, y)| *g *= slope(other, *y, *y)),
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
    scratch.clear();
    scratch.extend_from_slice(grad);
    before_activation(activation, ys, scratch);
    scratch
}

/// As [`undo_activation`], of so many values that threads share them.
pub(crate) fn undo_activation_of_all<'a, T: Real>(
    activation: Activation,
    ys: &[T],
    grad: &'a [T],
    scratch: &'a mut Vec<T>,
) -> &'a [T] {
    const CHUNK: usize = 4 * 1024;
    if activation == Activation::Linear {
        return grad;
    }
    *scratch = in_chunks(grad.len(), CHUNK, |number, before| {
        let part = number * CHUNK..number * CHUNK + before.len();
        before.copy_from_slice(&grad[part.clone()]);
        before_activation(activation, &ys[part], before);
    });
    scratch
}

struct Operation<W>(W);

/// A storage and how its elements lie.
type Stored<'a> = (&'a CpuStorage, &'a Layout);

impl<W: Weighted> Operation<W> {
    fn forward(&self, xs: Stored, weight: Stored, bias: Option<Stored>) -> Result<(CpuStorage, Shape)> {
        fn forward<T: Real>(
            op: &impl Weighted,
            name: &str,
            xs: Stored,
            weight: Stored,
            bias: Option<Stored>,
        ) -> Result<CpuStorage> {
            let bias = bias.map(|(storage, layout)| slice(storage, layout, name)).transpose()?;
            Ok(T::to_cpu_storage_owned(op.forward::<T>(slice(xs.0, xs.1, name)?, slice(weight.0, weight.1, name)?, bias)))
        }
        Ok((dispatch!(dtype(xs.0), W::NAME, forward(&self.0, W::NAME, xs, weight, bias))?, self.0.shape()))
    }

    /// The gradients as tensors; none for the input when nothing before it is trained.
    fn gradients(&self, xs: &Tensor, weight: &Tensor, ys: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Tensor, Tensor)> {
        fn backward<T: Real>(op: &impl Weighted, name: &str, tensors: [&Tensor; 4]) -> Result<(Option<Tensor>, Tensor, Tensor)> {
            let ([xs, weight, ..], wanted) = (tensors, tensors[0].track_op());
            let found = with_slices(tensors, name, |[x, w, y, g]: [&[T]; 4]| op.backward(x, w, y, g, wanted))?;
            let device = xs.device();
            let input = if wanted { Some(Tensor::from_vec(found.input, xs.shape(), device)?) } else { None };
            let biases = found.bias.len();
            Ok((input, Tensor::from_vec(found.weight, weight.shape(), device)?, Tensor::from_vec(found.bias, biases, device)?))
        }
        let grad = grad.contiguous()?;
        dispatch!(xs.dtype(), W::NAME, backward(&self.0, W::NAME, [xs, weight, ys, &grad]))
    }
}

impl<W: Weighted> CustomOp2 for Operation<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn cpu_fwd(&self, xs: &CpuStorage, xs_at: &Layout, weight: &CpuStorage, weight_at: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward((xs, xs_at), (weight, weight_at), None)
    }

    fn bwd(&self, xs: &Tensor, weight: &Tensor, ys: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (input, weight, _) = self.gradients(xs, weight, ys, grad)?;
        Ok((input, Some(weight)))
    }
}

impl<W: Weighted> CustomOp3 for Operation<W> {
    fn name(&self) -> &'static str {
        W::NAME
    }

    fn cpu_fwd(
        &self,
        xs: &CpuStorage,
        xs_at: &Layout,
        weight: &CpuStorage,
        weight_at: &Layout,
        bias: &CpuStorage,
        bias_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((xs, xs_at), (weight, weight_at), Some((bias, bias_at)))
    }

    fn bwd(
        &self,
        xs: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        ys: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (input, weight, bias) = self.gradients(xs, weight, ys, grad)?;
        Ok((input, Some(weight), Some(bias)))
    }
}
