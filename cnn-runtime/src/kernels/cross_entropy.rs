//! The cross-entropy of class labels under a softmax of logits, in one step and without rounding away small values.

use super::op::{Unary, apply};
use super::real::Real;
use super::softmax::log_sum_exp;
use candle_core::{Result, Shape, Tensor};

/// The mean over all labels of `−ln softmax(logits)[label]`: `logits` of `N, …, K`, `labels` of `N, …` class indices as
/// `u32`, a scalar out.
///
/// # Errors
/// If the shapes do not agree, there are no labels, or one is not below `K`.
pub(crate) fn sparse_softmax_cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let Some((classes, examples)) = logits.dims().split_last() else {
        candle_core::bail!("cross-entropy takes logits of N×K, found a scalar");
    };
    if labels.dims() != examples || labels.elem_count() == 0 {
        candle_core::bail!(
            "cross-entropy takes a label for each example, found labels {:?} for logits {:?}",
            labels.dims(),
            logits.dims()
        );
    }
    let labels = labels.flatten_all()?.to_vec1::<u32>()?;
    if let Some((at, label)) = labels.iter().enumerate().find(|(_, label)| **label as usize >= *classes) {
        candle_core::bail!("label {label} of example {at} is not below the {classes} classes of the logits");
    }
    apply(logits, CrossEntropy { labels })
}

struct CrossEntropy {
    labels: Vec<u32>,
}

impl Unary for CrossEntropy {
    fn name(&self) -> &'static str {
        "sparse_softmax_cross_entropy"
    }

    fn shape(&self, _dims: &[usize]) -> Shape {
        ().into()
    }

    fn forward<T: Real>(&self, logits: &[T], dims: &[usize]) -> Vec<T> {
        let rows = logits.chunks(dims[dims.len() - 1]).zip(&self.labels);
        let loss = |(row, label): (&[T], &u32)| {
            let (most, total) = log_sum_exp(row);
            total + (most - row[*label as usize])
        };
        let total: T = rows.map(loss).sum();
        vec![total / T::of(self.labels.len() as f64)]
    }

    /// `(softmax(logits) − one_hot(label)) / N`, times the gradient of the loss.
    fn backward<T: Real>(&self, logits: &[T], _loss: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let scale = grad[0] / T::of(self.labels.len() as f64);
        let mut out = logits.to_vec();
        for (row, label) in out.chunks_mut(dims[dims.len() - 1]).zip(&self.labels) {
            let (most, total) = log_sum_exp(row);
            row.iter_mut().for_each(|x| *x = scale * (*x - most - total).exp());
            row[*label as usize] -= scale;
        }
        out
    }
}
