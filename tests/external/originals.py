"""Builds the networks of programs that people wrote for Keras and PyTorch, in those libraries, and compares them with the
study that burgeon made of them: layer by layer in parameters, and in what they say with the same weights.

Nothing is trained: `fit` and the like are replaced, and data sets are zeros of the right shape. What old versions of Keras
had is put back by other names of what there is.
"""

import importlib.util
import json
import os
import re
import sys
import types
from pathlib import Path

import numpy


def source_of(path):
    """The program as this Python can read it: a notebook's code cells, and a broken program as far as it is none."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        lines = "\n".join("".join(cell["source"]) for cell in cells).splitlines()
        return "\n".join(line for line in lines if not line.startswith(("%", "!")))
    lines = text.splitlines()
    for end in range(len(lines), 0, -1):
        try:
            compile("\n".join(lines[:end]), str(path), "exec")
            return "\n".join(lines[:end])
        except SyntaxError:
            pass
    raise AssertionError(f"nothing of {path} can be read")


def run(path, name):
    """Runs a program in its folder; its names."""
    names = {"__name__": name, "__file__": str(path)}
    before, sys.argv = os.getcwd(), [str(path)]
    os.chdir(path.parent)
    sys.path.insert(0, str(path.parent))
    try:
        exec(compile(source_of(path), str(path), "exec"), names)
    finally:
        os.chdir(before)
        sys.path.remove(str(path.parent))
    return names


def module(name, **content):
    made = types.ModuleType(name)
    made.__dict__.update(content)
    sys.modules[name] = made
    parent, _, last = name.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], last, made)
    return made


# When each layer of Keras was made.
MADE = {}


def keras_program(path):
    import keras
    from keras import layers
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    make = keras.layers.Layer.__init__

    def make_and_note(self, *args, **named):
        MADE[id(self)] = len(MADE)
        make(self, *args, **named)

    keras.layers.Layer.__init__ = make_and_note
    met = []

    def nothing(self, *args, **named):
        met.append((self, args))

    for method in ["fit", "fit_generator"]:
        setattr(keras.Model, method, nothing)
    # Whitening a whole data set takes minutes and gigabytes.
    ImageDataGenerator.fit = lambda *args, **named: None
    compile_as_it_is = keras.Model.compile

    def compile_and_note(self, *args, **named):
        met.append((self, ()))
        return compile_as_it_is(self, *args, **named)

    keras.Model.compile = compile_and_note
    for name, train, sides, axes in [
        ("mnist", 60000, (28, 28), 1), ("fashion_mnist", 60000, (28, 28), 1),
        ("cifar10", 50000, (32, 32, 3), 2), ("cifar100", 50000, (32, 32, 3), 2),
    ]:
        def load(train=train, sides=sides, axes=axes):
            # Labels of every class, as programs count them.
            labels = [numpy.arange(count) % 10 for count in (train, 10000)]
            labels = [label.reshape((-1,) + (1,) * (axes - 1)) for label in labels]
            images = [numpy.zeros((count, *sides), numpy.uint8) for count in (train, 10000)]
            return (images[0], labels[0]), (images[1], labels[1])
        getattr(keras.datasets, name).load_data = load

    def convolution(filters, rows=None, columns=None, border_mode="valid", **named):
        return layers.Conv2D(filters, (rows, columns), padding=border_mode, **named)

    plain = {name: getattr(layers, name) for name in dir(layers) if name[0].isupper()}
    module("keras.layers.core", **plain)
    module("keras.layers.convolutional", **{**plain, "Convolution2D": convolution})
    module("keras.utils.np_utils", to_categorical=keras.utils.to_categorical)
    keras.utils.np_utils = sys.modules["keras.utils.np_utils"]

    class Generator:
        def __init__(self, **named):
            pass

        def flow_from_directory(self, *args, **named):
            return None

    module("keras.preprocessing.image", ImageDataGenerator=Generator)
    keras.utils.image_dataset_from_directory = lambda *args, **named: None
    sys.modules["tf_keras"] = keras
    names = run(path, "__main__")
    models = [model for model, _ in met] + [value for value in names.values() if isinstance(value, keras.Model)]
    model = models[0]
    if not model.built:
        images = next(args[0] for _, args in met if args)
        model(images[:1])
    return model


def keras_layers(model):
    import keras

    all_layers = list(model.layers)
    if any(isinstance(layer, keras.layers.Add) for layer in all_layers):
        # Keras sorts the layers of paths that join by their distance from the end.
        all_layers.sort(key=lambda layer: MADE[id(layer)])
    for layer in all_layers:
        if isinstance(layer, keras.Model):
            yield from keras_layers(layer)
        elif layer.count_params():
            yield layer


def count(arrays):
    return sum(int(numpy.prod(array.shape)) for array in arrays)


def keras_original(case, folder, images):
    import keras

    model = keras_program(Path(case["program"]))
    found = [
        [type(layer).__name__, count(layer.trainable_weights), count(layer.non_trainable_weights)]
        for layer in keras_layers(model)
    ]
    keras.backend.set_image_data_format("channels_last")
    # What is done to the images before the first layer is not in the study, which normalizes them itself.
    left_out = {"Lambda", "Rescaling", "Normalization"} & {type(layer).__name__ for layer in model.layers}
    if not case["same"] or left_out:
        return found, None
    with numpy.load(folder / "keras.npz") as arrays:
        names = sorted({name.rsplit(".", 1)[0] for name in arrays.files}, key=place)
        # One layer of Keras may be two here.
        weights = [arrays[f"{name}.{at}"] for name in names for at in range(sum(key.startswith(f"{name}.") for key in arrays.files))]
    for layer in keras_layers(model):
        shapes = [array.shape for array in layer.get_weights()]
        layer.set_weights([weights.pop(0).reshape(shape) for shape in shapes])
    assert not weights, "weights are left over"
    spec = importlib.util.spec_from_file_location("exported", folder / "keras_model.py")
    exported = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exported)
    prepared = exported.prepare(images.transpose(0, 2, 3, 1))
    # Some take an image as a row of numbers; a subclass takes what it is given.
    shape = getattr(model, "input_shape", prepared.shape)
    return found, model.predict(prepared.reshape((len(images), *shape[1:])), verbose=0)


def place(name):
    """In the order of layers: the head last, numbers as numbers, the shortcut of a block after its layers."""
    numbers = [int(part) for part in re.findall(r"\d+", name)]
    return [name == "head", numbers[:1], "projection" in name, numbers[1:], name.endswith("norm")]


def torch_original(case, folder, images):
    import torch
    from safetensors.torch import load_file
    from torch import nn

    class Anything:
        def __init__(self, *args, **named):
            pass

        def __iter__(self):
            return iter([])

        def __getattr__(self, name):
            return lambda *args, **named: None

    class Names(types.ModuleType):
        def __getattr__(self, name):
            # Python itself asks every module for names such as `__file__`, as an optimizer's first use of torch._dynamo does.
            if name.startswith("__"):
                raise AttributeError(name)
            return Anything

    for name in ["torchvision", "torchvision.datasets", "torchvision.transforms"]:
        sys.modules[name] = Names(name)
    sys.modules["torchvision"].datasets = sys.modules["torchvision.datasets"]
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
    torch.utils.data.DataLoader = Anything
    made = []
    init = nn.Module.__init__

    def note(self, *args, **named):
        init(self, *args, **named)
        made.append(self)

    nn.Module.__init__ = note
    names = run(Path(case["program"]), "__main__")
    nn.Module.__init__ = init
    if not made:
        names["weights"]()
    models = [value for value in names.values() if isinstance(value, nn.Module) and not isinstance(value, nn.modules.loss._Loss)]
    if not models:
        models = [value() for name, value in names.items() if name in ("weights",)]
    if not models:
        # A program that builds it within a function: the module that no other one holds.
        parts = {id(part) for module in made for part in module.modules() if part is not module}
        models = [module for module in made if id(module) not in parts and list(module.parameters())]
    model = models[-1].eval()
    called = []
    for part in model.modules():
        if not list(part.children()) and list(part.parameters()):
            part.register_forward_hook(lambda part, given, out: called.append(part))
    with torch.no_grad():
        model(torch.zeros(1, *case["shape"][1:]))
    modules = list(called)
    found = [[type(part).__name__, count(part.parameters()), count(part.buffers()) - int(hasattr(part, "num_batches_tracked"))] for part in modules]
    if not case["same"]:
        return found, None
    arrays = load_file(str(folder / "pytorch.safetensors"))
    prefixes = sorted({name.rsplit(".", 1)[0] for name in arrays}, key=place)
    assert len(prefixes) == len(modules)
    for prefix, part in zip(prefixes, modules):
        state = {name.rsplit(".", 1)[1]: array for name, array in arrays.items() if name.rsplit(".", 1)[0] == prefix}
        part.load_state_dict(state, strict=False)
    spec = importlib.util.spec_from_file_location("exported", folder / "model.py")
    exported = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exported)
    pixels = torch.from_numpy(images).float() / 255
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (exported.MEAN, exported.STD))
    with torch.no_grad():
        return found, model((pixels - mean) / std).numpy()


def difference(said, expected):
    """The largest difference of logits; of probabilities, their logarithms, up to what all logits share."""
    said = said.astype(numpy.float64)
    are_probabilities = (said >= 0).all() and numpy.allclose(said.sum(1), 1, atol=1e-4)
    are_logarithms = (said <= 0).all() and numpy.allclose(numpy.exp(said).sum(1), 1, atol=1e-4)
    if not are_probabilities and not are_logarithms:
        return float(numpy.abs(said - expected).max())
    expected = expected.astype(numpy.float64)
    expected = expected - numpy.log(numpy.exp(expected - expected.max(1, keepdims=True)).sum(1, keepdims=True)) - expected.max(1, keepdims=True)
    logarithms = numpy.log(numpy.maximum(said, 1e-30)) if are_probabilities else said
    seen = expected > -13
    return float(numpy.abs(logarithms - expected)[seen].max())


def told(case, folder, images, expected):
    original = keras_original if case["library"] == "keras" else torch_original
    found, said = original(case, folder, images)
    merged = []
    for name, trained, kept, line in case["layers"]:
        if merged and merged[-1][0] == name and name.startswith("Separable") and merged[-1][3] == line:
            merged[-1][1] += trained
        elif trained + kept:
            merged.append([name, trained, kept, line])
    wanted = [row[1:3] for row in merged]
    return {
        "layers": len(found), "parameters_are_equal": wanted == [row[1:] for row in found], "found": found, "wanted": wanted,
        "difference": None if said is None else difference(said, expected),
    }
