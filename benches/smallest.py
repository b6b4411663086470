"""Measures how small a network `goal = "smallest"` finds on other data than MNIST, from the seedling's layers.

    cargo build --release
    python3 benches/smallest.py --images IMAGES --other OTHER --seeds 1,2 --plain

`IMAGES` holds `fashion-mnist/` and `quickdraw-6x3000/` (IDX), `OTHER` what `benches/other_data.py` draws. Prints for each case
the parameters of the smallest network that passes its gate, FLOPs per image, trials, how many of those after the
first that passed missed the gate, and seconds from start to end; with `--plain`, also the narrowest member of the
plain family that passes when it is trained for itself, for 4 times the epochs of the study's first network that passed,
by trying widths downwards. Validation images judge; test images are read once for each study.
"""

import argparse
import json
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
parser.add_argument("--other", type=pathlib.Path, default=pathlib.Path("data/other"))
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--only", default="", help="names of cases, with commas; all unless said")
parser.add_argument("--seeds", default="1,2,3")
parser.add_argument("--trials", type=int, default=12)
parser.add_argument("--plain", action="store_true", help="also train plain members of decreasing width")
args = parser.parse_args()

IMAGES, OTHER = args.images.resolve(), args.other.resolve()
CASES = {
    "fashion-10000": (IMAGES / "fashion-mnist", {"source": "idx", "train": 10000}, 0.86),
    "quickdraw": (IMAGES / "quickdraw-6x3000", {"source": "idx"}, 0.93),
    "letters-26": (OTHER / "letters-26", {"source": "idx", "validation": 0.2}, 0.97),
    "icons": (OTHER / "icons", {"source": "folder", "size": 32, "validation": 0.2}, 0.62),
}
SEEDLING = """  { conv = { filters = 1, kernel = 3, padding = "valid", stride = 2 } },
  { max-pool = { size = 3 } },
"""


def member(width):
    convs = "".join(
        f'  {{ conv = {{ filters = {factor * width}, kernel = 3, activation = "none" }} }},\n'
        f'  {{ batch-norm = {{ activation = "relu" }} }},\n' + ("  { max-pool = { size = 2 } },\n" if factor < 3 else "")
        for factor in (1, 2, 3))
    return f"{convs}  {{ dense = {{ units = {4 * width} }} }},\n"


def burgeon(command, name, layers, training, rest, seed):
    """Events of a study, and seconds."""
    path, data, gate = CASES[name]
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in {**data, "path": str(path)}.items())
    with tempfile.TemporaryDirectory(prefix="burgeon-smallest-") as work:
        study = pathlib.Path(work) / f"{name}.toml"
        study.write_text(f'name = "{name}"\n[data]\n{keys}\n[model]\nlayers = [\n{layers}]\n[train]\n{training}\n'
                         f"[gate]\naccuracy = {gate}\n{rest}\n")
        line = [str(args.burgeon), command, str(study), "--seed", str(seed), "--runs", f"{work}/runs", "--json"]
        return events_of(line)


def of(events, name):
    return {event["trial"]: event for event in events if event["event"] == name}


def plain(name, epochs, seed):
    """Parameters of the narrowest member that passes, going down from width 16 until two in a row miss."""
    best, missed = None, 0
    for width in (16, 12, 10, 8, 7, 6, 5, 4, 3, 2, 1):
        training = f'epochs = {epochs}\nbatch-size = 64\noptimizer = "adam"\nlearning-rate = 0.003\nschedule = "one-cycle"'
        events, _ = burgeon("train", name, member(width), training, "", seed)
        passes = of(events, "gate_decided")[1]["decision"] == "accept"
        missed = 0 if passes else missed + 1
        if passes:
            best = of(events, "trial_started")[1]["parameters"]
        if missed == 2:
            break
    return best


print("| case | parameters | FLOPs per image | trials, of which missed | seconds | narrowest plain member |\n| --- | --- | --- | --- | --- | --- |")
for name in args.only.split(",") if args.only else CASES:
    rows = []
    for seed in map(int, args.seeds.split(",")):
        rest = f'[tune]\ntrials = {args.trials}\ngoal = "smallest"'
        events, seconds = burgeon("tune", name, SEEDLING, "epochs = 1\nbatch-size = 256", rest, seed)
        started, reached, decided = (of(events, kind) for kind in ("trial_started", "trial_finished", "gate_decided"))
        passing = [trial for trial in decided if decided[trial]["decision"] == "accept"]
        if not passing:
            print(f"{name}, seed {seed}: no trial passes", file=sys.stderr)
            continue
        best = min(passing, key=lambda trial: started[trial]["parameters"])
        missed = sum(trial > min(passing) and trial not in passing for trial in decided)
        epochs = 4 * reached[min(passing)]["epochs"]
        alone = plain(name, epochs, seed) if args.plain else None
        rows.append((started[best]["parameters"], started[best]["flops_per_image"], len(decided), missed, seconds, alone))
        for trial in started:
            print(f"  {trial} from {started[trial]['parent']}: {started[trial]['parameters']:,}, {reached[trial]['epochs']} epochs, "
                  f"{100 * reached[trial]['validation_accuracy']:.2f} % {decided[trial]['decision']}, {reached[trial]['train_seconds']:.1f} s; "
                  f"{started[trial]['reason'].split(';')[-1].split(':')[0].strip()[:60]}", file=sys.stderr)
        print(f"{name}, seed {seed}: {rows[-1]}", file=sys.stderr, flush=True)
    if rows:
        each = lambda at: ", ".join(f"{row[at]:,}" if row[at] is not None else "none" for row in rows)
        print(f"| {name} | {each(0)} | {each(1)} | {', '.join(f'{row[2]}, {row[3]}' for row in rows)} | "
              f"{statistics.median(row[4] for row in rows):.0f} | {each(5)} |", flush=True)
