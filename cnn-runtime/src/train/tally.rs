//! The running means of a pass over data: at once on the CPU, late on a GPU.

use super::compile::Compiled;
use super::late::Late;
use super::metric::Mean;
use crate::gpu::Gpu;
use candle_core::{DType, Device, Result, Tensor, Var};

/// The means of the loss and the metrics so far, in the order of [`Compiled::means`].
pub(super) struct Tally {
    pub(super) means: Vec<Mean>,
    /// The steps in the means.
    steps: usize,
    /// What is added to each loss.
    penalty: f64,
    /// What is not in the means yet.
    late: Option<Late>,
}

/// A loss that is not finite, in the step of this index in its pass.
#[derive(Debug, PartialEq)]
pub(super) struct Broken {
    pub(super) loss: f64,
    pub(super) step: usize,
    /// The steps from this one on, which have been counted and changed nothing.
    pub(super) vain: u64,
}

impl Tally {
    /// Of a pass that measures; `penalty` is added to each of its losses.
    pub(super) fn measuring(compiled: &Compiled, device: &Device, penalty: f64) -> Result<Self> {
        let means = compiled.means();
        let late = Gpu::of(device).map(|_| Late::new(means.len(), device)).transpose()?;
        Ok(Self { means, steps: 0, penalty, late })
    }

    /// Of a pass that trains a network with these running statistics.
    pub(super) fn training(compiled: &Compiled, device: &Device, statistics: Vec<Var>) -> Result<Self> {
        let tally = Self::measuring(compiled, device, 0.0)?;
        Ok(Self { late: tally.late.map(|late| late.guarded(statistics)).transpose()?, ..tally })
    }

    /// Where losses are read late.
    pub(super) fn late(&mut self) -> Option<&mut Late> {
        self.late.as_mut()
    }

    /// Adds a step whose loss is known.
    pub(super) fn add(&mut self, compiled: &Compiled, loss: f64, predictions: &Tensor, labels: &Tensor) -> Result<()> {
        let mut values = vec![loss];
        for metric in &compiled.metrics {
            values.push(metric.compute(predictions, labels)?);
        }
        self.count(&values, labels.elem_count());
        Ok(())
    }

    /// Adds a step, which on a GPU is only noted; gives what [`Self::read`] does when there is no room for more.
    pub(super) fn note(
        &mut self,
        compiled: &Compiled,
        loss: &Tensor,
        predictions: &Tensor,
        labels: &Tensor,
    ) -> Result<Option<Broken>> {
        let Some(late) = &mut self.late else {
            let loss = loss.to_dtype(DType::F64)?.to_scalar()?;
            return self.add(compiled, loss, predictions, labels).map(|()| None);
        };
        late.note_loss(loss, labels.elem_count())?;
        self.note_metrics(compiled, predictions, labels)
    }

    /// As [`Self::note`], of a step whose loss has been noted.
    pub(super) fn note_metrics(&mut self, compiled: &Compiled, predictions: &Tensor, labels: &Tensor) -> Result<Option<Broken>> {
        let Some(late) = &self.late else { return Ok(None) };
        for (column, metric) in (1..).zip(&compiled.metrics) {
            late.note(column, &metric.on_gpu(predictions, labels)?)?;
        }
        if late.is_full() { self.read() } else { Ok(None) }
    }

    /// Brings the means up to the last step; waits for the device if there is something to read. Gives the first loss that is
    /// not finite, if a step that trained had one; what came after it is not in the means.
    pub(super) fn read(&mut self) -> Result<Option<Broken>> {
        let Some(late) = &mut self.late else { return Ok(None) };
        let (rows, is_guarded) = (late.read()?, late.guard().is_some());
        let count = rows.len();
        for (index, (mut values, examples)) in rows.into_iter().enumerate() {
            if is_guarded && !values[0].is_finite() {
                return Ok(Some(Broken { loss: values[0], step: self.steps, vain: (count - index) as u64 }));
            }
            values[1..].iter_mut().for_each(|sum| *sum /= examples as f64);
            self.count(&values, examples);
        }
        Ok(None)
    }

    fn count(&mut self, values: &[f64], examples: usize) {
        let penalties = std::iter::once(self.penalty).chain(std::iter::repeat(0.0));
        self.means.iter_mut().zip(values).zip(penalties).for_each(|((mean, value), penalty)| mean.add(value + penalty, examples));
        self.steps += 1;
    }

    /// The steps in the means.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }
}
