//! `compile`: the optimizer, the loss and the metrics a model is trained with.

use super::loss::AnyLoss;
use super::metric::Mean;
use super::optimizer::Updater;
use super::{Loss, Metric, Optimizer};
use crate::data::{self, Dataset};
use crate::error::sizes;
use crate::model::{Forward, State};
use crate::spec::{self, Dim, Graph, Parameter, Shape};
use crate::{Error, Model, Network, Result};
use candle_core::{DType, Tensor, Var};
use std::collections::HashSet;

/// What `compile` stores, and what each step needs to know of the graph.
pub(crate) struct Compiled {
    pub updater: Updater,
    pub loss: Box<dyn AnyLoss>,
    pub metrics: Vec<Metric>,
    /// What training changes by gradients.
    pub trained: Vec<(String, Parameter)>,
    /// The names of the running statistics, which it changes otherwise.
    pub statistics: HashSet<String>,
}

impl Compiled {
    /// Running means of the loss and of every metric.
    pub(super) fn means(&self) -> Vec<Mean> {
        std::iter::once(Mean::of("loss")).chain(self.metrics.iter().map(|metric| Mean::of(metric.name()))).collect()
    }

    /// The running statistics among a model's variables.
    pub(super) fn statistics_among(&self, variables: &[(String, Var)]) -> Vec<Var> {
        let is_statistic = |(name, _): &&(String, Var)| self.statistics.contains(name);
        variables.iter().filter(is_statistic).map(|(_, variable)| variable.clone()).collect()
    }
}

impl<N: Network> Model<N> {
    /// Sets how the model is trained, and what is measured while it is.
    ///
    /// What the optimizer of an earlier call remembers of the gradients is forgotten; the weights stay.
    ///
    /// A network that does not give what the loss needs is refused while the program compiles:
    ///
    /// ```compile_fail,E0080
    /// # use cnn_runtime::prelude::*;
    /// model! {
    ///     Shirt {
    ///         i = Input(28, 28, 1);
    ///         x = Flatten()(i);
    ///         x = Dense(1, sigmoid)(x);
    ///     }
    /// }
    ///
    /// let mut model = Shirt::new(&Device::Cpu, Seed(42))?;
    /// // error: `SparseCategoricalCrossentropy` tells classes apart; `Shirt` gives 1 value
    /// model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Accuracy]);
    /// # Ok::<(), cnn_runtime::Error>(())
    /// ```
    pub fn compile<L: Loss + 'static>(
        &mut self,
        optimizer: impl Optimizer + 'static,
        loss: L,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> &mut Self {
        const { spec::require(N::GRAPH.gives(L::NEEDS, L::NAME)) };
        let statistics = N::GRAPH.parameters().into_iter().filter(|(_, parameter)| parameter.is_statistic);
        self.state.compiled = Some(Compiled {
            updater: Updater::new(Box::new(optimizer)),
            loss: Box::new(loss),
            metrics: metrics.into_iter().collect(),
            trained: N::GRAPH.trained_parameters(),
            statistics: statistics.map(|(name, _)| name).collect(),
        });
        self
    }
}

/// A compiled model with what is known once it has been checked against its loss and data.
pub(super) struct Checked {
    /// Whether the loss is computed from logits the network would have put through `softmax`.
    pub with_logits: bool,
    /// Values in the largest tensor of one image, if its size is known.
    pub largest: Option<usize>,
}

/// Checks that `method` can be called: that the model is compiled and fits its loss and every data set.
pub(super) fn check(method: &'static str, network: &dyn Forward, state: &State, data: &[&Dataset]) -> Result<Checked> {
    let compiled = state.compiled.as_ref().ok_or(Error::NotCompiled(method))?;
    let graph = network.graph();
    for data in data {
        check_data(method, &graph, data)?;
    }
    Ok(Checked { with_logits: compiled.loss.takes_logits(&graph)?, largest: graph.largest_tensor() })
}

fn check_data(method: &str, graph: &Graph, data: &Dataset) -> Result<()> {
    if data.is_empty() {
        return Err(Error::Data("the data set has no images".into()));
    }
    let classes = Some(data.class_names().len()).filter(|count| *count > 0);
    let found = spec::Data { name: "", shape: Some(Shape::new(data.shape())), classes };
    data::check_labels(data.labels(), graph.classes(method, &found)?)
}

/// Checks that there is a label for each vector the network gives, and that each is a class it knows.
pub(super) fn check_labels(graph: &Graph, labels: &Tensor) -> Result<()> {
    let output = graph.only_output("train_on_batch")?;
    let [labelled @ .., Dim::Known(classes)] = output.dims() else {
        return Err(Error::Mismatch(format!(
            "`{}` gives {output}, an open number of classes\n  help: end it in a layer of a size of its own, such as `Dense(10, softmax)`",
            graph.name
        )));
    };
    let fits = |(dim, size): (&Dim, &usize)| dim.admits(*size);
    if labels.rank() != output.rank() || !labelled.iter().zip(&labels.dims()[1..]).all(fits) {
        let (name, found) = (graph.name, sizes(labels.dims()));
        let takes = if labelled.is_empty() { "N".into() } else { format!("N×{}", Shape::of(labelled)) };
        return Err(Error::Mismatch(format!(
            "`{name}` gives {output} for each image: it takes labels of {takes}, found {found}"
        )));
    }
    if labels.dtype() != DType::U32 {
        let found = labels.dtype().as_str();
        return Err(Error::Mismatch(format!(
            "labels are numbers of classes, `u32`, found `{found}`\n  help: convert them: `labels.to_dtype(DType::U32)?`"
        )));
    }
    data::check_labels(&labels.flatten_all()?.to_vec1()?, *classes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tiny, blobs};
    use crate::train::{Adam, Fit, SparseCategoricalCrossentropy};
    use crate::{Seed, data::Dataset};
    use candle_core::Device;

    #[test]
    fn labels_of_another_type_are_told_how_to_become_numbers_of_classes() {
        let labels = Tensor::new(&[0i64, 2], &Device::Cpu).unwrap();
        let error = check_labels(&Tiny::GRAPH, &labels).unwrap_err().to_string();
        assert_eq!(
            error,
            "labels are numbers of classes, `u32`, found `i64`\n  help: convert them: `labels.to_dtype(DType::U32)?`"
        );
        check_labels(&Tiny::GRAPH, &labels.to_dtype(DType::U32).unwrap()).unwrap();
    }

    fn fit_error(data: &Dataset) -> String {
        let mut model = Model::<Tiny>::new(&Device::Cpu, Seed(1)).unwrap();
        model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), [Metric::Accuracy]);
        model.fit(data, Fit::epochs(1)).unwrap_err().to_string()
    }

    #[test]
    fn needs_a_loss() {
        let mut model = Model::<Tiny>::new(&Device::Cpu, Seed(1)).unwrap();
        let error = model.fit(&blobs(8), Fit::epochs(1)).unwrap_err().to_string();
        assert_eq!(error, "`fit` needs to know the loss\n  help: call `model.compile(optimizer, loss, metrics)` first");
        assert!(model.evaluate(&blobs(8)).unwrap_err().to_string().starts_with("`evaluate` needs"));
    }

    #[test]
    fn images_of_run_time_are_tried_on_open_sizes() {
        crate::model! {
            Open {
                i = Input(_, _, 1);
                x = Conv2D(4, 5)(i);
                x = GlobalAveragePooling2D()(x);
                x = Dense(2, softmax)(x);
            }
        }
        let images = |size: usize| Dataset::new(vec![0u8; size * size], [size, size, 1], vec![1]).unwrap();
        let mut model = Open::new(&Device::Cpu, Seed(1)).unwrap();
        model.compile(Adam::default(), SparseCategoricalCrossentropy::default(), []);
        assert!(model.evaluate(&images(5)).is_ok());
        let error = model.evaluate(&images(4)).unwrap_err().to_string();
        let expected = "kernel 5×5 does not fit the 4×4 image `i`\n  note: in `conv2d` of `Open`: (4 + 2·0 − 5)/1 + 1 = 0\n  help: train on larger images, or shrink them less in the network";
        assert_eq!(error, expected);
    }

    #[test]
    fn images_and_classes_must_fit_the_network() {
        let images = Dataset::new(vec![0u8; 32 * 32 * 3], [32, 32, 3], vec![0]).unwrap();
        assert_eq!(fit_error(&images), "`Tiny` takes 2×3×2, the images are 32×32×3\n  help: declare `Input(32, 32, 3)`");
        let named = blobs(8).with_class_names(["a", "b", "c", "d"]).unwrap();
        let expected = "`Tiny` gives 3 values for each image, the data set has 4 classes\n  help: give its last layer 4 outputs";
        assert_eq!(fit_error(&named), expected);
        let bad_label = Dataset::new(vec![0u8; 24], [2, 3, 2], vec![2, 7]).unwrap();
        assert_eq!(fit_error(&bad_label), "label 7 of image 1 is not below the number of classes, 3");
        assert_eq!(fit_error(&blobs(8).take(0)), "the data set has no images");
    }
}
