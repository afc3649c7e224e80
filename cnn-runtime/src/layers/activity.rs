//! What the outputs of layers add to the loss: collected while a network runs, and nothing otherwise.

use crate::kernels;
use crate::spec::{Activation, Regularizer};
use crate::{Context, layers};
use candle_core::{Error, Result, Tensor};
use scopeguard::guard;
use std::cell::RefCell;

thread_local! {
    static COLLECTED: RefCell<Option<Vec<Tensor>>> = const { RefCell::new(None) };
}

/// Runs `work` apart from a pass that this thread may be in the middle of, waiting for others: collecting, or not.
fn with<R>(collected: Option<Vec<Tensor>>, work: impl FnOnce() -> R) -> R {
    let _restore = guard(COLLECTED.replace(collected), |before| COLLECTED.set(before));
    work()
}

/// Runs `work`, of which nothing is collected.
pub(crate) fn uncollected<R>(work: impl FnOnce() -> R) -> R {
    with(None, work)
}

/// Whether a pass is running of which something may be collected.
pub(crate) fn is_collecting() -> bool {
    COLLECTED.with_borrow(Option::is_some)
}

/// Runs `pass`, and gives what it gives with the sum of what the layers in it add to the loss; `None` if none does.
pub(crate) fn collect<R>(pass: impl FnOnce() -> Result<R>) -> Result<(R, Option<Tensor>)> {
    let (result, penalties) = with(Some(Vec::new()), || Ok::<_, Error>((pass()?, COLLECTED.take())))?;
    let mut penalties = penalties.unwrap_or_default().into_iter();
    let Some(first) = penalties.next() else { return Ok((result, None)) };
    Ok((result, Some(penalties.try_fold(first, |sum, penalty| sum + penalty)?)))
}

/// The output `ys` of a layer that ends in `activation`, with what its values add to the loss: the penalty of the batch,
/// divided by its examples, as in Keras.
pub(super) fn regularized(ys: Tensor, regularizer: Option<Regularizer>, activation: Activation, cx: &Context) -> Result<Tensor> {
    let Some(Regularizer { l1, l2 }) = regularizer.filter(|_| is_collecting()) else { return Ok(ys) };
    let examples = ys.dims().first().copied().unwrap_or(1).max(1) as f64;
    let share = Regularizer::new(l1 / examples, l2 / examples);
    // A closing `softmax` may have been left to the loss.
    let penalty = match layers::closing(activation, cx) == activation {
        true => kernels::penalty(&ys, share)?,
        false => kernels::penalty(&kernels::activate(&ys, activation)?, share)?,
    };
    COLLECTED.with_borrow_mut(|collected| collected.as_mut().map(|penalties| penalties.push(penalty)));
    Ok(ys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_pass_in_the_middle_of_another_collects_for_itself() {
        let cx = Context::inference();
        let xs = Tensor::new(&[[1f32, 3.]], &Device::Cpu).unwrap();
        let pass = || regularized(xs.clone(), L2, Activation::Linear, &cx);
        let penalty = |collected: Result<(Tensor, Option<Tensor>)>| collected.unwrap().1.unwrap().to_scalar::<f32>().unwrap();
        let outer = collect(|| {
            pass()?;
            assert_eq!(penalty(collect(pass)), 5.0);
            pass()
        });
        assert_eq!(penalty(outer), 10.0);
    }

    const L2: Option<Regularizer> = Some(Regularizer::new(0.0, 0.5));

    fn penalize(ys: &Tensor, activation: Activation, cx: &Context) -> Option<f64> {
        let (same, penalty) = collect(|| regularized(ys.clone(), L2, activation, cx)).unwrap();
        assert_eq!(same.id(), ys.id());
        penalty.map(|penalty| penalty.to_scalar().unwrap())
    }

    #[test]
    fn penalties_are_divided_by_the_examples_and_add_up() {
        let ys = Tensor::new(&[[1f64, 2.], [3., 0.]], &Device::Cpu).unwrap();
        let cx = Context::inference();
        assert_eq!(penalize(&ys, Activation::Linear, &cx), Some(0.5 * 14.0 / 2.0));
        let twice = || regularized(regularized(ys.clone(), L2, Activation::Relu, &cx)?, L2, Activation::Relu, &cx);
        assert_eq!(collect(twice).unwrap().1.unwrap().to_scalar::<f64>().unwrap(), 7.0);
    }

    #[test]
    fn what_is_left_to_the_loss_counts_as_it_would_be() {
        let logits = Tensor::new(&[[0f64, 0.]], &Device::Cpu).unwrap();
        let cx = Context::inference().with_logits().last();
        assert_eq!(penalize(&logits, Activation::Softmax, &cx), Some(0.25));
        assert_eq!(penalize(&logits, Activation::Softmax, &Context::inference()), Some(0.0));
    }

    #[test]
    fn nothing_is_collected_where_nobody_asks() {
        let ys = Tensor::new(&[[1f64, 2.]], &Device::Cpu).unwrap();
        let cx = Context::inference();
        regularized(ys.clone(), L2, Activation::Linear, &cx).unwrap();
        assert!(collect(|| Ok(())).unwrap().1.is_none());
        assert!(collect(|| regularized(ys.clone(), None, Activation::Linear, &cx)).unwrap().1.is_none());
        assert!(collect(|| -> Result<()> { candle_core::bail!("broken") }).is_err());
        assert!(COLLECTED.with_borrow(Option::is_none));
    }
}
