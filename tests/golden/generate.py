#!/usr/bin/env python3
"""Writes the reference values that `tests/golden.rs` compares every layer with.

    pip install keras==3.15.1 tensorflow-cpu==2.21.0 torch==2.15.0 numpy safetensors
    python tests/golden/generate.py

The tests never run this; they read the files it leaves beside it, which are kept in the repository. For each layer there
is a manifest, `<layer>.json`, and its tensors, `<layer>.safetensors`. A case of the manifest has a `name`, a `layer` with
its `arguments` as a model would write them, the `modes` (`inference`, `training`) its values hold in, and the `reference`
they come from. Its tensors are called `<name>/<what>`:

    input, output          channels last, with the batch
    upstream               the gradient of some loss by the output
    input_gradient         the gradient of that loss by the input
    weight, bias           in the layout of checkpoints: `O, I / groups, H, W` for kernels, `out, in` for dense weights
    weight_gradient, ...   the gradient of that loss by each parameter

A case of a constraint has the one parameter that is held to something, `before` and `after`, and the constraint as
`{"call": "MaxNorm", "axis": …}` among its arguments; a case of the loss has `labels` and neither arguments nor upstream: its output is a scalar.

All inputs are single precision numbers, drawn from a generator whose numbers never change, seeded with the case's name;
the references compute with them in double precision and are rounded to single precision in the end. So running this again
writes the same bytes, as long as the references do not change. The reference is Keras on TensorFlow; where Keras lacks
something it is built from what Keras has (explicit and full padding are a padding layer before a valid window), and a
stride together with a dilation, which Keras refuses, is PyTorch's.
"""

import json
import os
import pathlib
import zlib

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np
import safetensors.numpy
import tensorflow as tf
import torch

HERE = pathlib.Path(__file__).parent
VERSIONS = {"keras": keras.__version__, "tensorflow": tf.__version__, "pytorch": torch.__version__.split("+")[0]}
BOTH = ["inference", "training"]

ELEMENTWISE = """linear relu leaky_relu relu6 elu selu celu gelu silu swish hard_silu hard_swish sigmoid hard_sigmoid
log_sigmoid tanh hard_tanh tanh_shrink soft_shrink hard_shrink softplus softsign squareplus mish exponential sparse_plus
sparse_sigmoid""".split()
ALONG_THE_LAST_AXIS = ["softmax", "log_softmax"]


class Cases:
    """The cases of one file, collected and then written."""

    def __init__(self, file):
        self.file, self.cases, self.tensors = file, [], {}

    def add(self, name, layer, arguments, tensors, reference="keras", modes=BOTH):
        assert all(case["name"] != name for case in self.cases), f"two cases are called {name}"
        case = {"name": name, "layer": layer, "arguments": arguments, "modes": modes, "reference": reference}
        self.cases.append(case)
        for what, values in tensors.items():
            # `np.array(..., order="C")` and not `ascontiguousarray`, which gives a scalar an axis.
            dtype = np.uint32 if what == "labels" else np.float32
            values = np.array(values, dtype=dtype, order="C")
            assert np.isfinite(values).all(), f"{name}/{what} is not finite"
            self.tensors[f"{name}/{what}"] = values

    def write(self):
        lines = ",\n".join("    " + json.dumps(case) for case in self.cases)
        head = f'{{\n  "versions": {json.dumps(VERSIONS)},\n  "cases": [\n'
        (HERE / f"{self.file}.json").write_text(f"{head}{lines}\n  ]\n}}\n")
        safetensors.numpy.save_file(self.tensors, HERE / f"{self.file}.safetensors")
        size = (HERE / f"{self.file}.safetensors").stat().st_size
        print(f"{self.file}: {len(self.cases)} cases, {size / 1024:.0f} KiB")


def draws(name):
    """Random numbers that follow from the case's name alone; `RandomState`'s are frozen for good."""
    return np.random.RandomState(zlib.crc32(name.encode()))


def uniform(random, shape):
    """Single precision numbers within ±1, as doubles."""
    return random.uniform(-1, 1, shape).astype(np.float32).astype(np.float64)


def differentiate(name, function, xs, parameters=()):
    """Runs `function` on `xs`; gives output, upstream gradient, and the gradients by `xs` and every parameter."""
    xs = tf.constant(xs, dtype=tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(xs)
        output = function(xs)
        upstream = uniform(draws(name + " upstream"), output.shape)
        loss = tf.reduce_sum(output * upstream)
    gradients = tape.gradient(loss, [xs, *parameters])
    assert all(gradient is not None for gradient in gradients), f"{name} has no gradient"
    return output.numpy(), upstream, *(gradient.numpy() for gradient in gradients)


def without_parameters(cases, name, layer, arguments, function, xs, modes=BOTH):
    """A case of a layer that trains nothing."""
    output, upstream, gradient = differentiate(name, function, xs)
    tensors = {"input": xs, "output": output, "upstream": upstream, "input_gradient": gradient}
    cases.add(name, layer, arguments, tensors, modes=modes)


def pair(value):
    return [value, value] if isinstance(value, int) else list(value)


def cells(padding, spans):
    """The cells before and after each axis that `padding` asks for, or None for what Keras has a word for."""
    if padding == "full":
        return [[span - 1, span - 1] for span in spans]
    return None if isinstance(padding, str) else [pair(axis) for axis in pair(padding)]


def with_parameters(cases, name, layer, arguments, module, xs, to_checkpoint, before=lambda xs: xs):
    """A case of a Keras layer with a kernel, and perhaps a bias, all drawn at random."""
    module.build(before(tf.constant(xs)).shape)
    random = draws(name + " parameters")
    for variable in module.trainable_variables:
        variable.assign(uniform(random, variable.shape))
    variables = [variable.value for variable in module.trainable_variables]
    output, upstream, gradient, *gradients = differentiate(name, lambda xs: module(before(xs)), xs, variables)
    tensors = {"input": xs, "output": output, "upstream": upstream, "input_gradient": gradient}
    for what, value, gradient in zip(["weight", "bias"], variables, gradients):
        layout = to_checkpoint if what == "weight" else lambda values: values
        tensors |= {what: layout(value.numpy()), f"{what}_gradient": layout(gradient)}
    cases.add(name, layer, arguments, tensors)


def conv2d():
    cases = Cases("conv2d")

    def case(name, size, batch, filters, kernel, **arguments):
        height, width, channels = size
        xs = uniform(draws(name), (batch, height, width, channels))
        keras_arguments = dict(arguments)
        spans = [(k - 1) * d + 1 for k, d in zip(pair(kernel), pair(arguments.get("dilation_rate", 1)))]
        around = cells(arguments.get("padding", "valid"), spans)
        before = lambda xs: xs
        if around is not None:
            keras_arguments["padding"] = "valid"
            before = keras.layers.ZeroPadding2D(tuple(map(tuple, around)), dtype="float64")
        module = keras.layers.Conv2D(filters, kernel, **keras_arguments, dtype="float64")
        arguments = {"filters": filters, "kernel_size": kernel, **arguments}
        to_checkpoint = lambda kernel: kernel.transpose(3, 2, 0, 1)
        with_parameters(cases, name, "Conv2D", arguments, module, xs, to_checkpoint, before)

    sizes = [(7, 6, 2), (8, 8, 1), (5, 9, 3), (6, 5, 2), (9, 7, 1)]
    turn = 0
    for kernel in [1, 2, 3, 5, (3, 2)]:
        for strides in [1, 2, 3, (1, 2)]:
            for padding in ["valid", "same"]:
                size, batch = sizes[turn % len(sizes)], [1, 3][turn % 2]
                case(f"kernel {kernel}, strides {strides}, {padding}", size, batch, 3, kernel, strides=strides, padding=padding)
                turn += 1

    for dilation in [2, (1, 2), (3, 1)]:
        for padding in ["valid", "same", "full"]:
            name = f"kernel (3, 2), dilation {dilation}, {padding}"
            case(name, (8, 7, 2), 1, 3, (3, 2), dilation_rate=dilation, padding=padding)
    for strides in [1, 2, (3, 1)]:
        case(f"kernel 3, strides {strides}, full", (5, 4, 2), 3, 2, 3, strides=strides, padding="full")
    for padding in [0, 1, 2, (1, 2), ((0, 1), (2, 0)), ((3, 0), (0, 4))]:
        case(f"kernel 3, padding {padding}", (5, 6, 2), 1, 2, 3, padding=padding)
        case(f"kernel (2, 3), strides 2, padding {padding}", (6, 5, 2), 3, 2, (2, 3), strides=2, padding=padding)

    case("2 groups", (6, 5, 4), 3, 6, 3, groups=2)
    case("2 groups, strides 2, same", (6, 5, 4), 1, 4, 3, groups=2, strides=2, padding="same")
    case("2 groups, dilation 2", (7, 6, 4), 1, 4, 3, groups=2, dilation_rate=2)
    case("depthwise", (6, 5, 4), 3, 4, 3, groups=4)
    case("depthwise, twice the filters, same", (5, 6, 3), 3, 6, 3, groups=3, padding="same")
    case("depthwise, strides 2, no bias", (7, 6, 5), 1, 5, 3, groups=5, strides=2, use_bias=False)
    case("depthwise, one row, same", (1, 9, 3), 1, 3, (3, 5), groups=3, padding="same")
    case("no bias", (6, 6, 2), 3, 3, 3, use_bias=False)
    case("no bias, relu", (6, 6, 2), 3, 3, 3, use_bias=False, activation="relu")
    case("one cell", (1, 1, 3), 1, 2, 1)
    case("one cell, same", (1, 1, 2), 3, 2, 3, padding="same")
    case("kernel as large as the image", (4, 5, 2), 3, 3, (4, 5))
    case("one row", (1, 12, 2), 1, 3, (1, 4), strides=(1, 3))
    case("many channels", (5, 4, 17), 1, 19, 3)
    case("many channels, one cell", (1, 1, 33), 3, 18, 1)
    case("many images", (7, 7, 1), 22, 2, 3, padding="same", activation="relu")
    case("many cells", (33, 32, 2), 1, 2, 3, padding="same")
    case("many columns", (3, 37, 2), 1, 5, 3, padding="same")
    for activation in ELEMENTWISE + ALONG_THE_LAST_AXIS:
        case(f"{activation}", (3, 4, 2), 3, 3, (2, 3), activation=activation)
    case("relu, 2 groups, strides 2, same", (5, 6, 4), 3, 6, 3, groups=2, strides=2, padding="same", activation="relu")

    def strided_and_dilated(name, size, batch, filters, kernel, strides, dilation, padding, groups=1):
        xs = uniform(draws(name), (batch, *size))
        random = draws(name + " parameters")
        weight, bias = uniform(random, (filters, size[2] // groups, *kernel)), uniform(random, filters)
        leaves = [torch.tensor(values, requires_grad=True) for values in (xs.transpose(0, 3, 1, 2), weight, bias)]
        output = torch.nn.functional.conv2d(*leaves, strides, padding, dilation, groups)
        upstream = uniform(draws(name + " upstream"), output.permute(0, 2, 3, 1).shape)
        output.backward(torch.tensor(upstream).permute(0, 3, 1, 2))
        gradients = [leaf.grad.numpy() for leaf in leaves]
        tensors = {"input": xs, "output": output.detach().numpy().transpose(0, 2, 3, 1), "upstream": upstream,
                   "input_gradient": gradients[0].transpose(0, 2, 3, 1), "weight": weight, "weight_gradient": gradients[1],
                   "bias": bias, "bias_gradient": gradients[2]}
        arguments = {"filters": filters, "kernel_size": kernel, "strides": strides, "padding": padding,
                     "dilation_rate": dilation, "groups": groups}
        cases.add(name, "Conv2D", arguments, tensors, reference="pytorch")

    strided_and_dilated("strides 2, dilation 2", (9, 8, 2), 3, 3, (3, 2), (2, 2), (2, 2), (0, 0))
    strided_and_dilated("strides (3, 2), dilation (2, 3), padding (2, 1)", (8, 9, 2), 1, 3, (2, 3), (3, 2), (2, 3), (2, 1))
    strided_and_dilated("strides 2, dilation 2, 2 groups", (8, 7, 4), 1, 4, (3, 3), (2, 2), (2, 2), (1, 1), groups=2)
    cases.write()


def inside(xs, around):
    """1 where a padded image has a cell of `xs`, 0 in the padding."""
    return tf.pad(tf.ones_like(xs), [[0, 0], *around, [0, 0]])


def pooling(name, layer):
    """`MaxPooling2D` or `AveragePooling2D`; padding is nothing to either: it never wins and never counts."""
    cases = Cases(name)
    module = getattr(keras.layers, layer)

    def case(name, xs, pool, **arguments):
        around = cells(arguments.get("padding", "valid"), pair(pool))
        if around is None:
            function = module(pool, **arguments, dtype="float64")
        else:
            pooled = module(pool, strides=arguments.get("strides"), dtype="float64")
            function = {
                "MaxPooling2D": lambda xs: pooled(tf.pad(xs, [[0, 0], *around, [0, 0]], constant_values=-np.inf)),
                "AveragePooling2D": lambda xs: pooled(tf.pad(xs, [[0, 0], *around, [0, 0]])) / pooled(inside(xs, around)),
            }[layer]
        without_parameters(cases, name, layer, {"pool_size": pool, **arguments}, function, xs)

    sizes = [(7, 6, 2), (8, 8, 1), (5, 9, 3), (6, 5, 2), (9, 7, 1)]
    turn = 0
    for pool in [1, 2, 3, (3, 2)]:
        for strides in [None, 1, 2, 4, (1, 2)]:
            for padding in ["valid", "same"]:
                size, batch = sizes[turn % len(sizes)], [1, 3][turn % 2]
                name = f"window {pool}, strides {strides}, {padding}"
                given = {} if strides is None else {"strides": strides}
                case(name, uniform(draws(name), (batch, *size)), pool, padding=padding, **given)
                turn += 1
    for padding in ["full", 0, 1, (0, 1), ((2, 0), (1, 2))]:
        for strides in [1, 2]:
            name = f"window 3, strides {strides}, padding {padding}"
            case(name, uniform(draws(name), (1, 5, 6, 2)), 3, strides=strides, padding=padding)
    for padding in ["valid", "same"]:
        name = f"below 0, {padding}"
        case(name, uniform(draws(name), (3, 5, 5, 2)) - 2, 2, padding=padding)
        name = f"ties, {padding}"
        case(name, draws(name).randint(-1, 2, (3, 6, 7, 2)).astype(float), 3, strides=2, padding=padding)
    case("ties everywhere", np.zeros((1, 5, 4, 1)), 3, strides=1, padding="same")
    case("window of the whole image", uniform(draws("whole"), (3, 4, 6, 2)), (4, 6))
    case("one cell, same", uniform(draws("one cell"), (1, 1, 1, 3)), 2, padding="same")
    case("many channels", uniform(draws("many"), (1, 4, 5, 37)), 2)
    cases.write()


def global_pooling(name, layer):
    cases = Cases(name)
    for size, batch in [((7, 6, 2), 1), ((5, 5, 3), 3), ((1, 1, 4), 3), ((1, 9, 1), 1), ((3, 2, 37), 1)]:
        for keepdims in [False, True]:
            case = f"{'x'.join(map(str, size))}, batch {batch}, keepdims {keepdims}"
            module = getattr(keras.layers, layer)(keepdims=keepdims, dtype="float64")
            xs = uniform(draws(case), (batch, *size))
            without_parameters(cases, case, layer, {"keepdims": keepdims}, module, xs)
    module = getattr(keras.layers, layer)(dtype="float64")
    xs = draws("ties").randint(-1, 2, (3, 4, 5, 2)).astype(float)
    without_parameters(cases, "ties", layer, {}, module, xs)
    without_parameters(cases, "below 0", layer, {}, module, uniform(draws("below 0"), (3, 4, 5, 2)) - 2)
    cases.write()


def flatten():
    cases = Cases("flatten")
    for shape in [(1, 3, 4, 2), (3, 2, 5, 3), (3, 1, 1, 1), (3, 7), (2, 2, 3, 2, 2)]:
        name = "x".join(map(str, shape))
        without_parameters(cases, name, "Flatten", {}, keras.layers.Flatten(dtype="float64"), uniform(draws(name), shape))
    cases.write()


def dense():
    cases = Cases("dense")

    def case(name, features, batch, units, **arguments):
        module = keras.layers.Dense(units, **arguments, dtype="float64")
        xs = uniform(draws(name), (batch, features))
        arguments = {"units": units, **arguments}
        with_parameters(cases, name, "Dense", arguments, module, xs, lambda kernel: kernel.transpose())

    for features, batch, units in [(5, 1, 3), (5, 3, 4), (1, 3, 1), (1, 1, 6), (37, 3, 19), (19, 1, 33)]:
        for use_bias in [True, False]:
            case(f"{features} to {units}, batch {batch}, bias {use_bias}", features, batch, units, use_bias=use_bias)
    for activation in ELEMENTWISE + ALONG_THE_LAST_AXIS:
        case(activation, 4, 3, 5, activation=activation)
    case("no bias, relu", 4, 3, 5, activation="relu", use_bias=False)
    cases.write()


def dropout():
    cases = Cases("dropout")
    for rate in [0.2, 0.5, 0.9]:
        module = keras.layers.Dropout(rate, dtype="float64")
        function = lambda xs: module(xs, training=False)
        xs = uniform(draws(f"{rate}"), (3, 4, 5, 2))
        without_parameters(cases, f"rate {rate}", "Dropout", {"rate": rate}, function, xs, modes=["inference"])
    module = keras.layers.Dropout(0.0, dtype="float64")
    function = lambda xs: module(xs, training=True)
    without_parameters(cases, "rate 0", "Dropout", {"rate": 0.0}, function, uniform(draws("0"), (3, 7)))
    cases.write()


# Kinks left out, because Keras' slopes there depend on its backend (`selu`: 1.05 on TensorFlow, 1.76 on PyTorch; `hard_tanh`:
# 1 and 0), or are wrong (`celu`: TensorFlow adds the slopes of both halves where they meet, and gives 2 instead of 1).
KINKS_IN_DOUBT = {"selu": [0], "celu": [0], "hard_tanh": [-1, 1]}


def points(function):
    """Where elementwise functions are compared: their kinks, both sides of them, and values far out."""
    near = [0, 0.1, 0.25, 0.49, 0.5, 0.51, 0.75, 0.99, 1, 1.01, 1.5, 2, 2.5, 2.99, 3, 3.01, 4, 5, 5.99, 6, 6.01, 7, 10, 20, 60]
    far = [] if function == "exponential" else [100, 1000]
    values = np.array([sign * value for value in near + far for sign in (1, -1)], dtype=np.float32).astype(np.float64)
    return values[~np.isin(values, KINKS_IN_DOUBT.get(function, []))]


def activation():
    cases = Cases("activation")
    for word in ELEMENTWISE:
        module = keras.layers.Activation(word, dtype="float64")
        arguments = {"activation": word}
        without_parameters(cases, f"{word}, points", "Activation", arguments, module, points(word)[None])
        xs = 3 * uniform(draws(word), (3, 4, 3, 2))
        without_parameters(cases, f"{word}, image", "Activation", arguments, module, xs)
    for word in ALONG_THE_LAST_AXIS:
        module = keras.layers.Activation(word, dtype="float64")
        for name, xs in rows().items():
            without_parameters(cases, f"{word}, {name}", "Activation", {"activation": word}, module, xs)
    cases.write()


def rows():
    """Inputs of functions along the last axis."""
    return {
        "vector": 3 * uniform(draws("vector"), (3, 10)),
        "image": 3 * uniform(draws("image"), (3, 4, 3, 5)),
        "one": uniform(draws("one"), (3, 1)),
        "equal": np.full((1, 4), 2.0),
        "far": np.array([[1000, 999, -1000, 0], [-1000, -1001, -999, -1000], [60, 0, -60, 20]], dtype=float),
        "wide": 5 * uniform(draws("wide"), (1, 101)),
    }


def relu_points(arguments):
    """The points of `ReLU`, without the kinks at which TensorFlow's slope is neither that below nor that above, or at
    which Keras has two answers: at `max_value` it is 0 for 6 and 1 for any other."""
    max_value, threshold = arguments.get("max_value"), arguments.get("threshold", 0.0)
    slopes_add = arguments.get("negative_slope", 0.0) > 0 and (max_value is not None or threshold > 0)
    kinks = [threshold] if slopes_add else []
    kinks += [max_value] if max_value not in (None, 6.0) else []
    values = points("relu")
    return values[~np.isin(values, kinks)]


def relu():
    cases = Cases("relu")
    grid = [{}, {"max_value": 6.0}, {"negative_slope": 0.1}, {"threshold": 0.5}, {"max_value": 1.0, "negative_slope": 0.25},
            {"max_value": 5.0, "threshold": 1.0}, {"negative_slope": 0.3, "threshold": 2.0}, {"max_value": 0.0},
            {"max_value": 3.0, "negative_slope": 0.5, "threshold": 0.75}, {"max_value": 1.0, "threshold": 2.0}]
    for arguments in grid:
        name = ", ".join(f"{key} {value}" for key, value in arguments.items()) or "as it is"
        module = keras.layers.ReLU(**arguments, dtype="float64")
        without_parameters(cases, f"{name}, points", "ReLU", arguments, module, relu_points(arguments)[None])
        xs = 3 * uniform(draws(name), (3, 4, 3, 2))
        without_parameters(cases, f"{name}, image", "ReLU", arguments, module, xs)
    cases.write()


def softmax():
    cases = Cases("softmax")
    for name, xs in rows().items():
        without_parameters(cases, name, "Softmax", {}, keras.layers.Softmax(dtype="float64"), xs)
    cases.write()


def sparse_categorical_crossentropy():
    cases = Cases("sparse_categorical_crossentropy")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")
    logits = {name: xs for name, xs in rows().items() if xs.ndim == 2}
    logits |= {"batch 1": 3 * uniform(draws("batch 1"), (1, 10)), "batch 17": 3 * uniform(draws("batch 17"), (17, 3))}
    logits["far and close"] = np.array([[1000, 999, 998]], dtype=float)
    for name, xs in logits.items():
        labels = draws(name + " labels").randint(0, xs.shape[1], xs.shape[0])
        xs = tf.constant(xs)
        with tf.GradientTape() as tape:
            tape.watch(xs)
            output = loss(labels, xs)
        tensors = {"input": xs, "labels": labels, "output": output, "input_gradient": tape.gradient(output, xs)}
        cases.add(name, "SparseCategoricalCrossentropy", {"from_logits": True}, tensors, modes=["training"])
    cases.write()


if __name__ == "__main__":
    import sys

    import merging
    import spatial

    merging.write(sys.modules[__name__])
    spatial.write()
    conv2d()
    pooling("max_pooling2d", "MaxPooling2D")
    pooling("average_pooling2d", "AveragePooling2D")
    global_pooling("global_max_pooling2d", "GlobalMaxPooling2D")
    global_pooling("global_average_pooling2d", "GlobalAveragePooling2D")
    flatten()
    dense()
    dropout()
    activation()
    relu()
    softmax()
    sparse_categorical_crossentropy()
    import convolutions

    convolutions.write()

    import norm

    norm.write()
    import constraints

    constraints.write()
