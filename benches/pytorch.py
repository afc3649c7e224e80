"""The networks of `examples/throughput.rs` in PyTorch, measured as it measures its own: a peer for `compare.py`.

    python benches/pytorch.py torch-cl-compile vgg train --batch 64 --seconds 3

prints one line of JSON. After `torch` may follow `-cl` for channels-last, `-compile` for `torch.compile`, `-tf32` or `-bf16`
(autocast) for the products, and `-cuda` for the first GPU. Only PyTorch is needed. On a GPU losses are not read, which
would wait for it, and each prediction is waited for, as there.
"""

import argparse
import contextlib
import json
import statistics
import time

import torch
from torch import nn
from torch.nn import functional

SHAPES = {
    "lecture": (1, 28, 28),
    "vgg": (3, 32, 32),
    "resnet20": (3, 32, 32),
    "resnet50": (3, 224, 224),
    "mobile": (3, 32, 32),
    "resnext": (3, 32, 32),
    "volumes": (3, 16, 32, 32),
}


def lecture():
    layers, channels = [], 1
    for filters in (32, 64, 128):
        layers += [nn.Conv2d(channels, filters, 3, stride=2), nn.ReLU()]
        channels = filters
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def vgg():
    layers, channels = [], 3
    for filters in (32, 64, 128):
        layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(filters, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels = filters
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 10))


def conv(channels, filters, kernel, stride=1, groups=1):
    convolution = nn.Conv2d(channels, filters, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(filters))


def ending(channels):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def mobile():
    layers, channels = [conv(3, 32, 3), nn.ReLU()], 32
    for filters, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        layers += [conv(channels, channels, 3, stride, groups=channels), nn.ReLU(), conv(channels, filters, 1), nn.ReLU()]
        channels = filters
    return nn.Sequential(*layers, *ending(channels))


class Grouped(nn.Module):
    """A bottleneck whose 3×3 convolution has groups."""

    def __init__(self, channels, filters, groups):
        super().__init__()
        grouped = conv(filters, filters, 3, groups=groups)
        self.path = nn.Sequential(conv(channels, filters, 1), nn.ReLU(), grouped, nn.ReLU(), conv(filters, channels, 1))

    def forward(self, x):
        return functional.relu(self.path(x) + x)


def resnext():
    stages = [[Grouped(128, 64, 16)], [Grouped(128, 64, 16), Grouped(128, 64, 16)], [Grouped(128, 64, 4)]]
    layers = [conv(3, 128, 3), nn.ReLU(), *stages[0]]
    for stage in stages[1:]:
        layers += [nn.MaxPool2d(2), *stage]
    return nn.Sequential(*layers, *ending(128))


def volumes():
    layers, channels = [], 3
    for filters in (16, 32, 64):
        layers += [nn.Conv3d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)]
        channels = filters
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10))


class Residual(nn.Module):
    """Some convolutions, rectified but for the last, beside a projection where the shape changes."""

    def __init__(self, channels, convolutions, stride=1):
        super().__init__()
        parts, inner = [], channels
        for index, (filters, kernel) in enumerate(convolutions):
            # The first that is not 1×1 has the stride.
            strides = stride if kernel == 3 and all(kernel == 1 for _, kernel in convolutions[:index]) else 1
            parts += [conv(inner, filters, kernel, strides), nn.ReLU()]
            inner = filters
        self.path = nn.Sequential(*parts[:-1])
        self.skip = nn.Identity() if (channels, stride) == (inner, 1) else conv(channels, inner, 1, stride)

    def forward(self, x):
        return functional.relu(self.path(x) + self.skip(x))


def residual(stem, stages, block, classes):
    layers, (*first, channels) = [], stem
    for index, (filters, depth) in enumerate(stages):
        for place in range(depth):
            convolutions = block(filters)
            layers.append(Residual(channels, convolutions, 2 if index > 0 and place == 0 else 1))
            channels = convolutions[-1][0]
    return nn.Sequential(*first, *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def resnet20():
    stem = [conv(3, 16, 3), nn.ReLU(), 16]
    return residual(stem, [(16, 3), (32, 3), (64, 3)], lambda filters: [(filters, 3), (filters, 3)], 10)


def resnet50():
    stem = [conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1), 64]
    stages = [(64, 3), (128, 4), (256, 6), (512, 3)]
    return residual(stem, stages, lambda filters: [(filters, 1), (filters, 3), (4 * filters, 1)], 1000)


def trainer(network, images, labels, autocast):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        return loss if images.is_cuda else loss.item()

    return step


def predictor(network, images, autocast):
    network.eval()

    def step():
        with torch.inference_mode(), autocast():
            functional.softmax(network(images), 1)
        if images.is_cuda:
            torch.cuda.synchronize()

    return step


def measure(step, batch, seconds, finish):
    """The median of images a second over chunks of about a quarter of a second, after a warm-up."""
    start, steps = time.perf_counter(), 0
    while steps < 3 or time.perf_counter() - start < min(seconds, 2):
        step()
        finish()
        steps += 1
    start = time.perf_counter()
    step()
    finish()
    count, rates = max(1, int(0.25 / (time.perf_counter() - start))), []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 3:
        start = time.perf_counter()
        for _ in range(count):
            step()
        finish()
        rates.append(count * batch / (time.perf_counter() - start))
    return statistics.median(rates)


def positive(text):
    """A number of images."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"`{text}` is no number of images")
    return int(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", metavar="torch[-cl][-compile][-tf32|-bf16][-cuda]")
    parser.add_argument("network", choices=SHAPES)
    parser.add_argument("mode", choices=["train", "infer"])
    parser.add_argument("--batch", type=positive, default=128)
    parser.add_argument("--seconds", type=float, default=3)
    arguments = parser.parse_args()
    name, *how = arguments.peer.split("-")
    unknown = set(how) - {"cl", "compile", "tf32", "bf16", "cuda"}
    if name != "torch" or unknown:
        parser.error(f"no peer is called `{arguments.peer}`")
    device = torch.device("cuda" if "cuda" in how else "cpu")
    torch.set_float32_matmul_precision("high" if "tf32" in how else "highest")
    torch.backends.cudnn.allow_tf32 = "tf32" in how
    torch.manual_seed(42)

    network = globals()[arguments.network]().to(device)
    images = torch.randn(arguments.batch, *SHAPES[arguments.network], device=device)
    labels = torch.arange(arguments.batch, device=device) % 10
    if "cl" in how:
        last = torch.channels_last if images.dim() == 4 else torch.channels_last_3d
        network, images = network.to(memory_format=last), images.to(memory_format=last)
    if "compile" in how:
        network = torch.compile(network)

    def autocast():
        return torch.autocast(device.type, torch.bfloat16) if "bf16" in how else contextlib.nullcontext()

    train = arguments.mode == "train"
    step = trainer(network, images, labels, autocast) if train else predictor(network, images, autocast)
    finish = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    rate = measure(step, arguments.batch, arguments.seconds, finish)
    print(json.dumps({"framework": arguments.peer, "model": arguments.network, "mode": arguments.mode, "batch": arguments.batch,
                      "images_per_second": round(rate, 1)}))


main()
