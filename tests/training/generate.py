#!/usr/bin/env python3
"""Writes `reference.json` and `reference.safetensors`: a small network trained by Keras, which `tests/training.rs` trains too.

    pip install keras==3.15.1 tensorflow-cpu==2.21.0 numpy safetensors
    python tests/training/generate.py

The tests never run this; they read the two files, which are kept in the repository. Keras computes in double precision on
TensorFlow. The tensors are `images`, `labels`, `validation_images` and `validation_labels`; `initial/…`, the weights and running
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
RANDOM = np.random.RandomState(5)

keras.backend.set_floatx("float64")


def network():
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


# The name here of each of Keras' variables, and its layout.
NAMES = {
    "conv2d/kernel": ("conv2d.weight", (3, 2, 0, 1)),
    "batch_normalization/gamma": ("batch_normalization.weight", None),
    "batch_normalization/beta": ("batch_normalization.bias", None),
    "batch_normalization/moving_mean": ("batch_normalization.running_mean", None),
    "batch_normalization/moving_variance": ("batch_normalization.running_var", None),
    "separable_conv2d/depthwise_kernel": ("separable_conv2d.depthwise_weight", (2, 3, 0, 1)),
    "separable_conv2d/pointwise_kernel": ("separable_conv2d.pointwise_weight", (3, 2, 0, 1)),
    "separable_conv2d/bias": ("separable_conv2d.bias", None),
    "dense/kernel": ("dense.weight", (1, 0)),
    "dense/bias": ("dense.bias", None),
}


def checkpoint(model, prefix):
    values = {NAMES[variable.path]: variable.numpy() for variable in model.variables if variable.path in NAMES}
    assert len(values) == len(NAMES)
    layout = lambda value, axes: value if axes is None else value.transpose(axes)
    return {f"{prefix}/{name}": layout(value, axes) for (name, axes), value in values.items()}


def single(values):
    """The nearest single precision numbers, as doubles: both sides start from the same."""
    return values.astype(np.float32).astype(np.float64)


def data(count):
    labels = RANDOM.randint(0, 3, count)
    return single(RANDOM.uniform(-1, 1, (count, 6, 7, 2)) + 0.4 * (labels[:, None, None, None] - 1)), labels


def initial(model):
    """Weights of no special values; a scale and a variance are positive."""
    draw = lambda variable: RANDOM.uniform(-0.5, 0.5, variable.shape)
    positive = lambda variable: any(word in variable.path for word in ["gamma", "variance"])
    return [single(1 + draw(variable) if positive(variable) else draw(variable)) for variable in model.weights]


def compiled(weights, optimizer):
    model = network()
    model.set_weights(weights)
    model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
    return model


def run(weights, optimizer, train, validation):
    """Trains twice from the same weights, step by step and with `fit`."""
    stepped, fitted = compiled(weights, optimizer), compiled(weights, optimizer)
    steps = []
    for _ in range(EPOCHS):
        for start in range(0, len(train[1]), BATCH):
            stepped.reset_metrics()
            batch = [values[start : start + BATCH] for values in train]
            steps.append([float(value) for value in stepped.train_on_batch(*batch)])
    history = fitted.fit(*train, BATCH, EPOCHS, validation_data=validation, shuffle=False, verbose=0).history
    for a, b in zip(stepped.get_weights(), fitted.get_weights()):
        assert np.allclose(a, b, rtol=0, atol=1e-12)
    loss, accuracy = fitted.evaluate(*train, BATCH, verbose=0)
    facts = {"steps": steps, "history": history, "evaluate": {"loss": loss, "accuracy": accuracy}}
    return facts, fitted


def main():
    train, validation = data(20), data(7)
    model = network()
    weights = initial(model)
    model.set_weights(weights)
    tensors = {"images": train[0], "labels": train[1], "validation_images": validation[0], "validation_labels": validation[1]}
    tensors |= checkpoint(model, "initial")
    optimizers = {
        "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
        "nesterov": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        "adam": lambda: keras.optimizers.Adam(0.01),
    }
    runs = {}
    for name, optimizer in optimizers.items():
        runs[name], trained = run(weights, optimizer, train, validation)
        tensors |= checkpoint(trained, name)
    versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
    manifest = {"versions": versions, "epochs": EPOCHS, "batch_size": BATCH, "runs": runs}
    (HERE / "reference.json").write_text(json.dumps(manifest, indent=1) + "\n")
    as_stored = lambda name, value: np.array(value, np.uint32 if "labels" in name else np.float32, order="C")
    safetensors.numpy.save_file({name: as_stored(name, value) for name, value in tensors.items()}, HERE / "reference.safetensors")


main()
