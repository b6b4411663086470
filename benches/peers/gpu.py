"""Races burgeon against PyTorch on one NVIDIA card, in at most ten minutes.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch
    cargo build --release --features wgpu
    /tmp/peers/bin/python benches/peers/gpu.py [--minutes 10] [--json FILE]

An epoch of LeNet-5 in batches of 64 and of 512, and of the network of models/cifar.toml in batches of
128 and of 1024, with Adam and without distortions. Images are made up, of the sizes and numbers of MNIST
and CIFAR-10. PyTorch has them on the card too, gathers batches there, reads the loss once an epoch, and
runs eagerly with its fused Adam, compiled (`torch.compile`), and with a whole step as a CUDA graph; for
the colour network also in channels_last, of which the better counts. Nobody uses TF32.

They run in turn, A B A B, until the time is up; each run warms up for an epoch, of which nothing is
counted. Figures are medians of epochs; ratios are PyTorch's median by burgeon's.
"""

import argparse
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--minutes", type=float, default=10)
parser.add_argument("--rounds", type=int, default=5, help="at most; fewer where the time is up")
parser.add_argument("--only", default="", help="races whose name contains this")
parser.add_argument("--json", help="file for the figures")
# To try the script where there is no card.
parser.add_argument("--device", default="gpu", help=argparse.SUPPRESS)
parser.add_argument("--images", type=int, default=0, help=argparse.SUPPRESS)
args = parser.parse_args()

ON_CARD = args.device != "cpu"
DEVICE = torch.device("cuda" if ON_CARD else "cpu")
UNTIL = time.monotonic() + 60 * args.minutes
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True

# Name, model, channels, side, images, batch.
RACES = [
    ("LeNet-5, batch 64", "lenet", 1, 28, 60_000, 64),
    ("LeNet-5, batch 512", "lenet", 1, 28, 60_000, 512),
    ("cifar, batch 128", "cifar", 3, 32, 50_000, 128),
    ("cifar, batch 1024", "cifar", 3, 32, 50_000, 1024),
]
VALIDATION = 1000


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def cifar():
    layers, channels = [], 3
    for filters, halves in [(24, 0), (64, 1), (64, 0), (128, 1), (128, 0), (256, 1), (256, 0)]:
        layers.append(nn.Conv2d(channels, filters, 3, padding=1))
        layers += [nn.MaxPool2d(2)] if halves else []
        layers += [nn.BatchNorm2d(filters), nn.ReLU()]
        channels = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


def made_up(channels, side, count):
    """Noise with a bar whose place tells the class, so that there is something to learn."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 64, (count, channels, side, side), generator=generator,
                           dtype=torch.uint8)
    labels = torch.arange(count) % 10
    for label in range(10):
        images[labels == label, :, :, 2 * label:2 * label + 2] += 180
    return images, labels


def write_files(folder, images, labels):
    """As MNIST's files or those of CIFAR-10, which burgeon reads; the test images are the first ones."""
    folder.mkdir()
    count, channels, side, _ = images.shape
    if channels == 1:
        for name, chosen in [("train", slice(None)), ("t10k", slice(0, 1000))]:
            some, classes = images[chosen], labels[chosen].to(torch.uint8)
            head = struct.pack(">IIII", 0x803, len(some), side, side)
            (folder / f"{name}-images-idx3-ubyte").write_bytes(head + bytes(some.numpy().tobytes()))
            head = struct.pack(">II", 0x801, len(classes))
            (folder / f"{name}-labels-idx1-ubyte").write_bytes(head + classes.numpy().tobytes())
        return
    rows = torch.cat([labels.to(torch.uint8)[:, None], images.reshape(count, -1)], 1)
    for part, some in enumerate(rows.chunk(5)):
        (folder / f"data_batch_{part + 1}.bin").write_bytes(some.numpy().tobytes())
    (folder / "test_batch.bin").write_bytes(rows[:1000].numpy().tobytes())


def burgeon(model, batch, folder):
    """Seconds of the epochs after the first."""
    source = "idx" if model == "lenet" else "cifar"
    settings = [f"data.source={source}", f"data.path={folder / 'images'}",
                f"data.validation={VALIDATION}", f"train.batch-size={batch}", "train.epochs=4",
                "train.optimizer=adam", "train.learning-rate=0.001", "train.schedule=constant",
                "gate.accuracy=0.999"]
    if model == "cifar":
        settings += ["train.label-smoothing=0.0", "train.augment={}"]
    else:
        settings += ["data.fallback=none"]
    command = [args.burgeon, "train", ROOT / "models" / f"{model}.toml", "--json",
               "--device", args.device, "--runs", folder / "runs"]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode not in (0, 3):  # 3: the gate was not passed, which is no matter here
        sys.exit(done.stderr)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [event["seconds"] for event in events if event["event"] == "epoch_finished"][1:]


class Peer:
    """A network in PyTorch with its images on the card."""

    def __init__(self, model, images, labels, batch, how, layout):
        torch.manual_seed(1)
        self.network = (lenet() if model == "lenet" else cifar()).to(DEVICE)
        self.network = self.network.to(memory_format=layout)
        self.layout, self.batch, self.how = layout, batch, how
        self.images, self.labels = images.to(DEVICE), labels.to(DEVICE)
        mean = images.float().mean().item() / 255
        self.mean, self.std = mean, images.float().std().item() / 255
        graph = how == "graph"
        self.adam = torch.optim.Adam(self.network.parameters(), lr=1e-3, capturable=graph,
                                     fused=ON_CARD)
        self.forward = torch.compile(self.loss) if how == "compiled" else self.loss
        self.total = torch.zeros((), device=DEVICE)
        self.chosen = torch.zeros(batch, dtype=torch.long, device=DEVICE)
        self.graph = self.captured() if graph else None

    def loss(self, chosen):
        x = self.images[chosen].float().div_(255).sub_(self.mean).div_(self.std)
        return F.cross_entropy(self.network(x.contiguous(memory_format=self.layout)),
                               self.labels[chosen])

    def step(self, chosen):
        loss = self.forward(chosen)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        self.total += loss.detach()

    def captured(self):
        """A step as a graph that takes the images chosen in `self.chosen`."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step(self.chosen)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        self.adam.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            self.step(self.chosen)
        return graph

    def epoch(self, count):
        """Seconds of an epoch. Images that fill no last batch are left out where a graph runs."""
        start = time.perf_counter()
        order = torch.randperm(count, device=DEVICE)
        for chosen in order.split(self.batch):
            if self.graph is None:
                self.step(chosen)
            elif len(chosen) == self.batch:
                self.chosen.copy_(chosen)
                self.graph.replay()
        self.total.item()
        return time.perf_counter() - start


def race(name, model, channels, side, count, batch):
    """Epochs' seconds by runner."""
    count = args.images or count
    images, labels = made_up(channels, side, count)
    layouts = [torch.contiguous_format] + ([torch.channels_last] if model == "cifar" else [])
    ways = ["eager", "compiled"] + (["graph"] if ON_CARD else [])
    found = {"burgeon": []}
    # An equal share of the time that is left for each race that is still to come.
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_files(folder / "images", images, labels)
        peers = {}
        for number in range(args.rounds):
            if number and time.monotonic() > until[name]:
                break
            found["burgeon"] += burgeon(model, batch, folder)
            for how in ways:
                for layout in layouts:
                    key = (how, layout)
                    if key not in peers:
                        peers[key] = Peer(model, images, labels, batch, how, layout)
                        peers[key].epoch(count - VALIDATION)
                    label = how if layout == torch.contiguous_format else f"{how}, channels_last"
                    seconds = [peers[key].epoch(count - VALIDATION) for _ in range(2)]
                    found.setdefault(label, []).extend(seconds)
    return found


until = {}


def main():
    if ON_CARD and not torch.cuda.is_available():
        sys.exit("PyTorch finds no NVIDIA card")
    print(torch.cuda.get_device_name() if ON_CARD else "cpu", "PyTorch", torch.__version__, flush=True)
    races = [entry for entry in RACES if args.only in entry[0]]
    results = {}
    for number, entry in enumerate(races):
        left = UNTIL - time.monotonic()
        if left < 0:
            print(f"{entry[0]}: no time left")
            continue
        until[entry[0]] = time.monotonic() + left / (len(races) - number)
        found = race(*entry)
        results[entry[0]] = found
        ours = statistics.median(found["burgeon"])
        print(entry[0])
        for runner, seconds in found.items():
            median = statistics.median(seconds)
            print(f"  {runner:<24} {1e3 * median:9.1f} ms ({1e3 * min(seconds):.1f} to "
                  f"{1e3 * max(seconds):.1f})  {median / ours:6.2f}×", flush=True)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
