"""Training: the command, with its progress."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ._command import CommandError, command
from ._run import Run

# The gate was passed, or no trial passed it.
JUDGED = (0, 3)


def train(
    study, *, grow=True, runs="runs", data=None, seed=None, device=None, jobs=None, threads=None, resume=False,
    set=None, progress=True,
):
    """Trains a study file or a folder of pictures, as ``burgeon tune`` does, and returns its run.

    ``grow=False`` trains once, as ``burgeon train`` does. ``set`` changes keys of the study, such as
    ``{"train.epochs": 3}``; ``resume`` continues an unfinished run of the same study. ``progress`` shows a bar where tqdm
    is installed (in a notebook one of its own kind), else a line for each epoch; ``progress=False`` shows nothing.

    Raises CommandError if the study cannot be trained. That no trial passes the gate is no error: see ``Run.accepted``.
    An interrupt stops the training, which can then be resumed.
    """
    arguments = ["tune" if grow else "train", str(study), "--json", "--runs", str(runs)]
    for name, value in (("data", data), ("seed", seed), ("device", device), ("jobs", jobs), ("threads", threads)):
        if value is not None:
            arguments += [f"--{name}", str(value)]
    if resume:
        arguments += ["--resume", "auto"]
    for key, value in (set or {}).items():
        arguments += ["--set", f"{key}={_toml(value)}"]
    shown = _shown(progress)
    folder = None
    # Messages go to a file, so that a full pipe never stops the training.
    with tempfile.TemporaryFile() as messages:
        child = subprocess.Popen(
            [command(), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages, encoding="utf-8",
            errors="replace",
        )
        try:
            with child.stdout:
                for line in child.stdout:
                    try:
                        event = json.loads(line)
                    except ValueError:
                        continue
                    folder = event.get("run") or folder
                    shown.take(event, folder)
            code = child.wait()
        except BaseException:
            # A notebook's interrupt reaches this process alone.
            _stop(child)
            raise
        finally:
            shown.close()
        messages.seek(0)
        said = messages.read().decode("utf-8", "replace").strip()
    if code not in JUDGED or folder is None:
        raise CommandError(arguments, code, said)
    return Run(folder)


def _stop(child):
    """Lets the training write its state and end."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT if os.name != "nt" else signal.SIGTERM)
        try:
            child.wait(timeout=60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _toml(value):
    """A value as a study file spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(json.dumps(part) if isinstance(part, str) else _toml(part) for part in value) + "]"
    return str(value)


def _shown(progress):
    if not progress:
        return Silent()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return Lines()
    return Bars(tqdm)


class Silent:
    """Shows nothing."""

    def take(self, event, folder):
        pass

    def close(self):
        pass


class Lines(Silent):
    """A line for each trial and epoch, as any terminal and notebook shows it."""

    def take(self, event, folder):
        text = in_words(event, folder)
        if text:
            print(text, file=sys.stdout, flush=True)


class Bars(Silent):
    """A bar for each trial, a step for each epoch."""

    def __init__(self, tqdm):
        self.tqdm = tqdm
        self.bars = {}

    def take(self, event, folder):
        name, trial = event.get("event"), event.get("trial")
        if name == "trial_started" and trial not in self.bars:
            self.bars[trial] = self.tqdm(total=epochs_of(folder, trial), desc=f"trial {trial}", unit="epoch")
        elif name == "epoch_finished" and trial in self.bars:
            bar = self.bars[trial]
            bar.set_postfix_str(_accuracy(event["validation_accuracy"]), refresh=False)
            bar.update(max(0, event["epoch"] - bar.n))
        elif name == "trial_finished" and trial in self.bars:
            self.bars.pop(trial).close()
        elif name == "study_finished":
            self.tqdm.write(in_words(event, folder))

    def close(self):
        for bar in self.bars.values():
            bar.close()


def _accuracy(value):
    return "–" if value is None else f"{100 * value:.2f} %"


def in_words(event, folder):
    """An event in a line; None for those that are not shown."""
    name, trial = event.get("event"), event.get("trial")
    if name == "study_started":
        return f"{event['name']} in {event['run']}"
    if name == "trial_started":
        grown = "" if event["parent"] is None else f", grown from trial {event['parent']}"
        return f"trial {trial}{grown}: {event['parameters']:,} parameters"
    if name == "epoch_finished":
        of = epochs_of(folder, trial)
        loss = "–" if event["train_loss"] is None else f"{event['train_loss']:.4f}"
        return (
            f"  trial {trial}, epoch {event['epoch']}{f'/{of}' if of else ''}: loss {loss}, "
            f"validation {_accuracy(event['validation_accuracy'])}"
        )
    if name == "study_finished":
        best = event["best_trial"]
        which = "" if best is None else f": trial {best}, {_accuracy(event['validation_accuracy'])} on validation images"
        return f"{event['outcome']}{which}"
    return None


def epochs_of(folder, trial):
    """How many epochs a trial is to train; None where its study does not tell."""
    try:
        text = (Path(folder) / "trials" / f"{trial:03}" / "spec.toml").read_text(encoding="utf-8")
    except (OSError, TypeError):
        return None
    found = re.search(r"^\[train\]$.*?^epochs = (\d+)$", text, re.MULTILINE | re.DOTALL)
    return int(found[1]) if found else None
