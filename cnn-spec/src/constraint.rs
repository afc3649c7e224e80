//! Constraints: what a layer's weights are held to after each step of training.

use crate::argument::{FromValue, Kind, Refusal, Value, called, places};
use crate::{At, Axes, Inferred, Parameter, Shape, ShapeError, Text};

/// What the values `w` of a parameter are made to be after each step, as Keras' `MaxNorm`, `NonNeg`, `UnitNorm` and
/// `MinMaxNorm`.
///
/// The norm is `‖w‖ = √Σw²` along `axis`. Axes are those that the weights have in Keras, whatever they are here: height,
/// width, channels in, filters of a `Conv2D`'s kernel, where `(0, 1, 2)` is each filter by itself; inputs, units of a
/// `Dense`; height, width, channels, multiplier of a `DepthwiseConv2D`. The first is 0, the last −1, and none at all means
/// all of them.
///
/// In a model it is written `MaxNorm(3)`, `UnitNorm(axis=(0, 1, 2))`, `MinMaxNorm(0.5, 1.5, rate=0.9)`, `NonNeg()`, or as the
/// words `max_norm`, `unit_norm`, `min_max_norm` and `non_neg`, which stand for the defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Constraint {
    /// `w·min(‖w‖, max_value)/‖w‖`: no norm is larger.
    MaxNorm {
        /// The largest norm, 2 unless given.
        max_value: f64,
        /// The axes along which norms are taken, 0 unless given.
        axis: Axes,
    },
    /// `max(w, 0)`.
    NonNeg,
    /// `w/‖w‖`.
    UnitNorm {
        /// The axes along which norms are taken, 0 unless given.
        axis: Axes,
    },
    /// `w·(rate·c + (1 − rate)·‖w‖)/‖w‖`, where `c` is the norm within its bounds.
    MinMaxNorm {
        /// The least norm, 0 unless given.
        min_value: f64,
        /// The largest norm, 1 unless given.
        max_value: f64,
        /// How much of the way to the bounds one step goes, all of it, 1, unless given.
        rate: f64,
        /// The axes along which norms are taken, 0 unless given.
        axis: Axes,
    },
}

impl Constraint {
    /// The words for those with their defaults.
    pub const WORDS: &'static [&'static str] = &["max_norm", "non_neg", "unit_norm", "min_max_norm"];

    /// The names they are called by.
    const CALLS: &'static [&'static str] = &["MaxNorm", "NonNeg", "UnitNorm", "MinMaxNorm"];

    /// No norm along `axis` above `max_value`.
    pub const fn max_norm(max_value: f64, axis: Axes) -> Self {
        Self::MaxNorm { max_value, axis }
    }

    /// Every norm along `axis` 1.
    pub const fn unit_norm(axis: Axes) -> Self {
        Self::UnitNorm { axis }
    }

    /// Every norm along `axis` brought `rate` of the way between `min_value` and `max_value`.
    pub const fn min_max_norm(min_value: f64, max_value: f64, rate: f64, axis: Axes) -> Self {
        Self::MinMaxNorm { min_value, max_value, rate, axis }
    }

    /// The axes along which it takes norms, if it does.
    pub const fn axis(&self) -> Option<Axes> {
        match self {
            Self::NonNeg => None,
            Self::MaxNorm { axis, .. } | Self::UnitNorm { axis } | Self::MinMaxNorm { axis, .. } => Some(*axis),
        }
    }

    /// Which of so many axes it takes norms along.
    ///
    /// # Errors
    /// The first of its axes that there is not.
    pub const fn along(&self, rank: usize) -> Result<[bool; Shape::MAX_RANK], isize> {
        let Some(axes) = self.axis() else { return Ok([false; Shape::MAX_RANK]) };
        let mut along = [axes.as_slice().is_empty(); Shape::MAX_RANK];
        let mut i = 0;
        while i < axes.as_slice().len() {
            let axis = axes.as_slice()[i];
            let place = if axis < 0 { axis + rank as isize } else { axis };
            if place < 0 || place >= rank as isize {
                return Err(axis);
            }
            along[place as usize] = true;
            i += 1;
        }
        Ok(along)
    }

    /// The one called `word`.
    fn from_call(word: &str, arguments: &[(Option<String>, Value)]) -> Result<Self, Refusal> {
        match called(word, Self::WORDS) {
            Some("max_norm") => {
                let [max_value, axis] = places(word, arguments, ["max_value", "axis"])?;
                Ok(Self::max_norm(number(max_value, "max_value", 2.0)?, axes(axis)?))
            }
            Some("unit_norm") => places(word, arguments, ["axis"]).and_then(|[axis]| axes(axis)).map(Self::unit_norm),
            Some("min_max_norm") => {
                let [min, max, rate, axis] = places(word, arguments, ["min_value", "max_value", "rate", "axis"])?;
                let (min, max) = (number(min, "min_value", 0.0)?, number(max, "max_value", 1.0)?);
                Ok(Self::min_max_norm(min, max, number(rate, "rate", 1.0)?, axes(axis)?))
            }
            Some(_) if arguments.is_empty() => Ok(Self::NonNeg),
            Some(_) => Err(Refusal::new(format!("`{word}` takes no arguments"), "write `NonNeg()`")),
            None => Err(Refusal::unknown_word(word, "constraint", if arguments.is_empty() { Self::WORDS } else { Self::CALLS })),
        }
    }

    /// That its numbers can be met.
    fn checked(self, value: &Value) -> Result<Self, Refusal> {
        match self {
            Self::MaxNorm { max_value, .. } | Self::MinMaxNorm { max_value, .. } if max_value <= 0.0 => {
                let message = format!("`max_value` must be above 0, found `{value}`");
                Err(Refusal::new(message, "use the largest norm that weights may have, such as `2`"))
            }
            Self::MinMaxNorm { min_value, max_value, .. } if min_value > max_value => {
                Err(Refusal::new(format!("`min_value` is above `max_value` in `{value}`"), "exchange them"))
            }
            Self::MinMaxNorm { rate, .. } if !(0.0..=1.0).contains(&rate) => {
                let message = format!("`rate` must be from 0 to 1, found `{value}`");
                Err(Refusal::new(message, "leave `rate` out, or use a share such as `0.9`"))
            }
            sound => Ok(sound),
        }
    }
}

fn number(value: Option<&Value>, name: &str, default: f64) -> Result<f64, Refusal> {
    value.map_or(Ok(default), |value| f64::from_value(value, name))
}

/// The axes that are given, the first one if none are; as in Keras, `None` stands for all.
fn axes(value: Option<&Value>) -> Result<Axes, Refusal> {
    match value {
        None => Ok(Axes::new([0])),
        Some(Value::Word(word)) if word == "None" => Ok(Axes::NONE),
        Some(value) => Axes::from_value(value, "axis").map_err(|refusal| Refusal { element: None, ..refusal }),
    }
}

impl FromValue for Constraint {
    const KIND: Kind = Kind::Constraint;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Word(word) => Self::from_call(word, &[]),
            Value::Call(word, arguments) => Self::from_call(word, arguments)?.checked(value),
            other => {
                let help = if matches!(other, Value::Int(1..) | Value::Float(0.0..)) { other.to_string() } else { "2".into() };
                let message = format!("`{name}` takes a constraint, found `{other}`");
                Err(Refusal::new(message, format!("write `{name}=MaxNorm({help})`")))
            }
        }
    }

    fn to_rust(&self) -> String {
        match self {
            Self::NonNeg => "Constraint::NonNeg".into(),
            Self::MaxNorm { max_value, axis } => format!("Constraint::max_norm({max_value:?}, {})", axis.to_rust()),
            Self::UnitNorm { axis } => format!("Constraint::unit_norm({})", axis.to_rust()),
            Self::MinMaxNorm { min_value, max_value, rate, axis } => {
                format!("Constraint::min_max_norm({min_value:?}, {max_value:?}, {rate:?}, {})", axis.to_rust())
            }
        }
    }
}

impl Inferred {
    /// That each of its parameters has the axes that its constraint takes norms along.
    pub(crate) const fn constraints_fit(&self) -> Result<(), ShapeError> {
        let parameters = self.parameters.as_slice();
        let mut i = 0;
        while i < parameters.len() {
            if let Err(error) = parameters[i].held_along() {
                return Err(error);
            }
            i += 1;
        }
        Ok(())
    }
}

impl Parameter {
    /// Which of the axes it has in Keras its constraint takes norms along; none if it has none.
    ///
    /// # Errors
    /// If there is no such axis.
    pub(crate) const fn held_along(&self) -> Result<[bool; Shape::MAX_RANK], ShapeError> {
        let Some(constraint) = &self.constraint else { return Ok([false; Shape::MAX_RANK]) };
        let (sizes, rank) = self.sizes_in_keras();
        match constraint.along(rank) {
            Ok(along) => Ok(along),
            Err(axis) => Err(no_axis(axis, self, sizes.split_at(rank).0)),
        }
    }
}

const fn no_axis(axis: isize, parameter: &Parameter, sizes: &[usize]) -> ShapeError {
    let message = Text::from("the weights that `").and(parameter.constraint_argument).and("` is for have no axis ");
    let message = message.signed(axis as i64).and(": in Keras' order they are ").sizes(sizes);
    let help = match sizes.len() {
        0 => Text::from("leave it out: there is a single weight"),
        1 => Text::from("use `0`, their only axis"),
        rank => Text::from("use axes from 0 to ").num(rank - 1).and(", the first unless given"),
    };
    ShapeError::new(At::Argument(parameter.constraint_argument), message).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layer, Operand};

    fn read(value: Value) -> Result<Constraint, Refusal> {
        Constraint::from_value(&value, "kernel_constraint")
    }

    fn call(name: &str, arguments: &[(Option<&str>, Value)]) -> Value {
        let argument = |(keyword, x): &(Option<&str>, Value)| (keyword.map(String::from), x.clone());
        Value::Call(name.into(), arguments.iter().map(argument).collect())
    }

    fn float(x: f64) -> (Option<&'static str>, Value) {
        (None, Value::Float(x))
    }

    #[test]
    fn are_words_and_calls_with_the_defaults_of_keras() {
        let first = Axes::new([0]);
        for (word, name, expected) in [
            ("max_norm", "MaxNorm", Constraint::max_norm(2.0, first)),
            ("non_neg", "NonNeg", Constraint::NonNeg),
            ("unit_norm", "UnitNorm", Constraint::unit_norm(first)),
            ("min_max_norm", "MinMaxNorm", Constraint::min_max_norm(0.0, 1.0, 1.0, first)),
        ] {
            assert_eq!(read(Value::Word(word.into())), Ok(expected));
            assert_eq!(read(Value::Word(name.into())), Ok(expected));
            assert_eq!(read(call(name, &[])), Ok(expected));
        }
        let axes = || (Some("axis"), Value::Tuple(vec![Value::Int(0), Value::Int(-1)]));
        let read_call = |name, arguments: &[_]| read(call(name, arguments)).unwrap().to_rust();
        assert_eq!(read_call("MaxNorm", &[float(3.0), axes()]), "Constraint::max_norm(3.0, Axes::new([0, -1]))");
        assert_eq!(read_call("UnitNorm", &[(None, Value::Word("None".into()))]), "Constraint::unit_norm(Axes::new([]))");
        assert_eq!(read_call("NonNeg", &[]), "Constraint::NonNeg");
        assert_eq!(
            read_call("MinMaxNorm", &[float(0.5), (Some("rate"), Value::Float(0.9))]),
            "Constraint::min_max_norm(0.5, 1.0, 0.9, Axes::new([0]))"
        );
    }

    #[test]
    fn refuse_what_cannot_be_met() {
        let message = |value| read(value).unwrap_err().message;
        assert_eq!(message(Value::Int(2)), "`kernel_constraint` takes a constraint, found `2`");
        assert_eq!(message(Value::Word("max_norn".into())), "unknown constraint `max_norn`");
        assert_eq!(message(call("MaxNorm", &[float(0.0)])), "`max_value` must be above 0, found `MaxNorm(0.0)`");
        let swapped = call("MinMaxNorm", &[float(2.0), float(1.0)]);
        assert_eq!(message(swapped), "`min_value` is above `max_value` in `MinMaxNorm(2.0, 1.0)`");
        let rate = call("MinMaxNorm", &[(Some("rate"), Value::Float(1.5))]);
        assert_eq!(message(rate), "`rate` must be from 0 to 1, found `MinMaxNorm(rate=1.5)`");
        assert_eq!(message(call("NonNeg", &[float(1.0)])), "`NonNeg` takes no arguments");
        assert_eq!(message(call("UnitNorm", &[(Some("axes"), Value::Int(0))])), "`UnitNorm` has no argument `axes`");
    }

    #[test]
    fn axes_are_those_that_weights_have_in_keras() {
        use crate::{Conv2D, Dense, DepthwiseConv2D};
        let [image, vector] = [Operand::new("i", Shape::new([8, 8, 3])), Operand::new("x", Shape::new([5]))];
        let on = |axis: isize| Some(Constraint::unit_norm(Axes::new([axis])));
        let conv = |axis| Layer::Conv2D(Conv2D::new(4, [3, 2]).kernel_constraint(on(axis))).infer(&[image]);
        assert!(conv(3).is_ok() && conv(-4).is_ok());
        let error = conv(4).unwrap_err();
        assert_eq!(
            error.message.as_str(),
            "the weights that `kernel_constraint` is for have no axis 4: in Keras' order they are 3×2×3×4"
        );
        assert_eq!(error.help.as_str(), "use axes from 0 to 3, the first unless given");
        let bias = Layer::Dense(Dense::new(4).bias_constraint(on(1))).infer(&[vector]).unwrap_err();
        assert_eq!((bias.at, bias.help.as_str()), (At::Argument("bias_constraint"), "use `0`, their only axis"));
        let depthwise = DepthwiseConv2D::new([3, 2]).depth_multiplier(2).depthwise_constraint(on(-5));
        let error = Layer::DepthwiseConv2D(depthwise).infer(&[image]).unwrap_err();
        assert!(error.message.as_str().ends_with("have no axis −5: in Keras' order they are 3×2×3×2"), "{error}");
    }

    #[test]
    fn norms_are_along_all_axes_if_none_is_given() {
        assert_eq!(Constraint::unit_norm(Axes::NONE).along(2), Ok([true; 6]));
        assert_eq!(Constraint::unit_norm(Axes::new([-1])).along(2), Ok([false, true, false, false, false, false]));
        assert_eq!(Constraint::NonNeg.along(1), Ok([false; 6]));
    }
}
