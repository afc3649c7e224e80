//! Factors of products as cuBLAS takes them: matrices whose rows, or whose columns, lie one value after the other.

use candle_core::{Layout, Result};

/// How the matrices of a tensor `B, R, C` lie in its memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Factor {
    /// Whether rows lie one value after the other, rather than columns.
    pub(super) by_rows: bool,
    /// Values from one row to the next, or from one column to the next.
    pub(super) leading: usize,
    /// Values from one matrix to the next.
    pub(super) matrix: usize,
}

impl Factor {
    /// The factor of this layout.
    ///
    /// # Errors
    /// If neither rows nor columns lie one value after the other, or they overlap.
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        let (&[matrix, row, column], &[_, rows, columns]) = (layout.stride(), layout.dims()) else {
            candle_core::bail!("a product of {:?}", layout.dims());
        };
        // Where there is one row or column, it does not matter how far the next would be.
        let lies =
            |step: usize, across: usize, lines: usize, along: usize| (step == 1 || along == 1) && (across >= along || lines == 1);
        if lies(column, row, rows, columns) {
            Ok(Self { by_rows: true, leading: row.max(columns), matrix })
        } else if lies(row, column, columns, rows) {
            Ok(Self { by_rows: false, leading: column.max(rows), matrix })
        } else {
            candle_core::bail!("a product of a matrix {rows}×{columns} with strides {row} and {column}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    /// That a factor finds the values of a tensor where they are.
    fn finds(xs: &Tensor, by_rows: Option<bool>) {
        let all = xs.to_vec3::<f64>().unwrap();
        let factor = Factor::new(xs.layout()).unwrap();
        assert!(by_rows.is_none_or(|by_rows| by_rows == factor.by_rows), "{factor:?}");
        let (_, rows, columns) = xs.dims3().unwrap();
        assert!(factor.leading >= if factor.by_rows { columns } else { rows }, "{factor:?}");
        for (b, matrix) in all.iter().enumerate() {
            for (r, row) in matrix.iter().enumerate() {
                for (c, value) in row.iter().enumerate() {
                    let within = if factor.by_rows { r * factor.leading + c } else { c * factor.leading + r };
                    // Memory holds the numbers from 0 on.
                    assert_eq!((xs.layout().start_offset() + b * factor.matrix + within) as f64, *value, "{factor:?}");
                }
            }
        }
    }

    #[test]
    fn values_are_where_cublas_looks_for_them() {
        let xs = |shape: (usize, usize, usize)| {
            let count = shape.0 * shape.1 * shape.2;
            Tensor::arange(0.0, count as f64, &Device::Cpu).unwrap().reshape(shape).unwrap()
        };
        finds(&xs((2, 3, 4)), Some(true));
        finds(&xs((2, 3, 4)).transpose(1, 2).unwrap(), Some(false));
        finds(&xs((2, 3, 4)).transpose(0, 1).unwrap(), Some(true));
        finds(&xs((5, 3, 4)).permute((1, 2, 0)).unwrap(), Some(false));
        finds(&xs((5, 3, 4)).narrow(0, 2, 2).unwrap().transpose(0, 1).unwrap(), Some(true));
        finds(&xs((5, 3, 4)).narrow(2, 1, 2).unwrap(), Some(true));
        for shape in [(2, 1, 4), (2, 4, 1), (2, 1, 1), (1, 3, 1), (3, 1, 2)] {
            finds(&xs(shape), None);
            finds(&xs(shape).transpose(1, 2).unwrap(), None);
            finds(&xs(shape).transpose(0, 1).unwrap(), None);
        }
        finds(&xs((3, 4, 5)).narrow(2, 1, 1).unwrap(), None);
        assert!(Factor::new(xs((3, 4, 5)).transpose(0, 2).unwrap().layout()).is_err());
    }
}
