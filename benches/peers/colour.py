"""Convolutional networks for colour images, burgeon beside PyTorch, step by step and as a whole.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch numpy
    cargo build --release && cargo build --release --bench kernel_shapes
    /tmp/peers/bin/python benches/peers/colour.py [--rounds 5] [--only TEXT] [--images CIFAR_FOLDER]

First twelve 3x3 convolutions, a training step of a batch of 64 each (forward, and the gradients of
images, weights and biases), as they are where batch-norm follows. Then an epoch of two whole networks,
of 32x32 colour images in batches of 128, with Adam: conv 32, 32, pool, 64, 64, pool, 128, pool, dense
128, each convolution with batch-norm and relu; and the layers of models/cifar.toml. That needs a
folder with the binary files of CIFAR-10.

PyTorch runs eagerly, in its usual layout and in channels_last; the better of the two counts. Everybody
has the same number of threads, and runs in turn, A B A B; figures are medians, with the ratios of the
rounds from the least to the largest.
"""

import argparse
import glob
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

import torch
import torch.nn as nn
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--only", default="", help="shapes and networks whose name contains this")
parser.add_argument("--images", help="folder of CIFAR-10's binary files")
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--shapes", help="the kernel_shapes program; the newest build unless said")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(1)

BATCH = 64
# As COLOUR in benches/kernel_shapes.rs: channels in and out, the image's side.
SHAPES = [
    (32, 32, 32), (32, 64, 32), (64, 64, 32), (32, 32, 16), (32, 64, 16), (64, 64, 16),
    (64, 128, 16), (128, 128, 16), (64, 128, 8), (128, 128, 8), (128, 256, 8), (256, 256, 8),
]
LAYOUTS = {"usual": torch.contiguous_format, "channels_last": torch.channels_last}


def kernel_shapes():
    if args.shapes:
        return args.shapes
    builds = glob.glob(str(TARGET / "release" / "deps" / "kernel_shapes-*"))
    return max((build for build in builds if os.access(build, os.X_OK)), key=os.path.getmtime)


def lines(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode not in (0, 3):  # 3: the gate was not passed, which is no matter here
        sys.exit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def torch_step(channels, filters, side, layout):
    """Milliseconds of a step: the median of 15 after as many to warm up, as kernel_shapes does it."""
    conv = nn.Conv2d(channels, filters, 3, padding=1).to(memory_format=layout)
    x = torch.randn(BATCH, channels, side, side).to(memory_format=layout).requires_grad_()
    gradient, times = torch.randn_like(conv(x)), []
    for _ in range(30):
        start = time.perf_counter()
        conv(x).backward(gradient)
        times.append(time.perf_counter() - start)
        conv.zero_grad(set_to_none=True)
        x.grad = None
    return 1e3 * statistics.median(times[15:])


def report(name, ours, theirs):
    """One line of the table; `theirs` by layout."""
    best = [min(times) for times in zip(*theirs.values())]
    ratios = [their / our for our, their in zip(ours, best)]
    layouts = ", ".join(f"{statistics.median(times):8.2f}" for times in theirs.values())
    print(f"{name:<26} {statistics.median(ours):8.2f} {layouts}   "
          f"{statistics.median(ratios):5.2f}x ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)
    return statistics.median(ratios)


def shapes():
    ratios = []
    for channels, filters, side in SHAPES:
        name = f"{channels}→{filters} 3×3 {side}×{side} linear"
        if args.only not in name:
            continue
        ours, theirs = [], {layout: [] for layout in LAYOUTS}
        for _ in range(args.rounds):
            command = [kernel_shapes(), "--colour", "--threads", args.threads, "--json", "--only"]
            ours += [line["step_ms"] for line in lines([*command, name]) if line["shape"] == name]
            for layout, memory_format in LAYOUTS.items():
                theirs[layout].append(torch_step(channels, filters, side, memory_format))
        ratios.append(report(name, ours, theirs))
    if len(ratios) > 1:
        print(f"geometric mean {statistics.geometric_mean(ratios):.2f}x, least {min(ratios):.2f}x")


STUDY = """
name = "colour"
[data]
source = "cifar"
path = "{images}"
validation = 100
[model]
layers = [{layers}]
[train]
epochs = 3
batch-size = 128
optimizer = "adam"
learning-rate = 0.001
[gate]
accuracy = 0.99
"""
CONV = """
  {{ conv = {{ filters = {}, kernel = 3, activation = "none" }} }},
  {{ batch-norm = {{ activation = "relu" }} }},"""
POOL = "\n  { max-pool = { size = 2 } },"


def networks():
    """The layers of both networks, as they stand in a study."""
    plain = "".join(CONV.format(width) if width else POOL
                    for width in (32, 32, None, 64, 64, None, 128, None))
    cifar = (ROOT / "models" / "cifar.toml").read_text().split("layers = [", 1)[1].split("\n]", 1)[0]
    return {"plain network": plain + "\n  { dense = { units = 128 } },\n", "models/cifar.toml": cifar + "\n"}


def torch_network(layers):
    built, channels, side, flat = [], 3, 32, False
    for layer in tomllib.loads(f"layers = [{layers}]")["layers"]:
        kind, settings = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
        if kind == "conv":
            built.append(nn.Conv2d(channels, settings["filters"], settings["kernel"], padding="same"))
            channels = settings["filters"]
        elif kind == "batch-norm":
            built += [nn.BatchNorm2d(channels), nn.ReLU()]
        elif kind == "max-pool":
            built.append(nn.MaxPool2d(settings["size"]))
            side //= settings["size"]
        elif kind == "global-avg-pool":
            built += [nn.AdaptiveAvgPool2d(1)]
            side = 1
        elif kind == "dense":
            built += [nn.Flatten(), nn.Linear(channels * side * side, settings["units"]), nn.ReLU()]
            channels, side, flat = settings["units"], 1, True
        else:
            sys.exit(f"the peer knows no layer {kind}")
    return nn.Sequential(*built, *([] if flat else [nn.Flatten()]), nn.Linear(channels, 10))


def torch_epoch(layers, images, layout):
    """Milliseconds an image of the second epoch."""
    model = torch_network(layers).to(memory_format=layout)
    x = torch.randn(images, 3, 32, 32).to(memory_format=layout)
    y = torch.randint(10, (images,))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    for _ in range(2):
        start, order = time.perf_counter(), torch.randperm(images)
        for at in range(0, images - 127, 128):
            batch = order[at:at + 128]
            loss = F.cross_entropy(model(x[batch].contiguous(memory_format=layout)), y[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        seconds = time.perf_counter() - start
    return 1e3 * seconds / (images // 128 * 128)


def network(name, layers):
    ours, theirs = [], {layout: [] for layout in LAYOUTS}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "colour.toml"
        path.write_text(STUDY.format(images=pathlib.Path(args.images).resolve(), layers=layers))
        for round in range(args.rounds):
            events = lines([args.burgeon, "train", path, "--threads", args.threads, "--json",
                            "--runs", pathlib.Path(folder) / str(round)])
            last = [event for event in events if event["event"] == "epoch_finished"][-1]
            ours.append(1e3 * last["seconds"] / last["images"])
            for layout, memory_format in LAYOUTS.items():
                theirs[layout].append(torch_epoch(layers, 2688, memory_format))
    report(f"{name}, ms/image", ours, theirs)


print(f"{'':<26} {'burgeon':>8} " + ", ".join(f"{layout:>8}" for layout in LAYOUTS))
shapes()
if args.images:
    for name, layers in networks().items():
        if args.only in name:
            network(name, layers)
