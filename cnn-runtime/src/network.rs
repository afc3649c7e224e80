//! What `model!` makes of a declaration: a type that knows its graph, can be built, and can be run.

use crate::spec::Graph;
use crate::{Context, Weights};
use candle_core::{Result, Tensor};

/// A network declared with [`model!`](crate::model).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no model",
    label = "a layer without arguments that is none of the language is another model",
    note = "declare it with `model!`; a layer of your own is an argument of `Custom`"
)]
pub trait Network: Sized + Send + Sync + 'static {
    /// The checked network as data.
    const GRAPH: Graph;

    /// Builds every layer with the tensors `weights` gives.
    ///
    /// # Errors
    /// If `weights` cannot give a tensor of the shape a layer needs.
    fn build(weights: &Weights) -> Result<Self>;

    /// Runs the network on one tensor for each of its inputs, each `N` examples, and gives one for each output.
    ///
    /// # Errors
    /// If the number or shapes of the tensors are not those of [`Self::GRAPH`].
    fn call(&self, inputs: &[Tensor], cx: &Context) -> Result<Vec<Tensor>>;
}
