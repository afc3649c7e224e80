//! The rules that augmentations share: an image in, and factors drawn from an interval.

use crate::{At, Inferred, Operand, ShapeError, Text, rules};

/// An interval that an augmentation draws from, with the bounds it must keep.
pub(crate) struct Drawn {
    pub(crate) argument: &'static str,
    pub(crate) interval: [f64; 2],
    pub(crate) bounds: [f64; 2],
    /// The bounds in words: `from −1 to 1`.
    pub(crate) within: &'static str,
    /// Values that work, as in `0.1` or `(-0.1, 0.2)`.
    pub(crate) example: &'static str,
}

/// The shape of the one image `layer` takes, if every interval is in order and within its bounds.
pub(crate) const fn infer(layer: &str, drawn: &[Drawn], inputs: &[Operand]) -> Result<Inferred, ShapeError> {
    let input = match rules::image(layer, inputs) {
        Ok(input) => input,
        Err(error) => return Err(error),
    };
    let mut i = 0;
    while i < drawn.len() {
        let Drawn { argument, interval: [low, high], bounds: [least, most], within, example } = drawn[i];
        if !(low <= high && low >= least && high <= most) {
            let message = Text::from("`")
                .and(argument)
                .and("` of `")
                .and(layer)
                .and("` takes the least and the largest value, ")
                .and(within);
            let help = Text::from("use `").and(argument).and("=").and(example).and("`");
            return Err(ShapeError::new(At::Argument(argument), message).help(help));
        }
        i += 1;
    }
    Ok(Inferred::shape(input.shape))
}

/// The range that pixel values lie in.
pub(crate) const fn value_range(interval: [f64; 2]) -> Drawn {
    let bounds = [f64::MIN, f64::MAX];
    Drawn { argument: "value_range", interval, bounds, within: "in this order", example: "(0, 1)" }
}

#[cfg(test)]
mod tests {
    use crate::{Operand, RandomBrightness, RandomTranslation, Shape};

    #[test]
    fn intervals_are_in_order_and_within_bounds() {
        let image = [Operand::new("x", Shape::new([8, 8, 3]))];
        assert!(RandomTranslation::new([-0.1, 0.1], [0.0, 0.2]).infer(&image).is_ok());
        for wrong in [[0.2, 0.1], [-1.5, 0.0], [0.0, f64::NAN]] {
            assert!(RandomTranslation::new([-0.1, 0.1], wrong).infer(&image).is_err());
        }
        let error = RandomTranslation::new([-2.0, 2.0], [0.0, 0.0]).infer(&image).unwrap_err();
        let message = "`height_factor` of `RandomTranslation` takes the least and the largest value, from −1 to 1";
        assert_eq!((error.message.as_str(), error.help.as_str()), (message, "use `height_factor=0.1`"));
        assert!(RandomBrightness::new([-0.1, 0.1]).value_range([1.0, 0.0]).infer(&image).is_err());
    }
}
