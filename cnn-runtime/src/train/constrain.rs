//! Constraints: what weights are made to be after each step.

use super::late::settle;
use crate::spec::{Constraint, Parameter};
use candle_core::{Result, Tensor, Var};

/// What Keras adds to a norm before it divides by it.
const EPSILON: f64 = 1e-7;

/// Makes the values of `variable` be what the constraint of `parameter` asks for, if it has one, as [`fit`](crate::Model::fit)
/// does after each step.
///
/// # Errors
/// If the variable is not of the parameter's shape, or the constraint is for an axis that there is not.
pub fn constrain(parameter: &Parameter, variable: &Var) -> Result<()> {
    let Some(constraint) = parameter.constraint else { return Ok(()) };
    let axes = parameter.constrained_axes().map_err(candle_core::Error::wrap)?;
    let sizes: Vec<usize> = axes.iter().map(|(size, _)| *size).collect();
    let along: Vec<usize> = (0..axes.len()).filter(|axis| axes[*axis].1).collect();
    let weights = variable.as_detached_tensor().reshape(sizes)?;
    let norms = || weights.sqr()?.sum_keepdim(along)?.sqrt();
    let with_norms = |norms: &Tensor, wanted: Tensor| weights.broadcast_mul(&(wanted / (norms + EPSILON)?)?);
    let held = match constraint {
        Constraint::NonNeg => weights.relu()?,
        Constraint::MaxNorm { max_value, .. } => {
            let norms = norms()?;
            with_norms(&norms, norms.clamp(0.0, max_value)?)?
        }
        Constraint::UnitNorm { .. } => {
            let norms = norms()?;
            with_norms(&norms, norms.ones_like()?)?
        }
        Constraint::MinMaxNorm { min_value, max_value, rate, .. } => {
            let norms = norms()?;
            let wanted = ((norms.clamp(min_value, max_value)? * rate)? + (&norms * (1.0 - rate))?)?;
            with_norms(&norms, wanted)?
        }
    };
    variable.set(&held.reshape(variable.dims())?)
}

/// The same of every parameter that is trained, each by its name; on a GPU, only if `guard` is a finite number.
pub(super) fn constrain_all(trained: &[(String, Parameter)], variables: &[(String, Var)], guard: Option<&Tensor>) -> Result<()> {
    for (name, parameter) in trained.iter().filter(|(_, parameter)| parameter.constraint.is_some()) {
        if let Some((_, variable)) = variables.iter().find(|(other, _)| other == name) {
            let before = guard.map(|guard| Ok::<_, candle_core::Error>((variable.copy()?, guard))).transpose()?;
            constrain(parameter, variable)?;
            if let Some((before, guard)) = before {
                settle(variable, &before, guard)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use crate::spec::{Axes, DepthwiseConv2D, Layer, Operand, Shape};
    use crate::testing::blobs;
    use crate::train::{Fit, SGD, SparseCategoricalCrossentropy, Verbose};
    use candle_core::Device;

    /// Two channels of two filters each, of one row and two columns.
    fn depthwise(axes: Axes) -> Vec<f64> {
        let layer = DepthwiseConv2D::new([1, 2]).depth_multiplier(2);
        let layer = Layer::DepthwiseConv2D(layer.depthwise_constraint(Some(Constraint::unit_norm(axes))));
        let inferred = layer.infer(&[Operand::new("i", Shape::new([4, 4, 2]))]).unwrap();
        let values = Tensor::new(&[3f64, 4., 0., 2., 5., 12., 8., 6.], &Device::Cpu).unwrap().reshape((4, 1, 1, 2)).unwrap();
        let variable = Var::from_tensor(&values).unwrap();
        constrain(&inferred.parameters.as_slice()[0], &variable).unwrap();
        let held = variable.flatten_all().unwrap().to_vec1::<f64>().unwrap();
        held.into_iter().map(|w| (w * 1e4).round() / 1e4).collect()
    }

    #[test]
    fn what_is_frozen_is_left_as_it_is() {
        crate::model! {
            Net {
                i = Input(2, 3, 2);
                x = Flatten()(i);
                x = Dense(4, kernel_constraint=MaxNorm(0.01), frozen)(x);
                x = Dense(3, softmax, kernel_constraint=MaxNorm(0.01))(x);
            }
        }
        let mut model = Net::new(&Device::Cpu, Seed(1)).unwrap();
        let largest = |weight: &Tensor| {
            let norms = weight.sqr().unwrap().sum(1).unwrap().sqrt().unwrap();
            norms.max(0).unwrap().to_scalar::<f32>().unwrap()
        };
        let frozen = model.dense.weight.to_vec2::<f32>().unwrap();
        model.compile(SGD::default(), SparseCategoricalCrossentropy::default(), []);
        model.fit(&blobs(8), Fit::epochs(1).verbose(Verbose::Silent)).unwrap();
        assert_eq!(model.dense.weight.to_vec2::<f32>().unwrap(), frozen);
        assert!(largest(&model.dense.weight) > 0.1 && largest(&model.dense_1.weight) < 0.010_001);
    }

    #[test]
    fn filters_of_one_channel_are_an_axis_in_keras() {
        assert_eq!(depthwise(Axes::new([0, 1])), [0.6, 0.8, 0., 1., 0.3846, 0.9231, 0.8, 0.6]);
        // The first filter of both channels, (3, 5) and (4, 12), and the second, (0, 8) and (2, 6).
        assert_eq!(depthwise(Axes::new([2])), [0.5145, 0.3162, 0., 0.3162, 0.8575, 0.9487, 1., 0.9487]);
        // Both filters of one channel: (3, 0) and (4, 2), (5, 8) and (12, 6).
        assert_eq!(depthwise(Axes::new([-1])), [1., 0.8944, 0., 0.4472, 0.53, 0.8944, 0.848, 0.4472]);
    }
}
