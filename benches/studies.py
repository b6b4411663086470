"""Runs a study and reads its events, for the scripts beside this file."""

import json
import subprocess
import time


def events_of(command, limit=None):
    """Events of a command that ends with 0 or 3 (the gate was not passed), and its seconds; another code ends the script.
    After `limit` seconds it is killed, and what it told until then counts."""
    command = [str(part) for part in command]
    start = time.perf_counter()
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        told, errors = running.communicate(timeout=limit)
        if running.returncode not in (0, 3):
            raise SystemExit(f"{' '.join(command)}: exit {running.returncode}\n{errors}")
    except subprocess.TimeoutExpired:
        running.kill()
        told, _ = running.communicate()
        told = told[: told.rfind("\n") + 1]  # the last line may be half
    return [json.loads(line) for line in told.splitlines()], time.perf_counter() - start


def data_of(folder):
    """Keys of [data] for a data set that `other_data.py` drew."""
    if (folder / "train.csv").exists():
        data = {"source": "csv"}
    elif (folder / "classes.txt").exists():
        data = {"source": "idx"}
    else:
        data = {"source": "folder", "size": 32}
    return {**data, "validation": 0.2}
