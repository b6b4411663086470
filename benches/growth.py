"""Measures how soon `tune` opens gates on other data than MNIST, from the seedling's layers.

    cargo build --release
    python3 benches/growth.py --images IMAGES --data MNIST              # every case, seeds 1 to 5
    python3 benches/growth.py --images IMAGES --only fashion-91,quickdraw-95 --seeds 1,2

`IMAGES` is a folder with `fashion-mnist/` and `quickdraw-6x3000/` (IDX), `cifar10jpg/train/` and `trashnet-150px/`
(one folder a class) and `cifar10-lossless4000/` (CIFAR's own format); what is not there is left out.
Each case is a network of one filter, trained for one epoch, as in `models/seedling.toml`, and a gate.
`--other FOLDER` takes data sets that nothing was fitted to instead, which `benches/other_data.py` draws; the gate of
each is what one fixed recipe reaches with one seed, less half a point, and beside the figures of `tune` stands the
cheapest member of a plain family that passes it.
Prints per case the seeds that pass, trials, seconds from start to end of the process (median, least and most), and how
well the next trial's accuracy was predicted. Judged by validation images; the test images are read once
per accepted study, as always, and not printed.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

from studies import data_of, events_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--images", type=pathlib.Path, default=pathlib.Path("data/images"))
parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("BURGEON_DATA", "data")))
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--only", default="", help="names of cases, with commas; all unless said")
parser.add_argument("--seeds", default="1,2,3,4,5")
parser.add_argument("--trials", type=int, default=8)
parser.add_argument("--other", type=pathlib.Path, help="folder of data sets that nothing was fitted to")
parser.add_argument("--gates", type=pathlib.Path, help="file that keeps the gates of --other and the cheapest members, once measured")
args = parser.parse_args()

IMAGES = args.images.resolve()
# Name: where the images are, keys of [data], and the gate.
CASES = {
    "mnist-80": (args.data.resolve(), {"source": "mnist"}, 0.80),
    "mnist-99": (args.data.resolve(), {"source": "mnist"}, 0.99),
    "fashion-91": (IMAGES / "fashion-mnist", {"source": "idx"}, 0.91),
    "fashion-93": (IMAGES / "fashion-mnist", {"source": "idx"}, 0.93),
    "quickdraw-95": (IMAGES / "quickdraw-6x3000", {"source": "idx"}, 0.95),
    # Few images, and gates that the plain recipe reaches.
    "fashion-1000-80": (IMAGES / "fashion-mnist", {"source": "idx", "train": 1000}, 0.80),
    "quickdraw-1000-88": (IMAGES / "quickdraw-6x3000", {"source": "idx", "train": 1000}, 0.88),
    "cifar-3000-55": (IMAGES / "cifar10-lossless4000", {"source": "cifar"}, 0.55),
    "cifar-80": (IMAGES / "cifar10jpg", {"source": "folder"}, 0.80),
    "cifar-86": (IMAGES / "cifar10jpg", {"source": "folder"}, 0.86),
    "trashnet-70": (IMAGES / "trashnet-150px", {"source": "folder", "size": 64}, 0.70),
}
LAYERS = """layers = [
  { conv = { filters = 1, kernel = 3, padding = "valid", stride = 2 } },
  { max-pool = { size = 3 } },
]"""


def tune(work, name, path, data, gate, seed):
    """Events of a study, and its seconds."""
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in {**data, "path": str(path)}.items())
    study = work / f"{name}.toml"
    study.write_text(
        f'name = "{name}"\n[data]\n{keys}\n[model]\n{LAYERS}\n[train]\nepochs = 1\nbatch-size = 256\n'
        f"[gate]\naccuracy = {gate}\n[tune]\ntrials = {args.trials}\n")
    command = [str(args.burgeon), "tune", str(study), "--seed", str(seed), "--runs", str(work / "runs"), "--json"]
    return events_of(command)


def spread(values, digits=0):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def member(width, epochs):
    """Layers and training of the plain family that `GATE` is judged by: batch-norm, two pools, one dense layer."""
    convs = "".join(
        f'  {{ conv = {{ filters = {factor * width}, kernel = 3, activation = "none" }} }},\n'
        f'  {{ batch-norm = {{ activation = "relu" }} }},\n' + ("  { max-pool = { size = 2 } },\n" if factor < 3 else "")
        for factor in (1, 2, 3))
    return (f"layers = [\n{convs}  {{ dense = {{ units = {4 * width} }} }},\n]",
            f'epochs = {epochs}\nbatch-size = 64\noptimizer = "adam"\nlearning-rate = 0.003\nschedule = "one-cycle"')


def recipe(epochs, shift):
    """The one fixed recipe, 340,000 parameters at 28×28 pixels."""
    layers = member(24, epochs)[0].replace("filters = 72", "filters = 64")
    layers = layers.replace("{ dense =", "{ dropout = { rate = 0.3 } },\n  { dense =")
    return layers, member(24, epochs)[1] + f"\naugment = {{ shift = {shift} }}"


def train(work, path, data, network, seed=1):
    """Validation accuracy of one training, and the seconds of its process."""
    layers, training = network
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in {**data, "path": str(path)}.items())
    study = pathlib.Path(work) / "member.toml"
    study.write_text(f'name = "member"\n[data]\n{keys}\n[model]\n{layers}\n[train]\n{training}\n[gate]\naccuracy = 0.5\nallow-majority = true\n')
    events, seconds = events_of([args.burgeon, "train", study, "--seed", seed, "--runs", pathlib.Path(work) / "runs", "--json"])
    return max(event["validation_accuracy"] for event in events if event["event"] == "epoch_finished"), seconds


def other_cases():
    """Cases of `--other`, with gates; measures gates and cheapest members that `--gates` does not hold yet."""
    known = json.loads(args.gates.read_text()) if args.gates and args.gates.exists() else {}
    cases = {}
    for path in sorted(entry for entry in args.other.resolve().iterdir() if entry.is_dir()):
        name = path.name
        if args.only and name not in args.only.split(","):
            continue
        data = data_of(path)
        if name not in known:
            with tempfile.TemporaryDirectory(prefix="burgeon-growth-") as work:
                reached, seconds = train(work, path, data, recipe(8, 1 if name == "digits-8x8" else 2))
                gate = round(int(1000 * reached - 5) / 1000, 3)
                passing = None
                for width, epochs in ((4, 1), (8, 1), (4, 4), (8, 2), (8, 4), (16, 4), (8, 16), (16, 8), (32, 8), (32, 16)):
                    accuracy, took = train(work, path, data, member(width, epochs))
                    if accuracy >= gate and (passing is None or took < passing[2]):
                        passing = width, epochs, took
                    if passing and took > passing[2]:
                        break
            known[name] = {"recipe": reached, "recipe_seconds": seconds, "gate": gate, "cheapest": passing}
            if args.gates:
                args.gates.write_text(json.dumps(known, indent=1))
        print(f"{name}: {known[name]}", file=sys.stderr, flush=True)
        cases[name] = (path, data, known[name]["gate"])
    return cases


if args.other:
    CASES = other_cases()
predictions = []
print("| case | pass | trials | seconds | best validation accuracy |\n| --- | --- | --- | --- | --- |")
for name in args.only.split(",") if args.only else CASES:
    path, data, gate = CASES[name]
    if not path.is_dir():
        print(f"{name}: left out, as there is no {path}", file=sys.stderr)
        continue
    passed, trials, walls, bests = 0, [], [], []
    for seed in map(int, args.seeds.split(",")):
        with tempfile.TemporaryDirectory(prefix="burgeon-growth-") as work:
            events, seconds = tune(pathlib.Path(work), name, path, data, gate, seed)
        end = next(event for event in events if event["event"] == "study_finished")
        passed += end["outcome"] == "accepted"
        trials.append(end["trials"])
        walls.append(seconds)
        forecasts = {event["trial"]: event["forecast"] for event in events
                     if event["event"] == "trial_started" and event.get("forecast")}
        reached = {event["trial"]: event["validation_accuracy"] for event in events
                   if event["event"] == "trial_finished"}
        bests.append(100 * max(reached.values()))
        told = [(forecast, reached[trial]) for trial, forecast in forecasts.items() if trial in reached]
        predictions += told
        steps = ", ".join(f"{100 * accuracy:.1f} ({100 * forecast['accuracy']:.1f} predicted)"
                          for forecast, accuracy in told)
        print(f"{name}, seed {seed}: {end['outcome']}, {end['trials']} trials, {seconds:.1f} s: {steps}",
              file=sys.stderr, flush=True)
    print(f"| {name} | {passed} of {len(trials)} | {spread(trials)} | {spread(walls, 1)} | {spread(bests, 1)} |",
          flush=True)
if predictions:
    errors = [100 * abs(forecast["accuracy"] - reached) for forecast, reached in predictions]
    held = sum(forecast["low"] <= reached <= forecast["high"] for forecast, reached in predictions)
    print(f"\n{len(predictions)} predictions: off by {statistics.median(errors):.1f} points in the median; "
          f"the intervals of 80 % hold {100 * held / len(predictions):.0f} % of them.")
