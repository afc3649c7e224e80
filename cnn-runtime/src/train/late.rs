//! What steps on a GPU tell, which is read late, so that nothing waits for the device; and what guards the steps until then.

use crate::gpu::{Argument, Gpu, Kernel, Work, tensor, write_to};
use candle_core::{DType, Device, Result, Tensor, Var};

/// Steps whose losses and metrics are read together, at most.
pub(super) const LATE: usize = 64;

/// Losses and metrics on a GPU that nobody has read.
pub(super) struct Late {
    /// A row for each step, of its loss and the sums of its metrics over its examples.
    notes: Tensor,
    /// The examples of each step that has been noted and not read.
    examples: Vec<usize>,
    guard: Option<Guard>,
}

/// What keeps steps that follow a loss that is not finite from changing anything.
struct Guard {
    /// A scalar that is a finite number as long as all losses were.
    loss: Tensor,
    /// What changes in the forward pass already, with copies of what it was after the last step that was right.
    statistics: Vec<(Var, Tensor)>,
}

impl Late {
    /// Notes of `values` numbers for each step.
    pub(super) fn new(values: usize, device: &Device) -> Result<Self> {
        Ok(Self { notes: Tensor::zeros((LATE, values), DType::F64, device)?, examples: Vec::new(), guard: None })
    }

    /// The same for training: guarded, with the running statistics of the network.
    pub(super) fn guarded(self, statistics: Vec<Var>) -> Result<Self> {
        let copied = |variable: Var| Ok((variable.clone(), variable.as_detached_tensor().copy()?));
        let statistics = statistics.into_iter().map(copied).collect::<Result<_>>()?;
        let loss = Tensor::zeros((), DType::F32, self.notes.device())?;
        Ok(Self { guard: Some(Guard { loss, statistics }), ..self })
    }

    /// The scalar that updates look at.
    pub(super) fn guard(&self) -> Option<&Tensor> {
        self.guard.as_ref().map(|guard| &guard.loss)
    }

    /// Whether there is no room for another step until these are read.
    pub(super) fn is_full(&self) -> bool {
        self.examples.len() == LATE
    }

    /// Notes the loss of a step on so many examples, and guards what follows.
    pub(super) fn note_loss(&mut self, loss: &Tensor, examples: usize) -> Result<()> {
        self.examples.push(examples);
        match self.guard() {
            Some(guard) => note("note_loss", &[&self.notes, guard], loss, self.place(0)),
            None => self.note(0, loss),
        }
    }

    /// Notes value `column` of the last step.
    pub(super) fn note(&self, column: usize, value: &Tensor) -> Result<()> {
        note("note", &[&self.notes], value, self.place(column))
    }

    fn place(&self, column: usize) -> usize {
        (self.examples.len() - 1) * self.notes.dims()[1] + column
    }

    /// After the weights have been updated: running statistics are as they were if the step was not right.
    pub(super) fn settle(&self) -> Result<()> {
        let Some(guard) = &self.guard else { return Ok(()) };
        guard.statistics.iter().try_for_each(|(now, before)| settle(now, before, &guard.loss))
    }

    /// The numbers of each step that has not been read, with its examples; waits for the device.
    pub(super) fn read(&mut self) -> Result<Vec<(Vec<f64>, usize)>> {
        if self.examples.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.notes.narrow(0, 0, self.examples.len())?.to_vec2()?;
        Ok(rows.into_iter().zip(self.examples.drain(..)).collect())
    }
}

fn note(kernel: &'static str, written: &[&Tensor], value: &Tensor, at: usize) -> Result<()> {
    let Some(gpu) = Gpu::of(value.device()) else { candle_core::bail!("only a GPU's losses are read late") };
    let value = value.detach();
    if value.elem_count() != 1 || written[1..].iter().any(|guard| guard.dtype() != value.dtype()) {
        candle_core::bail!("a loss or a metric is a scalar of the type of the weights, found {value:?}");
    }
    write_to(written, &mut |lent| {
        let mut arguments: Vec<Argument> = lent;
        arguments.extend([Argument::from(&value), Argument::from(at)]);
        // SAFETY: it reads a scalar, and writes one of the notes and the guard.
        unsafe { gpu.launch(&Kernel::new("optimizer", kernel, value.dtype()), Work::Each(1), &mut arguments) }
    })
}

/// Whether a scalar is a finite number; waits for it.
pub(super) fn is_finite(guard: &Tensor) -> Result<bool> {
    Ok(guard.to_dtype(DType::F64)?.to_scalar::<f64>()?.is_finite())
}

/// What a step has made of a tensor stays, and becomes what was before the next, if `guard` is a finite number; else it is
/// what it was before.
///
/// # Errors
/// If the tensors are of different sizes or types, or have no axis.
pub(super) fn settle(now: &Tensor, before: &Tensor, guard: &Tensor) -> Result<()> {
    let count = now.elem_count();
    if count != before.elem_count() || now.dtype() != before.dtype() {
        candle_core::bail!("{before:?} cannot be what {now:?} was");
    }
    let Some(gpu) = Gpu::of(now.device()) else {
        let [from, to] = if is_finite(guard)? { [now, before] } else { [before, now] };
        return to.slice_set(&from.detach().copy()?, 0, 0);
    };
    let guard = guard.to_dtype(now.dtype())?;
    write_to(&[now, before], &mut |lent| {
        let mut arguments: Vec<Argument> = lent;
        arguments.extend([Argument::from(&guard), Argument::from(count)]);
        // SAFETY: it reads a scalar, and reads and writes `count` values of both tensors.
        unsafe { gpu.launch(&Kernel::new("optimizer", "settle", now.dtype()), Work::Each(count), &mut arguments) }
    })
}

/// The number of `predictions`, `N, …, K`, whose largest value, the first of equals, is that of their label, `N, …` of u32: a
/// scalar on the device.
pub(super) fn accuracy(gpu: Gpu, predictions: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let (predictions, labels) = (predictions.detach().contiguous()?, labels.contiguous()?);
    let Some((width, examples)) = predictions.dims().split_last() else {
        candle_core::bail!("predictions are of at least one axis, found a scalar");
    };
    if labels.dims() != examples || labels.dtype() != DType::U32 || *width == 0 {
        candle_core::bail!("predictions {:?} have labels {examples:?} of u32, found {labels:?}", predictions.dims());
    }
    let rows = labels.elem_count();
    let mut hits = gpu.empty(predictions.dtype(), rows)?;
    let kernel = Kernel::new("optimizer", "hits", predictions.dtype());
    let work = Work::Blocks { count: rows, width: *width };
    let arguments = crate::gpu::arguments![&mut hits, &predictions, &labels, rows, *width];
    // SAFETY: it reads `rows` rows of `width` values and as many labels, and writes as many values.
    unsafe { gpu.launch(&kernel, work, arguments) }?;
    let hits = crate::kernels::total_on_gpu(gpu, &tensor(hits, rows), 1.0)?;
    Ok(tensor(hits, ()))
}
