#!/usr/bin/env python3
"""The reference values of pooling in 1 and 3 axes, of reshaping, and of the input side; see `generate.py`.

    python tests/golden/spatial.py

Sums are Keras' means times the number of cells inside the input. Augmentations are compared where they draw nothing: in
inference, and in training with factors that leave no choice.
"""

import itertools

from generate import *

BY_AXES = {1: (9, 2), 2: (7, 6, 2), 3: (5, 4, 6, 2)}
ALL_AXES = [1, 2, 3]


def keras_layer(layer, arguments):
    """Keras' layer in double precision; TensorFlow's pooling in 3 axes and its wider kernels know single precision alone."""
    widens = "lanczos" in str(arguments.get("interpolation")) or arguments.get("antialias")
    if layer not in ["MaxPooling3D", "AveragePooling3D"] and not widens:
        return getattr(keras.layers, layer)(**arguments, dtype="float64")
    module = getattr(keras.layers, layer)(**arguments, dtype="float32")
    return lambda xs: tf.cast(module(tf.cast(xs, tf.float32)), tf.float64)


def case(cases, layer, arguments, xs, function=None, modes=BOTH, note=""):
    """A case called by its layer and arguments; the function is Keras' layer of that name unless given."""
    function = function or keras_layer(layer, arguments)
    settings = ", ".join(f"{key} {value}" for key, value in arguments.items())
    name = " ".join(filter(None, [layer, settings, note, "on", "x".join(map(str, xs.shape))]))
    without_parameters(cases, name, layer, arguments, function, xs, modes)


def with_pytorch(cases, name, layer, arguments, function, xs):
    """A case of a PyTorch function, which has its channels first."""
    leaf = torch.tensor(np.moveaxis(xs, -1, 1).copy(), requires_grad=True)
    output = function(leaf)
    found = np.moveaxis(output.detach().numpy(), 1, -1)
    upstream = uniform(draws(name + " upstream"), found.shape)
    output.backward(torch.tensor(np.moveaxis(upstream, -1, 1).copy()))
    gradient = np.moveaxis(leaf.grad.numpy(), 1, -1)
    tensors = {"input": xs, "output": found, "upstream": upstream, "input_gradient": gradient}
    cases.add(name, layer, arguments, tensors, reference="pytorch")


def linear(cases, name, layer, arguments, function, xs):
    """A case of a function of each channel that is linear but for a constant, and whose gradient is computed from that.

    TensorFlow has another gradient for its affine transforms: the inverse transform, which is near the true one at best.
    """
    output = function(xs)
    upstream = uniform(draws(name + " upstream"), output.shape)
    height, width = xs.shape[1:3]
    single = np.eye(height * width).reshape(-1, height, width, 1)
    slopes = function(single) - function(np.zeros_like(single))
    gradient = np.einsum("phw,nhwc->npc", slopes[..., 0], upstream).reshape(xs.shape)
    tensors = {"input": xs, "output": output, "upstream": upstream, "input_gradient": gradient}
    cases.add(name, layer, arguments, tensors, modes=["training"])


def batch(layer, n, axes):
    return uniform(draws(f"{layer} {n}"), (n, *BY_AXES[axes]))


def pooling():
    cases = Cases("pooling")
    windows = {1: [2, 3], 2: [2, (3, 2)], 3: [2, (2, 1, 3)]}
    for kind, axes in [(kind, axes) for kind in ["Max", "Average", "Sum"] for axes in ALL_AXES]:
        if axes == 2 and kind != "Sum":
            continue
        layer = f"{kind}Pooling{axes}D"
        for turn, (pool, strides, padding) in enumerate(itertools.product(windows[axes], [None, 1, 2], ["valid", "same"])):
            arguments = {"pool_size": pool, "padding": padding} | ({} if strides is None else {"strides": strides})
            function = None
            if kind == "Sum":
                mean = keras_layer(f"AveragePooling{axes}D", arguments)
                step = pool if strides is None else strides
                full = [pool] * axes if isinstance(pool, int) else pool
                # How many cells of each window lie inside: a convolution of ones with ones.
                inside = lambda xs: tf.nn.convolution(
                    tf.ones(xs.shape[:-1] + [1]), tf.ones((*full, 1, 1)),
                    strides=[step] * axes if isinstance(step, int) else list(step), padding=padding.upper())
                function = lambda xs: mean(xs) * tf.cast(inside(xs), xs.dtype)
            case(cases, layer, arguments, batch(layer + str(turn), [1, 3][turn % 2], axes), function)
    ties = lambda axes: draws(f"ties {axes}").randint(-1, 2, (3, *BY_AXES[axes])).astype(float)
    case(cases, "MaxPooling1D", {"pool_size": 2, "strides": 1, "padding": "same"}, ties(1), note="ties")
    # TensorFlow gives each of equal maxima the whole gradient in 3 axes, though not in 2: PyTorch is the reference.
    pool = lambda xs: torch.nn.functional.max_pool3d(xs, 2, stride=1)
    with_pytorch(cases, "MaxPooling3D ties", "MaxPooling3D", {"pool_size": 2, "strides": 1}, pool, ties(3))
    cases.write()


def adaptive_pooling():
    cases = Cases("adaptive_pooling")
    sizes = {1: [1, 2, 4, 9, 11], 2: [1, (3, 2), (7, 6), (8, 4)], 3: [1, (2, 3, 4), (5, 1, 6)]}
    for kind, axes in itertools.product(["Average", "Max"], ALL_AXES):
        layer = f"Adaptive{kind}Pooling{axes}D"
        for turn, size in enumerate(sizes[axes]):
            xs = batch(layer + str(turn), [1, 3][turn % 2], axes)
            full = [size] * axes if isinstance(size, int) else list(size)
            short = {"Average": "avg", "Max": "max"}[kind]
            pool = lambda xs: getattr(torch.nn.functional, f"adaptive_{short}_pool{axes}d")(xs, full)
            with_pytorch(cases, f"{layer} {size}, turn {turn}", layer, {"output_size": size}, pool, xs)
    cases.write()


def global_pooling():
    cases = Cases("global_pooling")
    for kind, axes, keepdims in itertools.product(["Max", "Average"], [1, 3], [False, True]):
        layer = f"Global{kind}Pooling{axes}D"
        for n in [1, 3]:
            case(cases, layer, {"keepdims": keepdims}, batch(layer, n, axes))
    for axes in [1, 3]:
        xs = draws(f"ties {axes}").randint(-1, 2, (3, *BY_AXES[axes])).astype(float)
        case(cases, f"GlobalMaxPooling{axes}D", {}, xs, note="ties")
    cases.write()


def edges():
    cases = Cases("edges")
    cells = {1: [1, (2, 0)], 2: [0, 2, (1, 2), ((0, 1), (2, 0))], 3: [1, (1, 0, 2), ((0, 1), (1, 0), (2, 1))]}
    for axes in ALL_AXES:
        for n, given in enumerate(cells[axes]):
            xs = batch(f"edges {axes} {n}", [1, 3][n % 2], axes)
            case(cases, f"ZeroPadding{axes}D", {"padding": given}, xs)
            case(cases, f"Cropping{axes}D", {"cropping": given}, xs)
        for n, size in enumerate({1: [1, 2, 3], 2: [2, (1, 3)], 3: [2, (1, 2, 3)]}[axes]):
            case(cases, f"UpSampling{axes}D", {"size": size}, batch(f"size {axes} {n}", [1, 3][n % 2], axes))
    for size, shape in [(2, (3, 4, 5, 2)), ((1, 3), (1, 5, 2, 3)), ((4, 2), (1, 1, 3, 1))]:
        xs = uniform(draws(f"bilinear {size}"), shape)
        for interpolation in ["bilinear", "lanczos3", "lanczos5"]:
            case(cases, "UpSampling2D", {"size": size, "interpolation": interpolation}, xs)
    xs = uniform(draws("bicubic"), (3, 4, 5, 2))
    case(cases, "UpSampling2D", {"size": (2, 4), "interpolation": "bicubic"}, xs)
    cases.write()


def reshaping():
    cases = Cases("reshaping")
    for target, shape in [((6, 4), (3, 24)), ((-1, 3), (1, 2, 3, 4)), ((12,), (3, 3, 4)), ((2, 2, -1), (1, 4, 5)), ((-1,), (3, 2, 2))]:
        case(cases, "Reshape", {"target_shape": target}, uniform(draws(f"reshape {target}"), shape))
    for dims, shape in [((2, 1), (3, 4, 5)), ((3, 1, 2), (1, 2, 3, 4)), ((1, 2, 3), (3, 2, 2, 2)), ((4, 2, 3, 1), (1, 2, 3, 2, 3)), ((1,), (3, 5))]:
        case(cases, "Permute", {"dims": dims}, uniform(draws(f"permute {dims}"), shape))
    for n, shape in [(1, (3, 4)), (3, (1, 5)), (4, (3, 1))]:
        case(cases, "RepeatVector", {"n": n}, uniform(draws(f"repeat {n}"), shape))
    cases.write()


def input_side():
    cases = Cases("input_side")
    images = lambda name, shape=(3, 6, 5, 3): uniform(draws(name), shape)
    for arguments in [{"scale": 0.5}, {"scale": 2.0, "offset": -1.0}, {"scale": 1 / 255}]:
        case(cases, "Rescaling", arguments, images(f"rescaling {arguments}"))
    given = {"mean": (0.5, 0.4, -0.3), "variance": (0.2, 1.5, 2.0)}
    for arguments in [given, given | {"invert": True}, {"mean": 0.25, "variance": 0.5},
                      given | {"axis": 3}, {"axis": (), "mean": 0.25, "variance": 0.5},
                      {"axis": (1, 3), "mean": -0.5, "variance": 2.0},
                      {"axis": 2, "mean": (0.5, 0.4, -0.3, 1.0, 0.0), "variance": (0.2, 1.5, 2.0, 1.0, 0.1)}]:
        case(cases, "Normalization", arguments, images(f"normalization {arguments}"))
    nested = {"mean": [[0.5, -0.4], [0.1, 0.3], [1.0, 2.0]], "variance": [[1.0, 0.5], [2.0, 0.25], [1.5, 3.0]]}
    for arguments in [nested | {"axis": (1, 3)}, nested | {"axis": (3, 1), "invert": True}]:
        case(cases, "Normalization", arguments, images(f"nested {arguments}", (2, 3, 4, 2)))
    for axis in [-1, 1, (1, 2), (3, 1), (1, 2, 3), ()]:
        module = keras.layers.Normalization(axis=axis, dtype="float64")
        data = images("adapted", (20, 4, 4, 2)) * [1, 5] + [0, 3]
        module.adapt(data)
        xs = images("after", (3, 4, 4, 2))
        output, upstream, gradient = differentiate("adapted", module, xs)
        tensors = {"input": xs, "output": output, "upstream": upstream, "input_gradient": gradient,
                   "mean": module.adapt_mean.numpy(), "variance": module.adapt_variance.numpy()}
        tensors |= {f"{name}_after": tensors[name] for name in ["mean", "variance"]}
        name = "Normalization with statistics" + ("" if axis == -1 else f" along {axis}")
        cases.add(name, "Normalization", {} if axis == -1 else {"axis": axis}, tensors)
    for turn, (height, width) in enumerate([(3, 4), (12, 10), (6, 5), (7, 2), (1, 9)]):
        for interpolation in ["bilinear", "nearest"]:
            arguments = {"height": height, "width": width, "interpolation": interpolation}
            case(cases, "Resizing", arguments, images(f"resizing {turn}", ([1, 3][turn % 2], 6, 5, 2)))
        arguments = {"height": height, "width": width, "crop_to_aspect_ratio": True}
        case(cases, "Resizing", arguments, images(f"cropping {turn}", (1, 6, 5, 2)))
        for more in [{}, {"fill_value": 0.5}, {"interpolation": "nearest"}, {"fill_mode": "constant", "fill_value": -1.5}, {"interpolation": "lanczos3", "antialias": True}]:
            arguments = {"height": height, "width": width, "pad_to_aspect_ratio": True} | more
            case(cases, "Resizing", arguments, images(f"padding {turn}", ([1, 3][turn % 2], 6, 5, 2)))
        case(cases, "CenterCrop", {"height": height, "width": width}, images(f"center {turn}", (1, 6, 5, 2)))
        for interpolation, antialias in itertools.product(["bilinear", "bicubic", "lanczos3", "lanczos5"], [False, True]):
            if not antialias and interpolation in ["bilinear", "bicubic"]:
                continue
            arguments = {"height": height, "width": width, "interpolation": interpolation, "antialias": antialias}
            case(cases, "Resizing", arguments, images(f"{interpolation} {turn}", ([1, 3][turn % 2], 6, 5, 2)))
    # TensorFlow rounds the distances of this kernel to 1/1024 unless told to widen it: here they are multiples of that.
    for height, width in [(12, 20), (3, 5), (48, 10)]:
        arguments = {"height": height, "width": width, "interpolation": "bicubic"}
        case(cases, "Resizing", arguments, images(f"bicubic {height}", (1, 6, 5, 2)))
    for height, width in [(4, 3), (3, 5), (6, 5)]:
        arguments = {"height": height, "width": width}
        center = keras.layers.CenterCrop(**arguments, dtype="float64")
        case(cases, "RandomCrop", arguments, images("random crop", (3, 6, 5, 2)), center, modes=["inference"])

    for layer, arguments in [("RandomFlip", {}), ("RandomRotation", {"factor": 0.2}), ("RandomZoom", {"height_factor": 0.3}),
                             ("RandomTranslation", {"height_factor": 0.2, "width_factor": 0.1}), ("RandomErasing", {}),
                             ("RandomContrast", {"factor": 0.3}), ("RandomBrightness", {"factor": 0.3})]:
        case(cases, layer, arguments, images(layer), tf.identity, modes=["inference"])
    # Intervals of one number: what is drawn is known. Where what lies beyond the edges is seen, it is a constant.
    around = {"fill_mode": "constant", "fill_value": 0.25}
    for layer, arguments in [
        ("RandomRotation", {"factor": (0.15, 0.15)} | around),
        ("RandomRotation", {"factor": (-0.2, -0.2), "interpolation": "nearest"} | around),
        ("RandomTranslation", {"height_factor": (0.3, 0.3), "width_factor": (-0.15, -0.15)} | around),
        ("RandomTranslation", {"height_factor": (0.5, 0.5), "width_factor": (0.2, 0.2), "interpolation": "nearest"} | around),
        ("RandomZoom", {"height_factor": (-0.3, -0.3)} | around),
        ("RandomZoom", {"height_factor": (0.4, 0.4), "width_factor": (0.1, 0.1)} | around),
        ("RandomBrightness", {"factor": (0.3, 0.3), "value_range": (-1, 1)}),
    ]:
        module = getattr(keras.layers, layer)(**arguments, dtype="float64")
        xs = images(f"{layer} {arguments}", (3, 5, 6, 2))
        if layer == "RandomBrightness":
            case(cases, layer, arguments, xs, lambda xs: module(xs, training=True), modes=["training"], note="training")
        else:
            linear(cases, f"{layer} {arguments}, training", layer, arguments, lambda xs: module(xs, training=True).numpy(), xs)
    contrast = lambda xs: tf.clip_by_value((xs - tf.reduce_mean(xs, (1, 2), keepdims=True)) * 1.4 + tf.reduce_mean(xs, (1, 2), keepdims=True), -1, 1)
    arguments = {"factor": (0.4, 0.4), "value_range": (-1, 1)}
    case(cases, "RandomContrast", arguments, images("contrast", (3, 5, 6, 2)), contrast, modes=["training"], note="training")
    cases.write()


def embedding():
    cases = Cases("embedding")
    for turn, (symbols, length, shape) in enumerate([(5, 3, (3, 7)), (1, 2, (1, 4)), (9, 1, (3, 2, 5)), (30, 8, (1, 12))]):
        name = f"{symbols} symbols, vectors of {length}, on {'x'.join(map(str, shape))}"
        module = keras.layers.Embedding(symbols, length, dtype="float64")
        module.build(shape)
        weight = uniform(draws(name + " weight"), (symbols, length))
        module.embeddings.assign(weight)
        xs = draws(name).randint(0, symbols, shape)
        with tf.GradientTape() as tape:
            output = module(tf.constant(xs))
            upstream = uniform(draws(name + " upstream"), output.shape)
            loss = tf.reduce_sum(output * upstream)
        gradient = tf.convert_to_tensor(tape.gradient(loss, module.embeddings.value))
        tensors = {"input": xs, "output": output, "upstream": upstream, "weight": weight, "weight_gradient": gradient}
        cases.add(name, "Embedding", {"input_dim": symbols, "output_dim": length}, tensors)
    cases.write()


def write():
    pooling()
    adaptive_pooling()
    global_pooling()
    edges()
    reshaping()
    input_side()
    embedding()


if __name__ == "__main__":
    write()
