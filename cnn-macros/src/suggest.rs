//! Did you mean …? The nearest name that exists, and what other frameworks' names are called here.

use strsim::damerau_levenshtein;

/// What layers of this language are called elsewhere.
const LAYERS: &[(&str, &str)] = &[
    ("AdaptiveAvgPool1d", "AdaptiveAveragePooling1D"),
    ("AdaptiveAvgPool2d", "AdaptiveAveragePooling2D"),
    ("AdaptiveAvgPool3d", "AdaptiveAveragePooling3D"),
    ("AdaptiveMaxPool1d", "AdaptiveMaxPooling1D"),
    ("AdaptiveMaxPool2d", "AdaptiveMaxPooling2D"),
    ("AdaptiveMaxPool3d", "AdaptiveMaxPooling3D"),
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
    ("BatchNorm2d", "BatchNormalization"),
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
    ("SumPool2d", "SumPooling2D"),
    ("Upsample", "UpSampling2D"),
    ("View", "Reshape"),
    ("ZeroPad2d", "ZeroPadding2D"),
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
    ("k", "did you mean `kernel_size`?"),
    ("kernel", "did you mean `kernel_size`?"),
    ("kernel_initializer", "did you mean `depthwise_initializer`?"),
    ("kernel_regularizer", "did you mean `depthwise_regularizer`?"),
    ("num_classes", "did you mean `units`?"),
    ("out_channels", "did you mean `filters`?"),
    ("out_features", "did you mean `units`?"),
    ("p", "did you mean `rate`?"),
    ("size", "did you mean `pool_size`?"),
];

/// A fix for the unknown layer `name`, where `blocks` are declared.
pub fn layer(name: &str, blocks: &[String]) -> String {
    let same = |(elsewhere, _): &&(&str, &str)| elsewhere.eq_ignore_ascii_case(name);
    match LAYERS.iter().find(same) {
        Some((_, here)) => did_you_mean(here),
        None => nearest(name, blocks.iter().map(String::as_str).chain(cnn_spec::Layer::NAMES.iter().copied()))
            .map_or_else(|| format!("the layers are {}", quoted(cnn_spec::Layer::NAMES)), did_you_mean),
    }
}

/// A fix for the unknown argument `name` of a layer that takes `known`.
pub fn argument(name: &str, known: &[&str]) -> String {
    let is_of_use = |help: &str| known.iter().any(|name| help.contains(&format!("`{name}`"))) || help.starts_with("leave");
    match ARGUMENTS.iter().find(|(elsewhere, help)| *elsewhere == name && is_of_use(help)) {
        Some((_, help)) => help.to_string(),
        None => nearest(name, known.iter().copied()).map_or_else(|| format!("the arguments are {}", quoted(known)), did_you_mean),
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
    use cnn_spec::Layer;

    #[test]
    fn misspellings_and_other_frameworks() {
        assert_eq!(layer("Conv2d", &[]), "did you mean `Conv2D`?");
        assert_eq!(layer("Linear", &[]), "did you mean `Dense`?");
        assert_eq!(layer("MaxPool2D", &[]), "did you mean `MaxPooling2D`?");
        assert!(layer("Transformer", &[]).starts_with("the layers are `Input`, "));
        assert_eq!(argument("strid", &["filters", "strides", "stride"]), "did you mean `stride`?");
        assert_eq!(argument("kernel", &["filters", "kernel_size"]), "did you mean `kernel_size`?");
        assert_eq!(argument("kernel", &["rate"]), "the arguments are `rate`");
        let depthwise = ["depthwise_regularizer", "bias_regularizer"];
        assert_eq!(argument("kernel_regularizer", &depthwise), "did you mean `depthwise_regularizer`?");
        assert_eq!(tensor("j", &["x".into(), "i".into()]), "did you mean `x`?");
        assert_eq!(tensor("images", &["x".into(), "i".into()]), "the tensors here are `x` and `i`");
    }

    #[test]
    fn tables_name_what_is_true() {
        for (elsewhere, here) in LAYERS {
            assert!(Layer::NAMES.contains(here) && !Layer::NAMES.contains(elsewhere), "{elsewhere}");
        }
    }
}
