"""Runs as data frames."""

import json
import math
from pathlib import Path

from ._command import BurgeonError, needed


class NotARun(BurgeonError):
    """A folder has no record of a study, or the record is damaged."""


def load(run):
    """The run in a folder such as ``runs/lenet-5-0001``, finished or not. Only reads."""
    return Run(run)


class Run:
    """A run, as its events tell it at the moment of loading.

    ``trials`` and ``curves`` are pandas frames, made when they are first asked for. Accuracies are fractions from 0 to 1.
    """

    def __init__(self, folder):
        self.path = Path(folder)
        self.events = read_events(self.path / "events.jsonl")
        self._frames = {}

    def __repr__(self):
        accuracy = self.validation_accuracy
        reached = "" if accuracy is None else f", {100 * accuracy:.2f} % on validation images"
        return f"<burgeon run {self.path}: {self.outcome or 'not finished'}{reached}>"

    def _last(self, name):
        return next((event for event in reversed(self.events) if event["event"] == name), None)

    @property
    def name(self):
        """The study's name."""
        started = self._last("study_started")
        return started["name"] if started else None

    @property
    def outcome(self):
        """``"accepted"``, ``"rejected"``, or None for a run that is not finished."""
        for event in reversed(self.events):
            if event["event"] == "study_finished":
                return event["outcome"]
            if event["event"] == "study_extended":
                return None
        return None

    @property
    def accepted(self):
        """Whether a trial passed the gate."""
        return self.outcome == "accepted"

    @property
    def best_trial(self):
        """The number of the best trial; None if no trial finished an epoch."""
        if self.outcome is not None:
            return self._last("study_finished")["best_trial"]
        best = max(
            (row for row in self._rows() if _is_number(row["validation_accuracy"])),
            key=lambda row: row["validation_accuracy"], default=None,
        )
        return best and best["trial"]

    @property
    def validation_accuracy(self):
        """That of the best trial; None if no trial finished an epoch."""
        if self.outcome is not None:
            finished = self._last("study_finished")
            return finished["validation_accuracy"] if finished["best_trial"] is not None else None
        number = self.best_trial
        return next((row["validation_accuracy"] for row in self._rows() if row["trial"] == number), None)

    @property
    def test_accuracy(self):
        """That of the accepted model; None if the study has not read the test images."""
        return self._last("study_finished").get("test_accuracy") if self.outcome is not None else None

    @property
    def model(self):
        """The folder of the best model."""
        return self.path / "best"

    @property
    def trials(self):
        """A row for each trial, by number."""
        return self._frame("trials", self._rows, TRIAL_COLUMNS)

    @property
    def curves(self):
        """A row for each epoch of each trial."""
        return self._frame("curves", self._epochs, EPOCH_COLUMNS)

    def _frame(self, name, rows, columns):
        if name not in self._frames:
            pandas = needed("pandas", "frames", "a data frame")
            self._frames[name] = pandas.DataFrame(rows(), columns=columns)
        return self._frames[name].copy()

    def _epochs(self):
        epochs = {}
        for event in self.events:
            if event["event"] == "epoch_finished":
                # One that is repeated after a crash replaces the one before.
                epochs[event["trial"], event["epoch"]] = {key: _number(event.get(key)) for key in EPOCH_COLUMNS}
        return [epochs[key] for key in sorted(epochs)]

    def _rows(self):
        rows = {}
        for event in self.events:
            name, row = event["event"], rows.get(event.get("trial"))
            if name == "trial_started" and row is None:
                forecast = event.get("forecast") or {}
                rows[event["trial"]] = dict.fromkeys(TRIAL_COLUMNS) | {
                    "trial": event["trial"], "parent": event["parent"], "edits": event["edits"],
                    "inherit": event["inherit"], "reason": event["reason"], "parameters": event["parameters"],
                    "flops_per_image": event["flops_per_image"], "epochs": 0, "passed": False,
                    "predicted": forecast.get("accuracy"), "predicted_low": forecast.get("low"),
                    "predicted_high": forecast.get("high"),
                }
            elif row is None:
                continue
            elif name == "epoch_finished":
                row["epochs"] = max(row["epochs"], event["epoch"])
                found = [value for value in (row["validation_accuracy"], event["validation_accuracy"]) if _is_number(value)]
                row["validation_accuracy"] = max(found, default=None)
            elif name == "trial_finished":
                diagnosis = event["diagnosis"]
                row |= {
                    "epochs": event["epochs"], "validation_accuracy": event["validation_accuracy"],
                    "train_seconds": event["train_seconds"], "images_per_second": event["images_per_second"],
                    "diagnosis": diagnosis.get("diagnosis"), "ending": diagnosis.get("ending"),
                    "evidence": diagnosis.get("evidence"),
                }
                rows[event["trial"]] = row
            elif name == "gate_decided":
                row["passed"] = event["decision"] == "accept"
        return [rows[number] for number in sorted(rows)]


TRIAL_COLUMNS = [
    "trial", "parent", "edits", "inherit", "reason", "parameters", "flops_per_image", "epochs", "validation_accuracy",
    "predicted", "predicted_low", "predicted_high", "train_seconds", "images_per_second", "diagnosis", "ending",
    "evidence", "passed",
]

EPOCH_COLUMNS = [
    "trial", "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate",
    "seconds", "images",
]


def _is_number(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def _number(value):
    """A value that was not a number is written as null."""
    return math.nan if value is None else value


def read_events(path):
    """All events of a file, the oldest first. A last line that is still being written is left out."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise NotARun(f"{path.parent} is not a run folder: {path.name} cannot be read ({error.strerror})") from error
    events, lines = [], text.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            if not isinstance(event, dict) or not isinstance(event.get("event"), str):
                raise ValueError("no event")
        except ValueError as error:
            if number == len(lines):
                break
            raise NotARun(f"line {number} of {path} is damaged: {error}") from error
        events.append(event)
    if not events:
        raise NotARun(f"{path.parent} has no record of a study: {path.name} is empty")
    return events
