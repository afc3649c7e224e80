//! One training step: forward, loss, gradients, update.

use super::constrain::constrain_all;
use super::loss::penalty;
use crate::kernels::{self, Gradients};
use crate::model::{Forward, State};
use crate::spec::Graph;
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

/// What a step tells of its batch.
pub(super) struct Outcome {
    /// The mean loss.
    pub loss: f64,
    /// The network's output, or its logits: `N, K`.
    pub predictions: Tensor,
}

/// Trains `network` on one batch: images `N, H, W, C` and labels `N`.
///
/// The loss is that of the batch and what the regularizers add to it; what weights are held to, they are in the end. One that is not finite changes nothing, running
/// statistics included; it is for the caller to look at.
pub(super) fn step(
    network: &dyn Forward,
    state: &mut State,
    with_logits: bool,
    images: &Tensor,
    labels: &Tensor,
) -> Result<Outcome> {
    let compiled = state.compiled.as_mut().expect("checked before the first step");
    let graph = network.graph();
    let trained = graph.trained_parameters();
    let statistics = statistics(&graph, &state.variables)?;
    let cx = Context::training(state.seed, state.step);
    let cx = if with_logits { cx.with_logits() } else { cx };
    let ((predictions, loss), tape) = kernels::record(|| {
        let (predictions, of_outputs) = state.precision.during(|| layers::collect(|| network.forward(images, &cx)))?;
        let loss = compiled.loss.compute(&predictions, labels)?;
        let penalties = [penalty(&trained, &state.variables)?, of_outputs].into_iter().flatten();
        Ok((predictions, penalties.into_iter().try_fold(loss, |loss, penalty| loss + penalty)?))
    })?;
    let gradients = gradients(&state.variables, tape.backward(&loss)?);
    let loss = loss.to_dtype(DType::F64)?.to_scalar()?;
    if f64::is_finite(loss) {
        compiled.updater.apply(&gradients)?;
        constrain_all(&trained, &state.variables)?;
        state.step += 1;
    } else {
        statistics.iter().try_for_each(|(variable, before)| variable.set(before))?;
    }
    Ok(Outcome { loss, predictions: predictions.detach() })
}

/// The running statistics of a network, and copies of what they are.
fn statistics<'a>(graph: &Graph, variables: &'a [(String, Var)]) -> Result<Vec<(&'a Var, Tensor)>> {
    let names = graph.parameters().into_iter().filter(|(_, parameter)| parameter.is_statistic).map(|(name, _)| name);
    let variable = |name: String| variables.iter().find(|(other, _)| *other == name).map(|(_, variable)| variable);
    names.filter_map(variable).map(|variable| Ok((variable, variable.copy()?))).collect()
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
