"""The networks of models/*.toml in PyTorch, with all data in memory: a peer for burgeon.

    python torch_peer.py train --network lenet --batch 64 --epochs 2
    python torch_peer.py eval --network lenet
    python torch_peer.py shapes

Prints a JSON line for every figure.
"""

import argparse
import gzip
import json
import pathlib
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("work", choices=["train", "eval", "shapes"])
parser.add_argument("--network", choices=["lenet", "single-conv", "compact"], default="lenet")
parser.add_argument("--data", default="data")
parser.add_argument("--images", type=int, default=55_000, help="as burgeon trains on")
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--compile", action="store_true")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(1)


def idx(name, header):
    path = pathlib.Path(args.data) / name
    raw = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    return np.frombuffer(raw, np.uint8)[header:]


def images(name):
    pixels = idx(name, 16).reshape(-1, 1, 28, 28).astype(np.float32)
    return torch.from_numpy(pixels).div_(255).sub_(0.1307).div_(0.3081)


def labels(name):
    return torch.from_numpy(idx(name, 8).astype(np.int64))


def network(name):
    if name == "lenet":
        return nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
            nn.Linear(84, 10))
    if name == "single-conv":
        return nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 13 * 13, 128), nn.ReLU(), nn.Linear(128, 10))
    return nn.Sequential(
        nn.Conv2d(1, 10, 3, padding=1), nn.BatchNorm2d(10), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(10, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 20, 3, padding=1), nn.BatchNorm2d(20), nn.ReLU(),
        nn.Conv2d(20, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10))


def train():
    x, y = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
    x, y = x[:args.images], y[:args.images]
    model = network(args.network)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    step = torch.compile(model) if args.compile else model
    if args.compile:
        F.cross_entropy(step(x[:args.batch]), y[:args.batch]).backward()
        optimizer.zero_grad(set_to_none=True)
    for epoch in range(args.epochs):
        start, order = time.perf_counter(), torch.randperm(len(x))
        for at in range(0, len(x) - args.batch + 1, args.batch):
            batch = order[at:at + args.batch]
            loss = F.cross_entropy(step(x[batch]), y[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        seconds = time.perf_counter() - start
        print(json.dumps({"epoch": epoch + 1, "seconds": seconds}), flush=True)


def evaluate():
    x, y = images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte")
    model = network(args.network).eval()
    step = torch.compile(model) if args.compile else model
    with torch.no_grad():
        for _ in range(args.epochs):
            start = time.perf_counter()
            for at in range(0, len(x), 1000):
                (step(x[at:at + 1000]).argmax(1) == y[at:at + 1000]).sum().item()
            print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


# As in benches/kernel_shapes.rs: channels in and out, the image's side, the kernel's side, pool.
SHAPES = [
    (1, 8, 28, 3, True), (1, 8, 28, 5, False), (1, 16, 56, 7, True), (1, 32, 28, 3, False),
    (8, 16, 14, 3, True), (8, 16, 14, 5, False), (8, 16, 28, 3, False), (16, 16, 56, 3, True),
    (16, 32, 14, 3, True), (16, 32, 14, 5, False), (16, 32, 28, 7, True), (32, 64, 7, 3, False),
    (32, 64, 14, 3, True), (32, 64, 7, 5, False), (64, 64, 14, 3, False), (64, 128, 7, 3, False),
]


def shapes():
    for channels, filters, side, kernel, pool in SHAPES:
        block = nn.Sequential(
            nn.Conv2d(channels, filters, kernel, padding=kernel // 2), nn.ReLU(),
            *([nn.MaxPool2d(2)] if pool else []))
        x = torch.randn(args.batch, channels, side, side, requires_grad=channels > 1)
        gradient, times = torch.randn_like(block(x)), []
        for _ in range(30):
            start = time.perf_counter()
            block(x).backward(gradient)
            times.append(time.perf_counter() - start)
            block.zero_grad(set_to_none=True)
            x.grad = None
        name = f"{channels}→{filters} {kernel}×{kernel} {side}×{side} relu{' pool' if pool else ''}"
        print(json.dumps({"shape": name, "step_ms": 1e3 * sorted(times[15:])[7]}), flush=True)


{"train": train, "eval": evaluate, "shapes": shapes}[args.work]()
