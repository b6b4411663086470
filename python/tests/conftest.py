"""What the tests share: pictures, and a run that was trained on them. They need the package with all its extras."""

import subprocess

import numpy
import pytest
from PIL import Image

import burgeon


def picture(label, seed, size):
    """A bright bar on dark ground, upright in one class and lying in the other, in colour."""
    numbers = numpy.random.default_rng(seed)
    rows, columns = size
    pixels = numbers.integers(0, 90, (rows, columns, 3), dtype=numpy.uint8)
    across, down = (5, 3) if label == "lying" else (3, 5)
    top, left = rows // down, columns // across
    pixels[top:rows - top, left:columns - left] = numbers.integers(150, 256, 3, dtype=numpy.uint8)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "photos"
    for label in ("lying", "upright"):
        (folder / label).mkdir(parents=True)
        for seed in range(40):
            size = (24 + seed % 7, 20 + seed % 11)
            picture(label, seed, size).save(folder / label / f"{seed}.png")
    return folder


STUDY = """
name = "bars"
data = {{ source = "folder", path = "{path}", size = [16, 12], fit = "{fit}", channels = {channels} }}
[model]
layers = [{{ conv = {{ filters = 4, kernel = 3 }} }}, {{ max-pool = {{ size = 2 }} }}, {{ dense = {{ units = 8 }} }}]
[train]
epochs = 6
batch-size = 8
[gate]
accuracy = 0.6
[tune]
trials = 3
"""


@pytest.fixture(scope="session")
def study(tmp_path_factory, photos):
    """Writes a study with settings of its own, and answers its path."""
    def write(fit="crop", channels=3):
        path = tmp_path_factory.mktemp("study") / "bars.toml"
        path.write_text(STUDY.format(path=photos, fit=fit, channels=channels))
        return path
    return write


@pytest.fixture(scope="session")
def run(tmp_path_factory, study):
    # From a rate at which nothing is learned, so that it grows.
    rate = {"train.learning-rate": 1e-7}
    return burgeon.train(study(), runs=tmp_path_factory.mktemp("runs"), progress=False, set=rate)


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A run on the built-in drawn digits."""
    folder = tmp_path_factory.mktemp("digits")
    study = folder / "digits.toml"
    study.write_text(
        'name = "digits"\ndata = { source = "synthetic", train = 2000 }\n[model]\nlayers = [{ dense = { units = 24 } }]\n'
        "[train]\nepochs = 1\n[gate]\naccuracy = 0.2\n"
    )
    return burgeon.train(study, grow=False, runs=folder / "runs", progress=False)


@pytest.fixture(scope="session")
def command():
    """Runs the command and answers what it prints."""
    def call(*arguments, code=0):
        done = subprocess.run([burgeon.command(), *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout
    return call
