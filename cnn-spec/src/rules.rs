//! The rules several layers share, and a layer of one's own may: how many tensors, of which rank, and sizes that must not be 0.

use crate::activation::Activation;
use crate::error::is_same;
use crate::{At, Custom, Dim, Inferred, Layer, Operand, Shape, ShapeError, Text};

/// The one tensor a layer takes.
///
/// # Errors
/// If the layer is given something else.
pub const fn one<'a>(layer: &str, inputs: &'a [Operand<'a>]) -> Result<&'a Operand<'a>, ShapeError> {
    if let [input] = inputs {
        return Ok(input);
    }
    let message = Text::from("`").and(layer).and("` takes one tensor, found ").num(inputs.len());
    let call = if is_of_the_language(layer) { layer } else { Custom::NAME };
    Err(ShapeError::new(At::Inputs, message).help(Text::from("apply it to one tensor: `").and(call).and("(…)(x)`")))
}

/// Whether a layer is one of the language, and not a user's own.
const fn is_of_the_language(layer: &str) -> bool {
    let mut i = 0;
    while i < Layer::NAMES.len() {
        if is_same(Layer::NAMES[i], layer) {
            return true;
        }
        i += 1;
    }
    false
}

/// The one image a layer takes: height, width, channels.
///
/// # Errors
/// If the layer is given something else.
pub const fn image<'a>(layer: &str, inputs: &'a [Operand<'a>]) -> Result<&'a Operand<'a>, ShapeError> {
    spatial::<2>(layer, inputs)
}

/// The one tensor of `N` spatial axes and channels that a layer takes: a sequence, an image or a volume.
///
/// # Errors
/// If the layer is given something else.
pub const fn spatial<'a, const N: usize>(layer: &str, inputs: &'a [Operand<'a>]) -> Result<&'a Operand<'a>, ShapeError> {
    let input = match one(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    let shape = &input.shape;
    if shape.rank() == N + 1 {
        return Ok(input);
    }
    let (axes, help) = match N {
        1 => ("steps, channels", sequence_help(shape)),
        2 => ("height, width, channels", image_help(shape)),
        _ => ("depth, height, width, channels", volume_help(shape)),
    };
    let message = Text::from("`").and(layer).and("` takes ").and(axes).and("; `").and(input.name).and("` is ").shape(shape);
    Err(ShapeError::new(At::Input(0), message).help(help))
}

const fn sequence_help(shape: &Shape) -> Text {
    match shape.dims() {
        [steps] => Text::from("give it a channel axis, as in `Input(").dim(*steps).and(", 1)`"),
        _ => Text::from("apply it to one sequence of steps, channels, such as `Input(128, 1)`"),
    }
}

const fn volume_help(shape: &Shape) -> Text {
    match shape.dims() {
        [depth, height, width] => {
            let text = Text::from("give it a channel axis, as in `Input(").dim(*depth).and(", ").dim(*height);
            text.and(", ").dim(*width).and(", 1)`")
        }
        _ => Text::from("apply it to one volume of depth, height, width, channels, such as `Input(16, 16, 16, 1)`"),
    }
}

const fn image_help(shape: &Shape) -> Text {
    let (height, width, why) = match shape.dims() {
        [height, width] => (*height, *width, "give it a channel axis, as in"),
        [Dim::Known(n)] if n.isqrt() * n.isqrt() == *n => {
            (Dim::Known(n.isqrt()), Dim::Known(n.isqrt()), "keep the image an image: move it before `Flatten()`, or begin with")
        }
        [_] => return Text::from("keep the image an image: move it before `Flatten()`"),
        _ => return Text::from("apply it to one image of height, width, channels, such as `Input(28, 28, 1)`"),
    };
    Text::from(why).and(" `Input(").dim(height).and(", ").dim(width).and(", 1)`")
}

/// The number of channels, which every layer with weights must know.
///
/// # Errors
/// If the layer is given something else.
pub const fn channels(layer: &str, input: &Operand) -> Result<usize, ShapeError> {
    if let Dim::Known(n) = input.shape.channels() {
        return Ok(n);
    }
    let spatial = input.shape.spatial();
    let (what, help, example) = match spatial {
        [] => ("length of a vector", "say how long it is, as in `Input(", 64),
        _ => ("number of channels", "say how many, as in `Input(", 3),
    };
    let message = Text::from("`").and(layer).and("` needs the ").and(what).and("; `").and(input.name).and("` is ");
    let mut help = Text::from(help);
    let mut axis = 0;
    while axis < spatial.len() {
        help = help.dim(spatial[axis]).and(", ");
        axis += 1;
    }
    Err(ShapeError::new(At::Input(0), message.shape(&input.shape)).help(help.num(example).and(")`")))
}

/// That `value` is at least 1 and no larger than sizes may be.
///
/// # Errors
/// If the layer is given something else.
pub const fn size(argument: &'static str, value: usize) -> Result<(), ShapeError> {
    if value == 0 {
        let message = Text::from("`").and(argument).and("` must be at least 1, found 0");
        return Err(ShapeError::new(At::Argument(argument), message).help(Text::from("use `1` or more")));
    }
    at_most_the_largest(At::Argument(argument), argument, value)
}

/// That `value` is a number from `low` to `high`, which is `range` in words; `example` is one.
pub(crate) const fn within(
    argument: &'static str,
    value: f64,
    [low, high]: [f64; 2],
    range: &str,
    example: &str,
) -> Result<(), ShapeError> {
    if value >= low && value <= high {
        return Ok(());
    }
    let message = Text::from("`").and(argument).and("` must be ").and(range);
    Err(ShapeError::new(At::Argument(argument), message).help(Text::from("use a value such as `").and(example).and("`")))
}

/// That `rate` is a share of elements that dropout may leave out.
pub(crate) const fn dropout_rate(rate: f64) -> Result<(), ShapeError> {
    if rate >= 0.0 && rate < 1.0 {
        return Ok(());
    }
    let message = Text::from("a dropout rate is at least 0 and below 1");
    let help = if rate > 1.0 && rate < 100.0 {
        Text::from("the rate is a share, not a percentage: use a value such as `0.2`")
    } else {
        Text::from("use a value such as `0.2`")
    };
    Err(ShapeError::new(At::Argument("rate"), message).help(help))
}

/// The shape after the activation a layer ends in: `glu` leaves half of the last axis.
pub(crate) const fn activated(layer: &str, inferred: Inferred) -> Result<Inferred, ShapeError> {
    if !matches!(inferred.ends_in, Activation::Glu) {
        return Ok(inferred);
    }
    let mut inferred = inferred;
    match inferred.shape.channels() {
        Dim::Known(n) if n % 2 == 1 => {
            let message = Text::from("`glu` multiplies one half of the channels with the other; `").and(layer);
            let message = message.and("` gives ").num(n).and(" of them");
            let help = Text::from("give it an even number of channels, such as `").num(n + 1).and("`");
            Err(ShapeError::new(At::Argument("activation"), message).help(help))
        }
        Dim::Known(n) => {
            inferred.shape = inferred.shape.with_channels(Dim::Known(n / 2));
            Ok(inferred)
        }
        Dim::Unknown => Ok(inferred),
    }
}

/// That each of `sizes` is at least 1 and no larger than sizes may be.
pub(crate) const fn each_size(argument: &'static str, sizes: &[usize]) -> Result<(), ShapeError> {
    let mut axis = 0;
    while axis < sizes.len() {
        let at = At::Element(argument, axis);
        if sizes[axis] == 0 {
            let message = Text::from("`").and(argument).and("` must be at least 1, found 0");
            return Err(ShapeError::new(at, message).help(Text::from("use `1` or more")));
        }
        if let Err(error) = at_most_the_largest(at, argument, sizes[axis]) {
            return Err(error);
        }
        axis += 1;
    }
    Ok(())
}

/// That `value` is no larger than sizes may be, which a constant of the user's may be although a literal may not.
pub(crate) const fn at_most_the_largest(at: At, argument: &'static str, value: usize) -> Result<(), ShapeError> {
    if value <= Shape::MAX_SIZE {
        return Ok(());
    }
    let message = Text::from("`").and(argument).and("` may not exceed ").num(Shape::MAX_SIZE).and(", found ").num(value);
    Err(ShapeError::new(at, message).help(Text::from("use a smaller size")))
}

/// That no axis of a layer's output has grown past [`Shape::MAX_SIZE`], so that later sums cannot overflow.
pub(crate) const fn bounded(layer: &str, shape: &Shape) -> Result<(), ShapeError> {
    let mut axis = 0;
    while axis < shape.rank() {
        if let Dim::Known(n) = shape.dims()[axis]
            && n > Shape::MAX_SIZE
        {
            let message =
                Text::from("`").and(layer).and("` gives ").shape(shape).and(", and no size may exceed ").num(Shape::MAX_SIZE);
            return Err(ShapeError::new(At::Layer, message).help(Text::from("use a smaller size")));
        }
        axis += 1;
    }
    Ok(())
}

/// `a · b · …`, or `None` when a factor is unknown; it saturates instead of overflowing.
pub(crate) const fn product(factors: &[Option<usize>]) -> Option<u64> {
    let mut product = 1u64;
    let mut i = 0;
    while i < factors.len() {
        product = match factors[i] {
            Some(factor) => product.saturating_mul(factor as u64),
            None => return None,
        };
        i += 1;
    }
    Some(product)
}

/// The sum of counts of parameters or of multiply-adds, or `None` when one is unknown; it saturates instead of overflowing.
pub fn total(counts: impl IntoIterator<Item = Option<u64>>) -> Option<u64> {
    counts.into_iter().try_fold(0, |total, count| Some(u64::saturating_add(total, count?)))
}

/// The number of elements of `shape`, or `None` when a size is unknown; it saturates instead of overflowing.
pub(crate) const fn elements(shape: &Shape) -> Option<usize> {
    match (shape.elements(), shape.is_known()) {
        (None, true) => Some(usize::MAX),
        (elements, _) => elements,
    }
}
