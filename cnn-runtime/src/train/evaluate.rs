//! `evaluate`: the loss and the metrics on a data set, without training.

use super::compile::{self, Checked};
use super::loss::penalty;
use super::metric::Mean;
use super::tally::Tally;
use super::{BATCH_SIZE, progress};
use crate::data::{Dataset, Feed, Kind, known};
use crate::model::{Forward, State};
use crate::pass::shared;
use crate::{Context, Model, Network, Result, layers, spec};
use candle_core::DType;
use std::fmt;
use std::ops::Index;

/// The loss and the metrics of a model on a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    values: Vec<(&'static str, f64)>,
}

impl Evaluation {
    pub(super) fn of(means: &[Mean]) -> Self {
        Self { values: means.iter().map(|mean| (mean.name, mean.value())).collect() }
    }

    /// The mean loss.
    pub fn loss(&self) -> f64 {
        self["loss"]
    }

    /// A metric by its name, such as `accuracy`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Every name with its value, the loss first.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.values.iter().copied()
    }
}

/// The value of a name.
///
/// # Panics
/// If there is no such name; [`Evaluation::get`] does not.
impl Index<&str> for Evaluation {
    type Output = f64;

    fn index(&self, name: &str) -> &f64 {
        let value = self.values.iter().find(|(other, _)| *other == name).map(|(_, value)| value);
        value.unwrap_or_else(|| panic!("`{name}` was not measured; there are {self}"))
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.iter().map(|(name, value)| format!("{name}: {}", progress::number(value))).collect();
        f.write_str(&values.join(" - "))
    }
}

impl<N: Network> Model<N> {
    /// The loss and the metrics on `data`, as the model would predict it: without dropout. The loss includes what the
    /// regularizers add to it, as in training.
    ///
    /// A model for other data than the type of `data` says does not compile, as with [`Self::fit`].
    ///
    /// # Errors
    /// If the model is not compiled, or does not fit `data`.
    pub fn evaluate<K: Kind>(&self, data: &Dataset<K>) -> Result<Evaluation> {
        const { spec::require(N::GRAPH.fits("evaluate", &known::<K>())) };
        let data = data.untyped();
        let checked = compile::check("evaluate", &self.network, &self.state, &[&data])?;
        evaluate(&self.network, &self.state, &checked, &Feed::once(&data, &self.state.device), BATCH_SIZE)
    }
}

pub(super) fn evaluate(
    network: &dyn Forward,
    state: &State,
    checked: &Checked,
    feed: &Feed,
    batch_size: usize,
) -> Result<Evaluation> {
    let compiled = state.compiled.as_ref().expect("checked before the first step");
    let cx = Context::inference();
    let cx = if checked.with_logits { cx.with_logits() } else { cx };
    let penalty = penalty(&compiled.trained, &state.variables)?;
    let penalty: f64 = penalty.map_or(Ok(0.0), |penalty| penalty.to_dtype(DType::F64)?.to_scalar())?;
    let precision = state.precision;
    let mut tally = Tally::measuring(compiled, &state.device, penalty)?;
    let order: Vec<usize> = (0..feed.len()).collect();
    feed.each_batch(&order, batch_size, |_, images, labels| {
        let pass = || precision.during(|| layers::collect(|| network.forward(&images, &cx)));
        let (predictions, of_outputs) = shared(&images, checked.largest, pass)?;
        let predictions = predictions.detach();
        let loss = compiled.loss.compute(&predictions, &labels)?;
        let loss = of_outputs.map_or(Ok(loss.clone()), |of_outputs| loss + of_outputs)?;
        tally.note(compiled, &loss, &predictions, &labels)?;
        Ok(())
    })?;
    tally.read()?;
    Ok(Evaluation::of(&tally.means))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tiny, blobs};
    use crate::train::{Metric, SGD, SparseCategoricalCrossentropy};
    use crate::{Error, Seed};
    use candle_core::Device;

    #[test]
    fn reads_like_keras() {
        let evaluation = Evaluation { values: vec![("loss", 0.28412), ("accuracy", 0.8967)] };
        assert_eq!(evaluation.to_string(), "loss: 0.2841 - accuracy: 0.8967");
        assert_eq!((evaluation.loss(), evaluation["accuracy"]), (0.28412, 0.8967));
        assert_eq!(evaluation.get("auc"), None);
    }

    #[test]
    fn agrees_with_predictions() -> Result<(), Error> {
        let mut model = Model::<Tiny>::new(&Device::Cpu, Seed(3))?;
        let data = blobs(45);
        let evaluation =
            model.compile(SGD::default(), SparseCategoricalCrossentropy::default(), [Metric::Accuracy]).evaluate(&data)?;
        let probabilities = model.predict(&data)?.to_vec2::<f32>()?;
        let classes = model.predict_classes(&data)?;
        let log = |(p, label): (&Vec<f32>, &u32)| -f64::from(p[*label as usize].ln());
        let loss = probabilities.iter().zip(data.labels()).map(log).sum::<f64>() / 45.;
        let hits = classes.iter().zip(data.labels()).filter(|(a, b)| a == b).count();
        assert!((evaluation.loss() - loss).abs() < 1e-5, "{evaluation} {loss}");
        assert!((evaluation["accuracy"] - hits as f64 / 45.).abs() < 1e-12);
        Ok(())
    }
}
