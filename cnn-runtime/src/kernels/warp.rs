//! Warping images: each output pixel shows the place of the input that an affine map says, another map for each image.

use super::op::{Unary, apply, expect_values};
use super::real::Real;
use super::share::for_each;
use crate::gpu::{Geometry, Gpu, Kernel, Work, arguments};
use crate::spec::{FillMode, Interpolation};
use candle_core::{Result, Shape, Storage, Tensor};

/// Which place of an image an output pixel shows: `x' = xx·x + xy·y + x0` and `y' = yx·x + yy·y + y0`, in pixels, with the
/// centre of the first pixel at 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Map {
    pub(crate) xx: f64,
    pub(crate) xy: f64,
    pub(crate) x0: f64,
    pub(crate) yx: f64,
    pub(crate) yy: f64,
    pub(crate) y0: f64,
}

impl Map {
    /// Every pixel shows itself.
    pub(crate) const IDENTITY: Self = Self { xx: 1.0, xy: 0.0, x0: 0.0, yx: 0.0, yy: 1.0, y0: 0.0 };

    /// Pixels show what lies `x` to the right of them and `y` below.
    pub(crate) const fn offset(x: f64, y: f64) -> Self {
        Self { x0: x, y0: y, ..Self::IDENTITY }
    }

    /// The matrix `[[xx, xy], [yx, yy]]` about the centre of an image of this height and width.
    pub(crate) fn about_centre([height, width]: [usize; 2], [[xx, xy], [yx, yy]]: [[f64; 2]; 2]) -> Self {
        let (x, y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        Self { xx, xy, x0: x - xx * x - xy * y, yx, yy, y0: y - yx * x - yy * y }
    }
}

/// How places between pixels and beyond the edges are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampling {
    pub(crate) interpolation: Interpolation,
    pub(crate) fill_mode: FillMode,
    pub(crate) fill_value: f64,
}

impl Sampling {
    /// For maps that meet pixels alone.
    pub(crate) const EXACT: Self = Self { interpolation: Interpolation::Nearest, fill_mode: FillMode::Constant, fill_value: 0.0 };
}

/// Warps each image of `xs`, `N, H, W, C`, by its own of `maps`, to `size`, height and width.
///
/// # Errors
/// If `xs` is not a batch of as many images as there are maps; messages say it is of the layer `name`.
pub(crate) fn warp(name: &'static str, xs: &Tensor, maps: Vec<Map>, size: [usize; 2], sampling: Sampling) -> Result<Tensor> {
    let &[batch, height, width, _] = xs.dims() else {
        candle_core::bail!("`{name}` takes a batch of images, N×H×W×C, found {} axes", xs.rank());
    };
    if batch != maps.len() {
        candle_core::bail!("`{name}` takes {} images, found {batch}", maps.len());
    }
    expect_values(xs, name)?;
    apply(xs, Warp { name, input: [height, width], output: size, maps, sampling })
}

struct Warp {
    name: &'static str,
    input: [usize; 2],
    output: [usize; 2],
    maps: Vec<Map>,
    sampling: Sampling,
}

impl Warp {
    /// Calls `visit` for each pixel that makes up the output pixel `(y, x)` of an image, with its number, or `None` beyond the
    /// edges of an image with a constant around it, and its weight.
    fn for_each_tap(&self, map: &Map, y: usize, x: usize, mut visit: impl FnMut(Option<usize>, f64)) {
        let (x, y) = (x as f64, y as f64);
        let across = self.taps(map.xx * x + map.xy * y + map.x0, self.input[1]);
        for (y, of_y) in self.taps(map.yx * x + map.yy * y + map.y0, self.input[0]) {
            for (x, of_x) in across {
                if of_x * of_y != 0.0 {
                    visit(y.zip(x).map(|(y, x)| y * self.input[1] + x), of_x * of_y);
                }
            }
        }
    }

    /// The cells about place `at` of an axis of `n`, with their weights.
    fn taps(&self, at: f64, n: usize) -> [(Option<usize>, f64); 2] {
        match self.sampling.interpolation {
            Interpolation::Nearest => [(self.cell(at.round() as i64, n), 1.0), (None, 0.0)],
            Interpolation::Bilinear => {
                let (below, share) = (at.floor() as i64, at - at.floor());
                [(self.cell(below, n), 1.0 - share), (self.cell(below + 1, n), share)]
            }
        }
    }

    /// The maps and the sizes as kernels take them; the maps, six numbers for each image, go to the GPU each time.
    fn on_gpu(&self, xs: &Tensor, channels: usize) -> Result<(Tensor, Sizes)> {
        let numbers = |map: &Map| [map.xx, map.xy, map.x0, map.yx, map.yy, map.y0];
        let fill_mode = match self.sampling.fill_mode {
            FillMode::Constant => 0,
            FillMode::Nearest => 1,
            FillMode::Wrap => 2,
            FillMode::Reflect => 3,
        };
        let sizes = Sizes {
            input: self.input.map(|n| n as i32),
            output: self.output.map(|n| n as i32),
            channels: channels as i32,
            bilinear: i32::from(self.sampling.interpolation == Interpolation::Bilinear),
            fill_mode,
            unused: 0,
        };
        Ok((Tensor::from_iter(self.maps.iter().flat_map(numbers), xs.device())?, sizes))
    }

    /// The cell that stands at `at`, also beyond the edges.
    fn cell(&self, at: i64, n: usize) -> Option<usize> {
        let cells = n as i64;
        let cell = match self.sampling.fill_mode {
            FillMode::Constant => return usize::try_from(at).ok().filter(|at| *at < n),
            FillMode::Nearest => at.clamp(0, cells - 1),
            FillMode::Wrap => at.rem_euclid(cells),
            FillMode::Reflect => {
                let at = at.rem_euclid(2 * cells);
                at.min(2 * cells - 1 - at)
            }
        };
        Some(cell as usize)
    }
}

/// Sizes and settings as kernels take them.
#[repr(C)]
#[derive(Clone, Copy)]
struct Sizes {
    input: [i32; 2],
    output: [i32; 2],
    channels: i32,
    bilinear: i32,
    fill_mode: i32,
    unused: i32,
}

// SAFETY: it is numbers of one size, and so is that of `cuda/resample.cu`.
unsafe impl Geometry for Sizes {}

impl Unary for Warp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn shape(&self, dims: &[usize]) -> Shape {
        (dims[0], self.output[0], self.output[1], dims[3]).into()
    }

    fn forward<T: Real>(&self, xs: &[T], dims: &[usize]) -> Vec<T> {
        let ([height, width], channels, image_len) = (self.output, dims[3], dims[1..].iter().product::<usize>());
        let fill = T::of(self.sampling.fill_value);
        let mut ys = vec![T::zero(); dims[0] * height * width * channels];
        for_each(ys.chunks_mut((width * channels).max(1)).enumerate().collect(), |(row, ys)| {
            let (image, y) = (row / height, row % height);
            let (map, image) = (&self.maps[image], &xs[image * image_len..][..image_len]);
            for (x, ys) in ys.chunks_exact_mut(channels).enumerate() {
                self.for_each_tap(map, y, x, |pixel, weight| match pixel {
                    Some(pixel) => {
                        let values = ys.iter_mut().zip(&image[pixel * channels..]);
                        values.for_each(|(y, x)| *y += T::of(weight) * *x);
                    }
                    None => ys.iter_mut().for_each(|y| *y += T::of(weight) * fill),
                });
            }
        });
        ys
    }

    /// The transpose: every output pixel gives its gradient back to the pixels it was made of.
    fn backward<T: Real>(&self, _xs: &[T], _ys: &[T], grad: &[T], dims: &[usize]) -> Vec<T> {
        let ([height, width], channels, image_len) = (self.output, dims[3], dims[1..].iter().product::<usize>());
        let mut out = vec![T::zero(); dims.iter().product()];
        let images = out.chunks_mut(image_len).zip(grad.chunks(height * width * channels)).zip(&self.maps);
        for_each(images.collect(), |((sums, grad), map)| {
            for (at, grad) in grad.chunks_exact(channels).enumerate() {
                self.for_each_tap(map, at / width, at % width, |pixel, weight| {
                    if let Some(pixel) = pixel {
                        let values = sums[pixel * channels..].iter_mut().zip(grad);
                        values.for_each(|(sum, g)| *sum += T::of(weight) * *g);
                    }
                });
            }
        });
        out
    }

    fn forward_on_gpu(&self, gpu: Gpu, xs: &Tensor) -> Result<Storage> {
        let channels = xs.dims4()?.3;
        let (maps, sizes) = self.on_gpu(xs, channels)?;
        let count = self.maps.len() * self.output.iter().product::<usize>() * channels;
        let mut ys = gpu.empty(xs.dtype(), count)?;
        let kernel = Kernel::new("resample", "warp", xs.dtype());
        let arguments = arguments![&mut ys, xs, &maps, count, &sizes, self.sampling.fill_value];
        // SAFETY: it writes `count` values, each from pixels within an image of `xs`, and reads a map for each image.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments) }?;
        Ok(ys)
    }

    fn backward_on_gpu(&self, gpu: Gpu, _xs: &Tensor, _ys: &Tensor, grad: &Tensor, dims: &[usize]) -> Result<Storage> {
        let (maps, sizes) = self.on_gpu(grad, dims[3])?;
        let count = dims.iter().product();
        let mut out = gpu.empty(grad.dtype(), count)?;
        let kernel = Kernel::new("resample", "warp_gradients", grad.dtype());
        // SAFETY: it writes `count` values, each from pixels within an image of `grad`, and reads a map for each image.
        unsafe { gpu.launch(&kernel, Work::Each(count), arguments![&mut out, grad, &maps, count, &sizes]) }?;
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
    use candle_core::{Device, Var};

    fn row(values: &[f64], map: Map, sampling: Sampling) -> Vec<f64> {
        let xs = Tensor::from_slice(values, (1, 1, values.len(), 1), &Device::Cpu).unwrap();
        warp("test", &xs, vec![map], [1, values.len()], sampling).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn edges_go_on_as_the_fill_mode_says() {
        let shifted =
            |fill_mode| row(&[1., 2., 3.], Map::offset(2.0, 0.0), Sampling { fill_mode, fill_value: 9.0, ..Sampling::EXACT });
        assert_eq!(shifted(FillMode::Constant), [3., 9., 9.]);
        assert_eq!(shifted(FillMode::Nearest), [3., 3., 3.]);
        assert_eq!(shifted(FillMode::Wrap), [3., 1., 2.]);
        assert_eq!(shifted(FillMode::Reflect), [3., 3., 2.]);
    }

    #[test]
    fn between_pixels_values_are_mixed() {
        let sampling = Sampling { interpolation: Interpolation::Bilinear, ..Sampling::EXACT };
        assert_eq!(row(&[1., 2., 3.], Map::offset(0.25, 0.0), sampling), [1.25, 2.25, 2.25]);
        assert_eq!(row(&[1., 2., 3.], Map::offset(-0.5, 0.0), sampling), [0.5, 1.5, 2.5]);
    }

    #[test]
    fn a_quarter_turn_moves_the_right_to_the_top() {
        let image = Tensor::from_slice(&[1., 2., 3., 4.], (1, 2, 2, 1), &Device::Cpu).unwrap();
        let turn = Map::about_centre([2, 2], [[0.0, -1.0], [1.0, 0.0]]);
        let turned = warp("test", &image, vec![turn], [2, 2], Sampling::EXACT).unwrap();
        assert_eq!(turned.flatten_all().unwrap().to_vec1::<f64>().unwrap(), [2., 4., 1., 3.]);
    }

    /// Warping is linear in the image, so its backward pass is right if it is the transpose of the forward pass.
    #[test]
    fn backward_is_the_transpose_of_forward() {
        let values = |count: usize, seed: usize| (0..count).map(|i| ((i * i + seed) % 17) as f64 - 8.0).collect::<Vec<_>>();
        for fill_mode in [FillMode::Reflect, FillMode::Constant, FillMode::Wrap, FillMode::Nearest] {
            for interpolation in [Interpolation::Nearest, Interpolation::Bilinear] {
                let xs = Var::from_vec(values(2 * 5 * 4 * 3, 1), (2, 5, 4, 3), &Device::Cpu).unwrap();
                let maps = [0.3, -0.8].map(|a: f64| Map::about_centre([5, 4], [[a.cos(), -a.sin()], [a.sin(), 1.2 * a.cos()]]));
                let sampling = Sampling { interpolation, fill_mode, fill_value: 0.0 };
                let ys = warp("test", &xs, maps.to_vec(), [6, 3], sampling).unwrap();
                let upstream = Tensor::from_vec(values(2 * 6 * 3 * 3, 5), (2, 6, 3, 3), &Device::Cpu).unwrap();
                let forward = (ys * upstream).unwrap().sum_all().unwrap();
                let gradient = forward.backward().unwrap().get(&xs).unwrap().clone();
                let back = (gradient * xs.as_tensor()).unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap();
                let forward = forward.to_scalar::<f64>().unwrap();
                assert!((forward - back).abs() < 1e-9 * forward.abs().max(1.0), "{forward} and {back}");
                assert!(forward != 0.0);
            }
        }
    }
}
