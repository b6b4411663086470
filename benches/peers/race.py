"""Races burgeon against PyTorch, Keras and candle on this machine, and writes README's table.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install torch numpy keras tensorflow-cpu
    cargo build --release && cargo build --release --bench kernel_shapes
    cargo build --release --manifest-path benches/peers/candle/Cargo.toml --target-dir target/peers
    /tmp/peers/bin/python benches/peers/race.py --data data --rounds 5 --write README.md

Everybody gets the same network, batch size, optimizer, images and threads, with the data in memory.
They run in turn, A B A B, so that a busy moment hits all of them; the figures are medians, the
ratios those of the medians, then the least and the largest of a round. A peer that is not installed
is left out. The table goes between the
lines `<!-- race -->` and `<!-- /race -->` of the file named by --write.
"""

import argparse
import glob
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--data", default=os.environ.get("BURGEON_DATA", "data"))
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--only", default="", help="races whose name contains this")
parser.add_argument("--peers", default="", help="peers to race, with commas; all unless said")
parser.add_argument("--write", help="file with the markers")
args = parser.parse_args()

# Name, model, batch size, what is done.
RACES = [
    ("LeNet-5, an epoch at batch 64", "lenet", 64, "train"),
    ("LeNet-5, an epoch at batch 256", "lenet", 256, "train"),
    ("LeNet-5, evaluating 10,000 images", "lenet", 64, "eval"),
    ("single-conv, an epoch at batch 64", "single-conv", 64, "train"),
    ("compact, an epoch at batch 64", "compact", 64, "train"),
    ("16 conv blocks, a step each", None, 64, "shapes"),
]


def lines(command):
    """The JSON lines that a command prints; None where it cannot run."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    if done.returncode not in (0, 3):  # 3: the gate was not passed, which is no matter here
        print(f"  {pathlib.Path(command[1]).name}: {done.stderr.strip().splitlines()[-1:]}",
              file=sys.stderr)
        return None
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def burgeon(model, batch, work, folder):
    """Seconds by item: one item, or one a shape."""
    common = ["--threads", args.threads, "--data", args.data, "--runs", folder, "--json"]
    if work == "shapes":
        builds = glob.glob(str(TARGET / "release" / "deps" / "kernel_shapes-*"))
        builds = [build for build in builds if os.access(build, os.X_OK)]
        newest = max(builds, key=os.path.getmtime)
        found = lines([newest, "--threads", args.threads, "--json"])
        return {line["shape"]: line["step_ms"] / 1e3 for line in found
                if not line["shape"].endswith("linear")}
    study = ROOT / "models" / f"{model}.toml"
    trained = folder / f"{model}-trained"
    if work == "eval":
        if not trained.exists():
            lines([args.burgeon, "train", study, "--set", "train.epochs=1", *common])
            next(folder.glob("lenet-5-*")).rename(trained)
        return {work: lines([args.burgeon, "eval", trained, *common])[0]["seconds"]}
    events = lines([args.burgeon, "train", study, "--set", f"train.batch-size={batch}",
                    "--set", "train.epochs=2", "--set", "train.augment.shift=0", *common])
    return {work: [event for event in events if event["event"] == "epoch_finished"][-1]["seconds"]}


def peer(program, *more):
    def run(model, batch, work, _):
        if program == "keras_peer.py" and work != "train":
            return None
        interpreter = [sys.executable] if str(program).endswith(".py") else []
        command = [*interpreter, HERE / program, *([] if program == "keras_peer.py" else [work]),
                   "--data", args.data, "--threads", args.threads, "--batch", batch, *more]
        found = lines(command + (["--network", model] if model else []))
        if found is None:
            return None
        if work == "shapes":
            return {line["shape"]: line["step_ms"] / 1e3 for line in found}
        return {work: found[-1]["seconds"]}
    return run


PEERS = {
    "PyTorch": peer("torch_peer.py"),
    "PyTorch compiled": peer("torch_peer.py", "--compile"),
    "Keras": peer("keras_peer.py"),
    "candle": peer(TARGET / "peers" / "release" / "candle-peer"),
}
chosen = args.peers.split(",") if args.peers else list(PEERS)
RUNNERS = {"burgeon": burgeon, **{name: PEERS[name] for name in chosen}}


def race(model, batch, work, folder):
    """Seconds by runner, round and item."""
    found = {name: [] for name in RUNNERS}
    for _ in range(args.rounds):
        for name, runner in RUNNERS.items():
            if work == "shapes" and name == "PyTorch compiled":
                continue
            if found[name] is not None:
                result = runner(model, batch, work, folder)
                found[name] = found[name] + [result] if result else None
    return {name: results for name, results in found.items() if results}


def medians(results):
    """Median seconds by item."""
    return {item: statistics.median(result[item] for result in results) for item in results[0]}


def cell(ours, theirs):
    """Their time, and how many times ours it is: by the medians, and in the rounds."""
    if theirs is None:
        return "–"
    our_seconds, seconds = medians(ours), medians(theirs)
    ratios = [seconds[item] / our_seconds[item] for item in our_seconds]
    if len(ratios) > 1:
        mean = math.exp(statistics.fmean(map(math.log, ratios)))
        return f"{mean:.1f}× (least {min(ratios):.1f}×)"
    (item,) = seconds
    rounds = [b[item] / a[item] for a, b in zip(ours, theirs)]
    spread = f", {min(rounds):.1f} to {max(rounds):.1f}" if len(rounds) > 1 else ""
    return f"{show(seconds[item])} ({ratios[0]:.1f}×{spread})"


def show(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def main():
    table = ["| | " + " | ".join(RUNNERS) + " |", "| --- |" + " ---: |" * len(RUNNERS)]
    with tempfile.TemporaryDirectory() as folder:
        for name, *how in RACES:
            if args.only not in name:
                continue
            print(name, file=sys.stderr)
            found = race(*how, pathlib.Path(folder))
            ours = medians(found["burgeon"])
            own = show(sum(ours.values()))
            others = [cell(found["burgeon"], found.get(runner)) for runner in list(RUNNERS)[1:]]
            table.append(f"| {name} | {own} | " + " | ".join(others) + " |")
            print("  " + table[-1], file=sys.stderr)
            for shape in ours if len(ours) > 1 else []:
                theirs = medians(found["PyTorch"]).get(shape) if "PyTorch" in found else None
                ratio = f"{theirs / ours[shape]:.2f}×" if theirs else ""
                print(f"    {shape:<28} {show(ours[shape]):>9} {ratio}", file=sys.stderr)
    text = "\n".join(table)
    print(text)
    if args.write:
        path = pathlib.Path(args.write)
        before, rest = path.read_text().split("<!-- race -->", 1)
        _, after = rest.split("<!-- /race -->", 1)
        path.write_text(f"{before}<!-- race -->\n{text}\n<!-- /race -->{after}")


main()
