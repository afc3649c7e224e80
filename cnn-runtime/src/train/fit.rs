//! `fit`: training over a data set, epoch by epoch.

use super::compile::{self, Checked, Compiled};
use super::evaluate::{self, Evaluation};
use super::progress::Progress;
use super::step::step;
use super::tally::{Broken, Tally};
use super::{BATCH_SIZE, History, Verbose};
use crate::data::{Any, Dataset, Feed, Kind, known};
use crate::model::{Forward, State};
use crate::pass::shared;
use crate::{Error, Model, Network, Result, spec};
use candle_core::{DType, Device, Tensor};
use rand::seq::SliceRandom;
use std::fmt;

/// How long and on what to train: the arguments of [`Model::fit`], with Keras' defaults.
///
/// ```
/// use cnn_runtime::data::Dataset;
/// use cnn_runtime::train::{Fit, Verbose};
///
/// let held_out = Dataset::new(vec![0u8; 4], [2, 2, 1], vec![0])?;
/// let fit = Fit::epochs(5).batch_size(128).validation(&held_out).verbose(Verbose::Lines);
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
#[must_use]
pub struct Fit<'a, V = Any> {
    schedule: Schedule,
    validation: Option<&'a Dataset<V>>,
}

/// All of it but data.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    epochs: usize,
    batch_size: usize,
    shuffle: bool,
    verbose: Verbose,
}

impl Fit<'_> {
    /// So many passes over the data, in shuffled batches of 32.
    pub const fn epochs(epochs: usize) -> Self {
        let schedule = Schedule { epochs, batch_size: BATCH_SIZE, shuffle: true, verbose: Verbose::Bar };
        Self { schedule, validation: None }
    }
}

impl<'a, V> Fit<'a, V> {
    /// The images in a batch; the last batch of an epoch may have fewer.
    pub const fn batch_size(self, batch_size: usize) -> Self {
        Self { schedule: Schedule { batch_size, ..self.schedule }, ..self }
    }

    /// Images the model is not trained on, to evaluate it on after every epoch.
    pub const fn validation<'b, W>(self, data: &'b Dataset<W>) -> Fit<'b, W> {
        Fit { schedule: self.schedule, validation: Some(data) }
    }

    /// Whether each epoch has the images in another order, which follows from the model's seed; `true` by default.
    pub const fn shuffle(self, shuffle: bool) -> Self {
        Self { schedule: Schedule { shuffle, ..self.schedule }, ..self }
    }

    /// What is shown meanwhile.
    pub const fn verbose(self, verbose: Verbose) -> Self {
        Self { schedule: Schedule { verbose, ..self.schedule }, ..self }
    }
}

impl<V> Clone for Fit<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Fit<'_, V> {}

impl<V: Kind> fmt::Debug for Fit<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fit").field("schedule", &self.schedule).field("validation", &self.validation).finish()
    }
}

impl Schedule {
    fn check(&self) -> Result<()> {
        match (self.epochs, self.batch_size) {
            (0, _) => Err(Error::Argument("`epochs` must be at least 1, found 0".into())),
            (_, 0) => Err(Error::Argument("`batch_size` must be at least 1, found 0".into())),
            _ => Ok(()),
        }
    }
}

impl<N: Network> Model<N> {
    /// Trains the model on `data` and gives the loss and the metrics after each epoch.
    ///
    /// Those of training are means over the epoch, while the weights changed and dropout was at work; those of
    /// validation are of the weights at its end. A further call goes on from where this one stops. Progress is written to
    /// the standard output, see [`Verbose`].
    ///
    /// What the type of a data set says is checked while the program compiles: a network that takes other images, or tells
    /// other classes apart, is refused.
    ///
    /// ```compile_fail,E0080
    /// # use cnn_runtime::prelude::*;
    /// model! {
    ///     Coloured {
    ///         i = Input(32, 32, 3);
    ///         x = Flatten()(i);
    ///         x = Dense(10, softmax)(x);
    ///     }
    /// }
    ///
    /// let (train, test) = data::fashion_mnist("fashion")?;
    /// let mut model = Coloured::new(&Device::Cpu, Seed(42))?;
    /// model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]);
    /// // error: `Coloured` takes 32×32×3, the images of Fashion-MNIST are 28×28×1
    /// model.fit(&train, Fit::epochs(5))?;
    /// # Ok::<(), cnn_runtime::Error>(())
    /// ```
    ///
    /// Of a data set that does not say, a [`Dataset`] of kind [`Any`], the same is found out before the first step.
    ///
    /// # Errors
    /// Before the first step, if the model is not compiled, does not fit the data, or an argument is 0. In a step, if the
    /// loss is no longer finite; the weights are then those before that step.
    pub fn fit<K: Kind, V: Kind>(&mut self, data: &Dataset<K>, fit: Fit<V>) -> Result<History> {
        const {
            spec::require(N::GRAPH.fits("fit", &known::<K>()));
            spec::require(N::GRAPH.fits("fit", &known::<V>()));
        };
        let validation = fit.validation.map(Dataset::untyped);
        run(&self.network, &mut self.state, &data.untyped(), validation.as_ref(), fit.schedule)
    }

    /// Trains the model on one batch, images `N, H, W, C` and labels `N` of u32 on the model's device, and gives its loss and metrics.
    ///
    /// This is for loops of your own; [`Self::fit`] is made of such steps. A network that gives a vector for each pixel,
    /// `H', W', K`, takes a label for each pixel: `N, H', W'`.
    ///
    /// # Errors
    /// If the model is not compiled, does not fit the batch, or the loss is no longer finite.
    pub fn train_on_batch(&mut self, images: &Tensor, labels: &Tensor) -> Result<Evaluation> {
        let checked = compile::check("train_on_batch", &self.network, &self.state, &[])?;
        if images.dims().first() == Some(&0) {
            return Err(Error::Data("there are no images to train on".into()));
        }
        compile::check_labels(&N::GRAPH, labels)?;
        let step_of = (self.state.epoch as usize + 1, self.state.step as usize + 1);
        let mut tally = training_tally(&self.state)?;
        let broken = shared(images, checked.largest, || {
            step(&self.network, &mut self.state, checked.with_logits, images, labels, &mut tally)
        })?;
        match broken.map_or_else(|| tally.read(), |broken| Ok(Some(broken)))? {
            Some(broken) => Err(give_up(&mut self.state, &broken, step_of, images)?),
            None => Ok(Evaluation::of(&tally.means)),
        }
    }
}

fn run(network: &dyn Forward, state: &mut State, data: &Dataset, validation: Option<&Dataset>, fit: Schedule) -> Result<History> {
    fit.check()?;
    let sets: Vec<&Dataset> = std::iter::once(data).chain(validation).collect();
    let checked = compile::check("fit", network, state, &sets)?;
    let device = state.device.clone();
    let feed = Feed::again_and_again(data, &device)?;
    let validation = validation.map(|validation| Feed::again_and_again(validation, &device)).transpose()?;
    let mut history = History::default();
    for epoch in 1..=fit.epochs {
        let steps = data.len().div_ceil(fit.batch_size);
        let mut progress = Progress::start(fit.verbose, epoch, fit.epochs, steps);
        let mut logs = train_epoch(network, state, &checked, (data, &feed), fit, epoch, &mut progress)?;
        if let Some(validation) = &validation {
            let evaluation = evaluate::evaluate(network, state, &checked, validation, fit.batch_size)?;
            logs.extend(evaluation.iter().map(|(name, value)| (format!("val_{name}"), value)));
        }
        state.epoch += 1;
        history.push(&logs);
        progress.finish(&logs);
    }
    Ok(history)
}

/// One pass over the data; gives the mean loss and metrics.
fn train_epoch(
    network: &dyn Forward,
    state: &mut State,
    checked: &Checked,
    (data, feed): (&Dataset, &Feed),
    fit: Schedule,
    epoch: usize,
    progress: &mut Progress,
) -> Result<Vec<(String, f64)>> {
    let mut order: Vec<usize> = (0..data.len()).collect();
    if fit.shuffle {
        order.shuffle(&mut state.seed.stream("shuffle", state.epoch));
    }
    let mut tally = training_tally(state)?;
    let look_at = |broken: Option<Broken>, state: &mut State| match broken {
        None => Ok(()),
        Some(broken) => {
            let batch = order.chunks(fit.batch_size).nth(broken.step).expect("a step of this epoch");
            let (images, _) = data.batch(batch, &Device::Cpu)?;
            Err(give_up(state, &broken, (epoch, broken.step + 1), &images)?)
        }
    };
    feed.each_batch(&order, fit.batch_size, |_, images, labels| {
        let broken =
            shared(&images, checked.largest, || step(network, state, checked.with_logits, &images, &labels, &mut tally))?;
        look_at(broken, state)?;
        let is_due = progress.is_due();
        if is_due {
            look_at(tally.read()?, state)?;
        }
        progress.step(is_due.then_some(&tally.means));
        Ok(())
    })?;
    look_at(tally.read()?, state)?;
    Ok(tally.means.iter().map(|mean| (mean.name.to_string(), mean.value())).collect())
}

/// The tally of a pass that trains.
fn training_tally(state: &State) -> Result<Tally> {
    let compiled = compiled(state);
    Ok(Tally::training(compiled, &state.device, compiled.statistics_among(&state.variables))?)
}

/// After a loss that is not finite: the steps since are not counted, and the error is that of step so-and-so of an epoch.
fn give_up(state: &mut State, broken: &Broken, (epoch, step): (usize, usize), images: &Tensor) -> Result<Error> {
    state.step -= broken.vain;
    state.compiled.as_mut().expect("checked before the first step").updater.forget(broken.vain);
    not_finite(broken.loss, epoch, step, images)
}

fn compiled(state: &State) -> &Compiled {
    state.compiled.as_ref().expect("checked before the first step")
}

/// Looks for what made the loss of a batch something else than a number.
fn not_finite(loss: f64, epoch: usize, step: usize, images: &Tensor) -> Result<Error> {
    let values = images.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let (cause, help) = if values.iter().any(|value| !value.is_finite()) {
        ("the images of this batch hold values that are not finite".into(), "clean the data")
    } else if largest > 16. {
        (
            format!("the images of this batch have values up to {largest}"),
            "scale the images to 0 … 1, or to a mean of 0 and a deviation of 1",
        )
    } else {
        ("the images of this batch are in order, so the weights have grown too large".into(), "use a smaller `learning_rate`")
    };
    Ok(Error::NotFinite { loss, epoch, step, cause, help: help.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::testing::{Other, Tiny, blobs};
    use crate::train::{Adam, Metric, SGD, SparseCategoricalCrossentropy};

    fn model(optimizer: impl super::super::Optimizer + 'static) -> Model<Tiny> {
        let mut model = Model::<Tiny>::new(&Device::Cpu, Seed(7)).unwrap();
        model.compile(optimizer, SparseCategoricalCrossentropy::default(), [Metric::Accuracy]);
        model
    }

    fn quiet(epochs: usize) -> Fit<'static> {
        Fit::epochs(epochs).verbose(Verbose::Silent)
    }

    fn bits<N>(model: &Model<N>) -> Vec<u32> {
        let values = |var: &candle_core::Var| var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        model.variables().iter().flat_map(|(_, var)| values(var)).map(f32::to_bits).collect()
    }

    #[test]
    fn learns_what_can_be_learnt() {
        let (train, test) = (blobs(300), blobs(90));
        let mut model = model(Adam::new(0.02));
        let before = model.evaluate(&test).unwrap();
        let history = model.fit(&train, quiet(10).validation(&test)).unwrap();
        let names: Vec<_> = history.iter().map(|(name, values)| (name, values.len())).collect();
        assert_eq!(names, [("loss", 10), ("accuracy", 10), ("val_loss", 10), ("val_accuracy", 10)]);
        let after = model.evaluate(&test).unwrap();
        assert!(after["accuracy"] > 0.95 && before["accuracy"] < 0.8, "{before} to {after}");
        assert!(history["loss"][9] < history["loss"][0] / 2.);
        // The evaluation has batches of another size, so sums may differ in their last digits.
        assert!((history["val_loss"][9] - after.loss()).abs() < 1e-6);
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_whatever_the_threads() {
        let trained = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut model = model(Adam::default());
                let history = model.fit(&blobs(70), quiet(2).batch_size(16)).unwrap();
                (bits(&model), history)
            })
        };
        let one = trained(1);
        assert_eq!(one, trained(2));
        assert_eq!(one, trained(2));
    }

    #[test]
    fn two_calls_are_one_long_call() {
        let (mut once, mut twice) = (model(Adam::default()), model(Adam::default()));
        once.fit(&blobs(50), quiet(3)).unwrap();
        twice.fit(&blobs(50), quiet(1)).unwrap();
        twice.fit(&blobs(50), quiet(2)).unwrap();
        assert_eq!(bits(&once), bits(&twice));
        assert_eq!((twice.state.epoch, twice.state.step), (3, 6));
    }

    #[test]
    fn shuffling_changes_the_order_and_nothing_else() {
        let history = |shuffle| model(SGD::new(0.)).fit(&blobs(45), quiet(2).batch_size(10).shuffle(shuffle)).unwrap();
        let (plain, shuffled) = (history(false), history(true));
        assert!((plain["loss"][0] - shuffled["loss"][0]).abs() < 1e-6);
        assert!((plain["accuracy"][1] - shuffled["accuracy"][1]).abs() < 1e-12);
        let mut in_order = model(SGD::default());
        let mut out_of_order = model(SGD::default());
        in_order.fit(&blobs(45), quiet(1).shuffle(false)).unwrap();
        out_of_order.fit(&blobs(45), quiet(1)).unwrap();
        assert_ne!(bits(&in_order), bits(&out_of_order));
    }

    #[test]
    fn an_epoch_is_its_batches() {
        let (mut at_once, mut by_hand) = (model(Adam::default()), model(Adam::default()));
        at_once.fit(&blobs(32), quiet(1).batch_size(20).shuffle(false)).unwrap();
        let mut last = None;
        for range in [0..20, 20..32] {
            let (images, labels) = blobs(32).batch(&range.collect::<Vec<_>>(), &Device::Cpu).unwrap();
            last = Some(by_hand.train_on_batch(&images, &labels).unwrap());
        }
        assert_eq!(bits(&at_once), bits(&by_hand));
        assert!(last.unwrap().loss() > 0.);
        let (images, labels) = blobs(2).batch(&[0, 1], &Device::Cpu).unwrap();
        let error = by_hand.train_on_batch(&images, &labels.affine(5., 0.).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "label 5 of image 1 is not below the number of classes, 3");
        let (images, labels) = (images.narrow(0, 0, 0).unwrap(), labels.narrow(0, 0, 0).unwrap());
        assert_eq!(by_hand.train_on_batch(&images, &labels).unwrap_err().to_string(), "there are no images to train on");
    }

    #[test]
    fn pixels_have_labels_of_their_own() {
        crate::model! {
            Segmenting {
                i = Input(4, 5, 1);
                x = Conv2D(8, 3, same, relu)(i);
                x = Conv2D(2, 1, softmax)(x);
            }
        }
        let mut model = Segmenting::new(&Device::Cpu, Seed(3)).unwrap();
        model.compile(Adam::new(0.05), SparseCategoricalCrossentropy::default(), [Metric::Accuracy]);
        let pixels: Vec<f32> = (0..120).map(|i| (i * 7 % 13) as f32 / 12.).collect();
        let images = Tensor::from_vec(pixels, (6, 4, 5, 1), &Device::Cpu).unwrap();
        let labels = images.squeeze(3).unwrap().gt(0.5).unwrap().to_dtype(candle_core::DType::U32).unwrap();
        let before = model.train_on_batch(&images, &labels).unwrap();
        let after = (0..60).map(|_| model.train_on_batch(&images, &labels).unwrap()).last().unwrap();
        assert!(after.loss() < 0.5 * before.loss() && after.get("accuracy").unwrap() > 0.9, "{before} {after}");
        let error = model.train_on_batch(&images, &labels.narrow(1, 0, 3).unwrap()).unwrap_err().to_string();
        assert_eq!(error, "`Segmenting` gives 4×5×2 for each image: it takes labels of N×4×5, found 6×3×5");
    }

    #[test]
    fn zeros_are_refused() {
        let error = |fit| model(SGD::default()).fit(&blobs(8), fit).unwrap_err().to_string();
        assert_eq!(error(quiet(0)), "`epochs` must be at least 1, found 0");
        assert_eq!(error(quiet(1).batch_size(0)), "`batch_size` must be at least 1, found 0");
        assert_eq!(error(quiet(1).validation(&blobs(8).take(0))), "the data set has no images");
    }

    #[test]
    fn labels_outside_the_classes_are_found_before_the_first_step() {
        let mut model = model(SGD::default());
        let before = bits(&model);
        let labelled = |labels| Dataset::new(vec![9u8; 24], [2, 3, 2], labels).unwrap();
        let expected = "label 7 of image 1 is not below the number of classes, 3";
        let in_training = model.fit(&labelled(vec![2, 7]), quiet(1)).unwrap_err();
        assert_eq!(in_training.to_string(), expected);
        let in_validation = model.fit(&labelled(vec![2, 0]), quiet(1).validation(&labelled(vec![0, 7]))).unwrap_err();
        assert_eq!(in_validation.to_string(), expected);
        assert_eq!(model.evaluate(&labelled(vec![0, 7])).unwrap_err().to_string(), expected);
        assert_eq!((bits(&model), model.state.step), (before, 0));
    }

    #[test]
    fn data_of_a_kind_is_trained_on_as_any_other() {
        enum Blobs {}
        impl Kind for Blobs {
            const NAME: &'static str = "the blobs";
            const SHAPE: Option<[usize; 3]> = Some([2, 3, 2]);
            const CLASSES: Option<usize> = Some(3);
        }
        let (mut typed, mut untyped) = (model(Adam::default()), model(Adam::default()));
        let data: Dataset<Blobs> = blobs(40).typed().unwrap();
        let history = typed.fit(&data, quiet(1).validation(&data.take(9))).unwrap();
        assert_eq!(history, untyped.fit(&blobs(40), quiet(1).validation(&blobs(40).take(9))).unwrap());
        assert_eq!(bits(&typed), bits(&untyped));
        assert_eq!(typed.evaluate(&data).unwrap(), untyped.evaluate(&data.untyped()).unwrap());
        assert_eq!(typed.predict_classes(&data).unwrap(), untyped.predict_classes(&data.untyped()).unwrap());
    }

    #[test]
    fn a_loss_that_is_no_number_stops_before_it_does_harm() {
        let mut diverging = model(SGD::new(1e30));
        let error = diverging.fit(&blobs(64), quiet(3)).unwrap_err();
        let Error::NotFinite { epoch, step, .. } = error else { panic!("{error}") };
        assert_eq!(diverging.state.step as usize, (epoch - 1) * 2 + step - 1);
        let message = error.to_string();
        assert!(message.starts_with("the loss became ") && message.ends_with("use a smaller `learning_rate`"), "{message}");
        assert!(bits(&diverging).iter().all(|bits| f32::from_bits(*bits).is_finite()));

        let mut model = Model::<Other>::new(&Device::Cpu, Seed(7)).unwrap();
        model.compile(SGD::default(), SparseCategoricalCrossentropy { from_logits: true }, []);
        let before = bits(&model);
        let broken = Dataset::new(vec![f32::NAN; 24], [2, 3, 2], vec![0, 1]).unwrap();
        let message = model.fit(&broken, quiet(1)).unwrap_err().to_string();
        let expected = "the loss became NaN in epoch 1 at step 1; the weights are those before this step\n  note: the images of this batch hold values that are not finite\n  help: clean the data";
        assert_eq!(message, expected);
        assert_eq!((bits(&model), model.state.step), (before, 0));
    }

    /// On a GPU, such a loss is found when others have followed it.
    #[test]
    fn steps_after_a_loss_that_is_no_number_change_nothing() {
        let data = |count: usize, broken: bool| {
            let pixel = |at: usize| if broken && at / 12 == count - 1 { f32::INFINITY } else { (at % 5) as f32 / 5. };
            let pixels: Vec<f32> = (0..count * 12).map(pixel).collect();
            Dataset::new(pixels, [2, 3, 2], (0..count as u32).map(|label| label % 3).collect()).unwrap()
        };
        let loss = SparseCategoricalCrossentropy { from_logits: true };
        let trained = |data: &[Dataset]| {
            let mut model = Model::<Other>::new(&Device::Cpu, Seed(7)).unwrap();
            model.compile(SGD { momentum: 0.9, ..SGD::new(0.1) }, loss, []);
            let fit = quiet(1).batch_size(1).shuffle(false);
            let results: Vec<_> = data.iter().map(|data| model.fit(data, fit)).collect();
            (bits(&model), model.state.step, results)
        };
        // 70 steps, more than are read at once; the last of the first 67 breaks.
        let broken = {
            let (whole, part) = (data(70, false), data(67, true));
            let pixels = |data: &Dataset| data.batch(&(0..data.len()).collect::<Vec<_>>(), &Device::Cpu).unwrap().0;
            let rest = pixels(&whole).narrow(0, 67, 3).unwrap();
            let all = Tensor::cat(&[pixels(&part), rest], 0).unwrap();
            Dataset::from_tensors(&all, &Tensor::from_slice(whole.labels(), 70, &Device::Cpu).unwrap()).unwrap()
        };
        let (weights, steps, results) = trained(&[broken]);
        let error = results[0].as_ref().unwrap_err().to_string();
        assert!(error.starts_with("the loss became NaN in epoch 1 at step 67; the weights are those before"), "{error}");
        let (expected, expected_steps, _) = trained(&[data(66, false)]);
        assert_eq!((weights, steps), (expected, expected_steps));
    }
}
