#!/usr/bin/env python3
"""An epoch over images four times larger than `[data] memory`, in a control group of little more, beside one in memory.

    cargo build --release
    python3 benches/peers/photos.py /tmp/photos 20000
    sudo python3 benches/larger_than_memory.py /tmp/photos [--rounds 3] [--epochs 3]

The layers of models/photos.toml at 64×64 pixels. Both train in turn: once with the images in memory, once with a quarter
of their bytes as `[data] memory`, in a memory control group of that and 100 MB more, in which the pages of files count too.
Told are the seconds of epochs (the first of a training left out), and the largest resident memory that is no file's.
Needs the rights to make a control group, of either version.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
GROUPS = pathlib.Path("/sys/fs/cgroup")

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--epochs", type=int, default=3)
parser.add_argument("--side", type=int, default=64)
parser.add_argument("--burgeon", default=TARGET / "release" / "burgeon")
args = parser.parse_args()


def group(limit):
    """A new control group for so many bytes."""
    is_first_version = (GROUPS / "memory").is_dir()
    folder = (GROUPS / "memory" if is_first_version else GROUPS) / "burgeon-larger-than-memory"
    folder.mkdir(exist_ok=True)
    (folder / ("memory.limit_in_bytes" if is_first_version else "memory.max")).write_text(str(limit))
    return folder


def anonymous(process):
    """Bytes of a process's memory that is no file's."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def training(memory, folder, cache):
    """Seconds of epochs, and the most anonymous memory."""
    with tempfile.TemporaryDirectory() as runs:
        command = [args.burgeon, "train", ROOT / "models/photos.toml", "--runs", runs, "--json", "--set", f"data.path={args.folder}",
                   "--set", f"data.size={args.side}", "--set", f"train.epochs={args.epochs}", "--set", f"data.memory={memory}"]
        enter = (lambda: (folder / "cgroup.procs").write_text(str(os.getpid()))) if folder else None
        running = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "BURGEON_CACHE": cache}, preexec_fn=enter)
        most = [0]

        def watch():
            while running.poll() is None:
                most[0] = max(most[0], anonymous(running.pid))
                time.sleep(0.01)

        watching = threading.Thread(target=watch)
        watching.start()
        told, errors = running.communicate()
        watching.join()
    if running.returncode not in (0, 3):
        sys.exit(f"exit {running.returncode}\n{errors}")
    events = [json.loads(line) for line in told.splitlines()]
    return [event["seconds"] for event in events if event["event"] == "epoch_finished"][1:], most[0]


def main():
    count = sum(1 for path in args.folder.glob("*/*") if path.is_file())
    memory = count * 3 * args.side**2 // 4
    limit = memory + 100_000_000
    inside, outside, most = [], [], [0, 0]
    with tempfile.TemporaryDirectory() as cache:
        training("8 GB", None, cache)  # decodes the pictures
        for _ in range(args.rounds):
            seconds, bytes_ = training("8 GB", None, cache)
            outside += seconds
            most[0] = max(most[0], bytes_)
            folder = group(limit)
            try:
                seconds, bytes_ = training(f"{memory // 1_000_000} MB", folder, cache)
            finally:
                folder.rmdir()
            inside += seconds
            most[1] = max(most[1], bytes_)
    for name, seconds, bytes_ in (("in memory", outside, most[0]), (f"memory = {memory // 1_000_000} MB, in {limit // 1_000_000} MB", inside, most[1])):
        print(f"{name}: an epoch {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f}), "
              f"anonymous memory up to {bytes_ / 1e6:.0f} MB")
    print(f"{statistics.median(inside) / statistics.median(outside):.2f} times")


main()
