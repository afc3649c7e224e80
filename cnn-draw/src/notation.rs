//! Arguments of layers as a model writes them: `3` for a square kernel, `relu` for an activation.

use cnn_spec::{Layer, Setting};

/// One argument of a layer that differs from its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name, as Keras has it.
    pub name: String,
    /// How it is written in a call, with its keyword where it needs one: `64`, `strides=2`, `relu`.
    pub text: String,
}

impl Argument {
    /// Whether it says how parameters begin, what they are held to and what is added to the loss, rather than what the layer computes.
    pub fn is_of_training(&self) -> bool {
        ["initializer", "regularizer", "constraint", "use_bias", "seed"].iter().any(|suffix| self.name.ends_with(suffix))
    }
}

/// The arguments of a layer of this `kind` that its settings are, as a model writes them.
pub fn arguments(kind: &str, settings: Vec<Setting>) -> Vec<Argument> {
    let table = Layer::arguments(kind).unwrap_or_default();
    let written = |setting: Setting| {
        let Setting { argument: name, rust, required } = setting;
        let value = value(&rust);
        let is_first = table.first().is_some_and(|first| first.name == name);
        let text = match (value.as_str(), name) {
            ("true", _) => name.into(),
            (_, "padding" | "activation") if value.starts_with(char::is_alphabetic) => value,
            _ if required || is_first => value,
            // Keras' name is the longer one that the language has for it.
            (_, "strides") => format!("stride={value}"),
            _ => format!("{name}={value}"),
        };
        Argument { name: name.into(), text }
    };
    settings.into_iter().map(written).collect()
}

/// A value that the rule book has written as Rust, as a model writes it.
fn value(rust: &str) -> String {
    let inside = |prefix: &str| rust.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(')'));
    if let Some(inner) = inside("Some(") {
        return value(inner);
    }
    if let Some(sizes) = inside("Shape::new([").or(inside("Shape::of(&[")).and_then(|inner| inner.strip_suffix(']')) {
        return plain_sizes(sizes);
    }
    if let Some(list) = ["Padding::Explicit(", "Axes::new(", "Target::of(&", "Numbers::of(&"].iter().find_map(|list| inside(list))
    {
        return tuple(&plain_sizes(list));
    }
    if let Some((numbers, sizes)) = inside("Numbers::nested(&[").and_then(|lists| lists.strip_suffix(']')?.split_once("], &[")) {
        let sizes: Vec<usize> = sizes.split(", ").filter_map(|size| size.parse().ok()).collect();
        return nested(&numbers.split(", ").collect::<Vec<_>>(), &sizes);
    }
    if let Some(strengths) = inside("Regularizer::new(") {
        return format!("L1L2({strengths})");
    }
    if let Some((call, axes)) = inside("Constraint::").and_then(|call| call.strip_suffix("])")?.split_once("Axes::new([")) {
        return format!("{call}axis={})", if axes.is_empty() { "None".into() } else { tuple(&format!("[{axes}]")) });
    }
    match rust.split_once("::") {
        Some((_, word)) if word.chars().all(char::is_alphanumeric) => snake(word),
        Some((_, call)) => call.into(),
        None if is_whole(rust) => rust.trim_end_matches(".0").into(),
        None => tuple(rust),
    }
}

/// Whether it is a number such as `6.0`.
fn is_whole(rust: &str) -> bool {
    rust.ends_with(".0") && rust.parse::<f64>().is_ok()
}

/// `Dim::Unknown, Dim::Known(3)` as `_, 3`.
fn plain_sizes(rust: &str) -> String {
    let known = rust.replace("Dim::Unknown", "_").replace("Dim::Known(", "");
    if known.len() < rust.len() { known.replace(')', "") } else { rust.into() }
}

/// An array as a tuple, or as the one number that all its elements are.
fn tuple(array: &str) -> String {
    let Some(inner) = array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else { return array.into() };
    if let Some((element, _)) = inner.rsplit_once("; ").filter(|(_, count)| count.parse::<usize>().is_ok()) {
        return tuple(element);
    }
    let elements: Vec<String> = match inner.strip_prefix('[') {
        Some(_) => inner.split_inclusive(']').map(|pair| tuple(pair.trim_start_matches(", "))).collect(),
        None => inner.split(", ").map(String::from).collect(),
    };
    match elements.as_slice() {
        [first, rest @ ..] if rest.iter().all(|element| element == first) => first.clone(),
        elements => format!("({})", elements.join(", ")),
    }
}

/// Numbers in parentheses, nested along axes of these sizes.
fn nested(numbers: &[&str], sizes: &[usize]) -> String {
    let Some((size, inner)) = sizes.split_first() else { return numbers.concat() };
    let elements: Vec<String> = numbers.chunks((numbers.len() / size).max(1)).map(|numbers| nested(numbers, inner)).collect();
    format!("({}{})", elements.join(", "), if elements.len() == 1 { "," } else { "" })
}

/// `HeNormal` as `he_normal`.
fn snake(word: &str) -> String {
    let mut snake = String::new();
    for letter in word.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnn_spec::{
        Activation, Axes, Constraint, Conv2D, Dim, Input, MaxPooling2D, Normalization, Numbers, Padding, Regularizer, Shape,
    };

    fn texts(layer: Layer) -> Vec<String> {
        arguments(layer.name(), layer.settings()).into_iter().map(|argument| argument.text).collect()
    }

    #[test]
    fn whole_numbers_are_written_as_such() {
        assert_eq!(["6.0", "0.5", "1e-5", "10.0"].map(value), ["6", "0.5", "1e-5", "10"]);
    }

    #[test]
    fn an_element_that_repeats_is_written_once() {
        assert_eq!(["Padding::Explicit([[PAD; 2]; 2])", "[[0, PAD], [1; 2]]"].map(value), ["PAD", "((0, PAD), 1)"]);
    }

    #[test]
    fn arguments_are_written_as_in_a_model() {
        let conv = Conv2D::new(32, [3, 3]).strides([2, 2]).padding(Padding::Same).activation(Activation::HardSilu);
        assert_eq!(texts(Layer::Conv2D(conv)), ["32", "3", "stride=2", "same", "hard_silu"]);
        let conv = Conv2D::new(8, [1, 7]).padding(Padding::Explicit([[0, 1], [2, 2]])).use_bias(false);
        assert_eq!(texts(Layer::Conv2D(conv)), ["8", "(1, 7)", "padding=((0, 1), 2)", "use_bias=false"]);
        let conv = Conv2D::new(8, [3, 3]).kernel_regularizer(Some(Regularizer::new(0., 0.01))).strict(true);
        assert_eq!(texts(Layer::Conv2D(conv)), ["8", "3", "kernel_regularizer=L1L2(0.0, 0.01)", "strict"]);
        let constraint = |axis| Conv2D::new(8, [3, 3]).kernel_constraint(Some(Constraint::max_norm(2., axis)));
        let texts_of = |axis| texts(Layer::Conv2D(constraint(axis).bias_constraint(Some(Constraint::NonNeg))))[2..].to_vec();
        let expected = ["kernel_constraint=max_norm(2.0, axis=(0, 1, 2))", "bias_constraint=non_neg"];
        assert_eq!(texts_of(Axes::new([0, 1, 2])), expected);
        assert_eq!(texts_of(Axes::new([3]))[0], "kernel_constraint=max_norm(2.0, axis=3)");
        assert_eq!(texts_of(Axes::NONE)[0], "kernel_constraint=max_norm(2.0, axis=None)");
        assert_eq!(texts(Layer::MaxPooling2D(MaxPooling2D::new().pool_size([3, 3]))), ["3"]);
        let mean = Numbers::nested(&[0.5, 0.25, 1., 2.], &[2, 2]);
        let layer = Normalization::new().axis(Axes::new([1, 3])).mean(Some(mean)).variance(Some(Numbers::nested(&[1.], &[1, 1])));
        let expected = ["(1, 3)", "mean=((0.5, 0.25), (1.0, 2.0))", "variance=((1.0,),)"];
        assert_eq!(texts(Layer::Normalization(layer)), expected);
        let unknown = Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(3)]);
        assert_eq!(texts(Layer::Input(Input::new(unknown))), ["_, _, 3"]);
    }
}
