"""Measures how much a network for few images gains from images that look different each time, and from other remedies.

    cargo build --release
    python3 benches/variety.py --images IMAGES --data MNIST [--other FOLDER]

The folders are those of `benches/growth.py`. Trains members of the plain family (`crates/core/src/tune/family.rs`) on a few hundred
or thousand images of each set, with one remedy after the other, and prints validation errors, the mean of the seeds.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile

from studies import events_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--images", type=pathlib.Path, default=pathlib.Path("data/images"))
parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("BURGEON_DATA", "data")))
parser.add_argument("--other", type=pathlib.Path, help="folder that benches/other_data.py has drawn")
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--seeds", default="1,2,3")
parser.add_argument("--images-of-training", default="400,1500")
parser.add_argument("--compute", default="4,16", help="multiples of the smallest sensible member's")
parser.add_argument("--only", default="")
parser.add_argument("--remedies", default="")
args = parser.parse_args()

IMAGES = args.images.resolve()
SETS = {
    "MNIST": (args.data.resolve(), {"source": "mnist"}, 28, 1),
    "Fashion-MNIST": (IMAGES / "fashion-mnist", {"source": "idx"}, 28, 1),
    "Quick-Draw": (IMAGES / "quickdraw-6x3000", {"source": "idx"}, 28, 1),
    "CIFAR-10": (IMAGES / "cifar10-lossless4000", {"source": "cifar"}, 32, 3),
    "trashnet": (IMAGES / "trashnet-150px", {"source": "folder", "size": 32}, 32, 3),
}
if args.other:
    other = args.other.resolve()
    SETS.update({
        "letters-26": (other / "letters-26", {"source": "idx"}, 28, 1),
        "slant": (other / "slant", {"source": "idx"}, 20, 1),
        "words": (other / "words", {"source": "idx"}, 32, 1),
        "icons": (other / "icons", {"source": "folder", "size": 32}, 32, 3),
        "signs": (other / "signs", {"source": "folder", "size": 32}, 32, 3),
    })
# Name of a remedy: keys of augmentation (moved by a fourteenth of the side), dropout, other keys of [train].
REMEDIES = {
    "as they are": ("", 0.0, ""),
    "moved": ("shift = {shift}", 0.0, ""),
    "moved, dropout": ("shift = {shift}", 0.3, ""),
    "moved, turned": ("shift = {shift}, rotate = 10.0, scale = 0.1", 0.0, ""),
    "moved, turned, dropout": ("shift = {shift}, rotate = 10.0, scale = 0.1", 0.3, ""),
    "moved, smoothed": ("shift = {shift}", 0.0, "label-smoothing = 0.1"),
    "moved, turned, smoothed": ("shift = {shift}, rotate = 10.0, scale = 0.1", 0.0, "label-smoothing = 0.1"),
    "moved, cutout": ("shift = {shift}, cutout = {cutout}", 0.0, ""),
    "moved, turned, cutout, smoothed": ("shift = {shift}, rotate = 10.0, scale = 0.1, cutout = {cutout}", 0.0, "label-smoothing = 0.1"),
    "moved, turned, weight decay": ("shift = {shift}, rotate = 10.0, scale = 0.1", 0.0, 'optimizer = "adamw"\nweight-decay = 0.05'),
}


def batch(images):
    return 16 if images < 500 else 32 if images < 2000 else 64


def member(images, compute):
    """Width and epochs of the member that takes so much compute, as `Member::of`."""
    seen = max(400 * math.sqrt(images), 300 * batch(images))
    epochs = min(200, max(1, round(seen * math.sqrt(compute) / images)))
    return min(128, max(4, round(8 * math.sqrt(compute * seen / (epochs * images))))), epochs


def layers(side, width, dropout):
    lines, stage = [], 0
    while True:
        stage += 1
        lines += [f'{{ conv = {{ filters = {stage * width}, kernel = 3, activation = "none" }} }}',
                  '{ batch-norm = { activation = "relu" } }']
        if side <= 8 and stage > 1:
            break
        if side > 8:
            lines.append("{ max-pool = { size = 2 } }")
            side //= 2
    if dropout:
        lines.append(f"{{ dropout = {{ rate = {dropout} }} }}")
    return lines + [f"{{ dense = {{ units = {4 * width} }} }}"]


def error(work, name, images, compute, remedy, seed):
    path, data, side, channels = SETS[name]
    augment, dropout, rest = REMEDIES[remedy]
    augment = augment.format(shift=max(1, side // 14), cutout=side // 4)
    if augment and channels > 1:
        augment += ', border = "reflect"'
    width, epochs = member(images, compute)
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in {**data, "path": str(path), "train": images, "validation": 0.2 if name in ("icons", "trashnet", "signs") else 600}.items())
    study = pathlib.Path(work) / "study.toml"
    optimizer = "" if "optimizer" in rest else 'optimizer = "adam"\n'
    study.write_text(
        f'name = "variety"\n[data]\n{keys}\n[model]\nlayers = [\n' + ",\n".join(layers(side, width, dropout)) + "\n]\n"
        f'[train]\nepochs = {epochs}\nbatch-size = {batch(images)}\nlearning-rate = 0.003\nschedule = "one-cycle"\n{optimizer}{rest}\n'
        + (f"augment = {{ {augment} }}\n" if augment else "") + "[gate]\naccuracy = 0.5\nallow-majority = true\n")
    command = [str(args.burgeon), "train", str(study), "--seed", str(seed), "--runs", str(pathlib.Path(work) / "runs"), "--json"]
    events, _ = events_of(command)
    return 1 - max(event["validation_accuracy"] for event in events if event["event"] == "epoch_finished")


remedies = args.remedies.split(",,") if args.remedies else list(REMEDIES)
print("| data | images | C / C₀ | " + " | ".join(remedies) + " |\n| --- | ---: | ---: |" + " ---: |" * len(remedies))
ratios = {remedy: [] for remedy in remedies}
for name in args.only.split(",") if args.only else SETS:
    if not SETS[name][0].is_dir():
        print(f"{name}: left out", file=sys.stderr)
        continue
    for images in map(int, args.images_of_training.split(",")):
        for compute in map(float, args.compute.split(",")):
            row = []
            with tempfile.TemporaryDirectory(prefix="burgeon-variety-") as work:
                for remedy in remedies:
                    row.append(statistics.mean(error(work, name, images, compute, remedy, seed) for seed in map(int, args.seeds.split(","))))
            for remedy, value in zip(remedies, row):
                ratios[remedy].append(math.log(max(value, 1e-4) / max(row[0], 1e-4)))
            print(f"| {name} | {images} | {compute:.0f} | " + " | ".join(f"{100 * value:.2f} %" for value in row) + " |", flush=True)
print("| all, ratio to the first | | | " + " | ".join(f"{math.exp(statistics.mean(ratios[remedy])):.2f}" for remedy in remedies) + " |")
