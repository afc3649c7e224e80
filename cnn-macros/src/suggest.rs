//! Did you mean …? The nearest name that exists, and what other frameworks' names are called here.

use cnn_spec::{Activation, At, Layer, Operand, Shape};
use strsim::damerau_levenshtein;

/// What layers of this language are called elsewhere.
const LAYERS: &[(&str, &str)] = &[
    ("AdaptiveAvgPool1d", "AdaptiveAveragePooling1D"),
    ("AdaptiveAvgPool2d", "AdaptiveAveragePooling2D"),
    ("AdaptiveAvgPool3d", "AdaptiveAveragePooling3D"),
    ("AdaptiveMaxPool1d", "AdaptiveMaxPooling1D"),
    ("AdaptiveMaxPool2d", "AdaptiveMaxPooling2D"),
    ("AdaptiveMaxPool3d", "AdaptiveMaxPooling3D"),
    ("AveragePool2d", "AveragePooling2D"),
    ("AvgPool1d", "AveragePooling1D"),
    ("AvgPool2d", "AveragePooling2D"),
    ("ConvTranspose1d", "Conv1DTranspose"),
    ("ConvTranspose2d", "Conv2DTranspose"),
    ("ConvTranspose3d", "Conv3DTranspose"),
    ("Convolution1D", "Conv1D"),
    ("Concat", "Concatenate"),
    ("AvgPool3d", "AveragePooling3D"),
    ("Convolution2D", "Conv2D"),
    ("Convolution3D", "Conv3D"),
    ("Deconvolution2D", "Conv2DTranspose"),
    ("BatchNorm", "BatchNormalization"),
    ("BatchNorm1d", "BatchNormalization"),
    ("BatchNorm2d", "BatchNormalization"),
    ("BatchNorm3d", "BatchNormalization"),
    ("Dropout1d", "SpatialDropout1D"),
    ("Dropout2d", "SpatialDropout2D"),
    ("FullyConnected", "Dense"),
    ("GlobalAvgPool2D", "GlobalAveragePooling2D"),
    ("GlobalMaxPool2D", "GlobalMaxPooling2D"),
    ("GroupNorm", "GroupNormalization"),
    ("InputLayer", "Input"),
    ("LayerNorm", "LayerNormalization"),
    ("Linear", "Dense"),
    ("LocalResponseNorm", "LocalResponseNormalization"),
    ("LRN", "LocalResponseNormalization"),
    ("MaxPool1d", "MaxPooling1D"),
    ("MaxPool2d", "MaxPooling2D"),
    ("MaxPool3d", "MaxPooling3D"),
    ("RandomHorizontalFlip", "RandomFlip"),
    ("Resize", "Resizing"),
    ("RMSNorm", "RMSNormalization"),
    ("SumPool2d", "SumPooling2D"),
    ("Upsample", "UpSampling2D"),
    ("View", "Reshape"),
    ("ZeroPad2d", "ZeroPadding2D"),
];

/// Modules that Python code has in front of layers and functions.
const MODULES: &[&str] = &["F", "activations", "functional", "keras", "layers", "nn", "ops", "self", "tf", "torch"];

/// Functions that are layers here under a name of their own.
const FUNCTIONS: &[(&str, &str)] = &[
    ("cat", "Concatenate"),
    ("interpolate", "UpSampling2D"),
    ("pad", "ZeroPadding2D"),
    ("stack", "Concatenate"),
    ("transpose", "Permute"),
];

/// What arguments of this language are called elsewhere, and what to do about those it does not need.
const ARGUMENTS: &[(&str, &str)] = &[
    ("batch_size", "leave it out: the batch is never written"),
    ("data_format", "leave it out: images are height, width, channels"),
    ("in_channels", "leave it out: channels follow from the input"),
    ("in_features", "leave it out: features follow from the input"),
    ("input_dim", "leave it out, and start the model with an `Input` such as `i = Input(784);`"),
    ("input_shape", "leave it out, and start the model with an `Input` such as `i = Input(28, 28, 1);`"),
    ("inplace", "leave it out"),
    ("input_size", "leave it out: sizes follow from the input"),
    ("k", "did you mean `kernel_size`?"),
    ("kernel", "did you mean `kernel_size`?"),
    ("kernel_constraint", "did you mean `depthwise_constraint`?"),
    ("kernel_initializer", "did you mean `depthwise_initializer`?"),
    ("kernel_regularizer", "did you mean `depthwise_regularizer`?"),
    ("num_channels", "leave it out: channels follow from the input"),
    ("num_classes", "did you mean `units`?"),
    ("num_features", "leave it out: channels follow from the input"),
    ("out_channels", "did you mean `filters`?"),
    ("out_features", "did you mean `units`?"),
    ("p", "did you mean `rate`?"),
    ("padding_mode", "leave it out: what is added around an image is 0"),
    ("size", "did you mean `pool_size`?"),
];

/// A fix for the unknown layer `name`, called with `arguments` where `blocks` are declared.
pub fn layer(name: &str, arguments: &str, blocks: &[String]) -> String {
    let known = blocks.iter().map(String::as_str).chain(Layer::NAMES.iter().copied());
    match (here(name).or_else(|| nearest(name, known)), activation(name)) {
        (Some(nearest), _) => did_you_mean(nearest),
        (None, Some(activation)) => format!("write `Activation({activation})`"),
        (None, None) => {
            format!(
                "layers have Keras' names, such as `Conv2D`, `Flatten` and `Dense`; one of your own is `Custom({name}{arguments})(…)`"
            )
        }
    }
}

/// Whether `name` is, or is nearly, that of a layer or an activation here or elsewhere.
pub fn is_like_a_layer(name: &str) -> bool {
    here(name).is_some() || nearest(name, Layer::NAMES.iter().copied()).is_some() || activation(name).is_some()
}

/// What the layer called `name` here or elsewhere is called here.
pub fn here(name: &str) -> Option<&'static str> {
    let elsewhere = || LAYERS.iter().find(|(elsewhere, _)| elsewhere.eq_ignore_ascii_case(name)).map(|(_, here)| *here);
    Layer::NAMES.iter().copied().find(|known| known.eq_ignore_ascii_case(name)).or_else(elsewhere)
}

/// How the function `name`, such as `relu` or `max_pool2d`, is applied to `tensor` here; `has_more` says whether it is given
/// anything else.
pub fn function(name: &str, tensor: &str, has_more: bool) -> Option<String> {
    let renamed = || FUNCTIONS.iter().find(|(elsewhere, _)| *elsewhere == name).map(|(_, here)| *here);
    match here(&name.replace('_', "")).or_else(renamed) {
        Some(layer) => {
            let table = Layer::arguments(layer)?;
            let has_arguments = (has_more && !table.is_empty()) || table.iter().any(|argument| argument.default.is_none());
            let several = takes_several(layer);
            let arguments = if has_arguments && !several { "…" } else { "" };
            Some(format!("{layer}({arguments})({})", if several { "[a, b]" } else { tensor }))
        }
        None => activation(name).map(|word| format!("Activation({word})({tensor})")),
    }
}

/// The layer called `name`, unless an activation is.
pub fn layer_alone(name: &str) -> Option<&'static str> {
    here(&name.replace('_', "")).filter(|_| activation(name).is_none())
}

/// The activation of this name, whatever its case.
fn activation(name: &str) -> Option<&'static str> {
    Activation::WORDS.iter().copied().find(|word| word.replace('_', "").eq_ignore_ascii_case(&name.replace('_', "")))
}

/// Whether a layer merges tensors: whether its rule refuses one alone.
fn takes_several(layer: &str) -> bool {
    let arguments = vec![None; Layer::arguments(layer).map_or(0, <[_]>::len)];
    let one = [Operand::new("x", Shape::new([8, 8, 8]))];
    Layer::from_values(layer, &arguments).is_ok_and(|layer| layer.infer(&one).is_err_and(|error| error.at == At::Inputs))
}

/// Whether Python code has modules called `name`.
pub fn is_module(name: &str) -> bool {
    MODULES.contains(&name)
}

/// A fix for the unknown argument `name` of something that takes `known`, and the same under `aliases`.
pub fn argument(name: &str, known: &[&str], aliases: &[&str]) -> String {
    let is_of_use = |help: &str| known.iter().any(|name| help.contains(&format!("`{name}`"))) || help.starts_with("leave");
    match ARGUMENTS.iter().find(|(elsewhere, help)| *elsewhere == name && is_of_use(help)) {
        Some((_, help)) => help.to_string(),
        None => nearest(name, known.iter().chain(aliases).copied())
            .map_or_else(|| format!("the arguments are {}", quoted(known)), did_you_mean),
    }
}

/// A fix for the unknown word `word`, where `words` are known.
pub fn word(word: &str, words: &[&str]) -> String {
    nearest(word, words.iter().copied()).map_or_else(|| format!("the words are {}", quoted(words)), did_you_mean)
}

/// A fix for the unknown tensor `name`, where `tensors` are bound, the latest first.
pub fn tensor(name: &str, tensors: &[String]) -> String {
    match (nearest(name, tensors.iter().map(String::as_str)), tensors) {
        (Some(nearest), _) => did_you_mean(nearest),
        (None, []) => "bind it first, as in `i = Input(28, 28, 1);`".into(),
        (None, _) => format!("the tensors here are {}", quoted(tensors)),
    }
}

/// The candidate that `name` is most likely a misspelling of; of several as near, the first.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let most = (name.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// `` `a`, `b` and `c` ``; of many, the first.
pub fn quoted(names: &[impl AsRef<str>]) -> String {
    const MOST: usize = 16;
    let mut quoted: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    let last = match quoted.len() {
        0..=MOST => quoted.pop().unwrap_or_default(),
        all => {
            quoted.truncate(MOST);
            format!("{} more", all - MOST)
        }
    };
    if quoted.is_empty() { last } else { format!("{} and {last}", quoted.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_and_other_frameworks() {
        assert_eq!(layer("Conv2d", "(8)", &[]), "did you mean `Conv2D`?");
        assert_eq!(layer("Linear", "(8)", &[]), "did you mean `Dense`?");
        assert_eq!(layer("MaxPool2D", "(8)", &[]), "did you mean `MaxPooling2D`?");
        assert!(layer("Transformer", "(8)", &[]).starts_with("layers have Keras' names"));
        assert_eq!(argument("strid", &["filters", "strides"], &["stride"]), "did you mean `stride`?");
        assert_eq!(argument("kernel", &["filters", "kernel_size"], &[]), "did you mean `kernel_size`?");
        assert_eq!(argument("kernel", &["rate"], &["p"]), "the arguments are `rate`");
        assert_eq!(function("relu", "i", false).as_deref(), Some("ReLU()(i)"));
        assert_eq!(function("max_pool2d", "i", true).as_deref(), Some("MaxPooling2D(…)(i)"));
        assert_eq!(function("cat", "i", true).as_deref(), Some("Concatenate()([a, b])"));
        assert_eq!(function("tanh", "x", false).as_deref(), Some("Activation(tanh)(x)"));
        assert_eq!(function("mystery", "x", false), None);
        let depthwise = ["depthwise_regularizer", "bias_regularizer", "depthwise_constraint", "bias_constraint"];
        assert_eq!(argument("kernel_regularizer", &depthwise, &[]), "did you mean `depthwise_regularizer`?");
        assert_eq!(argument("kernel_constraint", &depthwise, &[]), "did you mean `depthwise_constraint`?");
        assert_eq!(layer("RMSNorm", "(8)", &[]), "did you mean `RMSNormalization`?");
        assert_eq!(tensor("j", &["x".into(), "i".into()]), "did you mean `x`?");
        assert_eq!(tensor("images", &["x".into(), "i".into()]), "the tensors here are `x` and `i`");
    }

    #[test]
    fn tables_name_what_is_true() {
        for (_, here) in FUNCTIONS {
            assert!(Layer::NAMES.contains(here), "{here}");
        }
        for (elsewhere, here) in LAYERS {
            assert!(Layer::NAMES.contains(here) && !Layer::NAMES.contains(elsewhere), "{elsewhere}");
        }
    }
}
