"""Reference values of constraints: what Keras makes of the weights of a layer, in the layout of checkpoints.

`generate.py` imports this; it is run by itself as well, with `python tests/golden/constraints.py`.
"""

import generate as g
import keras
import numpy as np

# The layers whose weights lie otherwise in Keras, and some whose weights do not: arguments, the constrained argument, the
# shape of the input, and the axes that are tried.
LAYERS = [
    ("Conv1D", {"filters": 3, "kernel_size": 2}, "kernel", (1, 6, 4), [0, 2, [0, 1], -2]),
    ("Conv2D", {"filters": 3, "kernel_size": [2, 3]}, "kernel", (1, 6, 5, 4), [0, 1, 2, 3, [0, 1, 2], [0, 1], -1, None]),
    ("Conv2D", {"filters": 6, "kernel_size": 2, "groups": 2}, "kernel", (1, 6, 5, 4), [[0, 1, 2], 3]),
    ("Conv2D", {"filters": 5, "kernel_size": 2}, "bias", (1, 6, 5, 4), [0]),
    ("Conv3D", {"filters": 2, "kernel_size": [1, 2, 3]}, "kernel", (1, 4, 4, 4, 3), [0, 2, 3, [0, 1, 2, 3], [-1, 1]]),
    ("Conv1DTranspose", {"filters": 3, "kernel_size": 2}, "kernel", (1, 6, 4), [0, 1, 2]),
    ("Conv2DTranspose", {"filters": 3, "kernel_size": [2, 3]}, "kernel", (1, 6, 5, 4), [0, 2, 3, [0, 1, 3]]),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": [1, 2, 3]}, "kernel", (1, 4, 4, 4, 3), [2, 3, 4]),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, "depthwise", (1, 6, 4), [0, 1, 2]),
    ("DepthwiseConv2D", {"kernel_size": [2, 3]}, "depthwise", (1, 6, 5, 4), [0, 2, [0, 1]]),
    ("DepthwiseConv2D", {"kernel_size": [2, 3], "depth_multiplier": 3}, "depthwise", (1, 6, 5, 4),
     [0, 1, 2, 3, [0, 1], [0, 1, 3], -2]),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 2, "depth_multiplier": 2}, "pointwise", (1, 6, 4), [0, 1, 2]),
    ("SeparableConv2D", {"filters": 3, "kernel_size": [2, 3], "depth_multiplier": 2}, "depthwise", (1, 6, 5, 4), [1, 2, 3]),
    ("SeparableConv2D", {"filters": 3, "kernel_size": [2, 3], "depth_multiplier": 2}, "pointwise", (1, 6, 5, 4), [2, 3]),
    ("Dense", {"units": 3}, "kernel", (1, 5), [0, 1, [0, 1], -1]),
    ("Dense", {"units": 3}, "bias", (1, 5), [0, -1]),
    ("Embedding", {"input_dim": 4, "output_dim": 3}, "embeddings", (1, 2), [0, 1]),
    ("PReLU", {"shared_axes": [1]}, "alpha", (1, 6, 5, 4), [0, 1, [1, 2]]),
    ("BatchNormalization", {}, "gamma", (1, 5), [0]),
    ("LayerNormalization", {"axis": [2, 3]}, "beta", (1, 6, 5, 4), [0, 1]),
    ("GroupNormalization", {"groups": 2}, "gamma", (1, 6, 5, 4), [0]),
]


def constraints(axis):
    return [("MaxNorm", {"axis": axis}), ("MaxNorm", {"max_value": 0.8, "axis": axis}), ("UnitNorm", {"axis": axis}),
            ("MinMaxNorm", {"axis": axis}), ("MinMaxNorm", {"min_value": 0.9, "max_value": 1.1, "rate": 0.7, "axis": axis})]


def to_checkpoint(layer, what, values):
    """From Keras' layout to that of checkpoints."""
    if what == "depthwise":
        *kernel, channels, multiplier = values.shape
        order = (values.ndim - 2, values.ndim - 1, *range(values.ndim - 2))
        return values.transpose(order).reshape(channels * multiplier, 1, *kernel)
    if what in ["kernel", "pointwise"]:
        return values.transpose(values.ndim - 1, values.ndim - 2, *range(values.ndim - 2))
    return values


def case(cases, layer, arguments, what, shape, constraint, settings):
    name = f"{layer} {arguments}, {what}, {constraint} {settings}"
    held = getattr(keras.constraints, constraint)(**settings)
    argument = f"{what}_constraint"
    module = getattr(keras.layers, layer)(**arguments, **{argument: held}, dtype="float64")
    module.build(shape)
    [variable] = [variable for variable in module.trainable_variables if variable.constraint is not None]
    before = g.uniform(g.draws(name), variable.shape)
    after = np.array(variable.constraint(keras.ops.convert_to_tensor(before)))
    xs = np.zeros(shape)
    tensors = {"input": xs, **{key: to_checkpoint(layer, what, values) for key, values in [("before", before), ("after", after)]}}
    cases.add(name, layer, arguments | {argument: {"call": constraint} | settings}, tensors, modes=[])


def write():
    cases = g.Cases("constraints")
    for layer, arguments, what, shape, axes in LAYERS:
        for axis in axes:
            for constraint, settings in constraints(axis):
                case(cases, layer, arguments, what, shape, constraint, settings)
        case(cases, layer, arguments, what, shape, "NonNeg", {})
    cases.write()


if __name__ == "__main__":
    write()
