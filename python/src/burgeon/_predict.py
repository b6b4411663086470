"""Predictions through ONNX Runtime, from the file that every published model has."""

import json
import os
from pathlib import Path
from typing import Dict, NamedTuple

from ._command import BurgeonError, needed, output_of
from ._prepare import NeedsTheCommand, Preparation
from ._run import Run

BATCH = 64


class Prediction(NamedTuple):
    """The class of an image, and the probability of every class."""

    name: str
    probability: float
    probabilities: Dict[str, float]


def predict(model, images, *, invert="auto"):
    """Classifies pictures as ``burgeon predict`` does.

    ``model`` is a run, its folder, a model's folder or an ONNX file of ``burgeon export --format onnx``. ``images`` are
    paths of picture files, pillow images, or an array of bytes ``[images, height, width, channels]`` of the network's size;
    one path or picture gives one prediction, anything else a list. ``invert`` says whether digits are in dark ink:
    ``"auto"``, ``"always"`` or ``"never"``.

    Pictures of handwritten digits that have to be found and centred first are left to the command.
    """
    if invert not in ("auto", "always", "never"):
        raise ValueError(f"invert is {invert!r}; expected 'auto', 'always' or 'never'")
    file = _onnx_file(model)
    session = _session(file)
    is_one = isinstance(images, (str, os.PathLike)) or hasattr(images, "convert")
    batch = [images] if is_one else images
    network = Network(session, file)
    found = network.predict_bytes(batch) if hasattr(batch, "dtype") else network.predict_pictures(list(batch), invert)
    return found[0] if is_one else found


def _onnx_file(model):
    path = model.path if isinstance(model, Run) else Path(model)
    for candidate in (path, path / "best" / "model.onnx", path / "model.onnx"):
        if candidate.is_file():
            return candidate
    raise BurgeonError(f"{path} has no model: neither best/model.onnx nor model.onnx is there")


def _session(file):
    runtime = needed("onnxruntime", "predict", "burgeon.predict")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BurgeonError(f"{file} cannot be loaded by ONNX Runtime: {error}") from error


class Network:
    """A loaded model and how it takes pictures."""

    def __init__(self, session, file):
        self.numpy = needed("numpy", "predict", "burgeon.predict")
        self.session, self.file = session, file
        noted = session.get_modelmeta().custom_metadata_map.get("burgeon.preparation")
        if noted is None:
            raise BurgeonError(f"{file} does not say how pictures are prepared; export it with burgeon")
        self.preparation = Preparation(json.loads(noted), file)
        if session.get_inputs()[0].type != "tensor(float)":
            raise BurgeonError(f"{file} takes bytes; use the file of `burgeon export --format onnx`")

    def predict_pictures(self, pictures, invert):
        prepared, answers = {}, [None] * len(pictures)
        for at, picture in enumerate(pictures):
            try:
                prepared[at] = self.preparation.apply(picture, invert)
            except NeedsTheCommand:
                answers[at] = self._by_command(picture, invert)
        if prepared:
            stacked = self.numpy.stack(list(prepared.values()))
            for at, answer in zip(prepared, self.predict_bytes(stacked)):
                answers[at] = answer
        return answers

    def _by_command(self, picture, invert):
        folder = self.file.parent
        if hasattr(picture, "convert") or not (folder / "model.safetensors").is_file():
            raise BurgeonError(
                "the digit in this picture has to be found and centred first, which the command alone does; give the path "
                "of the picture and the run or its model's folder"
            )
        line = output_of(["predict", folder, picture, "--invert", invert, "--json"]).splitlines()[0]
        found = json.loads(line)
        return Prediction(found["class"], found["probability"], self._by_label(found["probabilities"]))

    def _by_label(self, probabilities):
        return {name: probabilities[name] for name in self.preparation.classes}

    def predict_bytes(self, images):
        """Of bytes ``[images, height, width, channels]``."""
        numpy, own = self.numpy, self.preparation
        images = numpy.asarray(images)
        if images.ndim == 3 and own.channels == 1:
            images = images[..., None]
        wanted = (own.height, own.width, own.channels)
        if images.dtype != numpy.uint8 or images.shape[1:] != wanted:
            raise ValueError(
                f"images are {images.dtype} {list(images.shape)}; the network takes uint8 [images, {wanted[0]}, {wanted[1]}, "
                f"{wanted[2]}]"
            )
        answers = []
        name = self.session.get_inputs()[0].name
        for start in range(0, len(images), BATCH):
            part = images[start:start + BATCH].astype(numpy.float32) / numpy.float32(255)
            (logits,) = self.session.run(None, {name: numpy.ascontiguousarray(part.transpose(0, 3, 1, 2))})
            powers = numpy.exp(logits.astype(numpy.float64) - logits.max(axis=1, keepdims=True))
            for row in powers / powers.sum(axis=1, keepdims=True):
                best = int(row.argmax())
                shares = dict(zip(own.classes, map(float, row)))
                answers.append(Prediction(own.classes[best], float(row[best]), shares))
        return answers
