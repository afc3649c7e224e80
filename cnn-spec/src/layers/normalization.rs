//! `Normalization`: every channel with mean 0 and variance 1, by what is known of the data.

use crate::layer::layer;
use crate::sharing::is_equal;
use crate::{At, Axes, Dim, Inferred, Initializer, Numbers, Operand, Parameter, Parameters, Shape, ShapeError, Text, rules};

layer! {
    /// `(x − mean)/√variance` for each channel, or for each position along other axes, as Keras' `Normalization`.
    ///
    /// The mean and the variance are given here, or found in data by `adapt` and kept as statistics.
    Normalization "normalization" {
        ;
        /// The axes along which each position has a mean and a variance of its own; `None` for one of each for everything.
        axis: Axes = Axes::new([-1]),
        /// The mean, one number or one for each position along the axes, in a row or nested along them; with `variance`.
        mean: Option<Numbers> = None,
        /// The variance, one number or one for each position along the axes, in a row or nested along them; with `mean`.
        variance: Option<Numbers> = None,
        /// Whether to undo the normalization instead: `x·√variance + mean`.
        invert: bool = false,
    }
}

impl Normalization {
    /// The shape of its input; the statistics `mean` and `variance`, of the sizes of the axes, unless both are given.
    ///
    /// # Errors
    /// If only one of mean and variance is given, there are not as many numbers as positions, a variance is negative, or an
    /// axis is none of the input's or of unknown size.
    pub const fn infer(&self, inputs: &[Operand]) -> Result<Inferred, ShapeError> {
        let input = match rules::one(Self::NAME, inputs) {
            Ok(input) => input,
            Err(error) => return Err(error),
        };
        let (sizes, count) = match self.kept(input) {
            Ok(kept) => kept,
            Err(error) => return Err(error),
        };
        let sizes = sizes.split_at(count).0;
        let (mean, variance) = match (self.mean, self.variance) {
            (Some(mean), Some(variance)) => (mean, variance),
            (None, None) => {
                let mean = Parameter::of("mean", sizes, Initializer::Zeros).statistic();
                let variance = Parameter::of("variance", sizes, Initializer::Ones).statistic();
                return Ok(Inferred::shape(input.shape).parameters(Parameters::NONE.with(mean).with(variance)));
            }
            (Some(_), None) => return Err(alone("mean", "variance")),
            (None, Some(_)) => return Err(alone("variance", "mean")),
        };
        if let Err(error) = self.one_for_each("mean", &mean, sizes, input) {
            return Err(error);
        }
        if let Err(error) = self.one_for_each("variance", &variance, sizes, input) {
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

    /// The sizes of the axes that keep a mean of their own, outermost first, and how many there are.
    const fn kept(&self, input: &Operand) -> Result<([usize; Shape::MAX_RANK], usize), ShapeError> {
        let is_kept = match self.axis.of("axis", input) {
            Ok(is_kept) => is_kept,
            Err(error) => return Err(error),
        };
        let (mut sizes, mut count, mut axis) = ([0; Shape::MAX_RANK], 0, 0);
        while axis < input.shape.rank() {
            match input.shape.dims()[axis] {
                _ if !is_kept[axis] => {}
                Dim::Known(n) => {
                    sizes[count] = n;
                    count += 1;
                }
                Dim::Unknown => {
                    let message = Text::from("`Normalization` needs the sizes of its axes; `").and(input.name).and("` is ");
                    let help = match self.axis.as_slice() {
                        [-1] => "say how many channels, as in `Input(_, _, 3)`",
                        _ => "give `Input` these sizes, or leave out `axis` to normalize each channel",
                    };
                    return Err(ShapeError::new(At::Input(0), message.shape(&input.shape)).help(Text::from(help)));
                }
            }
            axis += 1;
        }
        Ok((sizes, count))
    }

    const fn one_for_each(
        &self,
        argument: &'static str,
        numbers: &Numbers,
        sizes: &[usize],
        input: &Operand,
    ) -> Result<(), ShapeError> {
        let (count, mut positions, mut i) = (numbers.as_slice().len(), 1usize, 0);
        while i < sizes.len() {
            positions = positions.saturating_mul(sizes[i]);
            i += 1;
        }
        let nested = numbers.sizes();
        if count == 1 || count == positions && (nested.len() == 1 || is_equal(nested, sizes)) {
            return Ok(());
        }
        if nested.len() > 1 {
            let message = Text::from("`").and(argument).and("` is nested ").sizes(nested).and("; `").and(input.name);
            let message = match sizes.len() {
                0 => message.and("` is normalized as a whole"),
                _ => message.and("` has ").sizes(sizes).and(" positions along `axis`"),
            };
            let help = Text::from("nest it along the axes in the order of the input, or give the numbers in one row");
            return Err(ShapeError::new(At::Argument(argument), message).help(help));
        }
        let message = Text::from("`").and(argument).and("` has ").num(count).and(" numbers; `").and(input.name).and("` ");
        let message = match self.axis.as_slice() {
            [] => message.and("is normalized as a whole"),
            [-1] => message.and("has ").num(positions).and(if positions == 1 { " channel" } else { " channels" }),
            _ => message.and("has ").num(positions).and(" positions along `axis`"),
        };
        let help = match self.axis.as_slice() {
            [] => Text::from("give one number, or leave out `axis=None`"),
            [-1] => Text::from("give one number, or one for each channel"),
            _ => Text::from("give one number, or one for each position along `axis`, the last axis innermost"),
        };
        Err(ShapeError::new(At::Argument(argument), message).help(help))
    }
}

const fn alone(given: &'static str, missing: &str) -> ShapeError {
    let message = Text::from("`Normalization` takes `mean` and `variance` together");
    let help = Text::from("add `").and(missing).and("`, or leave out both and call `adapt` with data");
    ShapeError::new(At::Argument(given), message).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_axes_say_which_positions_have_their_own() {
        let image = Operand::new("x", Shape::new([8, 6, 3]));
        let on = |axis: Axes, input| Normalization::new().axis(axis).infer(&[input]);
        let dims = |axis| on(axis, image).unwrap().parameters.as_slice()[0].dims().to_vec();
        assert_eq!(dims(Axes::new([1])), [8]);
        assert_eq!(dims(Axes::new([-1, 1])), [8, 3]);
        assert_eq!(dims(Axes::new([1, 2, 3])), [8, 6, 3]);
        assert_eq!(dims(Axes::NONE), []);
        assert_eq!(on(Axes::new([0]), image).unwrap_err().message.as_str(), "axis 0 is the batch");
        let any = Operand::new("x", Shape::of(&[Dim::Unknown, Dim::Unknown, Dim::Known(3)]));
        assert!(on(Axes::new([-1]), any).is_ok() && on(Axes::NONE, any).is_ok());
        assert_eq!(
            on(Axes::new([1]), any).unwrap_err().message.as_str(),
            "`Normalization` needs the sizes of its axes; `x` is _×_×3"
        );
    }

    #[test]
    fn numbers_are_as_many_as_positions() {
        let with = |axis, count: usize| {
            let numbers = Some(Numbers::of(&[0.5; Numbers::MAX][..count]));
            let layer = Normalization::new().axis(axis).mean(numbers).variance(numbers);
            layer.infer(&[Operand::new("x", Shape::new([2, 6, 3]))]).map(|_| ()).map_err(|error| error.message.to_string())
        };
        let nested = |sizes: &[usize], axis| {
            let numbers = Some(Numbers::nested(&[0.5; 6], sizes));
            let layer = Normalization::new().axis(axis).mean(numbers).variance(numbers);
            layer.infer(&[Operand::new("x", Shape::new([2, 6, 3]))]).map(|_| ()).map_err(|error| error.message.to_string())
        };
        assert_eq!(nested(&[2, 3], Axes::new([3, 1])), Ok(()));
        let expected = "`mean` is nested 3×2; `x` has 2×3 positions along `axis`";
        assert_eq!(nested(&[3, 2], Axes::new([1, 3])), Err(expected.into()));
        assert!(nested(&[6, 1], Axes::new([2])).is_err() && nested(&[2, 3], Axes::NONE).is_err());
        assert_eq!((with(Axes::new([1, 3]), 6), with(Axes::new([1]), 2), with(Axes::NONE, 1)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(with(Axes::NONE, 3), Err("`mean` has 3 numbers; `x` is normalized as a whole".into()));
        assert_eq!(with(Axes::new([1, 3]), 3), Err("`mean` has 3 numbers; `x` has 6 positions along `axis`".into()));
    }
}
