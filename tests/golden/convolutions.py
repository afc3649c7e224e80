"""The reference values of convolutions other than `Conv2D`: over one and three axes, transposed, depthwise and separable.

`generate.py` says what they are and runs this. What Keras refuses (a stride together with a dilation) or TensorFlow cannot
compute on a CPU (groups over three axes, dilated transposed convolutions, a depthwise convolution whose strides differ)
is PyTorch's.
"""

from generate import ALONG_THE_LAST_AXIS, Cases, differentiate, draws, uniform  # first: it says how TensorFlow computes

import keras
import numpy as np
import tensorflow as tf
import torch

FUNCTIONS = {
    "Conv1D": torch.nn.functional.conv1d,
    "Conv3D": torch.nn.functional.conv3d,
    "Conv1DTranspose": torch.nn.functional.conv_transpose1d,
    "Conv2DTranspose": torch.nn.functional.conv_transpose2d,
    "Conv3DTranspose": torch.nn.functional.conv_transpose3d,
}
ACTIVATIONS = ["relu", "gelu", *ALONG_THE_LAST_AXIS]


def each(value, axes):
    return [value] * axes if isinstance(value, int) else list(value)


def kernel_first(values):
    """Keras' `*kernel, I, O` as `O, I, *kernel`; its transposed `*kernel, O, I` as `I, O, *kernel`."""
    return np.moveaxis(values, [-1, -2], [0, 1])


def channel_by_channel(values):
    """Keras' `*kernel, I, M` as `I·M, 1, *kernel`."""
    *kernel, inputs, multiplier = values.shape
    return np.moveaxis(values.reshape(*kernel, 1, inputs * multiplier), [-1, -2], [0, 1])


def around(padding, kernel, dilation):
    """The cells before and after each axis, or None for what Keras has a word for."""
    axes = len(kernel)
    if padding == "full":
        return [[(k - 1) * d] * 2 for k, d in zip(kernel, dilation)]
    if isinstance(padding, str):
        return None
    if axes == 1 and not isinstance(padding, int) and len(padding) == 2:
        return [list(padding)]
    return [each(axis, 2) for axis in each(padding, axes)]


def keras_case(cases, layer, names, layouts, name, size, batch, required, **arguments):
    """A case of a Keras layer; explicit and full padding is a padding before a valid window."""
    axes = len(size) - 1
    given = dict(arguments)
    kernel, dilation = each(required["kernel_size"], axes), each(arguments.get("dilation_rate", 1), axes)
    cells = around(arguments.get("padding", "valid"), kernel, dilation)
    before = lambda xs: xs
    if cells is not None:
        given["padding"] = "valid"
        before = lambda xs: tf.pad(xs, [[0, 0], *cells, [0, 0]])
    module = getattr(keras.layers, layer)(**required, **given, dtype="float64")
    xs = uniform(draws(name), (batch, *size))
    module.build(before(tf.constant(xs)).shape)
    random = draws(name + " parameters")
    for variable in module.trainable_variables:
        variable.assign(uniform(random, variable.shape))
    variables = [variable.value for variable in module.trainable_variables]
    output, upstream, gradient, *gradients = differentiate(name, lambda xs: module(before(xs)), xs, variables)
    tensors = {"input": xs, "output": output, "upstream": upstream, "input_gradient": gradient}
    layouts = dict(zip(names, layouts))
    if not arguments.get("use_bias", True):
        names = names[:-1]
    for what, value, gradient in zip(names, variables, gradients, strict=True):
        layout = layouts.get(what, lambda values: values)
        tensors |= {what: layout(value.numpy()), f"{what}_gradient": layout(gradient)}
    cases.add(name, layer, {**required, **arguments}, tensors)


def pytorch_case(cases, layer, name, size, batch, weight_shape, arguments, outputs, function):
    """A case of a function of PyTorch of input, weight and bias, channels first."""
    xs = uniform(draws(name), (batch, *size))
    random = draws(name + " parameters")
    weight, bias = uniform(random, weight_shape), uniform(random, outputs)
    leaves = [torch.tensor(values, requires_grad=True) for values in (np.moveaxis(xs, -1, 1), weight, bias)]
    output = torch.movedim(function(*leaves), 1, -1)
    upstream = uniform(draws(name + " upstream"), output.shape)
    output.backward(torch.tensor(upstream))
    gradients = [leaf.grad.numpy() for leaf in leaves]
    tensors = {"input": xs, "output": output.detach().numpy(), "upstream": upstream,
               "input_gradient": np.moveaxis(gradients[0], 1, -1), "weight": weight, "weight_gradient": gradients[1],
               "bias": bias, "bias_gradient": gradients[2]}
    cases.add(name, layer, arguments, tensors, reference="pytorch")


def convolution(file, layer, sizes, kernels, strides, paddings, more):
    """`Conv1D` or `Conv3D`."""
    cases = Cases(file)
    axes = len(sizes[0]) - 1

    def case(name, size, batch, filters, kernel, **arguments):
        required = {"filters": filters, "kernel_size": kernel}
        keras_case(cases, layer, ["weight", "bias"], [kernel_first], name, size, batch, required, **arguments)

    def pytorch(name, size, batch, filters, kernel, strides, padding, dilation, groups=1):
        arguments = {"filters": filters, "kernel_size": kernel, "strides": strides, "padding": padding,
                     "dilation_rate": dilation, "groups": groups}
        function = lambda *leaves: FUNCTIONS[layer](*leaves, strides, padding, dilation, groups)
        pytorch_case(cases, layer, name, size, batch, (filters, size[-1] // groups, *each(kernel, axes)), arguments, filters, function)

    turn = 0
    for kernel in kernels:
        for stride in strides:
            for padding in paddings:
                size, batch = sizes[turn % len(sizes)], [1, 3][turn % 2]
                case(f"kernel {kernel}, strides {stride}, {padding}", size, batch, 3, kernel, strides=stride, padding=padding)
                turn += 1
    for padding in paddings:
        case(f"dilation 2, {padding}", sizes[0], 3, 2, kernels[-1], dilation_rate=2, padding=padding)
    for activation in ACTIVATIONS:
        case(activation, sizes[-1], 3, 3, kernels[-1], activation=activation)
    case("no bias", sizes[1], 3, 3, kernels[-1], use_bias=False)
    more(case, pytorch)
    cases.write()


def conv1d():
    def more(case, pytorch):
        case("2 groups", (9, 4), 3, 6, 3, groups=2)
        case("2 groups, causal, dilation 3", (9, 4), 1, 4, 3, groups=2, padding="causal", dilation_rate=3)
        case("depthwise", (8, 4), 3, 4, 3, groups=4)
        case("depthwise, three times the filters, causal", (8, 3), 1, 9, 4, groups=3, padding="causal")
        for padding in [0, 2, (3, 0), (0, 2)]:
            case(f"kernel 3, strides 2, padding {padding}", (7, 2), 3, 2, 3, strides=2, padding=padding)
        case("one step", (1, 3), 1, 2, 1)
        case("one step, causal", (1, 3), 3, 2, 4, padding="causal")
        case("many steps", (1100, 2), 1, 3, 5, padding="causal")
        case("many channels", (6, 19), 1, 17, 3)
        pytorch("strides 2, dilation 3", (15, 2), 3, 3, 3, 2, 2, 3)
        pytorch("strides 3, dilation 2, 2 groups", (14, 4), 1, 4, 2, 3, 1, 2, groups=2)

    sizes = [(9, 2), (8, 1), (7, 3), (12, 2)]
    convolution("conv1d", "Conv1D", sizes, [1, 2, 5, 3], [1, 2, 3], ["valid", "same", "causal", "full"], more)


def conv3d():
    def more(case, pytorch):
        case("kernel (1, 2, 3), strides (2, 1, 3)", (4, 3, 7, 2), 3, 2, (1, 2, 3), strides=(2, 1, 3))
        case("kernel (3, 1, 2), strides (1, 3, 2), same", (4, 5, 3, 2), 1, 2, (3, 1, 2), strides=(1, 3, 2), padding="same")
        case("dilation (1, 3, 2)", (3, 7, 5, 2), 1, 2, 2, dilation_rate=(1, 3, 2))
        for padding in [1, (0, 1, 2), ((0, 1), (2, 0), (1, 1))]:
            case(f"kernel 2, strides 2, padding {padding}", (3, 4, 3, 2), 3, 2, 2, strides=2, padding=padding)
        case("one cell, same", (1, 1, 1, 2), 3, 2, 3, padding="same")
        case("many channels", (3, 3, 2, 17), 1, 18, 2)
        pytorch("2 groups", (3, 4, 3, 4), 3, 6, 2, 1, 1, 1, groups=2)
        pytorch("depthwise", (4, 3, 5, 3), 3, 6, 2, (1, 2, 1), 1, 1, groups=3)
        pytorch("strides 2, dilation 2", (5, 6, 5, 2), 1, 3, (2, 3, 2), 2, (1, 2, 0), 2)

    sizes = [(5, 5, 5, 2), (3, 5, 4, 2), (4, 3, 6, 1)]
    convolution("conv3d", "Conv3D", sizes, [1, 2, 3], [1, 2], ["valid", "same", "full"], more)


def transposed(layer, file, sizes, kernels, strides):
    """`Conv1DTranspose` and its siblings."""
    cases = Cases(file)
    axes = len(sizes[0]) - 1
    function = FUNCTIONS[layer]

    def case(name, size, batch, filters, kernel, **arguments):
        required = {"filters": filters, "kernel_size": kernel}
        keras_case(cases, layer, ["weight", "bias"], [kernel_first], name, size, batch, required, **arguments)

    def pytorch(name, size, batch, filters, kernel, strides, padding, output_padding, dilation=1):
        kept = {} if output_padding is None else {"output_padding": output_padding}
        arguments = {"filters": filters, "kernel_size": kernel, "strides": strides, "padding": padding,
                     "dilation_rate": dilation, **kept}
        run = lambda *leaves: function(*leaves, strides, padding, output_padding or 0, 1, dilation)
        pytorch_case(cases, layer, name, size, batch, (size[-1], filters, *each(kernel, axes)), arguments, filters, run)

    turn = 0
    for kernel in kernels:
        for stride in strides:
            for padding in ["valid", "same"]:
                size, batch = sizes[turn % len(sizes)], [1, 3][turn % 2]
                case(f"kernel {kernel}, strides {stride}, {padding}", size, batch, 3, kernel, strides=stride, padding=padding)
                turn += 1
    case("valid, output padding 0", sizes[0], 3, 2, 2, strides=3, output_padding=0)
    case("valid, output padding 2", sizes[0], 1, 2, 2, strides=3, output_padding=2)
    case("same, output padding 0", sizes[1], 3, 2, 3, strides=2, padding="same", output_padding=0)
    case("same, output padding 1", sizes[1], 1, 2, 3, strides=2, padding="same", output_padding=1)
    case("same, even kernel, output padding 2", sizes[0], 1, 2, 4, strides=3, padding="same", output_padding=2)
    for activation in ACTIVATIONS:
        case(activation, sizes[-1], 3, 3, kernels[-1], strides=2, activation=activation)
    case("no bias", sizes[0], 3, 3, kernels[-1], use_bias=False)
    case("one cell", (1,) * axes + (2,), 3, 2, 3, strides=2)
    pytorch("padding 1", sizes[0], 3, 2, 3, 2, 1, None)
    pytorch("padding 1, output padding 1", sizes[1], 1, 2, 4, 2, 1, 1)
    pytorch("dilation 2, strides 2, padding 2", sizes[0], 3, 2, 3, 2, 2, 1, dilation=2)
    pytorch("dilation 3, strides 1", sizes[1], 1, 3, 2, 1, 0, 0, dilation=3)
    if axes == 2:
        pytorch("each axis by itself", (4, 3, 2), 3, 3, (3, 2), (2, 3), (1, 0), (0, 2), dilation=(1, 2))
        case("strides (2, 3), same", (3, 4, 2), 1, 3, (2, 5), strides=(2, 3), padding="same")
        case("many images", (5, 5, 3), 18, 2, 3, strides=2, padding="same", activation="relu")
        case("many channels", (3, 2, 17), 1, 18, 2, strides=2)
        case("many cells", (34, 33, 2), 1, 2, 3, strides=2, padding="same")
    cases.write()


def depthwise(layer, file, sizes, kernels, strides):
    """`DepthwiseConv1D` and `DepthwiseConv2D`."""
    cases = Cases(file)
    axes = len(sizes[0]) - 1

    def case(name, size, batch, kernel, **arguments):
        layouts = [channel_by_channel]
        keras_case(cases, layer, ["weight", "bias"], layouts, name, size, batch, {"kernel_size": kernel}, **arguments)

    turn = 0
    for kernel in kernels:
        for stride in strides:
            for padding in ["valid", "same", "full"]:
                size, batch, multiplier = sizes[turn % len(sizes)], [1, 3][turn % 2], [1, 2, 3][turn % 3]
                name = f"kernel {kernel}, strides {stride}, {padding}, multiplier {multiplier}"
                case(name, size, batch, kernel, strides=stride, padding=padding, depth_multiplier=multiplier)
                turn += 1
    for activation in ACTIVATIONS:
        case(activation, sizes[0], 3, kernels[-1], activation=activation)
    case("no bias", sizes[0], 3, kernels[-1], use_bias=False)
    case("dilation 2, same", sizes[0], 1, kernels[-1], dilation_rate=2, padding="same", depth_multiplier=2)
    case("one channel", sizes[0][:-1] + (1,), 3, kernels[-1], depth_multiplier=3)
    case("many channels", (4,) * axes + (37,), 3, 3, padding="same")
    case("more channels, multiplier 2", (3,) * axes + (35,), 1, 3, padding="same", depth_multiplier=2)
    case("many images", (5,) * axes + (3,), 19, 3, padding="same", activation="relu")
    if axes == 2:
        name = "strides (2, 1), dilation (1, 2), padding (1, 2)"
        arguments = {"kernel_size": [3, 2], "strides": [2, 1], "dilation_rate": [1, 2], "padding": [1, 2], "depth_multiplier": 2}
        run = lambda *leaves: torch.nn.functional.conv2d(*leaves, (2, 1), (1, 2), (1, 2), 3)
        pytorch_case(cases, layer, name, (6, 5, 3), 3, (6, 1, 3, 2), arguments, 6, run)
    cases.write()


def separable(layer, file, sizes, kernels, strides):
    """`SeparableConv1D` and `SeparableConv2D`."""
    cases = Cases(file)

    def case(name, size, batch, filters, kernel, **arguments):
        names, layouts = ["depthwise_weight", "pointwise_weight", "bias"], [channel_by_channel, kernel_first]
        required = {"filters": filters, "kernel_size": kernel}
        keras_case(cases, layer, names, layouts, name, size, batch, required, **arguments)

    turn = 0
    for kernel in kernels:
        for stride in strides:
            for padding in ["valid", "same", "full"]:
                size, batch, multiplier = sizes[turn % len(sizes)], [1, 3][turn % 2], [1, 2, 3][turn % 3]
                name = f"kernel {kernel}, strides {stride}, {padding}, multiplier {multiplier}"
                case(name, size, batch, 4, kernel, strides=stride, padding=padding, depth_multiplier=multiplier)
                turn += 1
    for activation in ACTIVATIONS:
        case(activation, sizes[0], 3, 5, kernels[-1], activation=activation)
    case("no bias", sizes[0], 3, 2, kernels[-1], use_bias=False)
    case("dilation 2", sizes[0], 3, 2, kernels[-1], dilation_rate=2)
    cases.write()


def write():
    conv1d()
    conv3d()
    lines, images, volumes = [(5, 2), (4, 3)], [(3, 4, 2), (4, 3, 3)], [(2, 3, 2, 2), (3, 2, 2, 1)]
    transposed("Conv1DTranspose", "conv1d_transpose", lines, [1, 2, 4, 3], [1, 2, 3])
    transposed("Conv2DTranspose", "conv2d_transpose", images, [1, 2, (4, 3), 3], [1, 2, 3])
    transposed("Conv3DTranspose", "conv3d_transpose", volumes, [1, (2, 3, 1), 3], [1, 2])
    lines, images = [(9, 3), (8, 4), (7, 2)], [(7, 6, 3), (5, 8, 4), (6, 6, 2)]
    depthwise("DepthwiseConv1D", "depthwise_conv1d", lines, [1, 2, 3], [1, 2, 3])
    depthwise("DepthwiseConv2D", "depthwise_conv2d", images, [1, (2, 3), 3], [1, 2])
    separable("SeparableConv1D", "separable_conv1d", lines, [1, 2, 3], [1, 2])
    separable("SeparableConv2D", "separable_conv2d", images, [1, (2, 3), 3], [1, 2])
