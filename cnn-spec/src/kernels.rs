//! Fixed kernels: the filters of image processing that lectures begin with, as weights of a convolution that is not trained.

use crate::argument::{FromValue, Kind, Refusal, Value};
use crate::{At, ShapeError, Sliding, Text};

/// Filters of 3×3 with fixed weights, which are laid on the image as they are written: a convolution is a cross-correlation.
///
/// In a model: `Conv2D(4, 3, kernel=kernels::LINES, frozen)`. A `Conv2D` applies each filter to the mean of its channels, a
/// `DepthwiseConv2D` to each channel alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kernels {
    /// What they are called in a model, such as `kernels::LINES`.
    pub name: &'static str,
    /// The weights of each filter, row by row.
    pub filters: &'static [[f32; 9]],
}

/// The mean of a pixel and its neighbours.
pub const BLUR: Kernels = Kernels { name: "kernels::BLUR", filters: &[[1.0 / 9.0; 9]] };

/// Each pixel stands out more from its neighbours.
pub const SHARPEN: Kernels = Kernels { name: "kernels::SHARPEN", filters: &[[0.0, -1.0, 0.0, -1.0, 5.0, -1.0, 0.0, -1.0, 0.0]] };

/// The discrete Laplace operator: 0 but where brightness changes abruptly.
pub const EDGE: Kernels = Kernels { name: "kernels::EDGE", filters: &[[0.0, 1.0, 0.0, 1.0, -4.0, 1.0, 0.0, 1.0, 0.0]] };

/// The difference to the pixel on the left.
pub const EDGE_ENHANCE: Kernels =
    Kernels { name: "kernels::EDGE_ENHANCE", filters: &[[0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0]] };

/// A relief lit from the upper left.
pub const EMBOSS: Kernels = Kernels { name: "kernels::EMBOSS", filters: &[[-2.0, -1.0, 0.0, -1.0, 1.0, 1.0, 0.0, 1.0, 2.0]] };

/// Lines one pixel wide: horizontal, vertical, rising to the right, falling to the right.
pub const LINES: Kernels = Kernels {
    name: "kernels::LINES",
    filters: &[
        [-1.0, -1.0, -1.0, 2.0, 2.0, 2.0, -1.0, -1.0, -1.0],
        [-1.0, 2.0, -1.0, -1.0, 2.0, -1.0, -1.0, 2.0, -1.0],
        [-1.0, -1.0, 2.0, -1.0, 2.0, -1.0, 2.0, -1.0, -1.0],
        [2.0, -1.0, -1.0, -1.0, 2.0, -1.0, -1.0, -1.0, 2.0],
    ],
};

impl Kernels {
    const ALL: [Kernels; 6] = [BLUR, SHARPEN, EDGE, EDGE_ENHANCE, EMBOSS, LINES];

    /// What they are called in a model.
    pub const WORDS: &'static [&'static str] = &[BLUR.name, SHARPEN.name, EDGE.name, EDGE_ENHANCE.name, EMBOSS.name, LINES.name];

    /// That a layer whose `argument` is `given` has as many filters as these, and windows of their size.
    pub(crate) const fn fit<const N: usize>(
        &self,
        window: &Sliding<N>,
        argument: &'static str,
        given: usize,
    ) -> Result<(), ShapeError> {
        let count = self.filters.len();
        let says = Text::from("`").and(self.name).and(if count == 1 { "` is one filter" } else { "` are " });
        let says = if count == 1 { says } else { says.num(count).and(" filters") }.and(" of 3×3");
        let mut axis = 0;
        while axis < N {
            if window.size[axis] != 3 {
                let help = Text::from("use `kernel_size=3`");
                return Err(ShapeError::new(At::Element("kernel_size", axis), says).help(help));
            }
            axis += 1;
        }
        if given == count {
            return Ok(());
        }
        let message = says.and(", found `").and(argument).and("` ").num(given);
        let help = Text::from("use `").and(argument).and("=").num(count).and("`");
        Err(ShapeError::new(At::Argument(argument), message).help(help))
    }
}

impl FromValue for Kernels {
    const KIND: Kind = Kind::Word(Self::WORDS);

    fn from_value(value: &Value, name: &str) -> Result<Self, Refusal> {
        let help = "name fixed ones, as in `kernel=kernels::LINES`";
        match value {
            Value::Word(word) => {
                let is_it = |kernels: &Kernels| {
                    kernels.name == word || kernels.name.split_once("::").is_some_and(|(_, name)| name == word)
                };
                Self::ALL.into_iter().find(is_it).ok_or_else(|| Refusal::unknown_word(word, "kernel", Self::WORDS))
            }
            Value::Int(_) | Value::Tuple(_) => Err(Refusal::new(
                format!("`{name}` takes the weights of a kernel, found `{value}`"),
                format!("write its size as `kernel_size={value}`"),
            )),
            other => Err(Refusal::new(format!("`{name}` takes the weights of a kernel, found `{other}`"), help)),
        }
    }

    fn to_rust(&self) -> String {
        self.name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv2D, DepthwiseConv2D, Operand, Shape};

    #[test]
    fn fit_layers_of_as_many_filters() {
        let image = [Operand::new("i", Shape::new([8, 8, 3]))];
        let error = |layer: Conv2D| layer.infer(&image).unwrap_err();
        assert_eq!(Conv2D::new(4, [3, 3]).kernel(Some(LINES)).infer(&image).unwrap().parameters.count(), 4 * 27 + 4);
        let wrong = error(Conv2D::new(8, [3, 3]).kernel(Some(LINES)));
        assert_eq!(wrong.message.as_str(), "`kernels::LINES` are 4 filters of 3×3, found `filters` 8");
        assert_eq!((wrong.at, wrong.help.as_str()), (At::Argument("filters"), "use `filters=4`"));
        let wrong = error(Conv2D::new(1, [3, 5]).kernel(Some(BLUR)));
        assert_eq!(wrong.message.as_str(), "`kernels::BLUR` is one filter of 3×3");
        assert_eq!(wrong.at, At::Element("kernel_size", 1));
        assert!(DepthwiseConv2D::new([3, 3]).kernel(Some(BLUR)).infer(&image).is_ok());
        assert!(DepthwiseConv2D::new([3, 3]).kernel(Some(LINES)).infer(&image).is_err());
    }

    #[test]
    fn detectors_see_nothing_in_a_flat_image() {
        for kernels in [EDGE, EDGE_ENHANCE, LINES] {
            assert!(kernels.filters.iter().all(|weights| weights.iter().sum::<f32>() == 0.0), "{}", kernels.name);
        }
        for kernels in [BLUR, SHARPEN, EMBOSS] {
            assert!(kernels.filters.iter().all(|weights| (weights.iter().sum::<f32>() - 1.0).abs() < 1e-6), "{}", kernels.name);
        }
    }

    #[test]
    fn are_called_by_name() {
        let read = |word: &str| Kernels::from_value(&Value::Word(word.into()), "kernel");
        assert_eq!(read("kernels::EDGE_ENHANCE"), Ok(EDGE_ENHANCE));
        assert_eq!(read("BLUR"), Ok(BLUR));
        assert_eq!(read("kernels::LINE").unwrap_err().message, "unknown kernel `kernels::LINE`");
        let refusal = Kernels::from_value(&Value::Int(3), "kernel").unwrap_err();
        assert_eq!(refusal.help.as_deref(), Some("write its size as `kernel_size=3`"));
    }
}
