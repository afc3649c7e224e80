//! Every layer, and the loss, against Keras: outputs and gradients, by the values in `tests/golden/`, which `generate.py`
//! there wrote.
//!
//! A value is right if it is within 1e-5 of the reference, relative to the reference where that is larger than 1:
//! `|found − expected| ≤ 1e-5·max(1, |expected|)`, for each element by itself.

mod support;

use candle_core::{Result, Tensor, Var};
use cnn_runtime::spec::{Activation, Dim, Layer, Parameter, Shape, Value};
use cnn_runtime::train::{Loss, SparseCategoricalCrossentropy, constrain};
use cnn_runtime::{Context, Seed};
use std::collections::{BTreeSet, HashMap};
use support::{Subject, device, folder};

const TOLERANCE: f32 = 1e-5;

/// One test for each file of reference values, which is called by the snake name of its layer or loss, or by what its
/// layers have in common.
macro_rules! golden {
    ($($file:ident,)*) => {
        const FILES: &[&str] = &[$(stringify!($file),)*];
        $( #[test] fn $file() { compare(stringify!($file)); } )*
    };
}

golden! {
    conv2d,
    conv1d,
    conv3d,
    conv1d_transpose,
    conv2d_transpose,
    conv3d_transpose,
    depthwise_conv1d,
    depthwise_conv2d,
    separable_conv1d,
    separable_conv2d,
    max_pooling2d,
    average_pooling2d,
    global_max_pooling2d,
    global_average_pooling2d,
    flatten,
    dense,
    dropout,
    activation,
    relu,
    softmax,
    softmax_axis,
    wide_activation,
    leaky_relu,
    elu,
    prelu,
    batch_normalization,
    layer_normalization,
    group_normalization,
    local_response_normalization,
    spatial_dropout1d,
    spatial_dropout2d,
    spatial_dropout3d,
    gaussian_noise,
    gaussian_dropout,
    alpha_dropout,
    identity,
    threshold,
    root_normalization,
    sparse_categorical_crossentropy,
    merging,
    pooling,
    adaptive_pooling,
    global_pooling,
    edges,
    reshaping,
    input_side,
    embedding,
    constraints,
}

/// One case of a manifest.
struct Case {
    name: String,
    layer: String,
    arguments: serde_json::Map<String, serde_json::Value>,
    modes: Vec<Context>,
    tensors: HashMap<String, Tensor>,
}

impl Case {
    fn tensor(&self, what: &str) -> Tensor {
        self.tensors.get(what).unwrap_or_else(|| panic!("the case `{}` has no `{what}`", self.name)).clone()
    }

    /// The layer of the case, read from its arguments as the macro reads a model's.
    fn layer(&self) -> Layer {
        let arguments = Layer::arguments(&self.layer).unwrap_or_else(|| panic!("`{}` is of no known layer", self.name));
        let unknown = self.arguments.keys().find(|given| !arguments.iter().any(|argument| argument.is_called(given)));
        assert_eq!(unknown, None, "{}: an argument `{}` does not take", self.name, self.layer);
        let values: Vec<_> = arguments.iter().map(|argument| self.arguments.get(argument.name).map(value)).collect();
        Layer::from_values(&self.layer, &values).unwrap_or_else(|refusals| panic!("{}: {refusals:?}", self.name))
    }

    /// Everywhere an output or a gradient differs from the reference.
    fn differences(&self) -> Result<Vec<String>> {
        match self.layer.as_str() {
            "SparseCategoricalCrossentropy" => {
                let from_logits = self.arguments["from_logits"] == true;
                self.differences_of_loss(&SparseCategoricalCrossentropy { from_logits })
            }
            _ if self.tensors.contains_key("before") => self.differences_of_constraint(),
            _ if support::merges(&self.layer()) => self.differences_of_merging(),
            _ => self.differences_of_layer(),
        }
    }

    fn differences_of_loss(&self, loss: &impl Loss) -> Result<Vec<String>> {
        let predictions = Var::from_tensor(&self.tensor("input"))?;
        let output = loss.compute(&predictions, &self.tensor("labels"))?;
        let gradients = output.backward()?;
        let gradient = gradients.get(&predictions).expect("a gradient of the predictions");
        let differences = [self.difference("output", &output)?, self.difference("input_gradient", gradient)?];
        Ok(differences.into_iter().flatten().collect())
    }

    /// Of a layer that takes `input`, `input_1`, ….
    fn differences_of_merging(&self) -> Result<Vec<String>> {
        let names = std::iter::once("input".to_string()).chain((1..).map(|index| format!("input_{index}")));
        let names: Vec<String> = names.take_while(|name| self.tensors.contains_key(name)).collect();
        let inputs: Vec<Var> = names.iter().map(|name| Var::from_tensor(&self.tensor(name))).collect::<Result<_>>()?;
        let tensors: Vec<&Tensor> = inputs.iter().map(|input| input.as_tensor()).collect();
        let mut differences = Vec::new();
        for cx in &self.modes {
            let output = support::merged(self.layer(), &tensors, &cx.tracked())?.expect("a layer that merges");
            differences.extend(self.difference("output", &output)?);
            let gradients = (output * self.tensor("upstream"))?.sum_all()?.backward()?;
            for (name, input) in names.iter().zip(&inputs) {
                let gradient = gradients.get(input).expect("a gradient of every tensor");
                differences.extend(self.difference(&format!("{name}_gradient"), gradient)?);
            }
        }
        Ok(differences)
    }

    /// Of what the constraint of a layer makes of the one parameter that has one.
    fn differences_of_constraint(&self) -> Result<Vec<String>> {
        let shape: Vec<usize> = self.tensor("input").dims()[1..].to_vec();
        let dims: Vec<Dim> = shape.into_iter().map(Dim::Known).collect();
        let inferred = support::infer(self.layer(), Shape::of(&dims)).map_err(candle_core::Error::wrap)?;
        let held: Vec<&Parameter> = inferred.parameters.as_slice().iter().filter(|of| of.constraint.is_some()).collect();
        let [parameter] = held.as_slice() else { panic!("the case `{}` has {} constraints", self.name, held.len()) };
        let variable = Var::from_tensor(&self.tensor("before"))?;
        assert_eq!(variable.dims(), parameter.dims(), "{}", self.name);
        constrain(parameter, &variable)?;
        Ok(self.difference("after", &variable)?.into_iter().collect())
    }

    fn differences_of_layer(&self) -> Result<Vec<String>> {
        let subject = Subject::new(self.layer(), &self.tensor("input"), |parameter: &Parameter| self.tensor(parameter.name))?;
        let mut differences = Vec::new();
        for cx in &self.modes {
            differences.extend(self.difference("output", &subject.output(cx)?)?);
            for (name, gradient) in subject.gradients(&self.tensor("upstream"), &cx.tracked())? {
                differences.extend(self.difference(&format!("{name}_gradient"), &gradient)?);
            }
            for (name, statistic) in subject.statistics_after(cx)? {
                let what = if cx.is_training() { format!("{name}_after") } else { name.to_string() };
                differences.extend(self.difference(&what, &statistic)?);
            }
        }
        Ok(differences)
    }

    /// The first element of `found` that is not what the case says of `what`.
    fn difference(&self, what: &str, found: &Tensor) -> Result<Option<String>> {
        let expected = self.tensor(what);
        if found.dims() != expected.dims() {
            return Ok(Some(format!("{}: {what} is {:?}, expected {:?}", self.name, found.dims(), expected.dims())));
        }
        let values = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let pairs: Vec<(f32, f32)> = values(found)?.into_iter().zip(values(&expected)?).collect();
        let close = |(found, expected): (f32, f32)| (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
        let wrong = pairs.iter().filter(|pair| !close(**pair)).count();
        let Some(first) = pairs.iter().position(|pair| !close(*pair)) else { return Ok(None) };
        let (place, (found, expected)) = (index(expected.dims(), first), pairs[first]);
        let of = format!("{wrong} of {} differ", pairs.len());
        Ok(Some(format!("{}: {what}{place:?} is {found}, expected {expected}; {of}", self.name)))
    }
}

/// Checks every case of a file, and reports all that is wrong with any of them.
fn compare(file: &str) {
    let differences = |case: &Case| case.differences().unwrap_or_else(|error| vec![format!("{}: {error}", case.name)]);
    let failures: Vec<String> = read(file).iter().flat_map(differences).collect();
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

/// The cases of a file; there is at least one.
fn read(file: &str) -> Vec<Case> {
    let manifest = std::fs::read_to_string(folder("golden").join(format!("{file}.json"))).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("a manifest in JSON");
    let tensors =
        candle_core::safetensors::load(folder("golden").join(format!("{file}.safetensors")), &device()).expect("its tensors");
    let cases = manifest["cases"].as_array().expect("a list of cases");
    assert!(!cases.is_empty(), "`{file}.json` has no cases");
    cases.iter().map(|case| read_case(case, &tensors)).collect()
}

fn read_case(case: &serde_json::Value, tensors: &HashMap<String, Tensor>) -> Case {
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_string();
    let mode = |mode: &serde_json::Value| match text(mode).as_str() {
        "inference" => Context::inference(),
        "training" => Context::training(Seed(0), 0),
        other => panic!("unknown mode `{other}`"),
    };
    let name = text(&case["name"]);
    let own = tensors.iter().filter_map(|(key, tensor)| Some((key.strip_prefix(&name)?.strip_prefix('/')?, tensor)));
    Case {
        layer: text(&case["layer"]),
        arguments: case["arguments"].as_object().expect("arguments by name").clone(),
        modes: case["modes"].as_array().expect("a list of modes").iter().map(mode).collect(),
        tensors: own.map(|(what, tensor)| (what.to_string(), tensor.clone())).collect(),
        name,
    }
}

/// A value of JSON as one written in a model.
fn value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Bool(flag) => Value::Bool(*flag),
        serde_json::Value::String(word) => Value::Word(word.clone()),
        serde_json::Value::Array(values) => Value::Tuple(values.iter().map(value).collect()),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(n) => Value::Int(n.into()),
            None => Value::Float(number.as_f64().expect("a double")),
        },
        serde_json::Value::Object(call) => {
            let name = call["call"].as_str().expect("the name of what is called").to_string();
            let keywords = call.iter().filter(|(keyword, _)| *keyword != "call");
            Value::Call(name, keywords.map(|(keyword, json)| (Some(keyword.clone()), value(json))).collect())
        }
        serde_json::Value::Null => Value::Word("None".into()),
    }
}

/// The index along each axis of the element at `position` in row-major order.
fn index(dims: &[usize], position: usize) -> Vec<usize> {
    let mut rest = position;
    let mut index: Vec<usize> = dims.iter().rev().map(|size| (rest % size, rest /= size).0).collect();
    index.reverse();
    index
}

#[test]
fn every_layer_has_reference_values() {
    for name in Layer::NAMES.iter().filter(|name| **name != "Input") {
        let has_one = |file: &&str| read(file).iter().any(|case| case.layer == *name);
        assert!(FILES.iter().any(has_one), "no reference values of `{name}`");
    }
}

#[test]
fn every_activation_has_reference_values() {
    let cases: Vec<Case> = FILES.iter().flat_map(|file| read(file)).collect();
    for (layer, count) in [("Activation", 2), ("Conv2D", 1), ("Dense", 1)] {
        for word in Activation::WORDS {
            let of_word =
                |case: &&Case| case.layer == layer && case.arguments.get("activation").is_some_and(|given| given == word);
            assert!(cases.iter().filter(of_word).count() >= count, "`{layer}` has too few cases of `{word}`");
        }
    }
}

#[test]
fn every_file_is_compared() {
    let entries = std::fs::read_dir(folder("golden")).expect("the folder of reference values");
    let names = entries.map(|entry| entry.expect("an entry of the folder").path());
    let manifests = names.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let found: BTreeSet<_> = manifests.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    let listed: BTreeSet<_> = FILES.iter().map(|file| file.to_string()).collect();
    assert_eq!(found, listed);
}
