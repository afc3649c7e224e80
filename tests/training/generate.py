#!/usr/bin/env python3
"""Writes small networks trained by Keras, `<network>.json` and `<network>.safetensors`, which `tests/training.rs` trains too.

    pip install keras==3.15.1 tensorflow-cpu==2.21.0 numpy safetensors
    python tests/training/generate.py

The tests never run this; they read the files, which are kept in the repository. Keras computes in double precision on
TensorFlow. `reference` has regularizers of weights; `held` has constraints and regularizers of outputs. The tensors are `images`, `labels`, `validation_images` and `validation_labels`; `initial/…`, the weights and running
statistics both start from; and `<run>/…`, those after a run, all in the layout of checkpoints. The manifest has for each run
the loss and the accuracy of every step by itself, the history of `fit`, and what `evaluate` finds after it.
"""

import json
import os
import pathlib

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", TF_ENABLE_ONEDNN_OPTS="0", CUDA_VISIBLE_DEVICES="")

import keras
import numpy as np
import safetensors.numpy
import tensorflow as tf

HERE = pathlib.Path(__file__).parent
EPOCHS, BATCH = 3, 8

keras.backend.set_floatx("float64")


def reference():
    l1, l2, l1l2 = keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2
    layers = keras.layers
    x = i = layers.Input((6, 7, 2))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False, kernel_regularizer=l2(0.01), name="conv2d")(x)
    x = layers.BatchNormalization(momentum=0.9, gamma_regularizer=l2(0.005), name="batch_normalization")(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.SeparableConv2D(5, 2, depthwise_regularizer=l1(0.002), pointwise_regularizer=l1l2(l1=0.001, l2=0.01),
                               bias_regularizer=l2(0.1), name="separable_conv2d")(x)
    x = layers.Dropout(0.0)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(3, "softmax", kernel_regularizer=l2(0.02), bias_regularizer="l1", name="dense")(x)
    return keras.Model(i, x)


def held():
    constraints, l1, l2, l1l2 = keras.constraints, keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2
    layers = keras.layers
    x = i = layers.Input((6, 7, 2))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", activity_regularizer=l2(0.01),
                      kernel_constraint=constraints.MaxNorm(0.9, axis=[0, 1, 2]), bias_constraint="non_neg", name="conv2d")(x)
    x = layers.BatchNormalization(momentum=0.9, beta_constraint=constraints.MaxNorm(0.5), gamma_constraint="non_neg",
                                  name="batch_normalization")(x)
    x = layers.DepthwiseConv2D(2, depth_multiplier=2, activity_regularizer=l1(0.002),
                               depthwise_constraint=constraints.UnitNorm(axis=[0, 1, 3]), name="depthwise_conv2d")(x)
    x = layers.ActivityRegularization(l1=0.001, l2=0.002)(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, activation="tanh", activity_regularizer=l1l2(l1=0.001, l2=0.003),
                               kernel_constraint=constraints.MinMaxNorm(0.5, 0.8, rate=0.7, axis=[0, 1, 3]),
                               name="conv2d_transpose")(x)
    x = layers.SeparableConv2D(5, 2, strides=3, activity_regularizer=l2(0.004), depthwise_constraint=constraints.MaxNorm(0.6, axis=2),
                               pointwise_constraint=constraints.UnitNorm(axis=None), name="separable_conv2d")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(3, "softmax", activity_regularizer=l2(0.2), kernel_constraint=constraints.MaxNorm(1.2), name="dense")(x)
    return keras.Model(i, x)


# The name here of each of Keras' variables, and what brings it to the layout here.
def transposed(*axes):
    return lambda value: value.transpose(axes)


def channel_by_channel(value):
    height, width, channels, multiplier = value.shape
    return value.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)


same, kernel, dense = lambda value: value, transposed(3, 2, 0, 1), transposed(1, 0)
NAMES = {
    "conv2d/kernel": ("conv2d.weight", kernel),
    "conv2d/bias": ("conv2d.bias", same),
    "batch_normalization/gamma": ("batch_normalization.weight", same),
    "batch_normalization/beta": ("batch_normalization.bias", same),
    "batch_normalization/moving_mean": ("batch_normalization.running_mean", same),
    "batch_normalization/moving_variance": ("batch_normalization.running_var", same),
    "depthwise_conv2d/kernel": ("depthwise_conv2d.weight", channel_by_channel),
    "depthwise_conv2d/bias": ("depthwise_conv2d.bias", same),
    "conv2d_transpose/kernel": ("conv2d_transpose.weight", kernel),
    "conv2d_transpose/bias": ("conv2d_transpose.bias", same),
    "separable_conv2d/depthwise_kernel": ("separable_conv2d.depthwise_weight", channel_by_channel),
    "separable_conv2d/pointwise_kernel": ("separable_conv2d.pointwise_weight", kernel),
    "separable_conv2d/bias": ("separable_conv2d.bias", same),
    "dense/kernel": ("dense.weight", dense),
    "dense/bias": ("dense.bias", same),
}


def checkpoint(model, prefix):
    named = [(NAMES[variable.path], variable.numpy()) for variable in model.weights if "seed" not in variable.path]
    return {f"{prefix}/{name}": layout(value) for (name, layout), value in named}


def single(values):
    """The nearest single precision numbers, as doubles: both sides start from the same."""
    return values.astype(np.float32).astype(np.float64)


def data(random, count):
    labels = random.randint(0, 3, count)
    return single(random.uniform(-1, 1, (count, 6, 7, 2)) + 0.4 * (labels[:, None, None, None] - 1)), labels


def initial(random, model):
    """Weights of no special values; a scale and a variance are positive."""
    draw = lambda variable: random.uniform(-0.5, 0.5, variable.shape)
    positive = lambda variable: any(word in variable.path for word in ["gamma", "variance"])
    return [single(1 + draw(variable) if positive(variable) else draw(variable)) for variable in model.weights]


OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01),
}


def compiled(network, weights, optimizer):
    model = network()
    model.set_weights(weights)
    model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    return model


def assert_no_ties(model, validation):
    """That rounding to single precision, in which the test computes, cannot change a prediction and with it the accuracy."""
    probabilities = np.sort(model.predict(validation[0], verbose=0), axis=-1)
    margin = (probabilities[:, -1] - probabilities[:, -2]).min()
    assert margin > 1e-4, f"two classes are {margin} apart: use another seed"


def run(network, weights, optimizer, train, validation):
    """Trains twice from the same weights, step by step and with `fit`."""
    stepped, fitted = (compiled(network, weights, optimizer) for _ in range(2))
    steps = []
    for _ in range(EPOCHS):
        for start in range(0, len(train[1]), BATCH):
            stepped.reset_metrics()
            batch = [values[start : start + BATCH] for values in train]
            steps.append([float(value) for value in stepped.train_on_batch(*batch)])
        assert_no_ties(stepped, validation)
    history = fitted.fit(*train, BATCH, EPOCHS, validation_data=validation, shuffle=False, verbose=0).history
    for a, b in zip(stepped.get_weights(), fitted.get_weights()):
        assert np.allclose(a, b, rtol=0, atol=1e-12)
    loss, accuracy = fitted.evaluate(*train, BATCH, verbose=0)
    facts = {"steps": steps, "history": history, "evaluate": {"loss": loss, "accuracy": accuracy}}
    return facts, fitted


def write(network, seed, optimizers):
    random = np.random.RandomState(seed)
    train, validation = data(random, 20), data(random, 7)
    model = network()
    weights = initial(random, model)
    model.set_weights(weights)
    tensors = {"images": train[0], "labels": train[1], "validation_images": validation[0], "validation_labels": validation[1]}
    tensors |= checkpoint(model, "initial")
    runs = {}
    for name in optimizers:
        runs[name], trained = run(network, weights, OPTIMIZERS[name], train, validation)
        tensors |= checkpoint(trained, name)
    versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
    manifest = {"versions": versions, "epochs": EPOCHS, "batch_size": BATCH, "runs": runs}
    name = network.__name__
    (HERE / f"{name}.json").write_text(json.dumps(manifest, indent=1) + "\n")
    as_stored = lambda name, value: np.array(value, np.uint32 if "labels" in name else np.float32, order="C")
    safetensors.numpy.save_file({what: as_stored(what, value) for what, value in tensors.items()}, HERE / f"{name}.safetensors")


write(reference, 5, ["momentum", "nesterov", "adam"])
write(held, 6, ["momentum", "adam"])
