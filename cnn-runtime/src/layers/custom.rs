//! `Custom`: a layer of the user's own, and the trait that makes a type one.

use super::weights_of;
use crate::error::sizes;
use crate::spec::{Graph, Shape};
use crate::{Context, Weights};
use candle_core::{Result, Tensor};
use std::fmt;
use std::sync::Arc;

/// A layer of your own, which a model applies as `Custom(MyLayer { … })(x)`.
///
/// It is a type with two functions. Its *rule* says while the program compiles which shapes it takes, which it gives and
/// which tensors it trains; its [`forward`](Self::forward) says when the program runs what it does. This one multiplies
/// every channel with a number it learns:
///
/// ```
/// use cnn_runtime::candle_core::{self, Tensor};
/// use cnn_runtime::layers::CustomLayer;
/// use cnn_runtime::prelude::*;
/// use cnn_runtime::spec::{Inferred, Initializer, Operand, Parameter, Parameters, ShapeError, rules};
///
/// struct Scale {
///     start: f64,
/// }
///
/// impl Scale {
///     const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
///         let input = match rules::one("Scale", inputs) {
///             Ok(input) => input,
///             Err(error) => return Err(error),
///         };
///         let channels = match rules::channels("Scale", input) {
///             Ok(channels) => channels,
///             Err(error) => return Err(error),
///         };
///         let weight = Parameter::new("weight", [channels], Initializer::Constant(self.start));
///         Ok(Inferred::shape(input.shape).parameters(Parameters::NONE.with(weight)))
///     }
/// }
///
/// impl CustomLayer for Scale {
///     fn forward(&self, tensors: &[Tensor], xs: &[&Tensor], _cx: &Context) -> candle_core::Result<Tensor> {
///         xs[0].broadcast_mul(&tensors[0])
///     }
/// }
///
/// model! {
///     pub Net {
///         i = Input(28, 28, 1);
///         x = Conv2D(8, 3)(i);
///         x = Custom(Scale { start: 0.5 })(x);
///         x = Flatten()(x);
///         x = Dense(10, softmax)(x);
///     }
/// }
///
/// let model = Net::new(&Device::Cpu, Seed(42))?;
/// assert_eq!(Net::GRAPH.nodes[2].shape.to_string(), "26×26×8");
/// assert_eq!(model.scale.tensors[0].to_vec1::<f32>()?, [0.5; 8]);
/// assert_eq!(model.variables()[2].0, "scale.weight");
/// # Ok::<(), cnn_runtime::Error>(())
/// ```
///
/// **The argument** is any constant expression: a struct literal, a constant, a call of a `const fn`. The layer is called
/// after its type where the expression names it (`scale` here), else after the constant or the function; `name=…` calls it
/// otherwise. `frozen` keeps its tensors as they are, and checkpoints, summaries and pictures have it as they have any layer.
///
/// **The rule** is an inherent `const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError>`, since functions of
/// traits cannot be `const` (Clippy finds the error large, which in a constant cannot be boxed: `result_large_err` may be
/// allowed). Its operands have the shapes of one example, channels last, and the names of the tensors in the
/// source. [`rules`](crate::spec::rules) has the checks that most layers begin with. An error is reported on what it is
/// [`At`](crate::spec::At): `At::Input(0)` is the first tensor, `At::Argument("start")` the field `start` of a struct literal.
/// A size is [`Dim::Unknown`](crate::spec::Dim) where the model says `_`; which sizes are too small, the rule is asked when the
/// network is built. Inside another model it is not asked again while the program compiles, and such sizes stay unknown there.
/// The layer ends in no activation as far as a loss is concerned: a `softmax` that closes a
/// network is a layer of the language.
///
/// **Gradients** are candle's: whatever `forward` computes by candle's operations is differentiated. Some of them have a
/// gradient that is wrong, missing or refused in candle 0.11: pooling (`max_pool2d`, `avg_pool2d`), `conv1d`,
/// `conv_transpose1d`, `conv2d` with a stride on images that are not square, upsampling and interpolation, and the fused
/// `layer_norm`, `rms_norm` and `softmax_last_dim` of `candle_nn`. Leave these to the layers of the language, or write them out
/// in elementary operations.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no layer",
    label = "`Custom` takes a layer of your own",
    note = "implement `cnn_runtime::layers::CustomLayer` for it, whose documentation shows how"
)]
pub trait CustomLayer: Send + Sync + 'static {
    /// What the layer makes of a batch of each of its inputs, `N, …`, channels last.
    ///
    /// `tensors` are those that the rule names, in its order. It may be called on another thread than `fit` or `predict` was.
    ///
    /// # Errors
    /// If an operation fails.
    fn forward(&self, tensors: &[Tensor], xs: &[&Tensor], cx: &Context) -> Result<Tensor>;
}

/// `layer` for [`Custom::build`], its type forgotten.
pub fn own(layer: impl CustomLayer) -> Arc<dyn CustomLayer> {
    Arc::new(layer)
}

/// A layer of the user's own in a network.
#[derive(Clone)]
pub struct Custom {
    /// The tensors its rule names, in their order.
    pub tensors: Vec<Tensor>,
    layer: Arc<dyn CustomLayer>,
    name: &'static str,
    shape: Shape,
}

impl Custom {
    /// The layer that node `index` of `graph` applies, with the tensors that `weights` has under its name.
    ///
    /// # Errors
    /// If the graph breaks a rule, or `weights` lacks a tensor of the right shape.
    pub fn build(layer: Arc<dyn CustomLayer>, graph: &Graph, index: usize, weights: &Weights) -> Result<Self> {
        let node = &graph.nodes[index];
        let inferred = graph.inferred(index).map_err(candle_core::Error::wrap)?;
        let tensors = super::tensors(&inferred, &weights_of(node, weights))?;
        Ok(Self { tensors, layer, name: node.layer.name(), shape: node.shape })
    }

    /// Applies the layer to `xs`, each `N, …`.
    ///
    /// # Errors
    /// If the layer fails, or gives another shape than its rule says.
    pub fn forward(&self, xs: &[&Tensor], cx: &Context) -> Result<Tensor> {
        let tensors: Vec<Tensor> = self.tensors.iter().map(|tensor| cx.parameter(tensor)).collect();
        let ys = self.layer.forward(&tensors, xs, cx)?;
        let is_known = |dims: &[usize]| dims.len() == self.shape.rank();
        let fits = |dims: &[usize]| self.shape.dims().iter().zip(dims).all(|(dim, size)| dim.admits(*size));
        match (ys.dims(), xs.first().and_then(|xs| xs.dims().first())) {
            ([batch, dims @ ..], Some(expected)) if batch == expected && is_known(dims) && fits(dims) => Ok(ys),
            (found, batch) => {
                let batch = batch.map_or_else(|| "N".into(), usize::to_string);
                candle_core::bail!("`{}` gave {}, and its rule says {batch}×{}", self.name, sizes(found), self.shape)
            }
        }
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name).field("tensors", &self.tensors).finish_non_exhaustive()
    }
}
