"""Measures how well growth predicts what the next trial reaches: the median error, and the share that its intervals of 80 % hold.

    cargo build --release
    python3 benches/other_data.py OTHER
    python3 benches/calibration.py --images IMAGES --data MNIST --other OTHER [--keep predictions.jsonl]

Studies as `benches/growth.py` makes them, from a network of one filter, over parts of every data set it finds: 6,000 and 1,500
images of the large ones, all of the others, with two gates that are drawn for each, and two seeds. A study that takes more
than `--limit` seconds is ended, and the trials that it has finished count. Forecasts are of whole trainings: trials that were
given up are left out, and counted. `--keep` writes a line for
each study: its case, and of each trial what was predicted and reached. Lines that the file already holds are not measured again.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import sys
import tempfile

from studies import data_of, events_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--images", type=pathlib.Path, default=pathlib.Path("data/images"))
parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("BURGEON_DATA", "data")))
parser.add_argument("--other", type=pathlib.Path, help="folder of data sets that nothing was fitted to")
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--only", default="", help="names of data sets, with commas; all unless said")
parser.add_argument("--seeds", default="1,2")
parser.add_argument("--limit", type=float, default=90, help="seconds of a study")
parser.add_argument("--keep", type=pathlib.Path, help="file of measured studies")
args = parser.parse_args()

# Name: where the images are, keys of [data], and how many training images there are.
SETS = {
    "mnist": (args.data, {"source": "mnist"}, 55_000),
    "fashion": (args.images / "fashion-mnist", {"source": "idx"}, 55_000),
    "quickdraw": (args.images / "quickdraw-6x3000", {"source": "idx"}, 11_250),
    "cifar": (args.images / "cifar10jpg", {"source": "folder"}, 45_000),
    "trashnet": (args.images / "trashnet-150px", {"source": "folder", "size": 32, "validation": 0.2}, 1_600),
}
for path in sorted(args.other.iterdir()) if args.other else []:
    if path.is_dir():
        SETS[path.name] = (path, data_of(path), None)


def cases():
    for name, (path, data, count) in SETS.items():
        if not path.is_dir() or (args.only and name not in args.only.split(",")):
            continue
        for seed in map(int, args.seeds.split(",")):
            rng = random.Random(f"{name} {seed}")
            # Parts need a number, which only the large sets are known to have.
            for part in (6_000, 1_500) if count and count > 6_000 else (None,):
                for _ in range(2):
                    gate = round(1 - 0.4 * 0.03 ** rng.random(), 3)
                    yield {"set": name, "part": part, "gate": gate, "seed": seed}


def study(case):
    path, data, _ = SETS[case["set"]]
    keys = {**data, "path": str(path.resolve()), **({"train": case["part"]} if case["part"] else {})}
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items())
    with tempfile.TemporaryDirectory(prefix="burgeon-calibration-") as work:
        file = pathlib.Path(work) / "calibration.toml"
        file.write_text(
            f'name = "calibration"\n[data]\n{lines}\n[model]\nlayers = [\n'
            '  { conv = { filters = 1, kernel = 3, padding = "valid", stride = 2 } },\n  { max-pool = { size = 3 } },\n]\n'
            f"[train]\nepochs = 1\nbatch-size = 256\n[gate]\naccuracy = {case['gate']}\n[tune]\ntrials = 4\n")
        events, seconds = events_of(
            [args.burgeon, "tune", file, "--seed", case["seed"], "--runs", pathlib.Path(work) / "runs", "--json"], args.limit)
    reached = {event["trial"]: event["validation_accuracy"] for event in events if event["event"] == "trial_finished"}
    started = [event for event in events if event["event"] == "trial_started"]
    return {**case, "seconds": round(seconds, 2), "reached": reached,
            "predicted": {event["trial"]: event["forecast"] for event in started if event.get("forecast")},
            "started": {event["trial"]: {key: event[key] for key in ("parent", "inherit", "edits")} for event in started},
            "endings": {event["trial"]: event["diagnosis"] for event in events if event["event"] == "trial_finished"},
            "samples": [event["probe"]["sample"] for event in events if (event.get("probe") or {}).get("sample")]}


def key(case):
    return tuple(case[name] for name in ("set", "part", "gate", "seed"))


kept = [json.loads(line) for line in args.keep.read_text().splitlines()] if args.keep and args.keep.exists() else []
known = {key(line): line for line in kept}
measured = []
for case in cases():
    if key(case) not in known:
        line = json.loads(json.dumps(study(case)))  # numbers of trials are texts, as in the file
        known[key(case)] = line
        if args.keep:
            with args.keep.open("a") as file:
                file.write(json.dumps(line) + "\n")
        told = ", ".join(f"{100 * line['reached'][trial]:.1f} ({100 * forecast['accuracy']:.1f} predicted)"
                         for trial, forecast in line["predicted"].items() if trial in line["reached"])
        print(f"{case}: {line['seconds']} s: {told}", file=sys.stderr, flush=True)
    measured.append(known[key(case)])


def row(name, told):
    errors = [100 * abs(forecast["accuracy"] - reached) for forecast, reached in told]
    held = sum(forecast["low"] <= reached <= forecast["high"] for forecast, reached in told)
    print(f"| {name} | {len(told)} | {statistics.median(errors):.1f} | {100 * held / len(told):.0f} % |")


def is_whole(line, trial):
    return line["endings"].get(trial, {}).get("ending") not in ("given_up", "out_of_time")


print("| data | predictions | off by, points, median | within 80 % interval |\n| --- | ---: | ---: | ---: |")
everything = []
for name in dict.fromkeys(line["set"] for line in measured):
    told = [(line["predicted"][trial], line["reached"][trial]) for line in measured if line["set"] == name
            for trial in line["predicted"] if trial in line["reached"] and is_whole(line, trial)]
    if told:
        row(name, told)
        everything += told
if everything:
    row("all", everything)
    left_out = sum(not is_whole(line, trial) for line in measured for trial in line["predicted"] if trial in line["reached"])
    print(f"\n{left_out} trials were given up before their end.")
