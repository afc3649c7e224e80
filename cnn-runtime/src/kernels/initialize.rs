//! First values of parameters: Keras' initializers.

use crate::spec::{Initializer, Kernels, Parameter};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// The first values of `parameter`, row by row, drawn from `random`.
pub(crate) fn initialize(parameter: &Parameter, mut random: ChaCha8Rng) -> Vec<f32> {
    let count = parameter.count() as usize;
    let (fan_in, fan_out) = (parameter.fan_in.max(1) as f64, parameter.fan_out.max(1) as f64);
    let mean_fan = (fan_in + fan_out) / 2.0;
    let random = &mut random;
    match parameter.initializer {
        Initializer::Zeros => vec![0.0; count],
        Initializer::Ones => vec![1.0; count],
        Initializer::GlorotUniform => uniform(count, (3.0 / mean_fan).sqrt(), random),
        Initializer::HeUniform => uniform(count, (6.0 / fan_in).sqrt(), random),
        Initializer::LecunUniform => uniform(count, (3.0 / fan_in).sqrt(), random),
        Initializer::Constant(value) => vec![value as f32; count],
        Initializer::RandomUniform { minval, maxval } => {
            (0..count).map(|_| (minval + (maxval - minval) * random.random::<f64>()) as f32).collect()
        }
        Initializer::GlorotNormal => scaled_normal(count, 1.0 / mean_fan, random),
        Initializer::HeNormal => scaled_normal(count, 2.0 / fan_in, random),
        Initializer::LecunNormal => scaled_normal(count, 1.0 / fan_in, random),
        Initializer::RandomNormal { mean, stddev } => (0..count).map(|_| (mean + stddev * normal(random)) as f32).collect(),
        Initializer::TruncatedNormal { mean, stddev } => {
            (0..count).map(|_| (mean + stddev * truncated_normal(random)) as f32).collect()
        }
        Initializer::Orthogonal => orthogonal(parameter.dims(), random),
        Initializer::Fixed(kernels) => fixed(parameter.dims(), kernels),
    }
}

/// The filters of `kernels` in turn, each for all the channels it sees: `O, I, 3, 3`.
fn fixed(dims: &[usize], kernels: Kernels) -> Vec<f32> {
    let filters = kernels.filters.iter().cycle().take(dims[0]);
    filters.flat_map(|filter| filter.repeat(dims[1])).map(|weight| weight / dims[1] as f32).collect()
}

fn uniform(count: usize, limit: f64, random: &mut ChaCha8Rng) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-limit..limit) as f32).collect()
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}

/// A standard normal number, drawn again until it lies within two standard deviations.
fn truncated_normal(random: &mut ChaCha8Rng) -> f64 {
    loop {
        let x = normal(random);
        if x.abs() <= 2.0 {
            return x;
        }
    }
}

/// Truncated normal numbers that have this variance after truncation.
fn scaled_normal(count: usize, variance: f64, random: &mut ChaCha8Rng) -> Vec<f32> {
    /// The standard deviation of a standard normal distribution cut at two.
    const KEPT: f64 = 0.879_625_661_034_239_8;
    let deviation = variance.sqrt() / KEPT;
    (0..count).map(|_| (deviation * truncated_normal(random)) as f32).collect()
}

/// A matrix of the first size by all others, with orthonormal rows, or columns if there are fewer of them, by
/// modified Gram–Schmidt on normal numbers.
fn orthogonal(dims: &[usize], random: &mut ChaCha8Rng) -> Vec<f32> {
    let rows = dims.first().copied().unwrap_or(1);
    let columns = dims.iter().skip(1).product::<usize>();
    let (vectors, length) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(vectors);
    while basis.len() < vectors {
        let mut vector: Vec<f64> = (0..length).map(|_| normal(random)).collect();
        for other in &basis {
            let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            vector.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        basis.push(vector.into_iter().map(|x| x / norm).collect());
    }
    let at = |row: usize, column: usize| if rows <= columns { basis[row][column] } else { basis[column][row] };
    (0..rows * columns).map(|i| at(i / columns, i % columns) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;

    fn draw(initializer: Initializer) -> Vec<f32> {
        let parameter = Parameter::new("weight", [64, 32, 3, 3], initializer).fans(288, 576);
        initialize(&parameter, Seed(3).stream("conv2d.weight", 0))
    }

    #[test]
    fn variances_follow_from_the_fans() {
        let (fan_in, mean_fan, kept) = (288.0, 432.0, 0.879_625_661f64.powi(2));
        for (initializer, expected) in [
            (Initializer::GlorotUniform, 1.0 / mean_fan),
            (Initializer::GlorotNormal, 1.0 / mean_fan),
            (Initializer::HeUniform, 2.0 / fan_in),
            (Initializer::HeNormal, 2.0 / fan_in),
            (Initializer::LecunUniform, 1.0 / fan_in),
            (Initializer::LecunNormal, 1.0 / fan_in),
            (Initializer::random_normal(0.0, 0.05), 0.0025),
            (Initializer::random_uniform(-0.05, 0.05), 0.0025 / 3.0),
            (Initializer::truncated_normal(0.0, 0.05), 0.0025 * kept),
            (Initializer::random_normal(3.0, 0.5), 9.25),
            (Initializer::random_uniform(1.0, 2.0), 7.0 / 3.0),
            (Initializer::Constant(0.5), 0.25),
        ] {
            let values = draw(initializer);
            let found = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / values.len() as f64;
            assert!((found / expected - 1.0).abs() < 0.05, "{initializer:?}: variance {found}, expected {expected}");
        }
    }

    #[test]
    fn limits_hold() {
        let most = |initializer| draw(initializer).iter().fold(0f32, |most, x| most.max(x.abs()));
        let limit = (6.0f32 / 864.0).sqrt();
        assert!(most(Initializer::GlorotUniform) <= limit && most(Initializer::GlorotUniform) > 0.99 * limit);
        assert!(most(Initializer::truncated_normal(0.0, 0.05)) <= 0.1);
    }

    #[test]
    fn orthogonal_rows_are_orthonormal() {
        let values = draw(Initializer::Orthogonal);
        let row = |i: usize| &values[i * 288..][..288];
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        assert!((dot(row(0), row(0)) - 1.0).abs() < 1e-5);
        assert!(dot(row(0), row(63)).abs() < 1e-5);
    }
}
