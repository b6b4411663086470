"""Picks the recipe of models/speedrun.toml by validation images, on seeds that no figure is measured on.

    cargo build --release && python3 benches/pick_speedrun.py --data data

Two epochs along one cycle, of networks with at most 50,000 parameters: every combination of the
widths, batches and rates below is trained with seeds 101 to 103. The one with the highest mean
accuracy on validation images is the recipe; the test images are never read.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--data", default=os.environ.get("BURGEON_DATA", "data"))
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
args = parser.parse_args()

SEEDS = range(101, 104)
# Filters of the two conv layers, units of the dense layer.
NETWORKS = [(8, 24, 64), (8, 32, 48), (12, 24, 64)]
BATCHES = [64, 128]
RATES = [0.005, 0.01]

STUDY = """
name = "candidate"
data = {{ source = "mnist", fallback = "none" }}
train = {{ epochs = 2, batch-size = {batch}, optimizer = "adam", learning-rate = {rate}, schedule = "one-cycle", seed = {seed} }}
# Above what any of them reaches, so that no test image is read.
gate = {{ accuracy = 0.9999 }}
model = {{ layers = [
  {{ conv = {{ filters = {first}, kernel = 5, padding = "same" }} }}, {{ max-pool = {{ size = 2 }} }},
  {{ conv = {{ filters = {second}, kernel = 5, padding = "valid" }} }}, {{ max-pool = {{ size = 2 }} }},
  {{ dense = {{ units = {units} }} }},
] }}
"""


def validation_accuracy(folder, network, batch, rate, seed):
    first, second, units = network
    study = pathlib.Path(folder) / "study.toml"
    study.write_text(STUDY.format(first=first, second=second, units=units, batch=batch, rate=rate, seed=seed))
    command = [args.burgeon, "train", study, "--data", args.data, "--runs", folder, "--json"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    finished = [event for event in events if event["event"] == "study_finished"]
    if not finished:
        raise SystemExit(f"{study} did not finish: {done.stderr}")
    return finished[0]["validation_accuracy"]


rows = []
with tempfile.TemporaryDirectory() as folder:
    for network, batch, rate in itertools.product(NETWORKS, BATCHES, RATES):
        reached = [100 * validation_accuracy(folder, network, batch, rate, seed) for seed in SEEDS]
        rows.append((statistics.mean(reached), statistics.stdev(reached), network, batch, rate))
        mean, spread, *_ = rows[-1]
        print(f"{network} batch {batch} rate {rate}: {mean:.2f} ± {spread:.2f} %", flush=True)
print("\nbest on validation images:")
for mean, spread, network, batch, rate in sorted(rows, reverse=True)[:5]:
    print(f"  {mean:.2f} ± {spread:.2f} %  filters {network[0]} and {network[1]}, {network[2]} units, batch {batch}, rate {rate}")
