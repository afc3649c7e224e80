//! How a parameter's first values are drawn: Keras' initializers.

use crate::Kernels;
use crate::argument::{FromValue, Kind, Refusal, Value, called, numbers};

/// The distribution of a parameter's first values, with Keras' defaults.
///
/// `fan_in` is the number of inputs that feed one output, `fan_out` the number of outputs one input feeds. Normal
/// distributions that scale with a fan are truncated at two standard deviations and widened to keep their variance.
///
/// In a model it is a word, such as `he_normal`, or a name with numbers, such as `Constant(0.1)` or
/// `RandomNormal(stddev=0.01)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initializer {
    /// Uniform within `±√(6/(fan_in + fan_out))` (Glorot & Bengio, 2010).
    GlorotUniform,
    /// Truncated normal of variance `2/(fan_in + fan_out)`.
    GlorotNormal,
    /// Uniform within `±√(6/fan_in)` (He et al., 2015).
    HeUniform,
    /// Truncated normal of variance `2/fan_in`.
    HeNormal,
    /// Uniform within `±√(3/fan_in)` (LeCun et al., 1998).
    LecunUniform,
    /// Truncated normal of variance `1/fan_in`.
    LecunNormal,
    /// Normal.
    RandomNormal {
        /// The mean, 0 unless given.
        mean: f64,
        /// The standard deviation, 0.05 unless given.
        stddev: f64,
    },
    /// Uniform.
    RandomUniform {
        /// The least value, −0.05 unless given.
        minval: f64,
        /// The largest value, 0.05 unless given.
        maxval: f64,
    },
    /// Normal, truncated at two standard deviations from the mean.
    TruncatedNormal {
        /// The mean, 0 unless given.
        mean: f64,
        /// The standard deviation before it is truncated, 0.05 unless given.
        stddev: f64,
    },
    /// Orthonormal rows or columns (Saxe et al., 2014).
    Orthogonal,
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All the same.
    Constant(f64),
    /// Fixed filters, the same for each channel they see and divided by the number of these.
    Fixed(Kernels),
}

impl Initializer {
    /// Every word of the language for one of these.
    pub const WORDS: &'static [&'static str] = &[
        "glorot_uniform",
        "xavier_uniform",
        "glorot_normal",
        "xavier_normal",
        "he_uniform",
        "kaiming_uniform",
        "he_normal",
        "kaiming_normal",
        "lecun_uniform",
        "lecun_normal",
        "random_normal",
        "random_uniform",
        "truncated_normal",
        "orthogonal",
        "zeros",
        "ones",
    ];

    /// The names of those that take numbers.
    const CALLS: &'static [&'static str] = &["Constant", "RandomNormal", "RandomUniform", "TruncatedNormal"];

    /// Normal, with this mean and standard deviation.
    pub const fn random_normal(mean: f64, stddev: f64) -> Self {
        Self::RandomNormal { mean, stddev }
    }

    /// Uniform from `minval` to `maxval`.
    pub const fn random_uniform(minval: f64, maxval: f64) -> Self {
        Self::RandomUniform { minval, maxval }
    }

    /// Normal, with this mean and standard deviation, truncated at two standard deviations from the mean.
    pub const fn truncated_normal(mean: f64, stddev: f64) -> Self {
        Self::TruncatedNormal { mean, stddev }
    }

    /// The one that answers to `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "glorot_uniform" | "xavier_uniform" => Self::GlorotUniform,
            "glorot_normal" | "xavier_normal" => Self::GlorotNormal,
            "he_uniform" | "kaiming_uniform" => Self::HeUniform,
            "he_normal" | "kaiming_normal" => Self::HeNormal,
            "lecun_uniform" => Self::LecunUniform,
            "lecun_normal" => Self::LecunNormal,
            "random_normal" => Self::random_normal(0.0, 0.05),
            "random_uniform" => Self::random_uniform(-0.05, 0.05),
            "truncated_normal" => Self::truncated_normal(0.0, 0.05),
            "orthogonal" => Self::Orthogonal,
            "zeros" => Self::Zeros,
            "ones" => Self::Ones,
            _ => return None,
        })
    }

    /// The one that a name makes of numbers, as in Keras.
    fn from_call(name: &str, arguments: &[(Option<String>, Value)]) -> Result<Self, Refusal> {
        let normal = || numbers(name, arguments, [("mean", 0.0), ("stddev", 0.05)]);
        match name {
            "Constant" | "constant" => numbers(name, arguments, [("value", 0.0)]).map(|[value]| Self::Constant(value)),
            "RandomNormal" | "random_normal" => normal().map(|[mean, stddev]| Self::random_normal(mean, stddev)),
            "TruncatedNormal" | "truncated_normal" => normal().map(|[mean, stddev]| Self::truncated_normal(mean, stddev)),
            "RandomUniform" | "random_uniform" => {
                let [minval, maxval] = numbers(name, arguments, [("minval", -0.05), ("maxval", 0.05)])?;
                Ok(Self::random_uniform(minval, maxval))
            }
            _ => Err(match called(name, Self::WORDS) {
                Some(word) => Refusal::new(format!("`{name}` takes no numbers"), format!("write `{word}` alone")),
                None => Refusal::unknown_word(name, "initializer", Self::CALLS),
            }),
        }
    }

    /// That its numbers make a distribution.
    fn checked(self, value: &Value) -> Result<Self, Refusal> {
        match self {
            Self::RandomNormal { stddev, .. } | Self::TruncatedNormal { stddev, .. } if stddev < 0.0 => {
                Err(Refusal::new(format!("a standard deviation cannot be negative, found `{value}`"), "use `0` or more"))
            }
            Self::RandomUniform { minval, maxval } if minval > maxval => {
                Err(Refusal::new(format!("`minval` is above `maxval` in `{value}`"), "write the smaller number first"))
            }
            sound => Ok(sound),
        }
    }
}

impl FromValue for Initializer {
    const KIND: Kind = Kind::Initializer;

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        match value {
            Value::Word(word) => Self::from_word(word).ok_or_else(|| Refusal::unknown_word(word, "initializer", Self::WORDS)),
            Value::Call(called, arguments) => Self::from_call(called, arguments)?.checked(value),
            other => Err(Refusal::not_a_word(other, name, "initializer", Self::WORDS)),
        }
    }

    fn to_rust(&self) -> String {
        match self {
            Self::RandomNormal { mean, stddev } => format!("Initializer::random_normal({mean:?}, {stddev:?})"),
            Self::RandomUniform { minval, maxval } => format!("Initializer::random_uniform({minval:?}, {maxval:?})"),
            Self::TruncatedNormal { mean, stddev } => format!("Initializer::truncated_normal({mean:?}, {stddev:?})"),
            other => format!("Initializer::{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<Initializer, Refusal> {
        Initializer::from_value(&value, "kernel_initializer")
    }

    fn call(name: &str, keyword: Option<&str>, number: f64) -> Value {
        Value::Call(name.into(), vec![(keyword.map(String::from), Value::Float(number))])
    }

    #[test]
    fn every_word_is_known() {
        for word in Initializer::WORDS {
            assert!(Initializer::from_word(word).is_some(), "{word}");
        }
        assert_eq!(read(Value::Word("he_norml".into())).unwrap_err().message, "unknown initializer `he_norml`");
    }

    #[test]
    fn some_take_numbers() {
        assert_eq!(read(call("Constant", None, 0.1)), Ok(Initializer::Constant(0.1)));
        assert_eq!(read(call("RandomNormal", Some("stddev"), 0.01)), Ok(Initializer::random_normal(0.0, 0.01)));
        assert_eq!(Initializer::Constant(0.1).to_rust(), "Initializer::Constant(0.1)");
        assert_eq!(Initializer::random_normal(0.0, 0.01).to_rust(), "Initializer::random_normal(0.0, 0.01)");
        assert_eq!(Initializer::HeNormal.to_rust(), "Initializer::HeNormal");
    }

    #[test]
    fn numbers_must_make_sense() {
        let message = |value| read(value).unwrap_err().message;
        let expected = "a standard deviation cannot be negative, found `RandomNormal(stddev=-1.0)`";
        assert_eq!(message(call("RandomNormal", Some("stddev"), -1.0)), expected);
        assert_eq!(message(call("RandomUniform", None, 1.0)), "`minval` is above `maxval` in `RandomUniform(1.0)`");
        assert_eq!(message(call("HeNormal", None, 1.0)), "`HeNormal` takes no numbers");
    }
}
