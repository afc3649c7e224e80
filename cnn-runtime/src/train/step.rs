//! One training step: forward, loss, gradients, update.

use super::constrain::constrain_all;
use super::loss::penalty;
use super::tally::{Broken, Tally};
use crate::kernels::{self, Gradients};
use crate::model::{Forward, State};
use crate::{Context, layers};
use candle_core::{DType, Result, Tensor, Var};

/// The gradient of the loss by one variable.
pub(crate) struct Gradient<'a> {
    /// The variable's name in a checkpoint.
    pub name: &'a str,
    pub variable: &'a Var,
    /// Of the shape of the variable.
    pub value: Tensor,
}

/// Trains `network` on one batch: images `N, H, W, C` and labels `N`; its loss and metrics go to the tally.
///
/// The loss is that of the batch and what the regularizers add to it; what weights are held to, they are in the end. One that is not finite changes nothing, running
/// statistics included; it is for the caller to look at. On a GPU, which is not waited for, it is found some steps later,
/// until which nothing changes.
pub(super) fn step(
    network: &dyn Forward,
    state: &mut State,
    with_logits: bool,
    images: &Tensor,
    labels: &Tensor,
    tally: &mut Tally,
) -> Result<Option<Broken>> {
    let compiled = state.compiled.as_mut().expect("checked before the first step");
    let before = match tally.late() {
        Some(_) => Vec::new(),
        None => copies(compiled.statistics_among(&state.variables))?,
    };
    let cx = Context::training(state.seed, state.step);
    let cx = if with_logits { cx.with_logits() } else { cx };
    let ((predictions, loss), tape) = kernels::record(|| {
        let (predictions, of_outputs) = state.precision.during(|| layers::collect(|| network.forward(images, &cx)))?;
        let loss = compiled.loss.compute(&predictions, labels)?;
        let penalties = [penalty(&compiled.trained, &state.variables)?, of_outputs].into_iter().flatten();
        Ok((predictions, penalties.into_iter().try_fold(loss, |loss, penalty| loss + penalty)?))
    })?;
    let gradients = gradients(&state.variables, tape.backward(&loss)?);
    let predictions = predictions.detach();
    if let Some(late) = tally.late() {
        late.note_loss(&loss, labels.elem_count())?;
        compiled.updater.apply(&gradients, late.guard())?;
        constrain_all(&compiled.trained, &state.variables, late.guard())?;
        late.settle()?;
        state.step += 1;
        return tally.note_metrics(compiled, &predictions, labels);
    }
    let loss = loss.to_dtype(DType::F64)?.to_scalar()?;
    if !f64::is_finite(loss) {
        before.iter().try_for_each(|(variable, before)| variable.set(before))?;
        return Ok(Some(Broken { loss, step: tally.steps(), vain: 0 }));
    }
    compiled.updater.apply(&gradients, None)?;
    constrain_all(&compiled.trained, &state.variables, None)?;
    state.step += 1;
    tally.add(compiled, loss, &predictions, labels)?;
    Ok(None)
}

/// Variables and copies of what they are.
fn copies(variables: Vec<Var>) -> Result<Vec<(Var, Tensor)>> {
    variables.into_iter().map(|variable| Ok((variable.clone(), variable.copy()?))).collect()
}

/// The gradients of the variables that have one, in the order of the variables.
fn gradients<'a>(variables: &'a [(String, Var)], mut found: Gradients) -> Vec<Gradient<'a>> {
    let gradient = |(name, variable): &'a (String, Var)| {
        let value = found.take(variable.id())?;
        Some(Gradient { name, variable, value })
    };
    variables.iter().filter_map(gradient).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn gradients_are_by_name_in_the_order_of_the_variables() {
        let var = |value: f64| Var::new(value, &Device::Cpu).unwrap();
        let variables = [("b".to_string(), var(3.)), ("unused".to_string(), var(1.)), ("a".to_string(), var(5.))];
        let loss = variables[0].1.mul(variables[2].1.as_tensor()).unwrap();
        let ((), tape) = kernels::record(|| Ok(())).unwrap();
        let gradients = gradients(&variables, tape.backward(&loss).unwrap());
        let found: Vec<_> = gradients.iter().map(|g| (g.name, g.value.to_scalar::<f64>().unwrap())).collect();
        assert_eq!(found, [("b", 5.), ("a", 3.)]);
    }
}
