//! The cross-entropy of class labels under a softmax of logits, in one step and without rounding away small values.

use super::op::{Unary, apply};
use super::real::Real;
use super::softmax::{log_sum_exp, softmax_rows};
use super::sums::total_on_gpu;
use crate::gpu::{Gpu, Kernel, Work, arguments, tensor};
use candle_core::{DType, Result, Shape, Storage, Tensor};

/// The mean over all labels of `−ln softmax(logits)[label]`: `logits` of `N, …, K`, `labels` of `N, …` class indices as
/// `u32`, a scalar out.
///
/// # Errors
/// If the shapes do not agree, there are no labels, or one is not below `K`; but on a GPU, where nothing waits for the labels
/// to be looked at, such a label makes the loss not a number.
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
    if Gpu::of(logits.device()).is_some() {
        let on_gpu = labels.to_dtype(DType::U32)?.flatten_all()?.contiguous()?;
        return apply(logits, CrossEntropy { labels: Vec::new(), on_gpu: Some(on_gpu) });
    }
    let labels = labels.flatten_all()?.to_vec1::<u32>()?;
    if let Some((at, label)) = labels.iter().enumerate().find(|(_, label)| **label as usize >= *classes) {
        candle_core::bail!("label {label} of example {at} is not below the {classes} classes of the logits");
    }
    apply(logits, CrossEntropy { labels, on_gpu: None })
}

/// The labels are in one of the two.
struct CrossEntropy {
    labels: Vec<u32>,
    on_gpu: Option<Tensor>,
}

impl Unary for CrossEntropy {
    fn name(&self) -> &'static str {
        "sparse_softmax_cross_entropy"
    }

    fn shape(&self, _dims: &[usize]) -> Shape {
        ().into()
    }

    fn forward<T: Real>(&self, logits: &[T], dims: &[usize]) -> Vec<T> {
        let width = dims[dims.len() - 1];
        let rows = logits.chunks_exact(width).zip(&self.labels).zip(log_sum_exp(logits, width));
        let total: T = rows.map(|((row, label), (most, total))| total + (most - row[*label as usize])).sum();
        vec![total / T::of(self.labels.len() as f64)]
    }

    /// `(softmax(logits) − one_hot(label)) / N`, times the gradient of the loss.
    fn backward<T: Real>(&self, logits: &[T], _loss: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let (scale, width) = (grad[0] / T::of(self.labels.len() as f64), dims[dims.len() - 1]);
        let mut out = logits.to_vec();
        softmax_rows(&mut out, width);
        for (row, label) in out.chunks_exact_mut(width).zip(&self.labels) {
            row.iter_mut().for_each(|y| *y *= scale);
            row[*label as usize] -= scale;
        }
        out
    }

    fn forward_on_gpu(&self, gpu: Gpu, logits: &Tensor) -> Result<Storage> {
        let width = logits.dim(candle_core::D::Minus1)?;
        let rows = logits.elem_count() / width;
        let mut losses = gpu.empty(logits.dtype(), rows)?;
        let kernel = Kernel::new("softmax", "cross_entropies", logits.dtype());
        let work = Work::Blocks { count: rows, width };
        // SAFETY: it reads `rows` rows of `width` logits and as many labels, and writes as many losses.
        unsafe { gpu.launch(&kernel, work, arguments![&mut losses, logits, self.on_gpu.as_ref(), rows, width]) }?;
        total_on_gpu(gpu, &tensor(losses, rows), 1.0 / rows as f64)
    }

    fn backward_on_gpu(&self, gpu: Gpu, logits: &Tensor, _loss: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (count, width) = (logits.elem_count(), dims[dims.len() - 1]);
        let mut out = gpu.empty(logits.dtype(), count)?;
        let kernel = Kernel::new("softmax", "cross_entropy_gradients", logits.dtype());
        let work = Work::Blocks { count: count / width, width };
        let labels = self.on_gpu.as_ref();
        // SAFETY: it reads and writes rows of `width` logits, as many as there are labels, and the one gradient of the loss.
        unsafe { gpu.launch(&kernel, work, arguments![&mut out, logits, labels, grad, count / width, width]) }?;
        Ok(out)
    }
}

#[cfg(all(test, feature = "emulated-cuda"))]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_label_that_is_no_class_makes_the_loss_of_a_gpu_no_number() {
        let logits = Tensor::new(&[[0f64, 2f64.ln(), 5f64.ln()], [0., 0., 0.]], &Device::Cpu).unwrap();
        let loss = |labels: [u32; 2]| {
            let on_gpu = Tensor::new(&labels, &Device::Cpu).unwrap();
            let op = CrossEntropy { labels: Vec::new(), on_gpu: Some(on_gpu) };
            tensor(op.forward_on_gpu(Gpu::emulated(), &logits).unwrap(), ()).to_scalar::<f64>().unwrap()
        };
        assert!((loss([2, 0]) - ((8f64 / 5.).ln() + 3f64.ln()) / 2.).abs() < 1e-12);
        assert!(loss([2, 3]).is_nan());
    }
}
