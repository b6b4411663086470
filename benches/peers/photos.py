#!/usr/bin/env python3
"""Makes a folder of pictures in class folders, the same ones every time.

    python3 benches/peers/photos.py FOLDER [COUNT] [WIDTH] [HEIGHT] [jpg|png]

Without more, 20,000 JPEGs of 500x400 of ten classes, about 1 GB. Each has smooth shades, edges and a fine texture, so
that its file is as long as those of photographs are. Needs Pillow and NumPy.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = 10


def picture(number, width, height):
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = random.integers(0, width), random.integers(0, height)
        size = int(random.integers(8, 120))
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
        shape((left, top, left + size, top + size), fill=colour)
    texture = random.normal(0, 6, (height, width, 1))
    return Image.fromarray((np.asarray(image) + texture).clip(0, 255).astype(np.uint8))


def write(job):
    folder, number, width, height, ending = job
    path = folder / f"class{number % CLASSES}" / f"{number:06}.{ending}"
    if not path.exists():
        partial = path.with_suffix(".part")
        form = "JPEG" if ending == "jpg" else "PNG"
        picture(number, width, height).save(partial, form, **({"quality": 85} if form == "JPEG" else {}))
        os.replace(partial, path)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    count, width, height = (int(value) for value in (sys.argv[2:5] + ["20000", "500", "400"][len(sys.argv[2:5]):]))
    ending = sys.argv[5] if len(sys.argv) > 5 else "jpg"
    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True, exist_ok=True)
    jobs = ((folder, number, width, height, ending) for number in range(count))
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(write, jobs, chunksize=64):
            pass


if __name__ == "__main__":
    main()
