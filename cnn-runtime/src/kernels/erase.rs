//! Erasing: a rectangle of each image is filled with a number or with noise.

use super::op::{Unary, apply};
use super::random::{FAMILY, Key, STREAM, two_normal, words_from};
use super::real::Real;
use super::share::for_each;
use crate::gpu::{Gpu, Kernel, Work, arguments};
use candle_core::{Result, Storage, Tensor};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// Rows and columns of an image.
pub(crate) type Rectangle = [Range<usize>; 2];

/// Fills the rectangle of each image of `xs`, `N, H, W, C`, with `fill`, or without it with normal numbers of the standard
/// deviation `range[1]`, cut to `range`.
///
/// # Errors
/// If `xs` is not a batch of as many images as there are rectangles, or one is not in its image.
pub(crate) fn erase(
    xs: &Tensor,
    rectangles: Vec<Rectangle>,
    fill: Option<f64>,
    range: [f64; 2],
    random: ChaCha8Rng,
) -> Result<Tensor> {
    let (batch, height, width, _) = xs.dims4()?;
    if batch != rectangles.len() || rectangles.iter().any(|[rows, columns]| rows.end > height || columns.end > width) {
        candle_core::bail!("rectangles {rectangles:?} are not of images {:?}", xs.dims());
    }
    apply(xs, Erase { rectangles, fill, range, random })
}

struct Erase {
    rectangles: Vec<Rectangle>,
    fill: Option<f64>,
    range: [f64; 2],
    random: ChaCha8Rng,
}

impl Erase {
    /// Calls `visit` with each row of each rectangle: its values, and the place of the first of them.
    fn for_each_row<T: Real>(&self, ys: &mut [T], dims: &[usize], visit: impl Fn(&mut [T], usize) + Sync) {
        let [_, height, width, channels] = *dims else { unreachable!("it takes images") };
        let image_len = height * width * channels;
        let images = ys.chunks_mut(image_len.max(1)).zip(&self.rectangles).enumerate();
        for_each(images.collect(), |(image, (ys, [rows, columns]))| {
            for y in rows.clone() {
                let start = (y * width + columns.start) * channels;
                visit(&mut ys[start..start + columns.len() * channels], image * image_len + start);
            }
        });
    }

    /// The rectangles as kernels take them: the first row and the one after the last, and so the columns.
    fn on_gpu(&self, xs: &Tensor) -> Result<Tensor> {
        let edges = |range: &Range<usize>| [range.start as u32, range.end as u32];
        let numbers = self.rectangles.iter().flatten().flat_map(edges);
        Tensor::from_iter(numbers, xs.device())
    }
}

impl Unary for Erase {
    fn name(&self) -> &'static str {
        "RandomErasing"
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let cut = |value: T| value.at_least(T::of(self.range[0])).at_most(T::of(self.range[1]));
        let mut ys = xs.to_vec();
        self.for_each_row(&mut ys, dims, |row, at| match self.fill {
            Some(fill) => row.fill(cut(T::of(fill))),
            // Words go by pairs of values, which need not begin where the row does.
            None => {
                let first = at / 2 * 2;
                let mut random = words_from(first, &self.random);
                for pair in (first..at + row.len()).step_by(2) {
                    if pair % STREAM == 0 {
                        random = words_from(pair, &self.random);
                    }
                    for (place, normal) in (pair..).zip(two_normal::<T>(&mut random)) {
                        if let Some(y) = place.checked_sub(at).and_then(|place| row.get_mut(place)) {
                            *y = cut(T::of(self.range[1]) * normal);
                        }
                    }
                }
            }
        });
        ys
    }

    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let mut out = grad.to_vec();
        self.for_each_row(&mut out, dims, |row, _| row.fill(T::zero()));
        out
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let ((_, height, width, channels), count) = (xs.dims4()?, xs.elem_count());
        let (rectangles, key) = (self.on_gpu(xs)?, Key::of(&self.random));
        let (deviation, fill) = self.fill.map_or((self.range[1], 0.0), |fill| (0.0, fill));
        let mut ys = gpu.empty(xs.dtype(), count)?;
        let kernel = Kernel::new(FAMILY, "erase", xs.dtype());
        let [low, high] = self.range;
        let arguments = arguments![&mut ys, xs, &rectangles, count, height, width, channels, &key, deviation, fill, low, high];
        // SAFETY: it reads and writes `count` values, and reads the four numbers of the rectangle of each image.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, _xs: &Tensor, _ys: &Tensor, grad: &Tensor, _dims: &[usize]) -> Result<Storage> {
        let ((_, height, width, channels), count) = (grad.dims4()?, grad.elem_count());
        let rectangles = self.on_gpu(grad)?;
        let mut out = gpu.empty(grad.dtype(), count)?;
        let kernel = Kernel::new(FAMILY, "erase_gradients", grad.dtype());
        // SAFETY: as in the forward pass.
        unsafe {
            gpu.launch(&kernel, Work::Each(count), arguments![&mut out, grad, &rectangles, count, height, width, channels])
        }?;
        Ok(out)
    }

    fn reads_input(&self) -> bool {
        false
    }

    fn reads_output(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use candle_core::{Device, Var};

    #[test]
    fn rectangles_are_filled_and_have_no_gradient() {
        let xs = Var::from_tensor(&Tensor::full(7f64, (2, 4, 3, 1), &Device::Cpu).unwrap()).unwrap();
        let random = || Seed(1).stream("erase", 0);
        let erased = |fill| erase(&xs, vec![[1..3, 0..2], [0..0, 0..0]], fill, [0.0, 5.0], random()).unwrap();
        let ys = erased(Some(2.0));
        let expected = [[7., 7., 7., 2., 2., 7., 2., 2., 7., 7., 7., 7.], [7.; 12]].concat();
        assert_eq!(ys.flatten_all().unwrap().to_vec1::<f64>().unwrap(), expected);
        let gradient = ys.sum_all().unwrap().backward().unwrap().get(&xs).unwrap().flatten_all().unwrap();
        let ones: Vec<f64> = expected.iter().map(|y| f64::from(*y == 7.0)).collect();
        assert_eq!(gradient.to_vec1::<f64>().unwrap(), ones);
        let noise = erased(None).flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert!(noise.iter().zip(&ones).all(|(y, one)| (*one == 1.0) == (*y == 7.0) && (0.0..=7.0).contains(y)), "{noise:?}");
        assert!(noise[3] != noise[4] || noise[6] != noise[7], "{noise:?}");
        assert!(erase(&xs, vec![[1..5, 0..2], [0..0, 0..0]], None, [0.0, 1.0], random()).is_err());
    }

    #[cfg(feature = "emulated-cuda")]
    #[test]
    fn a_gpu_fills_with_the_same_noise() {
        let dims = [3, 5, 7, 3];
        let xs = vec![0.5; dims.iter().product()];
        let tensor = Tensor::from_slice(&xs, &dims, &Device::Cpu).unwrap();
        for fill in [None, Some(9.0)] {
            let rectangles = vec![[0..5, 1..4], [2..4, 0..7], [0..0, 0..0]];
            let op = Erase { rectangles, fill, range: [-1.0, 3.0], random: Seed(1).stream("erase", 0) };
            let found = crate::gpu::tensor(op.forward_on_gpu(Gpu::emulated(), &tensor).unwrap(), xs.len());
            let same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
            assert!(found.to_vec1::<f64>().unwrap().iter().zip(&op.forward(&xs, &dims)).all(same));
        }
    }
}
