#!/usr/bin/env python3
"""How fast pictures are decoded to 64 pixels, per core: Pillow and burgeon in turn.

    cargo build --release
    python3 benches/peers/photos.py /tmp/photos 2000
    python3 benches/peers/decode.py /tmp/photos [ROUNDS]

Both use one core (`taskset`). Pillow decodes at a reduced scale (`Image.draft`) and resizes; burgeon's first `burgeon
data` of an empty cache also checks that files are whole, hashes every picture and looks for copies. The time of a
second `burgeon data`, which finds the cache, is told too.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BURGEON = os.environ.get("BURGEON_BINARY", "target/release/burgeon")
PILLOW = """
import sys
from pathlib import Path
from PIL import Image
for path in sorted(Path(sys.argv[1]).glob("*/*")):
    with Image.open(path) as image:
        if sys.argv[2] == "draft":
            image.draft("RGB", (64, 64))
        image.convert("RGB").resize((64, 64), Image.Resampling.BILINEAR).tobytes()
"""


def seconds(command, **more):
    begun = time.perf_counter()
    subprocess.run(["taskset", "-c", "0", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    return time.perf_counter() - begun


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    count = sum(1 for _ in Path(folder).glob("*/*"))
    taken = {}
    for _ in range(rounds):
        for scale in ("draft", "full"):
            taken.setdefault(f"Pillow, {scale} scale", []).append(seconds([sys.executable, "-c", PILLOW, folder, scale]))
        with tempfile.TemporaryDirectory() as cache:
            look = [BURGEON, "data", folder, "--threads", "1"]
            settings = {"env": {**os.environ, "BURGEON_CACHE": cache}}
            taken.setdefault("burgeon, first", []).append(seconds(look, **settings))
            taken.setdefault("burgeon, again", []).append(seconds(look, **settings))
    for name, times in taken.items():
        middle = statistics.median(times)
        print(f"{name:20} {middle:7.2f} s ({min(times):.2f} to {max(times):.2f})  {count / middle:8.0f} pictures/s")


if __name__ == "__main__":
    main()
