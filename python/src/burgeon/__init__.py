"""burgeon from Python: train a study, look at its run, use its model.

    import burgeon

    run = burgeon.train("study.toml")          # the command, with its progress
    run.trials                                 # a pandas frame, a row for each trial
    run.curves                                 # a row for each epoch
    burgeon.predict(run, ["cat.jpg", "dog.jpg"])

The command itself comes with the package, so that ``burgeon tune photos/`` works in a shell as well.

``load`` needs pandas, ``predict`` needs numpy, onnxruntime and pillow, and progress is a bar where tqdm is there:
``pip install "burgeon[all]"`` brings them. ``train`` needs none of them.
"""

from importlib.metadata import PackageNotFoundError, version as _version

from ._command import BurgeonError, CommandError, MissingPackage, command
from ._predict import Prediction, predict
from ._run import NotARun, Run, load
from ._train import train

try:
    __version__ = _version("burgeon")
except PackageNotFoundError:  # Used from a checkout.
    __version__ = "unknown"

__all__ = [
    "BurgeonError",
    "CommandError",
    "MissingPackage",
    "NotARun",
    "Prediction",
    "Run",
    "command",
    "load",
    "predict",
    "train",
]
