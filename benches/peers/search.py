"""Races burgeon's searches against Optuna's TPE + Hyperband over PyTorch, on the same space, until a gate is passed.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch numpy optuna pillow
    cargo build --release
    /tmp/peers/bin/python benches/peers/search.py --images IMAGES --data MNIST --seeds 1,2,3,4,5
    /tmp/peers/bin/python benches/peers/search.py --images IMAGES --data MNIST --only quickdraw --peers tpe,asha

`IMAGES` is a folder as of `benches/growth.py`, whose photos (`trashnet-150px/`, one folder a class) need pillow; what is
not there is left out. Everybody gets the same images, numbers of training and validation images, threads and lists of
choices: `space()` below, which is burgeon's default one. Optuna's networks are built by the same rules, its rates are
a parameter for each optimizer, and its trials end at the first epoch that passes; burgeon's train to their end. `--start` gives Optuna
burgeon's first point (`enqueue_trial`), without which it begins, as usual, at random.

They run in turn, so that a busy moment hits all of them. Trials do not depend on the machine's load, seconds do; so
CPU seconds, which depend less on it, are counted as well: of burgeon those of the whole process, of Optuna those after its
imports and after the images were read. A continued training of `asha` is a trial of burgeon's, but no new configuration; Optuna
has no such trials, so that configurations are what compares. Judged by validation images; a study that does not pass
within --trials or --seconds counts with what it took until then, as at least that.
"""

import argparse
import gzip
import json
import math
import os
import pathlib
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--images", type=pathlib.Path, default=pathlib.Path("data/images"))
parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("BURGEON_DATA", "data")))
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--only", default="", help="names of cases, with commas; all unless said")
parser.add_argument("--peers", default="tpe,asha,optuna", help="also: random")
parser.add_argument("--seeds", default="1,2,3,4,5")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--trials", type=int, default=60)
parser.add_argument("--seconds", type=float, default=300, help="most seconds of a study")
parser.add_argument("--start", action="store_true", help="Optuna begins with burgeon's first point")
parser.add_argument("--optuna", nargs=3, metavar=("CASE", "FOLDER", "SEED"), help=argparse.SUPPRESS)
args = parser.parse_args()

IMAGES, MNIST = args.images.resolve(), args.data.resolve()
# Name: images, training images, validation images, most epochs of a trial, and a gate that few trials pass.
CASES = {
    "mnist": (("idx", MNIST), 5000, 2000, 12, 0.98),
    "fashion": (("idx", IMAGES / "fashion-mnist"), 7000, 3000, 12, 0.885),
    "quickdraw": (("idx", IMAGES / "quickdraw-6x3000"), 12_000, 3000, 8, 0.955),
    "quickdraw-1000": (("idx", IMAGES / "quickdraw-6x3000"), 1000, 3000, 24, 0.91),
    "cifar": (("cifar", IMAGES / "cifar10-lossless4000"), 2400, 600, 16, 0.52),
    "trashnet": (("photos", IMAGES / "trashnet-150px"), 1900, 600, 20, 0.74),
}


def space(side, epochs):
    """The lists of `[tune.space]`, as burgeon's default for images of this side; `epochs` is the most."""
    depth = max(2, 1 + math.ceil(math.log2(side / 8)))
    return {
        "convs": [max(1, depth - 1), depth, depth + 1], "convs-per-stage": [1, 2],
        "width": [4, 8, 12, 16, 24, 32], "kernel": [3, 5], "batch-norm": [True, False],
        "dense-layers": [0, 1], "units": [32, 64, 128, 256], "dropout": [0.0, 0.3],
        "learning-rate": [1e-4, 0.3], "schedule": ["constant", "cosine", "one-cycle"],
        "batch-size": [32, 64, 128, 256], "optimizer": ["sgd", "adam"], "shift": [0.0, 0.07], "flip": [False, True],
        "epochs": sorted({max(1, epochs // part) for part in (8, 4, 2, 1)}),
    }


# burgeon's first point: the plain family's member, as near as the lists have it.
USUAL = {"convs": 1, "convs-per-stage": 1, "width": 12, "kernel": 3, "batch-norm": True, "dense-layers": 1, "units-0": 64,
         "dropout": 0.0, "optimizer": "adam", "rate-adam": 0.003, "schedule": "one-cycle", "flip": False}


def idx(path):
    name = next(found for found in (path, path.with_name(path.name + ".gz")) if found.exists())
    raw = (gzip.open(name) if name.suffix == ".gz" else open(name, "rb")).read()
    sizes = struct.unpack(f">{raw[3]}I", raw[4:4 + 4 * raw[3]])
    return numpy.frombuffer(raw, numpy.uint8)[4 + 4 * raw[3]:].reshape(sizes)


def read(kind, path):
    """Pixels `[image, channel, row, column]` and labels of all training images, in a fixed random order."""
    if kind == "idx":
        pixels, labels = idx(path / "train-images-idx3-ubyte"), idx(path / "train-labels-idx1-ubyte")
        pixels = pixels.reshape(len(pixels), -1, *pixels.shape[-2:])
    elif kind == "cifar":
        files = sorted(path.glob("data_batch*.bin"))
        rows = numpy.concatenate([numpy.fromfile(file, numpy.uint8).reshape(-1, 3073) for file in files])
        pixels, labels = rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]
    else:
        from PIL import Image
        pixels, labels = [], []
        for label, folder in enumerate(sorted(child for child in path.iterdir() if child.is_dir())):
            for file in sorted(folder.iterdir()):
                picture = Image.open(file).convert("RGB").resize((32, 32), Image.BOX)
                pixels.append(numpy.asarray(picture).transpose(2, 0, 1))
                labels.append(label)
        pixels, labels = numpy.stack(pixels), numpy.array(labels, numpy.uint8)
    order = numpy.random.default_rng(0).permutation(len(labels))
    return pixels[order], labels[order]


def prepare(case, folder):
    """Writes a case's images as IDX files, which burgeon splits; returns their sides and `[data]`."""
    (kind, path), training, validation, _, _ = CASES[case]
    pixels, labels = (array[:training + validation] for array in read(kind, path))
    folder.mkdir()
    for name, array in (("images-idx3", pixels if pixels.shape[1] > 1 else pixels[:, 0]), ("labels-idx1", labels)):
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        # Nobody reads the test images before a study has passed, so that any will do.
        for split, part in (("train", array), ("t10k", array[:100])):
            head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *part.shape)
            (folder / f"{split}-{name}-ubyte").write_bytes(head + numpy.ascontiguousarray(part).tobytes())
    numpy.savez(folder / "images.npz", pixels=pixels, labels=labels)
    return pixels.shape[-1], f'[data]\nsource = "idx"\npath = "{folder}"\nvalidation = {len(labels) - training}\n'


def burgeon(policy, case, folder, data, side, seed):
    _, _, _, epochs, gate = CASES[case]
    lists = "\n".join(f"{key} = {json.dumps(value)}" for key, value in space(side, epochs).items())
    study = folder / "study.toml"
    study.write_text(
        f'name = "{case}"\n{data}[model]\nlayers = []\n[train]\nepochs = 1\n[gate]\naccuracy = {gate}\n'
        f'[tune]\npolicy = "{policy}"\ntrials = {args.trials}\nseconds = {args.seconds}\n[tune.space]\n{lists}\n')
    command = [args.burgeon, "tune", study, "--seed", seed, "--threads", args.threads, "--runs", folder / "runs", "--json"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    started = [event for event in events if event["event"] == "trial_started"]
    end = next(event for event in events if event["event"] == "study_finished")
    return {
        "passed": end["outcome"] == "accepted", "best": end["validation_accuracy"], "trials": end["trials"],
        "configurations": sum(event["inherit"] == "nothing" for event in started),
        "epochs": sum(event["event"] == "epoch_finished" for event in events), "seconds": seconds,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


def optuna_peer(case, folder, seed):
    """Runs Optuna's study in a process of its own, and returns what it prints."""
    command = [sys.executable, __file__, "--optuna", case, folder, seed, "--threads", args.threads,
               "--trials", args.trials, "--seconds", args.seconds] + (["--start"] if args.start else [])
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def optuna_study(case, folder, seed):
    import optuna
    import torch
    from torch import nn
    from torch.nn import functional

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(args.threads)
    torch.manual_seed(seed)
    _, training, _, most, gate = CASES[case]
    held = numpy.load(pathlib.Path(folder) / "images.npz")
    pixels = torch.from_numpy(held["pixels"]).float() / 255
    mean = pixels[:training].mean((0, 2, 3), keepdim=True)
    pixels = (pixels - mean) / pixels[:training].std((0, 2, 3), keepdim=True)
    labels = torch.from_numpy(held["labels"].astype(numpy.int64))
    images, channels, side, _ = pixels.shape
    classes = int(labels.max()) + 1
    lists = space(side, most)
    epochs_used, hit = 0, {}

    class Passed(Exception):
        pass

    def network(trial):
        layers, inputs, now = [], channels, side
        norm = trial.suggest_categorical("batch-norm", lists["batch-norm"])
        kernel = trial.suggest_categorical("kernel", lists["kernel"])
        width = trial.suggest_categorical("width", lists["width"])
        per_stage = trial.suggest_categorical("convs-per-stage", lists["convs-per-stage"])
        for stage in range(1, trial.suggest_categorical("convs", lists["convs"]) + 1):
            for _ in range(per_stage):
                layers.append(nn.Conv2d(inputs, stage * width, kernel, padding=kernel // 2))
                layers += ([nn.BatchNorm2d(stage * width)] if norm else []) + [nn.ReLU()]
                inputs = stage * width
            if now > 8:
                layers.append(nn.MaxPool2d(2))
                now //= 2
        layers.append(nn.Flatten())
        features = inputs * now * now
        for at in range(trial.suggest_categorical("dense-layers", lists["dense-layers"])):
            units = trial.suggest_categorical(f"units-{at}", lists["units"])
            layers += [nn.Linear(features, units), nn.ReLU()]
            features = units
        rate = trial.suggest_categorical("dropout", lists["dropout"])
        layers += ([nn.Dropout(rate)] if rate else []) + [nn.Linear(features, classes)]
        return nn.Sequential(*layers)

    def share(schedule, progress):
        fall = lambda low, high, at: low + (high - low) * (1 + math.cos(math.pi * at)) / 2
        if schedule == "constant":
            return 1.0
        if schedule == "cosine":
            return fall(0.0, 1.0, progress)
        return fall(1.0, 0.04, progress / 0.3) if progress < 0.3 else fall(0.0, 1.0, (progress - 0.3) / 0.7)

    def varied(batch, shift, flip):
        if shift:
            padded = functional.pad(batch, [shift] * 4)
            by = torch.randint(0, 2 * shift + 1, (2, len(batch), 1))
            rows, columns = (torch.arange(side) + by[axis] for axis in range(2))
            each = torch.arange(len(batch))[:, None, None]
            batch = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        if flip:
            mirrored = torch.rand(len(batch)) < 0.5
            batch = torch.where(mirrored[:, None, None, None], batch.flip(3), batch)
        return batch

    def objective(trial):
        nonlocal epochs_used
        model = network(trial)
        name = trial.suggest_categorical("optimizer", lists["optimizer"])
        rate = trial.suggest_float(f"rate-{name}", *lists["learning-rate"], log=True)
        schedule = trial.suggest_categorical("schedule", lists["schedule"])
        size = trial.suggest_categorical("batch-size", lists["batch-size"])
        shift = trial.suggest_categorical("shift", lists["shift"])
        shift = max(1, round(shift * side)) if shift else 0
        flip = trial.suggest_categorical("flip", lists["flip"])
        epochs = trial.suggest_categorical("epochs", lists["epochs"])
        if name == "adam":
            optimizer = torch.optim.Adam(model.parameters(), rate, fused=True)
        else:
            optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
        steps, step = epochs * math.ceil(training / size), 0
        for epoch in range(epochs):
            model.train()
            for part in torch.randperm(training).split(size):
                if len(part) < 2:
                    continue  # batch-norm cannot take one image alone
                for group in optimizer.param_groups:
                    group["lr"] = rate * share(schedule, step / steps)
                loss = functional.cross_entropy(model(varied(pixels[part], shift, flip)), labels[part])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                step += 1
                if time.perf_counter() - start > args.seconds:
                    study.stop()
                    raise optuna.TrialPruned()
            epochs_used += 1
            model.eval()
            with torch.no_grad():
                right = sum((model(pixels[at:at + 500]).argmax(1) == labels[at:at + 500]).sum().item()
                            for at in range(training, images, 500))
            accuracy = right / (images - training)
            hit["best"] = max(hit.get("best", 0.0), accuracy)
            if accuracy >= gate:
                raise Passed
            trial.report(accuracy, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned()
        return accuracy

    pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=max(lists["epochs"]))
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)
    if args.start:
        nearest = lambda key, wanted: min(lists[key], key=lambda choice: abs(choice - wanted))
        usual = {**USUAL, "convs": lists["convs"][1], "batch-size": 64 if training >= 2000 else 32,
                 "epochs": nearest("epochs", 2 * 400 / math.sqrt(training))}
        study.enqueue_trial({**usual, "shift": 0.07 if channels > 1 or usual["epochs"] >= 8 else 0.0})
    start, cpu = time.perf_counter(), time.process_time()
    passed = False
    try:
        study.optimize(objective, n_trials=args.trials, timeout=args.seconds)
    except Passed:
        passed = True
    trials = len(study.trials)
    print(json.dumps({
        "passed": passed, "best": hit.get("best", 0.0), "trials": trials, "configurations": trials, "epochs": epochs_used,
        "seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu,
    }))


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


if args.optuna:
    optuna_study(args.optuna[0], args.optuna[1], int(args.optuna[2]))
    raise SystemExit
peers = args.peers.split(",")
columns = "passed | configurations | trials | epochs | seconds | CPU seconds | best validation accuracy, %"
print(f"| data, gate | by | {columns} |\n| --- | --- |{' --- |' * 7}")
ratios = {peer: {"configurations": [], "seconds": [], "cpu_seconds": []} for peer in peers}
for case in args.only.split(",") if args.only else CASES:
    if not CASES[case][0][1].is_dir():
        print(f"{case}: left out, as there is no {CASES[case][0][1]}", file=sys.stderr)
        continue
    found = {peer: [] for peer in peers}
    with tempfile.TemporaryDirectory(prefix="burgeon-search-") as work:
        work = pathlib.Path(work)
        side, data = prepare(case, work / "images")
        for seed in map(int, args.seeds.split(",")):
            for peer in peers:
                with tempfile.TemporaryDirectory(dir=work) as folder:
                    if peer == "optuna":
                        result = optuna_peer(case, work / "images", seed)
                    else:
                        result = burgeon(peer, case, pathlib.Path(folder), data, side, seed)
                found[peer].append(result)
                print(f"{case}, seed {seed}, {peer}: {json.dumps(result)}", file=sys.stderr, flush=True)
    for peer, results in found.items():
        cells = [spread([result[key] for result in results], digits) for key, digits in
                 (("configurations", 0), ("trials", 0), ("epochs", 0), ("seconds", 1), ("cpu_seconds", 1))]
        best = spread([100 * result["best"] for result in results], 1)
        passed = sum(result["passed"] for result in results)
        print(f"| {case}, {100 * CASES[case][4]:g} % | {peer} | {passed} of {len(results)} | {' | '.join(cells)} | {best} |",
              flush=True)
        if "optuna" in found:
            for key, into in ratios[peer].items():
                theirs = statistics.median(result[key] for result in found["optuna"])
                into.append(theirs / max(statistics.median(result[key] for result in results), 1e-9))
for peer in peers:
    if peer != "optuna" and ratios[peer]["seconds"]:
        told = ", ".join(f"{key.replace('_', ' ')} {statistics.geometric_mean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
                         for key, values in ratios[peer].items())
        print(f"\nOptuna's median as a multiple of {peer}'s, geometric mean over the data (least to most): {told}")
