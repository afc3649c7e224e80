//! Losses: what training makes small.

use crate::kernels;
use crate::spec::{Activation, Graph, Needs, Parameter};
use crate::{Error, Result};
use candle_core::{Tensor, Var};

/// What training makes small.
///
/// One of your own that needs a value for each class says so in `NEEDS`; then a model without is refused by the compiler.
pub trait Loss: Send {
    /// What it is called in the error of a network that does not give what it needs.
    const NAME: &'static str = "Loss";

    /// What it needs of the network's output, which `compile` checks while the program compiles.
    const NEEDS: Needs = Needs::Anything;

    /// Whether the loss is to be computed from what a closing `softmax` of the network would be given, rather than from
    /// its output.
    ///
    /// # Errors
    /// If the loss makes no sense for the output of such a network.
    fn takes_logits(&self, graph: &Graph) -> Result<bool>;

    /// The mean loss of a batch, a scalar: `predictions` are `N, …, K`, `labels` are `N, …` of u32.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn compute(&self, predictions: &Tensor, labels: &Tensor) -> candle_core::Result<Tensor>;
}

/// A loss whose type is forgotten, so that what trains by it is compiled once.
pub(crate) trait AnyLoss: Send {
    fn takes_logits(&self, graph: &Graph) -> Result<bool>;
    fn compute(&self, predictions: &Tensor, labels: &Tensor) -> candle_core::Result<Tensor>;
}

impl<L: Loss> AnyLoss for L {
    fn takes_logits(&self, graph: &Graph) -> Result<bool> {
        Loss::takes_logits(self, graph)
    }

    fn compute(&self, predictions: &Tensor, labels: &Tensor) -> candle_core::Result<Tensor> {
        Loss::compute(self, predictions, labels)
    }
}

/// `−ln p` of the true class, whose number is the label.
///
/// A network that ends in `softmax` is trained from its logits, which is more exact than from its probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SparseCategoricalCrossentropy {
    /// Whether the network gives logits, rather than the probabilities of a closing `softmax`.
    pub from_logits: bool,
}

impl Loss for SparseCategoricalCrossentropy {
    const NAME: &'static str = "SparseCategoricalCrossentropy";
    const NEEDS: Needs = Needs::Classes;

    fn takes_logits(&self, graph: &Graph) -> Result<bool> {
        match (self.from_logits, ends_in_softmax(graph)) {
            (false, true) => Ok(true),
            (true, false) => Ok(false),
            (true, true) => Err(Error::Mismatch(format!(
                "`from_logits: true` on `{}`, which ends in `softmax`\n  help: use `SparseCategoricalCrossentropy::default()`, or end the network without `softmax`",
                graph.name
            ))),
            (false, false) => Err(Error::Mismatch(format!(
                "`SparseCategoricalCrossentropy` takes probabilities; `{}` does not end in `softmax`\n  help: end it in `Dense(…, softmax)`, or use `SparseCategoricalCrossentropy {{ from_logits: true }}`",
                graph.name
            ))),
        }
    }

    fn compute(&self, predictions: &Tensor, labels: &Tensor) -> candle_core::Result<Tensor> {
        kernels::sparse_softmax_cross_entropy(predictions, labels)
    }
}

/// What the regularizers of the parameters that are trained add to the loss; `None` if there are none.
///
/// # Errors
/// If a tensor operation fails.
pub(super) fn penalty(trained: &[(String, Parameter)], variables: &[(String, Var)]) -> candle_core::Result<Option<Tensor>> {
    let mut total: Option<Tensor> = None;
    for (name, parameter) in trained.iter().filter(|(_, parameter)| parameter.regularizer.is_some()) {
        let variable = variables.iter().find(|(other, _)| other == name);
        if let (Some((_, variable)), Some(regularizer)) = (variable, parameter.regularizer) {
            let penalty = kernels::penalty(variable, regularizer)?;
            total = Some(total.map_or(Ok(penalty.clone()), |total| total + penalty)?);
        }
    }
    Ok(total)
}

fn ends_in_softmax(graph: &Graph) -> bool {
    graph.outputs.iter().all(|node| graph.inferred(*node).is_ok_and(|inferred| inferred.ends_in == Activation::Softmax))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;
    use crate::spec::{self, Layer, Node, Shape};
    use crate::testing::Tiny;
    use candle_core::Device;

    fn ending_in(layer: Layer) -> Graph {
        let shape = Shape::new([3]);
        let input =
            Node { name: "input", tensor: "i", layer: Layer::Input(spec::Input::new(shape)), inputs: &[], shape, frozen: false };
        let last = Node { name: "last", tensor: "x", layer, inputs: &[0], shape, frozen: false };
        Graph { name: "Net", nodes: Box::leak(Box::new([input, last])), inputs: &[0], outputs: &[1] }
    }

    #[test]
    fn every_way_to_end_in_softmax_is_seen() {
        let dense = spec::Dense::new(3);
        assert!(ends_in_softmax(&Tiny::GRAPH));
        assert!(ends_in_softmax(&ending_in(Layer::Softmax(spec::Softmax::new()))));
        assert!(ends_in_softmax(&ending_in(Layer::Activation(spec::layers::Activation::new(Activation::Softmax)))));
        assert!(ends_in_softmax(&ending_in(Layer::Dense(dense.activation(Activation::Softmax)))));
        assert!(!ends_in_softmax(&ending_in(Layer::Dense(dense))));
        assert!(!ends_in_softmax(&ending_in(Layer::Dense(dense.activation(Activation::LogSoftmax)))));
    }

    #[test]
    fn logits_and_probabilities_are_not_mixed_up() {
        let loss = |from_logits| SparseCategoricalCrossentropy { from_logits };
        let (soft, linear) = (Tiny::GRAPH, ending_in(Layer::Dense(spec::Dense::new(3))));
        assert!(Loss::takes_logits(&loss(false), &soft).unwrap());
        assert!(!Loss::takes_logits(&loss(true), &linear).unwrap());
        let error = Loss::takes_logits(&loss(true), &soft).unwrap_err().to_string();
        assert!(error.starts_with("`from_logits: true` on `Tiny`, which ends in `softmax`\n  help: "), "{error}");
        let error = Loss::takes_logits(&loss(false), &linear).unwrap_err().to_string();
        assert!(error.contains("use `SparseCategoricalCrossentropy { from_logits: true }`"), "{error}");
    }

    #[test]
    fn regularizers_of_what_is_trained_add_up() {
        let regularizer = |l1, l2| Some(spec::Regularizer::new(l1, l2));
        let layer = spec::Dense::new(3).kernel_regularizer(regularizer(0.0, 0.1)).bias_regularizer(regularizer(0.2, 0.0));
        let graph = ending_in(Layer::Dense(layer));
        let var = |dims: &[usize], value: f32| Var::from_tensor(&Tensor::full(value, dims, &Device::Cpu).unwrap()).unwrap();
        let variables = [("last.weight".to_string(), var(&[3, 3], 2.)), ("last.bias".to_string(), var(&[3], -1.))];
        let total = penalty(&graph.trained_parameters(), &variables).unwrap().unwrap();
        assert!((total.to_scalar::<f32>().unwrap() - (0.1 * 36. + 0.2 * 3.)).abs() < 1e-5);
        let gradients = total.backward().unwrap();
        let found = gradients.get(&variables[0].1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(found.iter().all(|gradient| (gradient - 0.4).abs() < 1e-6), "{found:?}");

        let mut nodes = [graph.nodes[0], graph.nodes[1]];
        nodes[1].frozen = true;
        let frozen = Graph { nodes: Box::leak(Box::new(nodes)), ..graph };
        assert!(penalty(&frozen.trained_parameters(), &variables).unwrap().is_none());
        assert!(penalty(&Tiny::GRAPH.trained_parameters(), &variables).unwrap().is_none());
    }

    #[test]
    fn is_the_mean_of_minus_log_p() {
        let logits = Tensor::new(&[[0f32, 2f32.ln(), 5f32.ln()], [0., 0., 0.]], &Device::Cpu).unwrap();
        let labels = Tensor::new(&[2u32, 0], &Device::Cpu).unwrap();
        let loss =
            Loss::compute(&SparseCategoricalCrossentropy::default(), &logits, &labels).unwrap().to_scalar::<f32>().unwrap();
        let expected = (-(5f32 / 8.).ln() + 3f32.ln()) / 2.;
        assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
    }
}
