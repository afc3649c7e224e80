//! Matrices of numbers of 32 bits that are transposed, four by four of them in vector registers: a quarter of the time that it takes number
//! by number.

/// Columns at a time: what lies in one cache line.
const LINE: usize = 128;

/// Rows and columns of what is transposed at once.
const SIDE: usize = 4;

/// Writes the transpose of a matrix of so many rows and columns. From one of its rows to the next there are `apart[0]` numbers, from one
/// of the transpose's to the next `apart[1]`.
///
/// # Panics
/// If a slice is too short.
pub(super) fn turn<T: Copy>(from: &[T], [rows, columns]: [usize; 2], apart: [usize; 2], to: &mut [T]) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!((rows - 1) * apart[0] + columns <= from.len(), "numbers of the last row");
    assert!((columns - 1) * apart[1] + rows <= to.len(), "numbers of the last column");
    for first in (0..columns).step_by(LINE) {
        let columns = first..columns.min(first + LINE);
        for row in (0..rows).step_by(SIDE) {
            let count = SIDE.min(rows - row);
            for column in columns.clone().step_by(SIDE) {
                let (at, place) = (row * apart[0] + column, column * apart[1] + row);
                let counts = [count, SIDE.min(columns.end - column)];
                if counts == [SIDE; 2] && imp::turns::<T>() {
                    // SAFETY: the last numbers of the matrix and of its transpose were checked to be there, and the numbers have 32 bits.
                    unsafe { imp::turn(from.as_ptr().add(at).cast(), to.as_mut_ptr().add(place).cast(), apart) };
                } else {
                    one_by_one(&from[at..], counts, apart, &mut to[place..]);
                }
            }
        }
    }
}

fn one_by_one<T: Copy>(from: &[T], [rows, columns]: [usize; 2], apart: [usize; 2], to: &mut [T]) {
    for row in 0..rows {
        (0..columns).for_each(|column| to[column * apart[1] + row] = from[row * apart[0] + column]);
    }
}

/// On processors that all have vectors of four.
#[cfg(target_arch = "x86_64")]
mod imp {
    use std::arch::x86_64::*;

    /// Whether numbers of this type are turned here.
    pub(super) fn turns<T>() -> bool {
        size_of::<T>() == size_of::<f32>()
    }

    /// Turns four rows of four numbers.
    ///
    /// # Safety
    /// The rows have to be there, and so has the room for as many of the transpose.
    #[inline(always)]
    pub(super) unsafe fn turn(from: *const f32, to: *mut f32, [of_row, of_column]: [usize; 2]) {
        // SAFETY: the caller's. Values are moved, whatever they are, and not computed with.
        unsafe {
            let [mut a, mut b] = [0, 1].map(|row| _mm_loadu_ps(from.add(row * of_row)));
            let [mut c, mut d] = [2, 3].map(|row| _mm_loadu_ps(from.add(row * of_row)));
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            [a, b, c, d].into_iter().enumerate().for_each(|(row, turned)| _mm_storeu_ps(to.add(row * of_column), turned));
        }
    }
}

/// On the others.
#[cfg(not(target_arch = "x86_64"))]
mod imp {
    pub(super) fn turns<T>() -> bool {
        false
    }

    pub(super) unsafe fn turn(_: *const f32, _: *mut f32, _: [usize; 2]) {
        unreachable!("no numbers are turned here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect_transpose<T: Copy + Default + PartialEq + std::fmt::Debug>(number: impl Fn(usize) -> T) {
        for [rows, columns] in [[1, 1], [4, 4], [3, 9], [16, 5], [7, 33], [32, 512], [8, 16], [0, 3], [3, 0]] {
            for wider in [0, 3] {
                let apart = [columns + wider, rows + 2 * wider];
                let from: Vec<T> = (0..rows * apart[0]).map(|at| number(at + 1)).collect();
                let mut to = vec![T::default(); columns * apart[1]];
                turn(&from, [rows, columns], apart, &mut to);
                for (at, found) in to.iter().enumerate() {
                    let (column, row) = (at / apart[1], at % apart[1]);
                    let expected = if row < rows { from[row * apart[0] + column] } else { T::default() };
                    assert_eq!(*found, expected, "{column}, {row} of {rows}×{columns}, {wider} between rows");
                }
            }
        }
    }

    #[test]
    fn rows_become_columns() {
        expect_transpose(|at| at as f32);
        expect_transpose(|at| at as u32);
        expect_transpose(|at| at as f64);
    }

    #[test]
    fn refuses_what_is_not_there() {
        let (from, mut to) = ([0f32; 12], [0f32; 12]);
        for (apart, message) in [([5, 3], "numbers of the last row"), ([4, 4], "numbers of the last column")] {
            let turned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn(&from, [3, 4], apart, &mut to)));
            assert_eq!(turned.unwrap_err().downcast_ref::<&str>(), Some(&message));
        }
    }
}
