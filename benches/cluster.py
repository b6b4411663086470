#!/usr/bin/env python3
"""Measures trials over a Slurm cluster of virtual nodes on this machine: the figures of docs/scale.md.

    benches/cluster.py [--burgeon target/release/burgeon] [trials | sleeping | scheduler]…

Needs root and Slurm (`.ci/slurm install`). `trials`: 12 equal trials of some seconds on one node of one CPU and on two, and
in one process, with twice as many jobs as nodes at most, so that the next one waits in Slurm's queue when a node becomes free;
all decide the same, which is checked. --train and --epochs make them shorter.
`sleeping`: 30 trials that mostly sleep, in the node's prolog, on one node and on ten. `scheduler`: how long sbatch and squeue
take with so many jobs in the queue. `[tune] jobs` is the same in all of a comparison, so that the trials are too.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TRIALS = 12
STUDY = """
name = "equal"
[data]
source = "synthetic"
train = {train}
validation = 400
[model]
layers = [{{ conv = {{ filters = 8, kernel = 5 }} }}, {{ max-pool = {{ size = 2 }} }}, {{ dense = {{ units = 32 }} }}]
[train]
epochs = {epochs}
[gate]
accuracy = 0.999
[tune]
policy = "random"
goal = "best"
trials = {trials}
jobs = {jobs}
[tune.space]
convs = [1]
convs-per-stage = [1]
width = [1]
filters = [8]
kernel = [5]
batch-norm = [false]
dense-layers = [1]
units = [32]
activation = ["relu"]
dropout = [0.0]
schedule = ["constant"]
batch-size = [32]
optimizer = ["adam"]
shift = [0.0]
flip = [false]
epochs = [{epochs}]
[run]
cpus = 1
visibility = 2
"""


class Cluster:
    def __init__(self, nodes, extra=""):
        self.folder = tempfile.mkdtemp(prefix="burgeon-slurm-")
        environment = {**os.environ, "BURGEON_SLURM_EXTRA": extra}
        subprocess.run(["bash", ROOT / ".ci/slurm", "start", self.folder, str(nodes)], check=True, env=environment,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.environment = {**os.environ, "SLURM_CONF": f"{self.folder}/slurm.conf"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run(["scancel", "--me"], env=self.environment)
        subprocess.run(["bash", ROOT / ".ci/slurm", "stop", self.folder])
        shutil.rmtree(self.folder, ignore_errors=True)


def tune(burgeon, study, on, environment):
    """Seconds that a study takes, and its events."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "study.toml")
        path.write_text(study)
        began = time.monotonic()
        ended = subprocess.run([burgeon, "tune", path, "--on", on, "--threads", "1", "--runs", f"{folder}/runs", "--quiet"],
                               env=environment, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - began
        assert ended.returncode in (0, 3), ended.returncode
        lines = pathlib.Path(folder, "runs/equal-0001/events.jsonl").read_text().splitlines()
        return seconds, [json.loads(line) for line in lines]


def jobs(events):
    """Mean seconds of training, of holding a node, and in the queue, for a trial."""
    ended = [event for event in events if event["event"] == "job_ended" and event["part"] == "train"]
    trained = [event["train_seconds"] for event in events if event["event"] == "trial_finished"]
    mean = lambda values: statistics.fmean(values) if values else 0.0
    return mean(trained), mean([event["seconds"] for event in ended]), mean([event["queue_seconds"] for event in ended])


def decisions(events):
    """What became of each trial; its learning rate is chosen at random, after what others reached."""
    keys = ("trial", "epochs", "validation_accuracy")
    ended = [event for event in events if event["event"] == "trial_finished"]
    return sorted(json.dumps({key: event.get(key) for key in keys}) for event in ended)


def trials(burgeon, arguments):
    study = STUDY.format(train=arguments.train, epochs=arguments.epochs, trials=TRIALS, jobs=arguments.jobs)
    alone, events = tune(burgeon, study, "local", os.environ)
    decided = decisions(events)
    print(f"{TRIALS} trials in one process of one thread: {alone:.1f} s, {jobs(events)[0]:.2f} s of training a trial")
    spent = {}
    for nodes in (1, 2):
        with Cluster(nodes) as cluster:
            spent[nodes], events = tune(burgeon, study, "slurm", cluster.environment)
            trained, held, queued = jobs(events)
            assert decisions(events) == decided, "a cluster has decided otherwise than one machine"
            print(f"{TRIALS} trials on {nodes} node(s) of one CPU: {spent[nodes]:.1f} s; a trial trains {trained:.2f} s, holds its "
                  f"node {held:.2f} s, waits {queued:.2f} s")
    print(f"two nodes against one: {spent[1] / spent[2]:.2f} times sooner")


def sleeping(burgeon, _):
    sleep = int(os.environ.get("BURGEON_BENCH_SLEEP", "20"))
    study = STUDY.format(train=200, epochs=1, trials=30, jobs=10)
    prolog = pathlib.Path(tempfile.mkdtemp(prefix="burgeon-prolog-"), "prolog")
    prolog.write_text(f"#!/bin/sh\nsleep {sleep}\n")
    prolog.chmod(0o755)
    spent = {}
    for nodes in (10, 1):
        with Cluster(nodes, f"Prolog={prolog}\nPrologFlags=Alloc\nBatchStartTimeout={sleep + 100}\nMessageTimeout=100") as cluster:
            spent[nodes], _ = tune(burgeon, study, "slurm", cluster.environment)
            print(f"30 trials that sleep {sleep} s on {nodes} node(s): {spent[nodes]:.1f} s")
    print(f"ten nodes against one: {spent[1] / spent[10]:.2f} times sooner")


def scheduler(_burgeon, _):
    with Cluster(1, "MaxJobCount=20000") as cluster:
        call = lambda command: subprocess.run(command, env=cluster.environment, check=True, capture_output=True, text=True)
        in_queue = 0
        for wanted in (10, 100, 1000):
            took = []
            while in_queue < wanted:
                began = time.monotonic()
                call(["sbatch", "--parsable", "--hold", "--job-name", f"burgeon-x-{in_queue}", "--output", "/dev/null",
                      "--wrap", "true"])
                took.append(time.monotonic() - began)
                in_queue += 1
            asked = []
            for _ in range(10):
                began = time.monotonic()
                call(["squeue", "--me", "--noheader", "--states=all", "--format", "%i|%T|%N|%r|%j"])
                asked.append(time.monotonic() - began)
            print(f"{wanted} jobs in the queue: sbatch {1000 * statistics.median(took):.0f} ms, "
                  f"squeue for all {1000 * statistics.median(asked):.0f} ms (medians)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--burgeon", default=str(ROOT / "target/release/burgeon"))
    parser.add_argument("what", nargs="*", default=["trials", "sleeping", "scheduler"])
    parser.add_argument("--train", type=int, default=12000, help="training images of a trial of `trials`")
    parser.add_argument("--epochs", type=int, default=100, help="epochs of a trial of `trials`")
    parser.add_argument("--jobs", type=int, default=4, help="[tune] jobs of `trials`")
    arguments = parser.parse_args()
    for what in arguments.what:
        {"trials": trials, "sleeping": sleeping, "scheduler": scheduler}[what](arguments.burgeon, arguments)
