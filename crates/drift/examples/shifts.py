#!/usr/bin/env python3
"""Writes MNIST's test images, shifted in many ways, with what a model answers: the input of the example `drift_table`.

    python shifts.py MODEL.onnx MNIST_FOLDER FASHION_FOLDER OUT [DRAWN_FOLDER]

needs numpy, scipy, pillow and onnxruntime. `MODEL.onnx` takes [batch, 1, 28, 28] from 0 to 1 and returns logits, such as
`best/model.onnx` of a run. `DRAWN_FOLDER` has drawn digits as IDX files. For each shift, OUT gets NAME.pixels (bytes,
[images, 784]), NAME.probabilities (f32, [images, 10]) and NAME.labels (bytes; 255 for an image of no class);
names.txt lists the shifts.
"""

import gzip
import io
import pathlib
import struct
import sys

import numpy as np
import onnxruntime
from PIL import Image
from scipy import ndimage

NO_CLASS = 255


def idx(folder, name):
    path = next(path for path in pathlib.Path(folder).iterdir() if path.name.startswith(name))
    content = path.read_bytes()
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    sides = struct.unpack(f">{content[3]}I", content[4 : 4 + 4 * content[3]])
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(sides)).reshape(sides)


def each(change):
    return lambda images, random: np.stack([change(image, random) for image in images])


def to_bytes(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def noise(level):
    return lambda images, random: to_bytes(images + random.normal(0, level * 255, images.shape))


def salt(share):
    def change(images, random):
        drawn = random.random(images.shape)
        return np.where(drawn < share / 2, 0, np.where(drawn < share, 255, images)).astype(np.uint8)

    return change


def blur(sigma):
    return each(lambda image, _: to_bytes(ndimage.gaussian_filter(image.astype(float), sigma)))


def rotated(degrees):
    return each(lambda image, _: to_bytes(ndimage.rotate(image.astype(float), degrees, reshape=False, order=1)))


def moved(pixels):
    return each(lambda image, _: to_bytes(ndimage.shift(image.astype(float), (0, pixels), order=1)))


def contrast(factor):
    return lambda images, _: to_bytes(images * factor)


def brighter(levels):
    return lambda images, _: to_bytes(images.astype(float) + levels)


def zoomed(factor):
    def change(image, _):
        matrix = np.eye(2) / factor
        return to_bytes(ndimage.affine_transform(image.astype(float), matrix, 13.5 - matrix @ [13.5, 13.5], order=1))

    return each(change)


def sheared(factor):
    def change(image, _):
        matrix = np.array([[1, 0], [factor, 1]])
        return to_bytes(ndimage.affine_transform(image.astype(float), matrix, 13.5 - matrix @ [13.5, 13.5], order=1))

    return each(change)


def covered(side):
    def change(image, random):
        row, column = random.integers(4, 24 - side + 1, 2)
        image = image.copy()
        image[row : row + side, column : column + side] = 0
        return image

    return each(change)


def thicker(size):
    return each(lambda image, _: ndimage.grey_dilation(image, (size, size)))


def thinner(size):
    return each(lambda image, _: ndimage.grey_erosion(image, (size, size)))


def coarse(side):
    def change(image, _):
        small = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
        return np.asarray(small.resize((28, 28), Image.Resampling.NEAREST))

    return each(change)


def jpeg(quality):
    def change(image, _):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "jpeg", quality=quality)
        return np.asarray(Image.open(buffer))

    return each(change)


def some(share, change):
    """The change for a share of the images alone."""

    def mixed(images, random):
        chosen = random.random(len(images)) < share
        return np.where(chosen[:, None, None], change(images, random), images)

    return mixed


SHIFTS = {
    "none": lambda images, _: images,
    **{f"noise {level}": noise(level) for level in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)},
    **{f"salt and pepper {share}": salt(share) for share in (0.02, 0.05, 0.1, 0.2)},
    **{f"blur {sigma}": blur(sigma) for sigma in (0.5, 1.0, 1.5, 2.0)},
    **{f"rotation {degrees}°": rotated(degrees) for degrees in (5, 10, 15, 20, 25, 30, 45)},
    **{f"shift by {pixels}": moved(pixels) for pixels in (1, 2, 3, 4, 6)},
    "inverted": lambda images, _: 255 - images,
    "upside down": lambda images, _: images[:, ::-1, ::-1],
    "mirrored": lambda images, _: images[:, :, ::-1],
    "blank": lambda images, _: images * 0,
    "divided twice": lambda images, _: images // 255,
    **{f"contrast {factor}": contrast(factor) for factor in (0.75, 0.5, 0.25, 0.1)},
    **{f"brighter by {levels}": brighter(levels) for levels in (25, 75)},
    **{f"zoom {factor}": zoomed(factor) for factor in (0.6, 0.8, 1.2, 1.4)},
    **{f"shear {factor}": sheared(factor) for factor in (0.3, 0.6)},
    **{f"covered {side}×{side}": covered(side) for side in (6, 8, 10)},
    "thicker": thicker(3),
    "thinner": thinner(2),
    **{f"coarse {side}×{side}": coarse(side) for side in (14, 9, 7)},
    "jpeg 10": jpeg(10),
    "rotation 45° of a fifth": some(0.2, rotated(45)),
    "inverted, a tenth": some(0.1, lambda images, _: 255 - images),
    "blank, a tenth": some(0.1, lambda images, _: images * 0),
}


def main():
    model, mnist, fashion, out = sys.argv[1:5]
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    images, labels = idx(mnist, "t10k-images"), idx(mnist, "t10k-labels")
    foreign = idx(fashion, "t10k-images")

    names = []

    def write(name, images, labels):
        logits = []
        for batch in np.array_split(images, max(1, len(images) // 500)):
            logits.append(session.run(None, {"images": batch[:, None].astype(np.float32) / 255})[0])
        logits = np.concatenate(logits)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        (out / f"{name}.pixels").write_bytes(np.ascontiguousarray(images, np.uint8).tobytes())
        (out / f"{name}.probabilities").write_bytes((powers / powers.sum(1, keepdims=True)).astype("<f4").tobytes())
        (out / f"{name}.labels").write_bytes(labels.astype(np.uint8).tobytes())
        names.append(name)
        (out / "names.txt").write_text("".join(f"{name}\n" for name in names))
        print(f"{name:32} {(logits.argmax(1) == labels).mean():.4f}", flush=True)

    for number, (name, change) in enumerate(SHIFTS.items()):
        write(name, change(images, np.random.default_rng(number)), labels)
    random = np.random.default_rng(1000)
    for share in (0.05, 0.1, 0.2, 0.5, 1.0):
        chosen = random.random(len(images)) < share
        mixed = np.where(chosen[:, None, None], foreign, images)
        write(f"Fashion, {share:.0%}", mixed, np.where(chosen, NO_CLASS, labels))
    if len(sys.argv) > 5:
        drawn = idx(sys.argv[5], "t10k-images")[: len(images)]
        write("drawn digits", drawn, idx(sys.argv[5], "t10k-labels")[: len(images)])


if __name__ == "__main__":
    main()
