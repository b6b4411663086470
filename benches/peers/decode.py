#!/usr/bin/env python3
"""How fast pictures are decoded to 64 pixels, per core: Pillow and burgeon in turn.

    cargo build --release
    python3 benches/peers/photos.py /tmp/photos 2000
    python3 benches/peers/decode.py /tmp/photos [ROUNDS]

Both use one core (`taskset`) and decode JPEGs at a reduced scale, Pillow by `Image.draft`; how fast it is without is told
too. burgeon's first `burgeon data` of an empty cache also lists the files, looks at their sizes and colours, checks that
they are whole, hashes every picture, looks for copies and writes the cache. The time of a second one, which finds the
cache, is told too. Seconds are those of the processor, user and system, which other programs change little, with the wall
clock's behind them; ratios are of medians.
"""

import os
import resource
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
    """Processor time and time of a command."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(["taskset", "-c", "0", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, wall


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
    middle = {name: statistics.median(processor for processor, _ in times) for name, times in taken.items()}
    for name, times in taken.items():
        processor, wall = zip(*times)
        print(
            f"{name:20} {middle[name]:7.2f} s ({min(processor):.2f} to {max(processor):.2f}), wall clock"
            f" {statistics.median(wall):.2f} s  {count / middle[name]:8.0f} pictures/s"
        )
    ratio = middle["Pillow, draft scale"] / middle["burgeon, first"]
    print(f"both at a reduced scale, burgeon is {ratio:.2f} times as fast as Pillow")


if __name__ == "__main__":
    main()
