//! `Normalization`: every channel with mean 0 and variance 1, by what is known of the data.

use crate::layer::layer;
use crate::{At, Inferred, Initializer, Numbers, Operand, Parameter, Parameters, ShapeError, Text, rules};

layer! {
    /// `(x − mean)/√variance` for each channel, the last axis, as Keras' `Normalization`.
    ///
    /// The mean and the variance are given here, or found in data by `adapt` and kept as statistics.
    Normalization "normalization" {
        ;
        /// The mean, one number or one for each channel; with `variance`.
        mean: Option<Numbers> = None,
        /// The variance, one number or one for each channel; with `mean`.
        variance: Option<Numbers> = None,
        /// Whether to undo the normalization instead: `x·√variance + mean`.
        invert: bool = false,
    }
}

impl Normalization {
    /// The shape of its input; the statistics `mean` and `variance`, one number for each channel, unless both are given.
    ///
    /// # Errors
    /// If only one of mean and variance is given, there are not as many numbers as channels, a variance is negative, or the
    /// number of channels is unknown.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let channels = match rules::channels(Self::NAME, input) {
            Ok(channels) => channels,
            Err(error) => return Err(error),
        };
        let (mean, variance) = match (self.mean, self.variance) {
            (Some(mean), Some(variance)) => (mean, variance),
            (None, None) => {
                let mean = Parameter::new("mean", [channels], Initializer::Zeros).statistic();
                let variance = Parameter::new("variance", [channels], Initializer::Ones).statistic();
                return Ok(Inferred::shape(input.shape).parameters(Parameters::NONE.with(mean).with(variance)));
            }
            (Some(_), None) => return Err(alone("mean", "variance")),
            (None, Some(_)) => return Err(alone("variance", "mean")),
        };
        if let Err(error) = one_for_each("mean", &mean, channels, input) {
            return Err(error);
        }
        if let Err(error) = one_for_each("variance", &variance, channels, input) {
            return Err(error);
        }
        let mut i = 0;
        while i < variance.as_slice().len() {
            let value = variance.as_slice()[i];
            if value < 0.0 || value.is_nan() {
                let message = Text::from("a variance cannot be negative");
                let help = Text::from("use the mean of the squared distances from the mean: 0 or more");
                return Err(ShapeError::new(At::Element("variance", i), message).help(help));
            }
            i += 1;
        }
        Ok(Inferred::shape(input.shape))
    }
}

const fn alone(given: &'static str, missing: &str) -> ShapeError {
    let message = Text::from("`Normalization` takes `mean` and `variance` together");
    let help = Text::from("add `").and(missing).and("`, or leave out both and call `adapt` with data");
    ShapeError::new(At::Argument(given), message).help(help)
}

const fn one_for_each(argument: &'static str, numbers: &Numbers, channels: usize, input: &Operand) -> Result<(), ShapeError> {
    let count = numbers.as_slice().len();
    if count == 1 || count == channels {
        return Ok(());
    }
    let message = Text::from("`").and(argument).and("` has ").num(count).and(" numbers; `").and(input.name).and("` has ");
    let message = message.num(channels).and(if channels == 1 { " channel" } else { " channels" });
    let help = Text::from("give one number, or one for each channel");
    Err(ShapeError::new(At::Argument(argument), message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn statistics_are_given_or_kept() {
        let on = |layer: Normalization| layer.infer(&[Operand::new("x", Shape::new([8, 8, 3]))]);
        let kept = on(Normalization::new()).unwrap().parameters;
        assert_eq!((kept.count(), kept.as_slice().len(), kept.as_slice()[0].count()), (0, 2, 3));
        let [one, three] = [Some(Numbers::of(&[0.5])), Some(Numbers::of(&[0.5, 0.4, 0.3]))];
        assert!(on(Normalization::new().mean(three).variance(one)).unwrap().parameters.as_slice().is_empty());
        assert_eq!(on(Normalization::new().mean(three)).unwrap_err().at, At::Argument("mean"));
        let error = on(Normalization::new().mean(Some(Numbers::of(&[0.0; 4]))).variance(one)).unwrap_err();
        assert_eq!(error.message.as_str(), "`mean` has 4 numbers; `x` has 3 channels");
        assert!(on(Normalization::new().mean(one).variance(Some(Numbers::of(&[-1.0])))).is_err());
    }
}
