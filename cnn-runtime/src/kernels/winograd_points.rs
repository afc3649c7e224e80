//! Values at the points of Winograd's minimal filtering: of inputs, weights, products and gradients.
//!
//! Each transform is one of the lines of a square of vectors and one of its columns, of a channel in each lane. See
//! [the convolution](super::winograd) for what they are for.

use super::aligned::odd_lines;
use pulp::Simd;
use std::marker::PhantomData;
use std::ops::Range;

/// Outputs along a side of a tile.
pub(super) const SIDE: usize = 4;

/// Inputs that they see, and points, along a side.
pub(super) const POINTS: usize = 6;

/// Weights along a side.
pub(super) const TAPS: usize = 3;

/// The points but 0 and infinity are ±[`A`] and ±[`B`], whose product is 1.
const A: f32 = 2.0 / 3.0;
const B: f32 = 3.0 / 2.0;

/// What the weights' values at these points are divided by, so that those of the inputs need not be: 2A²(A² − B²) and
/// 2B²(B² − A²).
const OF_A: f32 = 1.0 / (2.0 * A * A * (A * A - B * B));
const OF_B: f32 = 1.0 / (2.0 * B * B * (B * B - A * A));

/// The vectors that transforms compute with.
#[derive(Clone, Copy)]
pub(super) struct Vectors<S>(pub(super) S);

impl<S: Simd> Vectors<S> {
    /// `a·x + b·y`
    #[inline(always)]
    fn sum(self, [a, b]: [f32; 2], x: S::f32s, y: S::f32s) -> S::f32s {
        self.plus(a, x, self.0.mul_f32s(self.0.splat_f32s(b), y))
    }

    /// `a·x + y`
    #[inline(always)]
    fn plus(self, a: f32, x: S::f32s, y: S::f32s) -> S::f32s {
        self.0.mul_add_f32s(self.0.splat_f32s(a), x, y)
    }

    /// `x + y` and `x − y`
    #[inline(always)]
    fn both(self, x: S::f32s, y: S::f32s) -> [S::f32s; 2] {
        [self.0.add_f32s(x, y), self.0.sub_f32s(x, y)]
    }

    /// `x0 + x4 − (A² + B²)·x2`, the value of six inputs at the point 0; that of the next five is their value at infinity.
    #[inline(always)]
    fn of_inputs_at_end(self, [x0, x2, x4]: [S::f32s; 3]) -> S::f32s {
        self.plus(-(A * A + B * B), x2, self.0.add_f32s(x0, x4))
    }

    /// The values of six inputs, of which these are the inner ones, at the points `a` and `−a`, if the others are ±`b`.
    #[inline(always)]
    fn of_inputs_at(self, [a, b]: [f32; 2], [x1, x2, x3, x4]: [S::f32s; SIDE]) -> [S::f32s; 2] {
        self.both(self.plus(-b * b, x2, x4), self.sum([a, -b], x3, x1))
    }

    /// The values of six inputs at the points.
    #[inline(always)]
    fn of_inputs(self, [x0, x1, x2, x3, x4, x5]: [S::f32s; POINTS]) -> [S::f32s; POINTS] {
        let inner = [x1, x2, x3, x4];
        let ([t1, t2], [t3, t4]) = (self.of_inputs_at([A, B], inner), self.of_inputs_at([B, A], inner));
        [self.of_inputs_at_end([x0, x2, x4]), t1, t2, t3, t4, self.of_inputs_at_end([x1, x3, x5])]
    }

    /// Four outputs from the values of their products at the points.
    #[inline(always)]
    fn to_outputs(self, [t0, t1, t2, t3, t4, t5]: [S::f32s; POINTS]) -> [S::f32s; SIDE] {
        let ([even, odd], [even_of_b, odd_of_b]) = (self.both(t1, t2), self.both(t3, t4));
        [
            self.0.add_f32s(t0, self.0.add_f32s(even, even_of_b)),
            self.sum([A, B], odd, odd_of_b),
            self.sum([A * A, B * B], even, even_of_b),
            self.0.add_f32s(self.sum([A * A * A, B * B * B], odd, odd_of_b), t5),
        ]
    }

    /// The values at the points of four gradients of outputs: the transpose of [`Self::to_outputs`].
    #[inline(always)]
    fn of_gradients(self, [g0, g1, g2, g3]: [S::f32s; SIDE]) -> [S::f32s; POINTS] {
        let [t1, t2] = self.both(self.plus(A * A, g2, g0), self.sum([A, A * A * A], g1, g3));
        let [t3, t4] = self.both(self.plus(B * B, g2, g0), self.sum([B, B * B * B], g1, g3));
        [g0, t1, t2, t3, t4, g3]
    }

    /// The values of three weights at the points.
    #[inline(always)]
    fn of_weights(self, [w0, w1, w2]: [S::f32s; TAPS]) -> [S::f32s; POINTS] {
        let times = |x, factor: f32| self.0.mul_f32s(self.0.splat_f32s(factor), x);
        let [t1, t2] = self.both(self.sum([OF_A, A * A * OF_A], w0, w2), times(w1, A * OF_A));
        let [t3, t4] = self.both(self.sum([OF_B, B * B * OF_B], w0, w2), times(w1, B * OF_B));
        [w0, t1, t2, t3, t4, w2]
    }

    /// The gradients of three weights from those of their values at the points: the transpose of [`Self::of_weights`].
    #[inline(always)]
    fn to_weights(self, [t0, t1, t2, t3, t4, t5]: [S::f32s; POINTS]) -> [S::f32s; TAPS] {
        let ([even, odd], [even_of_b, odd_of_b]) = (self.both(t1, t2), self.both(t3, t4));
        [
            self.0.add_f32s(t0, self.sum([OF_A, OF_B], even, even_of_b)),
            self.sum([A * OF_A, B * OF_B], odd, odd_of_b),
            self.0.add_f32s(self.sum([A * A * OF_A, B * B * OF_B], even, even_of_b), t5),
        ]
    }
}

/// An array of what an expression is for each index.
///
/// Neither closures, which may be compiled without the vectors' instructions, nor arrays that are cleared before they are filled.
macro_rules! each {
    (3, $index:ident => $value:expr) => { each!([0 1 2] $index => $value) };
    (4, $index:ident => $value:expr) => { each!([0 1 2 3] $index => $value) };
    (6, $index:ident => $value:expr) => { each!([0 1 2 3 4 5] $index => $value) };
    ([$($at:literal)*] $index:ident => $value:expr) => { [$({ let $index = $at; $value }),*] };
}
pub(super) use each;

/// Declares a function that transforms the columns of a square of vectors and then its lines.
macro_rules! square {
    ($name:ident, $line:ident, $from:tt, $to:tt) => {
        #[inline(always)]
        pub(super) fn $name(self, square: [[S::f32s; $from]; $from]) -> [[S::f32s; $to]; $to] {
            let columns: [[S::f32s; $to]; $from] = each!($from, x => self.$line(each!($from, y => square[y][x])));
            each!($to, y => self.$line(each!($from, x => columns[x][y])))
        }
    };
}

impl<S: Simd> Vectors<S> {
    square!(square_of_gradients, of_gradients, 4, 6);
    square!(square_of_weights, of_weights, 3, 6);
    square!(square_to_weights, to_weights, 6, 3);

    /// The first values of a slice; with as many as a vector has, or fewer.
    #[inline(always)]
    pub(super) fn load(self, values: &[f32]) -> S::f32s {
        match values.len() >= S::F32_LANES {
            true => S::as_simd_f32s(&values[..S::F32_LANES]).0[0],
            false => self.0.partial_load_f32s(values),
        }
    }
}

/// Where the values at all points go, each as a vector that lies so far from the next.
pub(super) struct Points<'a, S> {
    first: *mut f32,
    apart: usize,
    _room: PhantomData<(&'a mut [f32], S)>,
}

impl<'a, S: Simd> Points<'a, S> {
    /// # Panics
    /// If there is no room for the last.
    #[inline(always)]
    pub(super) fn new(to: &'a mut [f32], apart: usize) -> Self {
        assert!((POINTS * POINTS - 1) * apart + S::F32_LANES <= to.len(), "room for the last point");
        Self { first: to.as_mut_ptr(), apart, _room: PhantomData }
    }

    /// Writes a line of points.
    #[inline(always)]
    fn write_line(&mut self, number: usize, line: [S::f32s; POINTS]) {
        assert!(number < POINTS);
        for (x, point) in line.into_iter().enumerate() {
            // SAFETY: none is further than the last, for which there is room.
            unsafe { self.first.add((number * POINTS + x) * self.apart).cast::<S::f32s>().write_unaligned(point) };
        }
    }

    #[inline(always)]
    pub(super) fn write(mut self, points: [[S::f32s; POINTS]; POINTS]) {
        for (number, line) in points.into_iter().enumerate() {
            self.write_line(number, line);
        }
    }
}

/// A square of vectors that are read where they are computed with, so that few are in registers at once.
pub(super) trait Square<S: Simd> {
    fn at(&self, line: usize, column: usize) -> S::f32s;
}

/// One of so many vectors a side, which lie equally far from each other.
pub(super) struct Evenly<'a, S, const SIDE: usize> {
    first: *const f32,
    line: usize,
    next: usize,
    _values: PhantomData<(&'a [f32], S)>,
}

impl<'a, S: Simd, const SIDE: usize> Evenly<'a, S, SIDE> {
    /// From the first value on: `line` values from line to line, `next` from one vector to the next.
    ///
    /// # Panics
    /// If the last is not there.
    #[inline(always)]
    pub(super) fn new(values: &'a [f32], [line, next]: [usize; 2]) -> Self {
        assert!((SIDE - 1) * (line + next) + S::F32_LANES <= values.len(), "the last of a square of vectors");
        Self { first: values.as_ptr(), line, next, _values: PhantomData }
    }
}

impl<S: Simd, const SIDE: usize> Square<S> for Evenly<'_, S, SIDE> {
    #[inline(always)]
    fn at(&self, line: usize, column: usize) -> S::f32s {
        assert!(line < SIDE && column < SIDE);
        // SAFETY: it is no further than the last.
        unsafe { self.first.add(line * self.line + column * self.next).cast::<S::f32s>().read_unaligned() }
    }
}

impl<S: Simd> Square<S> for [[S::f32s; POINTS]; POINTS] {
    #[inline(always)]
    fn at(&self, line: usize, column: usize) -> S::f32s {
        self[line][column]
    }
}

impl<S: Simd> Vectors<S> {
    /// Writes the values at the points of the cells that a tile sees: one or two lines of points at a time, so that none has to leave its
    /// register before it is written.
    #[inline(always)]
    fn write_values_of_inputs(self, cells: impl Square<S>, mut to: Points<S>) {
        let first = each!(6, x => self.of_inputs_at_end([cells.at(0, x), cells.at(2, x), cells.at(4, x)]));
        to.write_line(0, self.of_inputs(first));
        let last = each!(6, x => self.of_inputs_at_end([cells.at(1, x), cells.at(3, x), cells.at(5, x)]));
        to.write_line(POINTS - 1, self.of_inputs(last));
        self.write_values_of_inputs_at(&cells, [A, B], 1, &mut to);
        self.write_values_of_inputs_at(&cells, [B, A], 3, &mut to);
    }

    /// The outputs of a tile from the values of their products at the points.
    #[inline(always)]
    pub(super) fn to_outputs_of_tile(self, points: Evenly<S, POINTS>) -> [[S::f32s; SIDE]; SIDE] {
        let lines = each!(6, y => self.to_outputs(each!(6, x => points.at(y, x))));
        let columns = each!(4, x => self.to_outputs(each!(6, y => lines[y][x])));
        each!(4, y => each!(4, x => columns[x][y]))
    }

    /// Writes the line of points `first`, of those where the lines' point is `a`, and the next one, where it is `−a`.
    #[inline(always)]
    fn write_values_of_inputs_at(self, cells: &impl Square<S>, points: [f32; 2], first: usize, to: &mut Points<S>) {
        let lines = each!(6, x => self.of_inputs_at(points, [cells.at(1, x), cells.at(2, x), cells.at(3, x), cells.at(4, x)]));
        to.write_line(first, self.of_inputs(each!(6, x => lines[x][0])));
        to.write_line(first + 1, self.of_inputs(each!(6, x => lines[x][1])));
    }
}

/// Images, row by row.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    pub(super) values: &'a [f32],
    /// Lines and columns of each.
    pub(super) sizes: [usize; 2],
    pub(super) depth: usize,
}

/// A tile of some images.
pub(super) struct Tile {
    pub(super) image: usize,
    /// Line and column of the first cell that it sees, which may lie before the image's.
    pub(super) sees: [isize; 2],
    /// Those of its first output, from those of the first tile.
    pub(super) at: [usize; 2],
}

impl Images<'_> {
    /// Writes the values at the points of what tiles see: for each point a row for each tile.
    #[inline(always)]
    pub(super) fn write_values_at_points<S: Simd>(self, simd: S, tiles: &[Tile], to: &mut [f32]) {
        let Self { values, sizes: [height, width], depth } = self;
        let pitch = depth.next_multiple_of(S::F32_LANES);
        let apart = odd_lines::<f32>(tiles.len() * pitch);
        for (number, tile) in tiles.iter().enumerate() {
            let seen = [tile.seen(0, height), tile.seen(1, width)];
            let is_within = seen[0].len() == POINTS && seen[1].len() == POINTS;
            // The pixel that the first cell is, or would be if the image had it.
            let first = ((tile.image * height) as isize + tile.sees[0]) * width as isize + tile.sees[1];
            for channel in (0..depth).step_by(S::F32_LANES) {
                let to = Points::new(&mut to[number * pitch + channel..], apart);
                if is_within && depth - channel >= S::F32_LANES {
                    let cells = Evenly::<S, POINTS>::new(&values[first as usize * depth + channel..], [width * depth, depth]);
                    Vectors(simd).write_values_of_inputs(cells, to);
                    continue;
                }
                let count = S::F32_LANES.min(depth - channel);
                let cells = each!(6, y => each!(6, x => match seen[0].contains(&y) && seen[1].contains(&x) {
                    true => {
                        let at = (first + (y * width + x) as isize) as usize * depth + channel;
                        Vectors(simd).load(&values[at..at + count])
                    }
                    false => simd.splat_f32s(0.0),
                }));
                Vectors(simd).write_values_of_inputs(cells, to);
            }
        }
    }
}

impl Tile {
    /// Which of the lines or columns that it sees are within images of such a size.
    #[inline(always)]
    fn seen(&self, axis: usize, size: usize) -> Range<usize> {
        let first = self.sees[axis];
        let [before, after] = [-first, first + POINTS as isize - size as isize];
        before.clamp(0, POINTS as isize) as usize..POINTS - after.clamp(0, POINTS as isize) as usize
    }
}
