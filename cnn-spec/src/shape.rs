//! The shape of a tensor without its batch: height, width, channels, as Keras writes them.

#[cfg(test)]
use crate::Text;
use core::fmt;
use core::hash::{Hash, Hasher};

/// The size of one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dim {
    /// A size known while compiling.
    Known(usize),
    /// A size known only at run time, written `_`.
    Unknown,
}

impl Dim {
    /// The size, when it is known.
    pub const fn known(self) -> Option<usize> {
        match self {
            Dim::Known(n) => Some(n),
            Dim::Unknown => None,
        }
    }

    /// Whether the axis may be of this size: it is, or is open.
    pub const fn admits(self, size: usize) -> bool {
        match self {
            Dim::Known(n) => n == size,
            Dim::Unknown => true,
        }
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Self {
        Dim::Known(n)
    }
}

/// The shape of a tensor without its batch axis, channels last: `H, W, C` for an image, `C` for a vector.
///
/// ```
/// use cnn_spec::Shape;
/// assert_eq!(Shape::new([28, 28, 1]).to_string(), "28×28×1");
/// ```
#[derive(Clone, Copy)]
pub struct Shape {
    dims: [Dim; Shape::MAX_RANK],
    rank: usize,
}

impl Shape {
    /// The most axes a shape can have.
    pub const MAX_RANK: usize = 6;

    /// The largest size of one axis; larger ones are taken for mistakes, and sums of them cannot overflow.
    pub const MAX_SIZE: usize = 1_000_000_000;

    /// A shape whose every size is known.
    ///
    /// # Panics
    /// If there are more than [`Shape::MAX_RANK`] sizes.
    pub const fn new<const N: usize>(sizes: [usize; N]) -> Self {
        let mut shape = Self { dims: [Dim::Unknown; Self::MAX_RANK], rank: N };
        let mut i = 0;
        while i < N {
            shape.dims[i] = Dim::Known(sizes[i]);
            i += 1;
        }
        shape
    }

    /// A shape some of whose sizes may be unknown.
    ///
    /// # Panics
    /// If there are more than [`Shape::MAX_RANK`] dimensions.
    pub const fn of(dims: &[Dim]) -> Self {
        let mut shape = Self { dims: [Dim::Unknown; Self::MAX_RANK], rank: dims.len() };
        let mut i = 0;
        while i < dims.len() {
            shape.dims[i] = dims[i];
            i += 1;
        }
        shape
    }

    /// Shapes of one rank, as by [`Self::new`].
    pub const fn each<const RANK: usize, const N: usize>(sizes: [[usize; RANK]; N]) -> [Self; N] {
        let mut shapes = [Self::of(&[]); N];
        let mut i = 0;
        while i < N {
            shapes[i] = Self::new(sizes[i]);
            i += 1;
        }
        shapes
    }

    /// The number of axes.
    pub const fn rank(&self) -> usize {
        self.rank
    }

    /// All dimensions, outermost first.
    pub const fn dims(&self) -> &[Dim] {
        self.dims.split_at(self.rank).0
    }

    /// All dimensions but the last: the height and width of an image.
    pub const fn spatial(&self) -> &[Dim] {
        self.dims.split_at(self.rank.saturating_sub(1)).0
    }

    /// The last dimension: the channels of an image, the length of a vector.
    pub const fn channels(&self) -> Dim {
        if self.rank == 0 { Dim::Known(1) } else { self.dims[self.rank - 1] }
    }

    /// The same shape with another last dimension.
    pub(crate) const fn with_channels(mut self, channels: Dim) -> Self {
        if self.rank > 0 {
            self.dims[self.rank - 1] = channels;
        }
        self
    }

    /// The number of elements, when every size is known and the number fits.
    pub const fn elements(&self) -> Option<usize> {
        let mut product = 1usize;
        let mut i = 0;
        while i < self.rank {
            product = match self.dims[i] {
                Dim::Known(n) => match product.checked_mul(n) {
                    Some(product) => product,
                    None => return None,
                },
                Dim::Unknown => return None,
            };
            i += 1;
        }
        Some(product)
    }

    /// Whether every size is known.
    pub const fn is_known(&self) -> bool {
        let mut i = 0;
        while i < self.rank {
            if let Dim::Unknown = self.dims[i] {
                return false;
            }
            i += 1;
        }
        true
    }

    /// Whether `other` has these sizes; an open one here may be any.
    pub const fn admits(&self, other: &Self) -> bool {
        let (sizes, found) = (self.dims(), other.dims());
        if sizes.len() != found.len() {
            return false;
        }
        let mut i = 0;
        while i < sizes.len() {
            match (sizes[i], found[i]) {
                (size, Dim::Known(found)) if size.admits(found) => {}
                (Dim::Unknown, Dim::Unknown) => {}
                _ => return false,
            }
            i += 1;
        }
        true
    }
}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dims().hash(state);
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.dims() == other.dims()
    }
}

impl Eq for Shape {}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (axis, dim) in self.dims().iter().enumerate() {
            f.write_str(if axis > 0 { "×" } else { "" })?;
            match dim {
                Dim::Known(n) => write!(f, "{n}")?,
                Dim::Unknown => f.write_str("_")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A tensor as a layer's rule sees it: the name it goes by in the model, and its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand<'a> {
    /// The name of the tensor in the source, such as `x`.
    pub name: &'a str,
    /// Its shape, without the batch.
    pub shape: Shape,
}

impl<'a> Operand<'a> {
    /// The tensor `name` of this shape.
    pub const fn new(name: &'a str, shape: Shape) -> Self {
        Self { name, shape }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_one_rank_compare_by_their_dimensions() {
        assert_eq!(Shape::new([2, 3]), Shape::of(&[2.into(), 3.into()]));
        assert_ne!(Shape::new([2, 3]), Shape::of(&[2.into(), Dim::Unknown]));
        assert_ne!(Shape::new([2, 3]), Shape::new([2, 3, 1]));
    }

    #[test]
    fn shapes_are_written_as_text_writes_them() {
        for shape in [Shape::new([224, 224, 3]), Shape::of(&[Dim::Unknown, 10.into()]), Shape::new([7]), Shape::new([])] {
            assert_eq!(shape.to_string(), Text::new().shape(&shape).to_string());
        }
    }

    #[test]
    fn elements_need_every_size_and_no_overflow() {
        assert_eq!(Shape::new([28, 28, 3]).elements(), Some(2352));
        assert_eq!(Shape::of(&[Dim::Unknown, 3.into()]).elements(), None);
        assert_eq!(Shape::new([usize::MAX, 2]).elements(), None);
    }
}
