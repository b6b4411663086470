"""Runs exported models in the programs that they are for, and compares what comes out.

    loaders.py FOLDER…

Each folder has `case.json` (`shape`, and `files`: a list), `images.bin` (bytes [batch, channels, height, width]),
`logits.bin` (32-bit floats) and, for a quantized model, `labels.bin` (bytes). For each file a line of JSON comes out:
the largest difference of a logit, how many answers differ and, with labels, the share of right answers.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy


def onnx(path, images):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["burgeon.classes"]) == json.loads(metadata["burgeon.preparation"])["classes"]
    [wanted] = session.get_inputs()
    if wanted.type == "tensor(uint8)":
        given = numpy.ascontiguousarray(images.transpose(0, 2, 3, 1))
    else:
        given = images.astype(numpy.float32) / numpy.float32(255)
    # One by one and all at once: the batch is of any size.
    [first] = session.run(None, {"images": given[:1]})
    [logits] = session.run(None, {"images": given})
    assert numpy.allclose(first, logits[:1], atol=1e-3, rtol=1e-3), "a batch of one differs"
    return logits


def torch(path, images):
    import torch

    spec = importlib.util.spec_from_file_location("model", path)
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    network = model.load()
    assert len(model.CLASSES) == len(model.PREPARATION["classes"])
    with torch.no_grad():
        return network(torch.from_numpy(images)).numpy()


def keras(path, images):
    import keras as library

    library.utils.disable_interactive_logging()
    spec = importlib.util.spec_from_file_location("keras_model", path)
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    network = model.load()
    assert len(model.CLASSES) == len(model.PREPARATION["classes"])
    return network.predict(model.prepare(images.transpose(0, 2, 3, 1)), verbose=0)


def safetensors(path):
    """The names and shapes of a file, to see that it opens."""
    from safetensors.numpy import load_file

    return {name: list(array.shape) for name, array in load_file(str(path)).items()}


def main():
    for folder in map(Path, sys.argv[1:]):
        case = json.loads((folder / "case.json").read_text())
        images = numpy.fromfile(folder / "images.bin", numpy.uint8).reshape(case["shape"])
        expected = numpy.fromfile(folder / "logits.bin", numpy.float32).reshape(len(images), -1)
        for name in case["files"]:
            path = folder / name
            told = {"file": str(path)}
            if name.endswith(".safetensors"):
                told["arrays"] = safetensors(path)
            else:
                loader = onnx if name.endswith(".onnx") else keras if name.startswith("keras") else torch
                logits = loader(path, images)
                assert logits.shape == expected.shape, (logits.shape, expected.shape)
                told["difference"] = float(numpy.abs(logits - expected).max())
                told["other_answers"] = int((logits.argmax(1) != expected.argmax(1)).sum())
                if (folder / "labels.bin").exists():
                    labels = numpy.fromfile(folder / "labels.bin", numpy.uint8)
                    told["accuracy"] = float((logits.argmax(1) == labels).mean())
            print(json.dumps(told), flush=True)
        if "original" in case:
            import originals

            original = {**case["original"], "shape": case["shape"]}
            told = originals.told(original, folder, images, expected)
            print(json.dumps({"file": str(folder / "case.json"), **told}), flush=True)


if __name__ == "__main__":
    main()
