"""Measures every figure of README and of the studies in models/ again, and writes them there.

    cargo build --release
    python3 benches/figures.py --data data            # everything; about an hour on two cores
    python3 benches/figures.py --data data --only speedrun,lenet --print
    python3 benches/figures.py --only cifar,fashion,photos --cifar DIR --fashion DIR --photos DIR

Each figure is the mean and standard deviation over seeds of what the command itself records, or the
median over repetitions with the least and the most. Nothing here picks a recipe; the test images are
those that burgeon reads once, after a model is accepted. README's table stands between
`<!-- figures -->` and `<!-- /figures -->`; a study's figures stand in its comment's `# Measured:` lines.
The race against other programs has a script of its own, `benches/peers/race.py`.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
import zlib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("--data", default=os.environ.get("BURGEON_DATA", "data"))
parser.add_argument("--cifar", help="CIFAR-10: its binary files, or a folder of its pictures")
parser.add_argument("--fashion", help="folder of Fashion-MNIST's IDX files")
parser.add_argument("--photos", help="trashnet's class folders")
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
parser.add_argument("--only", default="", help="names of figures, with commas; all unless said")
parser.add_argument("--print", action="store_true", help="change no file")
args = parser.parse_args()

WORK = pathlib.Path(tempfile.mkdtemp(prefix="burgeon-figures-"))


def burgeon(*arguments):
    """Events of a command, its wall seconds and its peak memory in MB."""
    command = [args.burgeon, *arguments, "--runs", WORK, "--json"]
    if not any(str(argument).startswith("data.path=") for argument in arguments):
        command += ["--data", args.data]
    start = time.perf_counter()
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        out = process.stdout.read()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(map(str, command))}: exit {process.returncode}\n{errors}")
    return [json.loads(line) for line in out.splitlines()], seconds, usage.ru_maxrss / 1024


def finished(events):
    return next(event for event in events if event["event"] == "study_finished")


def percent(fractions):
    values = [100 * value for value in fractions]
    return f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} %"


def median(values, unit):
    middle = statistics.median(values)
    digits = 1 if middle < 100 else 0
    return f"{middle:.{digits}f} {unit} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def training(study, seeds, *more):
    """Test and validation accuracies, seconds of training, and parameters, over seeds."""
    tests, validations, seconds, parameters = [], [], [], 0
    for seed in seeds:
        # The gate is lowered so that the test images are read whatever the seed reaches.
        events, _, _ = burgeon("train", ROOT / "models" / study, "--seed", seed,
                               "--set", "gate.accuracy=0.5", *more)
        end = finished(events)
        tests.append(end["test_accuracy"])
        validations.append(end["validation_accuracy"])
        parameters = end["parameters"]
        seconds.append(sum(event["train_seconds"] for event in events
                           if event["event"] == "trial_finished"))
    return tests, validations, seconds, parameters


def tuning(study, seeds, *more):
    """Seconds from start to end, trials and ends, over seeds."""
    seconds, trials, ends = [], [], []
    for seed in seeds:
        events, wall, _ = burgeon("tune", study, "--seed", seed, *more)
        ends.append(finished(events))
        seconds.append(wall)
        trials.append(ends[-1]["trials"])
    return seconds, trials, ends


def model(name, seeds, epochs):
    """A shipped study: README's row, and the line in the study's comment."""
    def measure():
        tests, validations, seconds, parameters = training(f"{name}.toml", seeds)
        row = f"{percent(tests)} on test images, {median(seconds, 's')} of training"
        note = (f"{parameters:,} parameters; {percent(tests)} on test images and {percent(validations)} on "
                f"validation images after {epochs}, {median(seconds, 's')} of training ({len(seeds)} seeds)")
        return f"`train models/{name}.toml`, {epochs}, {len(seeds)} seeds", row, (name, note, "MNIST")
    return measure


def of_images(name, seeds, data, folder, *more):
    """A shipped study of other images: README's row, and the line in the study's comment."""
    study = tomllib.loads((ROOT / "models" / f"{name}.toml").read_text())
    epochs = f"{study['train']['epochs']} epochs"

    def measure():
        path = getattr(args, folder)
        if not path:
            raise SystemExit(f"{name} needs --{folder}, {data}")
        path = pathlib.Path(path).resolve()
        source = ["--set", f"data.path={path}"]
        if name == "cifar" and not list(path.glob("*.bin")):
            source += ["--set", "data.source=folder"]
        tests, validations, seconds, parameters = training(f"{name}.toml", seeds, *source, *more)
        row = f"{percent(tests)} on test images, {median(seconds, 's')} of training"
        note = (f"{parameters:,} parameters; {percent(tests)} on test images and {percent(validations)} on "
                f"validation images after {epochs}, {median(seconds, 's')} of training ({len(seeds)} seeds)")
        return f"`train models/{name}.toml`, {data}, {epochs}, {len(seeds)} seeds", row, (name, note, data)
    return measure


def seedling():
    seconds, trials, ends = tuning(ROOT / "models/seedling.toml", range(1, 6))
    accepted = sum(end["outcome"] == "accepted" for end in ends)
    row = f"{accepted} of 5 accepted, {median(seconds, 's')}, {median(trials, 'trials')}"
    return "`tune models/seedling.toml`, whole process, 5 seeds", row, ("seedling", f"gate 80 %: {row}", "MNIST")


def seedling_99():
    seconds, trials, ends = tuning(ROOT / "models/seedling.toml", range(1, 6),
                                   "--set", "gate.accuracy=0.99", "--set", "tune.trials=6")
    accepted = sum(end["outcome"] == "accepted" for end in ends)
    row = f"{accepted} of 5 accepted, {median(seconds, 's')}, {median(trials, 'trials')}"
    return "the same with `--set gate.accuracy=0.99 --set tune.trials=6`", row, None


def sabotaged():
    studies = sorted((ROOT / "models/sabotaged").glob("*.toml"))
    seconds, trials, passed, runs = [], [], 0, 0
    for study in studies:
        for wall, count, end in zip(*tuning(study, (1, 2, 3))):
            seconds.append(wall)
            trials.append(count)
            passed += end["outcome"] == "accepted"
            runs += 1
    row = f"{passed} of {runs} pass; {median(seconds, 's')}, {median(trials, 'trials')}"
    return "`models/sabotaged/`, twenty broken studies with a gate of 97 %, 3 seeds each", row, None


def smallest():
    _, _, ends = tuning(ROOT / "models/compact.toml", (1, 2, 3), "--set", "tune.goal=smallest",
                        "--set", "gate.accuracy=0.987", "--set", "tune.trials=12",
                        "--set", "train.epochs=6", "--set", "train.batch-size=128")
    parameters = [end["parameters"] for end in ends]
    tests = percent([end["test_accuracy"] for end in ends])
    return ("`tune models/compact.toml` for the smallest network that passes 98.7 % (see `benches/figures.py`), 3 seeds",
            f"{median(parameters, 'parameters')}, {tests} on test images", None)


def one_epoch():
    tests, *_ = training("lenet.toml", range(1, 6), "--set", "train.epochs=1",
                         "--set", "train.schedule=constant", "--set", "train.learning-rate=0.001")
    return "LeNet-5, one epoch at a constant rate of 0.001, 5 seeds", f"{percent(tests)} on test images", None


def memory():
    peaks = [burgeon("train", ROOT / "models/lenet.toml", "--set", "train.epochs=1", "--seed", seed)[2]
             for seed in range(1, 4)]
    return "peak memory of a LeNet-5 training, resident, 3 runs", median(peaks, "MB"), None


def png(path):
    """A black picture with a white stroke, 28×28 grey."""
    rows = b"".join(b"\0" + bytes(255 if 12 <= x <= 15 and 4 <= y <= 23 else 0 for x in range(28)) for y in range(28))
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
                     + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def predict():
    events, _, _ = burgeon("train", ROOT / "models/lenet.toml", "--set", "train.epochs=1")
    run, picture = finished(events)["run"], WORK / "one.png"
    png(picture)
    milliseconds = []
    for _ in range(21):
        start = time.perf_counter()
        subprocess.run([str(args.burgeon), "predict", run, str(picture)], capture_output=True, check=True)
        milliseconds.append(1e3 * (time.perf_counter() - start))
    return "`predict` of one image, whole process, 21 runs", median(milliseconds, "ms"), None


FIGURES = {
    "seedling": seedling,
    "seedling-99": seedling_99,
    "sabotaged": sabotaged,
    "smallest": smallest,
    "lenet": model("lenet", range(1, 6), "10 epochs"),
    "lenet-one-epoch": one_epoch,
    "speedrun": model("speedrun", range(1, 11), "2 epochs"),
    "single-conv": model("single-conv", range(1, 6), "1 epoch"),
    "compact": model("compact", range(1, 6), "15 epochs"),
    "mlp": model("mlp", range(1, 6), "5 epochs"),
    "fashion": of_images("fashion", range(1, 4), "Fashion-MNIST", "fashion"),
    "cifar": of_images("cifar", range(1, 3), "CIFAR-10 as JPEG files", "cifar"),
    "photos": of_images("photos", range(1, 6), "trashnet", "photos"),
    "memory": memory,
    "predict": predict,
}


def machine():
    """The processor's name and the number of cores that may be used."""
    name = platform.processor()
    try:
        found = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
        name = found.group(1).strip() if found else name
    except OSError:
        pass
    return f"{len(os.sched_getaffinity(0))} cores of {name}"


def write_note(name, note, data):
    """Puts the figures into the comment at the head of a study."""
    path = ROOT / "models" / f"{name}.toml"
    lines = path.read_text().splitlines()
    head = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    kept = [line for line in lines[:head] if not line.startswith(("# Measured:", "#   "))]
    words, new = f"Measured: {note}; {data}, {machine()}.".split(), ["#"]
    for word in words:
        if len(new[-1]) + len(word) > 98:
            new.append("#  ")
        new[-1] += f" {word}"
    path.write_text("\n".join(kept + new + lines[head:]) + "\n")


def write_rows(rows):
    """Replaces rows of README's table by their names; what was not measured stays."""
    path = ROOT / "README.md"
    before, rest = path.read_text().split("<!-- figures -->\n", 1)
    table, after = rest.split("<!-- /figures -->", 1)
    present = dict(line.strip("| ").split(" | ", 1) for line in table.splitlines()[4:]
                   if " | " in line and not line.startswith("| ---"))
    if not args.only:
        present = {}
    order = list(present) + [name for name, _ in rows if name not in present]
    present.update(rows)
    text = f"On {machine()}; MNIST unless another set is named.\n\n" + "| | |\n| --- | --- |\n"
    text += "".join(f"| {name} | {present[name]} |\n" for name in order)
    path.write_text(f"{before}<!-- figures -->\n{text}<!-- /figures -->{after}")


# Other images than MNIST are measured where their folders are given.
at_hand = [name for name in FIGURES if getattr(args, name, "given")]
chosen = args.only.split(",") if args.only else at_hand
unknown = [name for name in chosen if name not in FIGURES]
if unknown:
    raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(FIGURES)}")
rows = []
for name in chosen:
    print(f"{name} …", file=sys.stderr, flush=True)
    title, row, note = FIGURES[name]()
    print(f"| {title} | {row} |", flush=True)
    rows.append((title, row))
    if note and not args.print:
        write_note(*note)
if not args.print:
    write_rows(rows)
