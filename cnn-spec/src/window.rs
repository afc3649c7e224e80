//! The window rule: how often a kernel or a pool fits along each axis, with the sum that shows it.
//!
//! The rule is `floor((N + P − F)/S) + 1` for an input of `N` cells, `P` cells of padding on both sides together, a
//! window that spans `F` cells and a stride of `S`, as in Keras, PyTorch and Dumoulin & Visin,
//! "A guide to convolution arithmetic for deep learning" (2016).

use crate::layer::height_and_width;
use crate::{At, Dim, Operand, Reach, ShapeError, Text, rules};

/// The cells added around an input of `N` spatial axes before a window slides over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const N: usize> {
    /// None: the window stays inside the input.
    Valid,
    /// As many as give `ceil(N / S)` outputs; the odd cell goes at the end, as in TensorFlow.
    Same,
    /// As many as let the window touch the input with a single cell: one less than its span on both sides.
    Full,
    /// One less than the window's span, all of them before the input, so that no output sees what comes after it.
    Causal,
    /// Cells `[before, after]` for each axis.
    Explicit([[usize; 2]; N]),
}

/// A window sliding over `N` spatial axes: the part of its layer that convolutions and poolings share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding<const N: usize> {
    /// What messages call the window: `kernel` or `window`.
    pub noun: &'static str,
    /// The argument that gives its size.
    pub size_argument: &'static str,
    /// The argument that gives its stride.
    pub stride_argument: &'static str,
    /// Cells along each axis.
    pub size: [usize; N],
    /// Cells from one position to the next.
    pub strides: [usize; N],
    /// Cells from one tap of the window to the next.
    pub dilation: [usize; N],
    /// The cells added around the input.
    pub padding: Padding<N>,
    /// Whether a window that does not fit a whole number of times is an error.
    pub strict: bool,
}

impl<const N: usize> Sliding<N> {
    /// The kernel of a convolution, one cell at each step, without padding.
    pub const fn kernel(size: [usize; N]) -> Self {
        Self {
            noun: "kernel",
            size_argument: "kernel_size",
            stride_argument: "strides",
            size,
            strides: [1; N],
            dilation: [1; N],
            padding: Padding::Valid,
            strict: false,
        }
    }

    /// How many taps the window has.
    pub const fn taps(&self) -> usize {
        let mut taps = 1usize;
        let mut axis = 0;
        while axis < N {
            taps = taps.saturating_mul(self.size[axis]);
            axis += 1;
        }
        taps
    }

    /// How far one output cell sees.
    pub(crate) const fn reach(&self) -> Reach {
        let mut spans = [1; N];
        let mut axis = 0;
        while axis < N {
            spans[axis] = self.span(axis);
            axis += 1;
        }
        Reach::Window { span: height_and_width(spans), strides: height_and_width(self.strides) }
    }

    /// The cells the window spans along `axis`, gaps included: `(F − 1)·D + 1`.
    pub const fn span(&self, axis: usize) -> usize {
        (self.size[axis] - 1) * self.dilation[axis] + 1
    }

    /// The cells added before and after an input of `n` cells along `axis`.
    pub const fn padding_at(&self, axis: usize, n: usize) -> [usize; 2] {
        let span = self.span(axis);
        match self.padding {
            Padding::Valid => [0, 0],
            Padding::Full => [span - 1, span - 1],
            Padding::Causal => [span - 1, 0],
            Padding::Explicit(cells) => cells[axis],
            Padding::Same => {
                let reach = (n.div_ceil(self.strides[axis]).saturating_sub(1)) * self.strides[axis] + span;
                let total = reach.saturating_sub(n);
                [total / 2, total - total / 2]
            }
        }
    }

    /// How often the window fits along each axis of an input whose outer `N` dimensions it slides over.
    ///
    /// # Errors
    /// If a size, stride or dilation is 0 or larger than sizes may be, if the window does not fit, or, when `strict`, if
    /// it does not fit exactly.
    pub const fn output(&self, input: &Operand) -> Result<[Dim; N], ShapeError> {
        if let Err(error) = self.sound() {
            return Err(error);
        }
        let mut output = [Dim::Unknown; N];
        let mut axis = 0;
        while axis < N {
            if let Dim::Known(n) = input.shape.dims()[axis] {
                let [before, after] = self.padding_at(axis, n);
                let (padded, span, stride) = (n + before + after, self.span(axis), self.strides[axis]);
                if padded < span {
                    return Err(self.too_large(axis, n, input));
                }
                if self.strict && !matches!(self.padding, Padding::Same) && (padded - span) % stride != 0 {
                    return Err(self.remainder(axis, n, input));
                }
                output[axis] = Dim::Known((padded - span) / stride + 1);
            }
            axis += 1;
        }
        Ok(output)
    }

    /// That no position of the window lies in the padding alone, where a pool would have nothing to take.
    pub(crate) const fn reaches_the_input(&self) -> Result<(), ShapeError> {
        let mut axis = 0;
        while axis < N {
            if let Padding::Explicit(cells) = self.padding {
                let most = if cells[axis][0] > cells[axis][1] { cells[axis][0] } else { cells[axis][1] };
                if self.size[axis] > 0 && most >= self.size[axis] {
                    let message =
                        Text::from("padding of ").num(most).and(" would fill a ").and(self.noun).and(" of ").num(self.size[axis]);
                    let help = Text::from("use `padding=same`, or `padding=").num(self.size[axis] - 1).and("` at most");
                    return Err(ShapeError::new(At::Element("padding", axis), message).help(help));
                }
            }
            axis += 1;
        }
        Ok(())
    }

    /// That every size, stride and dilation is at least 1, and no sum of them can overflow.
    pub(crate) const fn sound(&self) -> Result<(), ShapeError> {
        match self.zero() {
            Some(error) => Err(error),
            None => self.bounded(),
        }
    }

    const fn zero(&self) -> Option<ShapeError> {
        let mut axis = 0;
        while axis < N {
            let (argument, what) = match (self.size[axis], self.strides[axis], self.dilation[axis]) {
                (0, _, _) => (self.size_argument, self.noun),
                (_, 0, _) => (self.stride_argument, "stride"),
                (_, _, 0) => ("dilation_rate", "dilation rate"),
                _ => {
                    axis += 1;
                    continue;
                }
            };
            let message = Text::from("a ").and(what).and(" must be at least 1, found 0");
            return Some(ShapeError::new(At::Element(argument, axis), message).help(Text::from("use `1` or more")));
        }
        None
    }

    /// That no sum of the window's numbers can overflow.
    const fn bounded(&self) -> Result<(), ShapeError> {
        let mut axis = 0;
        while axis < N {
            let [before, after] = if let Padding::Explicit(cells) = self.padding { cells[axis] } else { [0, 0] };
            let numbers = [
                (self.size_argument, self.size[axis]),
                (self.stride_argument, self.strides[axis]),
                ("dilation_rate", self.dilation[axis]),
                ("padding", before),
                ("padding", after),
            ];
            let mut i = 0;
            while i < numbers.len() {
                let (argument, value) = numbers[i];
                if let Err(error) = rules::at_most_the_largest(At::Element(argument, axis), argument, value) {
                    return Err(error);
                }
                i += 1;
            }
            axis += 1;
        }
        Ok(())
    }

    const fn too_large(&self, axis: usize, n: usize, input: &Operand) -> ShapeError {
        let [before, after] = self.padding_at(axis, n);
        let largest = (n + before + after).saturating_sub(1) / self.dilation[axis] + 1;
        let message = self.describe(input, " does not fit the ");
        let help = Text::from("use `padding=same` or a ").and(self.noun).and(" of at most ").num(largest);
        ShapeError::new(At::Element(self.size_argument, axis), message).note(self.sum(axis, n)).help(help)
    }

    const fn remainder(&self, axis: usize, n: usize, input: &Operand) -> ShapeError {
        let message = self.describe(input, " does not fit a whole number of times into the ");
        let help = match self.exact_padding(input) {
            Some(cells) => {
                let square =
                    N == 1 || (N == 2 && cells[0] == cells[1]) || (N == 3 && cells[0] == cells[1] && cells[1] == cells[2]);
                let text = Text::from("use `padding=");
                let text = if square { text.num(cells[0]) } else { text.tuple(&cells) };
                text.and("`, or `strict=false` to leave out the cells that remain")
            }
            None => Text::from("use `strict=false` to leave out the cells that remain"),
        };
        ShapeError::new(At::Element(self.stride_argument, axis), message).note(self.sum(axis, n)).help(help)
    }

    /// The least padding, the same on both sides of an axis, with which the window fits exactly everywhere.
    const fn exact_padding(&self, input: &Operand) -> Option<[usize; N]> {
        let mut cells = [0; N];
        let mut axis = 0;
        while axis < N {
            if let Dim::Known(n) = input.shape.dims()[axis] {
                match fitting(self.span(axis) as i64 - n as i64, self.strides[axis] as i64) {
                    Some(least) if least < self.span(axis) => cells[axis] = least,
                    _ => return None,
                }
            }
            axis += 1;
        }
        Some(cells)
    }

    /// `kernel 5×5` + `between` + `2×2 image `x``.
    const fn describe(&self, input: &Operand, between: &str) -> Text {
        let mut text = Text::from(self.noun).and(" ").sizes(&self.size);
        let mut dilated = false;
        let mut strided = false;
        let mut spans = [0; N];
        let mut axis = 0;
        while axis < N {
            spans[axis] = self.span(axis);
            dilated = dilated || self.dilation[axis] != 1;
            strided = strided || self.strides[axis] != 1;
            axis += 1;
        }
        if dilated {
            text = text.and(", dilated to ").sizes(&spans).and(",");
        }
        if self.strict && strided {
            text = text.and(" at stride ").sizes(&self.strides);
        }
        described::<N>(text.and(between), input)
    }

    /// The sum of each axis that differs from the first, one after the other.
    pub(crate) const fn sums(&self, input: &Operand) -> Text {
        let mut text = Text::new();
        let mut axis = 0;
        while axis < N {
            if let Dim::Known(n) = input.shape.dims()[axis]
                && (axis == 0 || !self.is_as_the_first(axis, n, input.shape.dims()[0]))
            {
                text = if text.is_empty() { text } else { text.and(", ") }.text(&self.sum(axis, n));
                let [before, after] = self.padding_at(axis, n);
                if !(n + before + after - self.span(axis)).is_multiple_of(self.strides[axis]) {
                    text = text.and(" rounded down");
                }
            }
            axis += 1;
        }
        text
    }

    const fn is_as_the_first(&self, axis: usize, n: usize, first: Dim) -> bool {
        let Dim::Known(first) = first else { return false };
        let ([before, after], [before_first, after_first]) = (self.padding_at(axis, n), self.padding_at(0, first));
        let is_window_same = self.span(axis) == self.span(0) && self.strides[axis] == self.strides[0];
        n == first && is_window_same && before == before_first && after == after_first
    }

    /// The sum of one axis: `(N + 2·P − F)/S + 1 = …`.
    const fn sum(&self, axis: usize, n: usize) -> Text {
        let [before, after] = self.padding_at(axis, n);
        let (span, stride) = (self.span(axis), self.strides[axis]);
        let text = Text::from("(").num(n);
        let text =
            if before == after { text.and(" + 2·").num(before) } else { text.and(" + ").num(before).and(" + ").num(after) };
        text.and(" − ")
            .num(span)
            .and(")/")
            .num(stride)
            .and(" + 1 = ")
            .quotient_plus_one((n + before + after) as i64 - span as i64, stride as i64)
    }
}

/// What messages call a tensor of `N` spatial axes: ``2×2 image `x` ``, or ``sequence `x` of length 4``.
pub(crate) const fn described<const N: usize>(text: Text, input: &Operand) -> Text {
    if N == 1 {
        return text.and("sequence `").and(input.name).and("` of length ").dims(input.shape.spatial());
    }
    let thing = if N == 2 { "image" } else { "volume" };
    text.dims(input.shape.spatial()).and(" ").and(thing).and(" `").and(input.name).and("`")
}

/// The least `p` for which `2·p − missing` is a multiple of `stride`, and not negative.
const fn fitting(missing: i64, stride: i64) -> Option<usize> {
    let rest = missing.rem_euclid(stride);
    let (least, period) = match (rest % 2, stride % 2) {
        (0, 0) => (rest / 2, stride / 2),
        (0, _) => (rest / 2, stride),
        (_, 0) => return None,
        _ => ((rest + stride) / 2, stride),
    };
    let short = missing - 2 * least;
    let periods = if short > 0 { (short as u64).div_ceil(2 * period as u64) } else { 0 };
    Some(least as usize + periods as usize * period as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    fn kernel(size: [usize; 2], strides: [usize; 2], padding: Padding<2>) -> Sliding<2> {
        Sliding {
            noun: "kernel",
            size_argument: "kernel_size",
            stride_argument: "strides",
            size,
            strides,
            dilation: [1, 1],
            padding,
            strict: false,
        }
    }

    fn output(window: &Sliding<2>, height: usize, width: usize) -> Result<[usize; 2], ShapeError> {
        let input = Operand::new("i", Shape::new([height, width, 1]));
        window.output(&input).map(|dims| dims.map(|dim| dim.known().unwrap()))
    }

    #[test]
    fn slides_as_keras_does() {
        assert_eq!(output(&kernel([3, 3], [2, 2], Padding::Valid), 28, 27), Ok([13, 13]));
        assert_eq!(output(&kernel([3, 3], [2, 2], Padding::Same), 28, 27), Ok([14, 14]));
        assert_eq!(output(&kernel([2, 2], [2, 2], Padding::Same), 5, 5), Ok([3, 3]));
        assert_eq!(output(&kernel([3, 2], [1, 2], Padding::Valid), 10, 10), Ok([8, 5]));
        assert_eq!(output(&kernel([5, 5], [1, 1], Padding::Explicit([[2, 2], [2, 2]])), 32, 32), Ok([32, 32]));
        assert_eq!(output(&kernel([3, 5], [1, 1], Padding::Full), 6, 6), Ok([8, 10]));
    }

    #[test]
    fn same_padding_puts_the_odd_cell_at_the_end() {
        assert_eq!(kernel([3, 3], [2, 2], Padding::Same).padding_at(0, 4), [0, 1]);
        assert_eq!(kernel([2, 2], [1, 1], Padding::Same).padding_at(0, 4), [0, 1]);
        assert_eq!(kernel([3, 3], [1, 1], Padding::Same).padding_at(0, 4), [1, 1]);
        assert_eq!(kernel([1, 1], [2, 2], Padding::Same).padding_at(0, 4), [0, 0]);
    }

    #[test]
    fn causal_padding_comes_first_and_sees_nothing_that_follows() {
        let window = Sliding { dilation: [3], strides: [2], padding: Padding::Causal, ..Sliding::kernel([3]) };
        assert_eq!(window.padding_at(0, 7), [6, 0]);
        let input = Operand::new("i", Shape::new([7, 1]));
        assert_eq!(window.output(&input), Ok([Dim::Known(4)]));
    }

    #[test]
    fn dilation_widens_the_span() {
        let window = Sliding { dilation: [2, 3], ..kernel([3, 3], [1, 1], Padding::Valid) };
        assert_eq!(output(&window, 9, 9), Ok([5, 3]));
        let error = output(&window, 5, 6).unwrap_err();
        assert_eq!(error.message.as_str(), "kernel 3×3, dilated to 5×7, does not fit the 5×6 image `i`");
        assert_eq!(error.at, At::Element("kernel_size", 1));
    }

    #[test]
    fn a_window_too_large_shows_the_sum_and_the_largest_that_fits() {
        let error = output(&kernel([5, 5], [1, 1], Padding::Valid), 2, 2).unwrap_err();
        assert_eq!(error.message.as_str(), "kernel 5×5 does not fit the 2×2 image `i`");
        assert_eq!(error.note.as_str(), "(2 + 2·0 − 5)/1 + 1 = −2");
        assert_eq!(error.help.as_str(), "use `padding=same` or a kernel of at most 2");
    }

    #[test]
    fn strict_refuses_a_remainder() {
        let window = Sliding { strict: true, ..kernel([3, 3], [3, 3], Padding::Valid) };
        let error = output(&window, 7, 7).unwrap_err();
        assert_eq!(error.note.as_str(), "(7 + 2·0 − 3)/3 + 1 = 2.33");
        assert!(error.help.as_str().starts_with("use `padding=1`, or `strict=false`"), "{error}");
        assert_eq!(error.at, At::Element("strides", 0));
        assert_eq!(output(&window, 9, 6), Ok([3, 2]));
    }

    #[test]
    fn the_least_padding_that_fits_is_found_at_once() {
        for missing in -20..20i64 {
            for stride in 1..8 {
                let fits = |p: &i64| 2 * p >= missing && (2 * p - missing) % stride == 0;
                assert_eq!(
                    fitting(missing, stride),
                    (0..40).find(fits).map(|p| p as usize),
                    "{missing} cells at stride {stride}"
                );
            }
        }
        let window =
            Sliding { strict: true, dilation: [Shape::MAX_SIZE; 2], ..kernel([Shape::MAX_SIZE; 2], [2, 7], Padding::Full) };
        assert!(output(&window, 4, 4).is_err());
    }

    #[test]
    fn numbers_that_could_overflow_are_refused() {
        let error = output(&kernel([3, 3], [1, usize::MAX], Padding::Valid), 7, 7).unwrap_err();
        assert_eq!(error.message.as_str(), "`strides` may not exceed 1000000000, found 18446744073709551615");
        assert_eq!(error.at, At::Element("strides", 1));
        assert!(output(&kernel([3, 3], [1, 1], Padding::Explicit([[0, usize::MAX], [0, 0]])), 7, 7).is_err());
    }

    #[test]
    fn nothing_divides_by_zero() {
        for (size, strides, dilation) in [([0, 3], [1, 1], [1, 1]), ([3, 3], [1, 0], [1, 1]), ([3, 3], [1, 1], [0, 1])] {
            let window = Sliding { dilation, ..kernel(size, strides, Padding::Same) };
            assert!(output(&window, 7, 7).is_err());
        }
    }

    #[test]
    fn an_unknown_size_stays_unknown() {
        let input = Operand::new("i", Shape::of(&[Dim::Unknown, Dim::Known(8), Dim::Known(3)]));
        let output = kernel([3, 3], [1, 1], Padding::Valid).output(&input);
        assert_eq!(output, Ok([Dim::Unknown, Dim::Known(6)]));
    }
}
