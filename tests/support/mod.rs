//! What the tests of numbers share: any layer of the language, built with tensors of the test's choice and run, and the
//! gradients it gives. A new layer is one more name in the list.

mod device;

use candle_core::{DType, Result, Tensor, Var};
use candle_nn::VarBuilder;
use cnn_runtime::spec::{Dim, Inferred, Layer, Operand, Parameter, Shape, ShapeError};
use cnn_runtime::{Context, Weights, layers};
#[allow(unused_imports, reason = "not every test that shares this uses all of it")]
pub use device::{device, folder};
use std::collections::HashMap;

/// Builds `$layer` for examples of `$shape` and applies it to `$xs`.
macro_rules! apply {
    ($layer:expr, $shape:expr, $weights:expr, $xs:expr, $cx:expr; $($name:ident,)*) => {
        match $layer {
            $( Layer::$name(spec) => layers::$name::build(spec, $shape, $weights)?.forward($xs, $cx), )*
            other => candle_core::bail!("`{}` takes several tensors", other.name()),
        }
    };
}

/// Builds `$layer`, which merges tensors, for examples of these shapes and applies it to them.
macro_rules! merge {
    ($layer:expr, $shapes:expr, $weights:expr, $xs:expr, $cx:expr; $($name:ident,)*) => {
        match $layer {
            $( Layer::$name(spec) => Some(layers::$name::build(spec, $shapes, $weights)?.forward($xs, $cx)), )*
            _ => None,
        }
    };
}

/// Applies a layer that merges tensors to several batches; `None` if `layer` takes one.
pub fn merged(layer: Layer, xs: &[&Tensor], cx: &Context) -> Result<Option<Tensor>> {
    let shapes: Vec<Shape> = xs.iter().map(|xs| shape_of(xs)).collect();
    let weights = Weights::from_var_builder(VarBuilder::from_tensors(HashMap::new(), DType::F32, &device()));
    merge! {
        layer, &shapes, &weights, xs, cx;
        Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot,
    }
    .transpose()
}

/// Whether a layer merges several tensors.
pub fn merges(layer: &Layer) -> bool {
    ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"].contains(&layer.name())
}

/// Applies `layer` with these `parameters`, by name, to a batch; one that merges tensors, to the batch and the same batch
/// the other way round.
pub fn apply(layer: Layer, parameters: &HashMap<String, Tensor>, xs: &Tensor, cx: &Context) -> Result<Tensor> {
    if merges(&layer) {
        let turned = (0..xs.rank()).try_fold(xs.contiguous()?, |turned, axis| turned.flip(&[axis]))?;
        return Ok(merged(layer, &[xs, &turned], cx)?.expect("a layer that merges"));
    }
    let builder = VarBuilder::from_tensors(parameters.clone(), xs.dtype(), xs.device());
    apply! {
        layer, shape_of(xs), &Weights::from_var_builder(builder), xs, cx;
        Input, Conv2D, MaxPooling2D, AveragePooling2D, GlobalMaxPooling2D, GlobalAveragePooling2D, Flatten, Dense, Dropout,
        Activation, ReLU, Softmax,
        Conv1D, Conv3D, Conv1DTranspose, Conv2DTranspose, Conv3DTranspose, DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D,
        SeparableConv2D,
        LeakyReLU, ELU, PReLU, BatchNormalization, LayerNormalization, GroupNormalization, LocalResponseNormalization,
        SpatialDropout1D, SpatialDropout2D, SpatialDropout3D, GaussianNoise,
        MaxPooling1D, MaxPooling3D, AveragePooling1D, AveragePooling3D, SumPooling1D, SumPooling2D, SumPooling3D,
        GlobalMaxPooling1D, GlobalMaxPooling3D, GlobalAveragePooling1D, GlobalAveragePooling3D,
        AdaptiveAveragePooling1D, AdaptiveAveragePooling2D, AdaptiveAveragePooling3D, AdaptiveMaxPooling1D,
        AdaptiveMaxPooling2D, AdaptiveMaxPooling3D, ZeroPadding1D, ZeroPadding2D, ZeroPadding3D, Cropping1D, Cropping2D,
        Cropping3D, UpSampling1D, UpSampling2D, UpSampling3D, Reshape, Permute, RepeatVector, Rescaling, Normalization,
        Resizing, CenterCrop, RandomFlip, RandomRotation, RandomTranslation, RandomZoom, RandomCrop, RandomContrast,
        RandomBrightness, RandomErasing, Embedding, Threshold, RMSNormalization, UnitNormalization, GaussianDropout,
        AlphaDropout, ActivityRegularization, Identity,
    }
}

/// The shape of one example of a batch.
fn shape_of(xs: &Tensor) -> Shape {
    let dims: Vec<Dim> = xs.dims()[1..].iter().copied().map(Dim::Known).collect();
    Shape::of(&dims)
}

/// What the rule book says of `layer` applied to examples of `shape`.
pub fn infer(layer: Layer, shape: Shape) -> std::result::Result<Inferred, ShapeError> {
    match layer {
        Layer::Input(_) => layer.infer(&[]),
        _ if merges(&layer) => layer.infer(&[Operand::new("x", shape); 2]),
        _ => layer.infer(&[Operand::new("x", shape)]),
    }
}

/// Whether `layer` takes symbols, which have no gradient, rather than numbers.
pub fn takes_symbols(layer: Layer) -> bool {
    matches!(layer, Layer::Embedding(_))
}

/// The numbers within ±1 of a batch as symbols, if `layer` takes them.
#[allow(dead_code, reason = "not every test that shares this draws its batches")]
pub fn as_input(layer: Layer, xs: &Tensor) -> Result<Tensor> {
    match layer {
        Layer::Embedding(embedding) => {
            (xs.abs()? * embedding.input_dim as f64)?.floor()?.clamp(0.0, embedding.input_dim as f64 - 1.0)
        }
        _ => Ok(xs.clone()),
    }
}

/// A layer, the batch it is applied to and its parameters, all of them variables so that each has a gradient.
pub struct Subject {
    /// The layer.
    pub layer: Layer,
    /// The batch.
    pub input: Var,
    /// The parameters in the order of the layer's rule, by name.
    pub parameters: Vec<(&'static str, Var)>,
    /// The running statistics it starts every pass with, which have no gradient.
    pub statistics: Vec<(&'static str, Tensor)>,
}

impl Subject {
    /// `layer` applied to `input`, with the tensor that `value` gives for each parameter.
    pub fn new(layer: Layer, input: &Tensor, value: impl Fn(&Parameter) -> Tensor) -> Result<Self> {
        let inferred = infer(layer, shape_of(input)).map_err(candle_core::Error::wrap)?;
        let (statistics, parameters): (Vec<&Parameter>, _) =
            inferred.parameters.as_slice().iter().partition(|parameter| parameter.is_statistic);
        let parameters: Vec<&Parameter> = parameters;
        let variable = |parameter: &Parameter| Ok((parameter.name, Var::from_tensor(&value(parameter))?));
        let parameters = parameters.into_iter().map(variable).collect::<Result<_>>()?;
        // No variance is negative.
        let start = |statistic: &Parameter| match statistic.name {
            "running_var" | "variance" => Ok((statistic.name, value(statistic).abs()?)),
            name => Ok((name, value(statistic))),
        };
        let statistics = statistics.into_iter().map(start).collect::<Result<_>>()?;
        Ok(Self { layer, input: Var::from_tensor(input)?, parameters, statistics })
    }

    /// The layer's output.
    pub fn output(&self, cx: &Context) -> Result<Tensor> {
        self.applied_to(&self.input, cx)
    }

    /// The layer's output for another batch.
    pub fn applied_to(&self, xs: &Tensor, cx: &Context) -> Result<Tensor> {
        apply(self.layer, &self.tensors(&self.statistics), xs, cx)
    }

    /// The running statistics after one pass.
    #[allow(dead_code, reason = "not every test that shares this looks at them")]
    pub fn statistics_after(&self, cx: &Context) -> Result<Vec<(&'static str, Tensor)>> {
        let variable = |(name, value): &(&'static str, Tensor)| Ok((*name, Var::from_tensor(value)?.into_inner()));
        let statistics = self.statistics.iter().map(variable).collect::<Result<Vec<_>>>()?;
        apply(self.layer, &self.tensors(&statistics), &self.input, cx)?;
        Ok(statistics)
    }

    /// Every tensor of the layer by name, with these running statistics.
    fn tensors(&self, statistics: &[(&'static str, Tensor)]) -> HashMap<String, Tensor> {
        let parameters = self.parameters.iter().map(|(name, var)| (name.to_string(), var.as_tensor().clone()));
        parameters.chain(statistics.iter().map(|(name, value)| (name.to_string(), value.clone()))).collect()
    }

    /// Everything that has a gradient, by name: the input first, then the parameters.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &Var)> {
        let parameters = self.parameters.iter().map(|(name, var)| (*name, var));
        let input = (!takes_symbols(self.layer)).then_some(("input", &self.input));
        input.into_iter().chain(parameters)
    }

    /// The gradient of `Σ output · upstream` by each of [`Self::variables`].
    pub fn gradients(&self, upstream: &Tensor, cx: &Context) -> Result<Vec<(&'static str, Tensor)>> {
        let gradients = (self.output(cx)? * upstream)?.sum_all()?.backward()?;
        let of = |(name, var): (&'static str, &Var)| match gradients.get(var) {
            Some(gradient) => Ok((name, gradient.clone())),
            None => candle_core::bail!("`{}` gives no gradient of its {name}", self.layer.name()),
        };
        self.variables().map(of).collect()
    }
}
