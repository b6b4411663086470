"""Whether squeeze-and-excitation (Hu et al. 2018) pays in networks as small as models/cifar.toml's.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch numpy pillow
    /tmp/peers/bin/python benches/peers/squeeze_excite.py FOLDER [--images 10000] [--epochs 10] [--seeds 3]

FOLDER has a folder of pictures for each class. The layers of models/cifar.toml at half their width are
trained as they are, with the block behind the last convolution of each stage, and behind every
convolution; by the same recipe (one-cycle, label smoothing, shifts and flips), on the same images in the
same order. Printed: accuracy on images that none is trained on, and seconds of processors, as each seed ends; at the
end means, and what the plain network reaches with as many more epochs as the block costs in time.

On CIFAR-10 (JPEG), 4,000 images, 8 epochs, two seeds: 60.3 % without the block, 59.9 % behind each stage, 59.1 % behind every
convolution, for up to a sixth more time. It does not pay here, so burgeon has no such layer.
"""

import argparse
import pathlib
import statistics
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder")
parser.add_argument("--images", type=int, default=10_000)
parser.add_argument("--held-out", type=int, default=5_000)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--reduction", type=int, default=8)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
torch.set_num_threads(args.threads)

# Filters, and whether a pool follows the convolution; a stage ends before the next pool.
LAYERS = [(12, False), (32, True), (32, False), (64, True), (64, False), (128, True), (128, False)]


class Excite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        hidden = max(channels // args.reduction, 4)
        self.down, self.up = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, x):
        scale = torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))
        return x * scale[:, :, None, None]


def network(where):
    layers, channels = [], 3
    for i, (filters, pool) in enumerate(LAYERS):
        layers.append(nn.Conv2d(channels, filters, 3, padding=1))
        if pool:
            layers.append(nn.MaxPool2d(2))
        layers += [nn.BatchNorm2d(filters), nn.ReLU()]
        is_last = i + 1 == len(LAYERS) or LAYERS[i + 1][1]
        if where == "every convolution" or where == "every stage" and is_last:
            layers.append(Excite(filters))
        channels = filters
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def augmented(images, random):
    flips = torch.rand(len(images), generator=random) < 0.5
    images = torch.where(flips[:, None, None, None], images.flip(3), images)
    padded = F.pad(images, (4, 4, 4, 4), mode="reflect")
    out = torch.empty_like(images)
    for i, (y, x) in enumerate(torch.randint(0, 9, (len(images), 2), generator=random).tolist()):
        out[i] = padded[i, :, y : y + images.shape[2], x : x + images.shape[3]]
    return out


def run(where, seed, epochs):
    """Held-out accuracy in percent, and seconds of training."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    model = network(where).to(memory_format=torch.channels_last)
    steps = epochs * (len(train_y) // 128)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    start = time.process_time()
    for _ in range(epochs):
        order = torch.randperm(len(train_y), generator=random)
        for batch in order[: len(order) // 128 * 128].view(-1, 128):
            x = augmented(train_x[batch], random).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(model(x), train_y[batch], label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    seconds = time.process_time() - start  # of all threads, which other programs change little
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in zip(held_x.split(500), held_y.split(500)))
    return 100 * right / len(held_y), seconds


files = [(path, i) for i, folder in enumerate(sorted(pathlib.Path(args.folder).iterdir())) for path in sorted(folder.iterdir())]
classes = 1 + max(label for _, label in files)
chosen = np.random.default_rng(0).permutation(len(files))[: args.images + args.held_out]
pixels = np.stack([np.asarray(Image.open(files[i][0]).convert("RGB"), np.float32).transpose(2, 0, 1) for i in chosen])
pixels = (pixels - pixels.mean((0, 2, 3), keepdims=True)) / pixels.std((0, 2, 3), keepdims=True)
x, y = torch.from_numpy(pixels), torch.tensor([files[i][1] for i in chosen])
(train_x, held_x), (train_y, held_y) = (t.split([args.images, args.held_out]) for t in (x, y))

results = {}
for seed in range(1, args.seeds + 1):
    for where in ("nowhere", "every stage", "every convolution"):
        result = run(where, seed, args.epochs)
        results.setdefault(where, []).append(result)
        print(f"seed {seed}, {where}: {result[0]:.2f} %, {result[1]:.0f} s", flush=True)
seconds = {where: statistics.median(s for _, s in of) for where, of in results.items()}
for where in ("every stage", "every convolution"):
    epochs = round(args.epochs * seconds[where] / seconds["nowhere"])
    longer = [run("nowhere", seed, epochs)[0] for seed in range(1, args.seeds + 1)]
    results[f"nowhere, {epochs} epochs for the time of {where}"] = [(accuracy, seconds[where]) for accuracy in longer]
for where, of in results.items():
    accuracies = [accuracy for accuracy, _ in of]
    spread = statistics.stdev(accuracies) if len(of) > 1 else 0.0
    print(f"{where}: {statistics.mean(accuracies):.2f} ± {spread:.2f} %, {statistics.median(s for _, s in of):.0f} s")
