//! `compile`: the optimizer, the loss and the metrics a model is trained with.

use super::metric::Mean;
use super::optimizer::Updater;
use super::{Loss, Metric, Optimizer};
use crate::data::{self, Dataset};
use crate::error::sizes;
use crate::model::{Forward, State};
use crate::spec::{Dim, Graph, Shape};
use crate::{Error, Model, Network, Result};
use candle_core::Tensor;

/// What `compile` stores.
pub(crate) struct Compiled {
    pub updater: Updater,
    pub loss: Box<dyn Loss>,
    pub metrics: Vec<Metric>,
}

impl Compiled {
    /// Running means of the loss and of every metric.
    pub(super) fn means(&self) -> Vec<Mean> {
        std::iter::once(Mean::of("loss")).chain(self.metrics.iter().map(|metric| Mean::of(metric.name()))).collect()
    }
}

impl<N: Network> Model<N> {
    /// Sets how the model is trained, and what is measured while it is.
    ///
    /// What the optimizer of an earlier call remembers of the gradients is forgotten; the weights stay.
    pub fn compile(
        &mut self,
        optimizer: impl Optimizer + 'static,
        loss: impl Loss + 'static,
        metrics: impl IntoIterator<Item = Metric>,
    ) -> &mut Self {
        self.state.compiled = Some(Compiled {
            updater: Updater::new(Box::new(optimizer)),
            loss: Box::new(loss),
            metrics: metrics.into_iter().collect(),
        });
        self
    }
}

/// A compiled model with what is known once it has been checked against its loss and data.
pub(super) struct Checked {
    /// Whether the loss is computed from logits the network would have put through `softmax`.
    pub with_logits: bool,
}

/// Checks that `method` can be called: that the model is compiled and fits its loss and every data set.
pub(super) fn check(method: &'static str, network: &dyn Forward, state: &State, data: &[&Dataset]) -> Result<Checked> {
    let compiled = state.compiled.as_ref().ok_or(Error::NotCompiled(method))?;
    let graph = network.graph();
    for data in data {
        check_data(&graph, data)?;
    }
    Ok(Checked { with_logits: compiled.loss.takes_logits(&graph)? })
}

fn check_data(graph: &Graph, data: &Dataset) -> Result<()> {
    let classes = classes(graph)?;
    if data.is_empty() {
        return Err(Error::Data("the data set has no images".into()));
    }
    let (input, image) = (graph.nodes[graph.inputs[0]].shape, data.shape());
    let fits = |(dim, size): (&Dim, &usize)| dim.known().is_none_or(|known| known == *size);
    if input.rank() != image.len() || !input.dims().iter().zip(&image).all(fits) {
        let [height, width, channels] = image;
        return Err(Error::Mismatch(format!(
            "`{}` takes {input}, the images are {}\n  help: declare `Input({height}, {width}, {channels})`",
            graph.name,
            sizes(&image)
        )));
    }
    if !data.class_names().is_empty() && data.class_names().len() != classes {
        let found = data.class_names().len();
        return Err(Error::Mismatch(format!(
            "`{}` gives {classes} values for each image, the data set has {found} classes\n  help: give its last layer {found} outputs",
            graph.name
        )));
    }
    data::check_labels(data.labels(), classes)
}

/// Checks that there is a label for each vector the network gives, and that each is a class it knows.
pub(super) fn check_labels(graph: &Graph, labels: &Tensor) -> Result<()> {
    let output = only_output(graph)?;
    let [labelled @ .., Dim::Known(classes)] = output.dims() else { return Err(no_vector(graph, output)) };
    let fits = |(dim, size): (&Dim, &usize)| dim.known().is_none_or(|known| known == *size);
    if labels.rank() != output.rank() || !labelled.iter().zip(&labels.dims()[1..]).all(fits) {
        let (name, found) = (graph.name, sizes(labels.dims()));
        let takes = if labelled.is_empty() { "N".into() } else { format!("N×{}", Shape::of(labelled)) };
        return Err(Error::Mismatch(format!(
            "`{name}` gives {output} for each image: it takes labels of {takes}, found {found}"
        )));
    }
    data::check_labels(&labels.flatten_all()?.to_vec1()?, *classes)
}

/// The number of classes that a network tells images apart by.
fn classes(graph: &Graph) -> Result<usize> {
    let output = only_output(graph)?;
    match output.dims() {
        [Dim::Known(classes)] => Ok(*classes),
        _ => Err(no_vector(graph, output)),
    }
}

fn no_vector(graph: &Graph, output: &Shape) -> Error {
    Error::Mismatch(format!(
        "a label for each image needs a network that gives a vector; `{}` gives {output}\n  help: put `Flatten()` or `GlobalAveragePooling2D()` before its last layer",
        graph.name
    ))
}

/// What a network of one input and one output gives for each image.
fn only_output(graph: &Graph) -> Result<&Shape> {
    if let ([_], [output]) = (graph.inputs, graph.outputs) {
        return Ok(&graph.nodes[*output].shape);
    }
    Err(Error::Mismatch(format!(
        "a data set feeds one input and one output; `{}` has {} and {}\n  help: call the network itself, with `model.call(&[…], &Context::inference())`",
        graph.name,
        graph.inputs.len(),
        graph.outputs.len()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tiny, blobs};
    use crate::train::{Adam, Fit, SparseCategoricalCrossentropy};
    use crate::{Seed, data::Dataset};
    use candle_core::Device;

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
