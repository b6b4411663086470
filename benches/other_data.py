"""Draws data sets that nothing in burgeon was fitted to, to judge growth by.

    apt-get install espeak-ng fonts-lato fonts-noto-core fonts-freefont-ttf fonts-dejavu oxygen-icon-theme gnome-icon-theme
    pip install numpy pillow scikit-learn
    python3 benches/other_data.py FOLDER
    python3 benches/growth.py --other FOLDER

Letters of every Latin font that is installed (26 and 62 classes; slanted or upright, two), icons of desktop themes by their
purpose, words spoken by a synthesizer as spectrograms, scikit-learn's digits of 8×8 pixels, road signs of 43 unequal
classes in colour. What is not installed is left out; the figures depend on the installed fonts. Everything follows from a seed.
"""

import argparse
import csv
import io
import math
import pathlib
import struct
import subprocess
import sys
import wave

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--only", default="", help="names of sets, with commas; all unless said")
args = parser.parse_args()


def latin_fonts():
    """Files of fonts that draw A to Z as distinct glyphs, sorted by name."""
    listed = subprocess.run(["fc-list", ":lang=en", "file"], capture_output=True, text=True, check=True).stdout
    files = []
    for line in sorted(set(listed.splitlines())):
        file = line.strip().rstrip(":")
        if not file.endswith((".ttf", ".otf")):
            continue
        try:
            font = ImageFont.truetype(file, 24)
            shapes = {font.getmask(letter).__bytes__() if hasattr(font.getmask(letter), "__bytes__")
                      else bytes(font.getmask(letter)) for letter in "ABEGQamz"}
        except OSError:
            continue
        if len(shapes) == 8:
            files.append(file)
    return files


def glyph(rng, file, letter, side, turn=12):
    """A letter, its size, place and angle varied, as grey pixels of side × side."""
    size = int(side * rng.uniform(0.62, 0.95))
    font = ImageFont.truetype(file, size)
    large = Image.new("L", (2 * side, 2 * side))
    left, top, right, bottom = font.getbbox(letter)
    place = (side - (left + right) / 2 + rng.normal(0, 0.04 * side), side - (top + bottom) / 2 + rng.normal(0, 0.04 * side))
    ImageDraw.Draw(large).text(place, letter, fill=255, font=font)
    turned = large.rotate(rng.normal(0, turn / 2), resample=Image.BILINEAR)
    return np.asarray(turned.crop((side // 2, side // 2, side // 2 + side, side // 2 + side)))


def write_idx(folder, images, labels, names):
    """Four IDX files, the last sixth for testing."""
    folder.mkdir(parents=True, exist_ok=True)
    cut = len(images) * 5 // 6
    for part, which in (("train", slice(0, cut)), ("t10k", slice(cut, None))):
        pixels = np.stack(images[which]).astype(np.uint8)
        header = struct.pack(f">BBBB{pixels.ndim}I", 0, 0, 8, pixels.ndim, *pixels.shape)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        answers = np.array(labels[which], dtype=np.uint8)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, len(answers)) + answers.tobytes())
    (folder / "classes.txt").write_text("\n".join(names) + "\n")


def letters(folder, alphabet, count, side, seed):
    rng, fonts = np.random.default_rng(seed), latin_fonts()
    labels = [int(rng.integers(len(alphabet))) for _ in range(count)]
    images = [glyph(rng, fonts[rng.integers(len(fonts))], alphabet[label], side) for label in labels]
    write_idx(folder, images, labels, list(alphabet))


def slant(folder):
    rng, fonts = np.random.default_rng(3), latin_fonts()
    slanted = [file for file in fonts if "talic" in file or "blique" in file]
    upright = [file for file in fonts if file not in slanted]
    images, labels = [], []
    for _ in range(4800):
        label = int(rng.integers(2))
        files = (upright, slanted)[label]
        letter = "abdefhijklmnpqrtuBDEFHIJKLMNPRTU"[rng.integers(32)]
        images.append(glyph(rng, files[rng.integers(len(files))], letter, 20, turn=4))
        labels.append(label)
    write_idx(folder, images, labels, ["upright", "slanted"])


def icons(folder):
    """Each icon once, at its largest size up to 128 pixels, by what it is for."""
    best = {}
    for theme in ("oxygen", "gnome", "Tango"):
        for file in pathlib.Path("/usr/share/icons", theme).rglob("*.png"):
            kind = file.parent.name
            if file.is_symlink() or kind not in ("actions", "apps", "devices", "mimetypes", "places", "status", "emotes"):
                continue
            side = Image.open(file).size[0]
            key = theme, kind, file.name
            if side <= 128 and side > best.get(key, (0, None))[0]:
                best[key] = side, file
    if not best:
        raise FileNotFoundError("no icon theme is installed")
    for (theme, kind, name), (_, file) in sorted(best.items()):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.open(file).convert("RGBA").save(folder / kind / f"{theme}-{name}")


def words(folder):
    """Ten words in many voices, as spectrograms of 32 bands by 48 moments."""
    spoken = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"]
    rng = np.random.default_rng(5)
    listed = subprocess.run(["espeak-ng", "--voices=en"], capture_output=True, text=True, check=True).stdout
    voices = [line.split()[1] for line in listed.splitlines()[1:] if line.split()[1].startswith("en")]
    variants = ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5", "croak", "whisper"]
    images, labels = [], []
    for _ in range(3000):
        label = int(rng.integers(10))
        voice = f"{voices[rng.integers(len(voices))]}+{variants[rng.integers(len(variants))]}"
        said = subprocess.run(
            ["espeak-ng", "-v", voice, "-p", str(rng.integers(10, 90)), "-s", str(rng.integers(110, 230)), "--stdout", spoken[label]],
            capture_output=True, check=True).stdout
        with wave.open(io.BytesIO(said)) as sound:
            rate, frames = sound.getframerate(), sound.readframes(10**7)
        wave_form = np.frombuffer(frames, dtype="<i2").astype(np.float32) / 32768
        loud = np.flatnonzero(np.abs(wave_form) > 0.01)
        wave_form = wave_form[loud[0]:loud[-1] + 1] if len(loud) else wave_form
        length = int(0.75 * rate)
        start = int(rng.uniform(0, 0.1) * rate)
        padded = np.zeros(length, dtype=np.float32)
        piece = wave_form[:length - start]
        padded[start:start + len(piece)] = piece
        padded += rng.normal(0, 10 ** rng.uniform(-3, -1.2), length)
        window, moments = 512, 48
        hops = np.linspace(0, length - window, moments).astype(int)
        power = np.abs(np.fft.rfft(np.stack([padded[hop:hop + window] for hop in hops]) * np.hanning(window))) ** 2
        edges = np.geomspace(2, power.shape[1] - 1, 33).astype(int)
        bands = np.stack([power[:, low:max(high, low + 1)].mean(axis=1) for low, high in zip(edges, edges[1:])])
        shown = np.clip((np.log10(bands + 1e-6) + 4) / 6 * 255, 0, 255)
        images.append(shown[::-1].astype(np.uint8))
        labels.append(label)
    write_idx(folder, images, labels, spoken)


def digits_8x8(folder):
    from sklearn.datasets import load_digits

    folder.mkdir(parents=True, exist_ok=True)
    data = load_digits()
    with open(folder / "train.csv", "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["label"] + [f"pixel{index}" for index in range(64)])
        for label, pixels in zip(data.target, data.data):
            out.writerow([label] + [int(pixel * 255 / 16) for pixel in pixels])


def signs(folder):
    """Road signs: shape, colours and glyph make a class; place, light, blur and size vary, and classes have 20 to 300 images."""
    rng, fonts = np.random.default_rng(7), latin_fonts()
    kinds = []
    for index in range(43):
        shape = ["circle", "triangle", "diamond", "octagon", "square"][index % 5]
        rim, face = [((200, 20, 30), (240, 240, 235)), ((20, 60, 170), (20, 60, 170)), ((230, 180, 20), (240, 240, 235)),
                     ((200, 20, 30), (200, 20, 30))][(index // 5) % 4]
        kinds.append((shape, rim, face, "30 50 60 70 80 100 120 ! A S X P H T ? + < > N W".split()[index % 20]))
    for label, (shape, rim, face, text) in enumerate(kinds):
        (folder / f"{label:02}").mkdir(parents=True, exist_ok=True)
        for image in range(int(20 * 15 ** rng.uniform(0, 1))):
            side = int(np.clip(rng.lognormal(3.7, 0.45), 16, 220))
            big, scale = 192, rng.uniform(0.7, 0.95)
            back = np.clip(rng.normal(rng.uniform(40, 190), 20, (6, 6, 3)), 0, 255).astype(np.uint8)
            canvas = Image.fromarray(back).resize((big, big), Image.BICUBIC)
            draw, half = ImageDraw.Draw(canvas), big / 2 * scale
            middle = (big / 2 + rng.normal(0, 6), big / 2 + rng.normal(0, 6))
            corners, begin = {"circle": (40, 0), "triangle": (3, -math.pi / 2), "diamond": (4, 0), "octagon": (8, math.pi / 8),
                              "square": (4, math.pi / 4)}[shape]
            for radius, colour in ((half, rim), (0.8 * half, face)):
                draw.polygon([(middle[0] + radius * math.cos(begin + 2 * math.pi * step / corners),
                               middle[1] + radius * math.sin(begin + 2 * math.pi * step / corners)) for step in range(corners)], fill=colour)
            font = ImageFont.truetype(fonts[rng.integers(min(len(fonts), 60))], int(0.7 * half))
            ink = (15, 15, 15) if sum(face) > 400 else (240, 240, 240)
            draw.text(middle, text, fill=ink, font=font, anchor="mm")
            turned = canvas.rotate(rng.normal(0, 6), resample=Image.BILINEAR).filter(ImageFilter.GaussianBlur(abs(rng.normal(0, 2.5))))
            pixels = np.asarray(turned.resize((side, side), Image.BOX), dtype=np.float32)
            pixels = (pixels - 128) * rng.uniform(0.3, 1.1) + 128 + rng.normal(0, 35) + rng.normal(0, 8, pixels.shape)
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{label:02}" / f"{image:04}.png")


SETS = {
    "letters-26": lambda folder: letters(folder, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 12000, 28, 1),
    "letters-62": lambda folder: letters(folder, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 9000, 32, 2),
    "slant": slant,
    "icons": icons,
    "words": words,
    "digits-8x8": digits_8x8,
    "signs": signs,
}
for name in args.only.split(",") if args.only else SETS:
    if (args.folder / name).exists():
        print(f"{name}: is there", file=sys.stderr)
        continue
    try:
        SETS[name](args.folder / name)
        print(f"{name}: drawn", file=sys.stderr)
    except (FileNotFoundError, ImportError) as missing:
        print(f"{name}: left out, {missing}", file=sys.stderr)
