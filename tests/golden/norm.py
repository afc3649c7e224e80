"""Reference values of normalisations, of activations with parameters, and of what is left out or added while training.

`generate.py` imports this; it is run by itself as well, with `python tests/golden/norm.py`. Layers with running statistics
have cases of a single mode each; in one of training, `running_mean_after` and `running_var_after` are those after the pass.
Local response normalisation is PyTorch's. `sparsemax` is written out here: Keras' adds up all partial sums where the last
belongs, and gives probabilities that do not add up to 1.
"""

import generate as g
import keras
import numpy as np
import tensorflow as tf
import torch

# Keras' names of parameters, and those of checkpoints.
NAMES = {"gamma": "weight", "scale": "weight", "beta": "bias", "alpha": "weight", "moving_mean": "running_mean", "moving_variance": "running_var"}


def case(cases, name, layer, arguments, module, shape, modes=g.BOTH, shift=0.0, scale=1.0):
    """A case of a Keras layer, all of whose tensors are drawn at random."""
    xs = (scale * g.uniform(g.draws(name), shape) + shift).astype(np.float32).astype(np.float64)
    module.build(shape)
    random = g.draws(name + " parameters")
    for variable in module.variables:
        variable.assign(np.abs(g.uniform(random, variable.shape)) if variable.name == "moving_variance"
                        else g.uniform(random, variable.shape))
    before = {NAMES[variable.name]: variable.numpy() for variable in module.variables}
    training = modes == ["training"]
    function = lambda xs: module(xs, training=training) if isinstance(module, keras.layers.BatchNormalization) else module(xs)
    trained = [variable.value for variable in module.trainable_variables]
    output, upstream, gradient, *gradients = g.differentiate(name, function, xs, trained)
    tensors = {"input": xs, "output": output, "upstream": upstream, "input_gradient": gradient, **before}
    for variable, gradient in zip(module.trainable_variables, gradients):
        tensors[f"{NAMES[variable.name]}_gradient"] = gradient
    if training:
        for variable in module.non_trainable_variables:
            tensors[f"{NAMES[variable.name]}_after"] = variable.numpy()
    cases.add(name, layer, arguments, tensors, modes=modes)


SHAPES = [(3, 5), (1, 7), (3, 4, 3), (3, 5, 4, 2), (1, 3, 5, 37), (2, 3, 2, 4, 5), (3, 6, 5, 1), (4, 9, 8, 70)]


def batch_normalization():
    cases = g.Cases("batch_normalization")
    grid = [{}, {"epsilon": 1e-5, "momentum": 0.9}, {"center": False}, {"scale": False}, {"center": False, "scale": False}]
    for mode in g.BOTH:
        for i, shape in enumerate(SHAPES):
            for arguments in [{}, grid[1 + i % 4]]:
                name = f"{'x'.join(map(str, shape))}, {arguments}, {mode}"
                module = keras.layers.BatchNormalization(**arguments, dtype="float64")
                case(cases, name, "BatchNormalization", arguments, module, shape, modes=[mode])
        module = keras.layers.BatchNormalization(dtype="float64")
        case(cases, f"large means, {mode}", "BatchNormalization", {}, module, (6, 5, 4, 3), [mode], shift=20.0)
    cases.write()


def layer_normalization():
    cases = g.Cases("layer_normalization")
    grid = [{}, {"epsilon": 1e-5}, {"center": False}, {"scale": False}, {"center": False, "scale": False}]
    for i, shape in enumerate(SHAPES):
        if shape[-1] == 1:
            continue
        for arguments in [{}, grid[1 + i % 4]]:
            module = keras.layers.LayerNormalization(**arguments, dtype="float64")
            case(cases, f"{'x'.join(map(str, shape))}, {arguments}", "LayerNormalization", arguments, module, shape)
    for axis in [[1, 2, 3], [2, 3], [-2, -1]]:
        module = keras.layers.LayerNormalization(axis=axis, dtype="float64")
        case(cases, f"axes {axis}", "LayerNormalization", {"axis": axis}, module, (3, 4, 3, 5))
    cases.write()


def group_normalization():
    cases = g.Cases("group_normalization")
    for shape, groups in [((3, 4, 5, 6), 2), ((3, 4, 5, 6), 3), ((1, 3, 3, 6), 1), ((3, 5, 4, 6), -1), ((2, 7, 8), 4),
                          ((3, 12), 3), ((2, 3, 2, 4, 8), 4), ((2, 9, 7, 64), 32), ((1, 2, 2, 70), 7)]:
        for arguments in [{}, {"center": False, "epsilon": 1e-5}, {"scale": False}]:
            arguments = {"groups": groups, **arguments}
            module = keras.layers.GroupNormalization(**arguments, dtype="float64")
            case(cases, f"{'x'.join(map(str, shape))}, {arguments}", "GroupNormalization", arguments, module, shape)
    module = keras.layers.GroupNormalization(dtype="float64")
    case(cases, "32 groups by default", "GroupNormalization", {}, module, (2, 3, 2, 64))
    cases.write()


def with_torch(cases, name, layer, arguments, function, xs):
    leaf = torch.tensor(xs, requires_grad=True)
    output = function(leaf)
    upstream = g.uniform(g.draws(name + " upstream"), output.shape)
    output.backward(torch.tensor(upstream))
    tensors = {"input": xs, "output": output.detach().numpy(), "upstream": upstream, "input_gradient": leaf.grad.numpy()}
    cases.add(name, layer, arguments, tensors, reference="pytorch")


def local_response_normalization():
    cases = g.Cases("local_response_normalization")
    for shape in [(3, 4, 5, 7), (1, 3, 2, 1), (2, 3, 3, 40)]:
        for arguments in [{"size": 5}, {"size": 5, "alpha": 0.5, "k": 2.0}, {"size": 4, "alpha": 1.0, "beta": 0.6},
                          {"size": 1, "alpha": 0.3}, {"size": 9, "alpha": 2.0, "beta": 1.0, "k": 0.5}]:
            name = f"{'x'.join(map(str, shape))}, {arguments}"
            module = torch.nn.LocalResponseNorm(**arguments)
            function = lambda xs: module(xs.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            xs = (3 * g.uniform(g.draws(name), shape)).astype(np.float32).astype(np.float64)
            with_torch(cases, name, "LocalResponseNormalization", arguments, function, xs)
    cases.write()


def rectifiers():
    for file, layer, grid in [("leaky_relu", "LeakyReLU", [{}, {"negative_slope": 0.1}, {"negative_slope": 0.0}]),
                              ("elu", "ELU", [{}, {"alpha": 0.5}, {"alpha": 2.0}])]:
        cases = g.Cases(file)
        for arguments in grid:
            module = getattr(keras.layers, layer)(**arguments, dtype="float64")
            # At 0 TensorFlow's slope of `ELU` is 1, whatever `alpha` is.
            values = g.points("relu")
            values = values[values != 0][None]
            g.without_parameters(cases, f"{arguments}, points", layer, arguments, module, values)
            xs = 3 * g.uniform(g.draws(f"{layer} {arguments}"), (3, 4, 3, 2))
            g.without_parameters(cases, f"{arguments}, image", layer, arguments, module, xs)
        cases.write()
    cases = g.Cases("prelu")
    for shape in [(3, 5), (1, 4, 3), (3, 4, 5, 3)]:
        for axes in [None, [1], list(range(1, len(shape) - 1)), [len(shape) - 1]]:
            if axes == []:
                continue
            arguments = {} if axes is None else {"shared_axes": axes}
            module = keras.layers.PReLU(**arguments, dtype="float64")
            name = f"{'x'.join(map(str, shape))}, {arguments}"
            if all(other["name"] != name for other in cases.cases):
                case(cases, name, "PReLU", arguments, module, shape)
    cases.write()


def softmax_axis():
    cases = g.Cases("softmax_axis")
    for shape, axes in [((3, 4, 3, 5), [1, 2, 3, -1, -2]), ((1, 6, 2), [1, -2]), ((3, 4), [1])]:
        for axis in axes:
            name = f"{'x'.join(map(str, shape))}, axis {axis}"
            module = keras.layers.Softmax(axis=axis, dtype="float64")
            xs = (3 * g.uniform(g.draws(name), shape)).astype(np.float32).astype(np.float64)
            g.without_parameters(cases, name, "Softmax", {"axis": axis}, module, xs)
    cases.write()


def sparsemax(xs):
    """Algorithm 1 of Martins & Astudillo, "From softmax to sparsemax" (2016)."""
    ordered = tf.sort(xs, direction="DESCENDING", axis=-1)
    sums = tf.cumsum(ordered, axis=-1)
    counts = tf.range(1, xs.shape[-1] + 1, dtype=xs.dtype)
    count = tf.reduce_sum(tf.cast(1 + counts * ordered > sums, tf.int32), axis=-1, keepdims=True)
    total = tf.gather(sums, count - 1, batch_dims=len(xs.shape) - 1)
    return tf.maximum(xs - (total - 1) / tf.cast(count, xs.dtype), 0)


def wide_activations():
    """`glu` and `sparsemax`, as layers and as arguments."""
    cases = g.Cases("wide_activation")
    rows = {"vector": (3, 10), "image": (3, 4, 3, 6), "two": (1, 2), "wide": (1, 100)}
    for word, function in [("glu", "glu"), ("sparsemax", sparsemax)]:
        for name, shape in rows.items():
            module = keras.layers.Activation(function, dtype="float64")
            xs = (2 * g.uniform(g.draws(f"{word} {name}"), shape)).astype(np.float32).astype(np.float64)
            g.without_parameters(cases, f"{word}, {name}", "Activation", {"activation": word}, module, xs)
        arguments = {"filters": 4, "kernel_size": [2, 3], "activation": word}
        module = keras.layers.Conv2D(**arguments | {"activation": function}, dtype="float64")
        xs = g.uniform(g.draws(f"conv2d {word}"), (3, 4, 5, 2))
        to_checkpoint = lambda kernel: kernel.transpose(3, 2, 0, 1)
        g.with_parameters(cases, f"conv2d, {word}", "Conv2D", arguments, module, xs, to_checkpoint)
        arguments = {"units": 6, "activation": word}
        module = keras.layers.Dense(**arguments | {"activation": function}, dtype="float64")
        xs = g.uniform(g.draws(f"dense {word}"), (3, 4))
        g.with_parameters(cases, f"dense, {word}", "Dense", arguments, module, xs, lambda kernel: kernel.transpose())
    cases.write()


def identities():
    """What inference leaves as it is, and so does training with a share or a deviation of 0."""
    for file, layer, shape in [("spatial_dropout1d", "SpatialDropout1D", (3, 4, 5)),
                               ("spatial_dropout2d", "SpatialDropout2D", (3, 4, 2, 5)),
                               ("spatial_dropout3d", "SpatialDropout3D", (2, 3, 2, 4, 3)),
                               ("gaussian_noise", "GaussianNoise", (3, 4, 2, 5)),
                               ("gaussian_dropout", "GaussianDropout", (3, 4, 2, 5)),
                               ("alpha_dropout", "AlphaDropout", (3, 4, 2, 5))]:
        cases = g.Cases(file)
        argument = "stddev" if layer == "GaussianNoise" else "rate"
        for value, mode in [(0.5, "inference"), (0.0, "training")]:
            arguments = {argument: value}
            module = getattr(keras.layers, layer)(**arguments, dtype="float64")
            function = lambda xs: module(xs, training=mode == "training")
            xs = g.uniform(g.draws(layer + mode), shape)
            g.without_parameters(cases, f"{argument} {value}, {mode}", layer, arguments, function, xs, modes=[mode])
        cases.write()


def same():
    """What is the identity in every mode; a penalty is no part of the output."""
    cases = g.Cases("identity")
    for layer, arguments in [("Identity", {}), ("ActivityRegularization", {"l1": 0.1, "l2": 0.5})]:
        for shape in [(1, 5), (3, 4, 2, 5)]:
            module = getattr(keras.layers, layer)(**arguments, dtype="float64")
            name = f"{layer}, {'x'.join(map(str, shape))}"
            g.without_parameters(cases, name, layer, arguments, module, g.uniform(g.draws(name), shape))
    cases.write()


def threshold():
    cases = g.Cases("threshold")
    for arguments in [{"threshold": 0.0, "value": 0.0}, {"threshold": 0.5, "value": -1.0}, {"threshold": -1.0, "value": 20}]:
        function = lambda xs: keras.activations.threshold(xs, arguments["threshold"], arguments["value"])
        g.without_parameters(cases, f"{arguments}, points", "Threshold", arguments, function, g.points("relu")[None])
        xs = 3 * g.uniform(g.draws(f"threshold {arguments}"), (3, 4, 3, 2))
        g.without_parameters(cases, f"{arguments}, image", "Threshold", arguments, function, xs)
    cases.write()


def root_normalization():
    cases = g.Cases("root_normalization")
    axes = [-1, [1, 2, 3], [2, 3], 1, [1, 3], [-1, 2]]
    for layer, more in [("RMSNormalization", {"epsilon": 0.1}), ("UnitNormalization", {})]:
        for shape in [(3, 5), (1, 70), (3, 4, 3), (2, 3, 2, 4, 5)]:
            module = getattr(keras.layers, layer)(**more, dtype="float64")
            case(cases, f"{layer} {more}, {'x'.join(map(str, shape))}", layer, more, module, shape)
        for axis in axes if layer == "UnitNormalization" else axes[:3]:
            module = getattr(keras.layers, layer)(axis=axis, dtype="float64")
            case(cases, f"{layer}, axes {axis}", layer, {"axis": axis}, module, (3, 4, 3, 5))
    # Keras' weights spread to the last axes alone: others are made the last.
    for axis, order in [([1], (0, 2, 3, 1)), ([1, 3], (0, 2, 1, 3))]:
        module = keras.layers.RMSNormalization(axis=list(range(4 - len(axis), 4)), dtype="float64")
        back = [order.index(place) for place in range(4)]
        name, shape = f"RMSNormalization, axes {axis}", (3, 4, 3, 5)
        module.build([shape[place] for place in order])
        module.scale.assign(g.uniform(g.draws(name + " parameters"), module.scale.shape))
        function = lambda xs: tf.transpose(module(tf.transpose(xs, order)), back)
        xs = g.uniform(g.draws(name), shape)
        output, upstream, gradient, of_weight = g.differentiate(name, function, xs, [module.scale.value])
        tensors = {"input": xs, "output": output, "upstream": upstream, "input_gradient": gradient,
                   "weight": module.scale.numpy(), "weight_gradient": of_weight}
        cases.add(name, "RMSNormalization", {"axis": axis}, tensors)
    cases.write()


def write():
    same()
    threshold()
    root_normalization()
    batch_normalization()
    layer_normalization()
    group_normalization()
    local_response_normalization()
    rectifiers()
    softmax_axis()
    wide_activations()
    identities()


if __name__ == "__main__":
    write()
