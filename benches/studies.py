"""Runs a study and reads its events, for the scripts beside this file."""

import json
import subprocess
import time


def events_of(command):
    """Events of a command that ends with 0 or 3 (the gate was not passed), and its seconds; another code ends the script."""
    command = [str(part) for part in command]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()], seconds


def data_of(folder):
    """Keys of [data] for a data set that `other_data.py` drew."""
    if (folder / "train.csv").exists():
        data = {"source": "csv"}
    elif (folder / "classes.txt").exists():
        data = {"source": "idx"}
    else:
        data = {"source": "folder", "size": 32}
    return {**data, "validation": 0.2}
