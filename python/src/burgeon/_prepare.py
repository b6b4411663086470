"""How a picture becomes a network's input: what ``burgeon.preparation`` in an ONNX file says, done with pillow.

Pixels are those of the command but for the rounding of decoders and filters.
"""

import os

from ._command import BurgeonError, needed

VERSION = 2
# How far paper may be from black or white.
PAPER_SPREAD = 0.1
# Weights of red, green and blue in a brightness (ITU-R BT.709), in ten-thousandths.
LUMA = (2126, 7152, 722)


class NeedsTheCommand(Exception):
    """The picture shows a digit that has to be found and centred."""


class Preparation:
    """The preparation of a model."""

    def __init__(self, noted, file):
        version = noted.get("version")
        if not isinstance(version, int) or not 1 <= version <= VERSION:
            raise BurgeonError(
                f"the preparation in {file} has version {version}, and this package knows versions up to {VERSION}; install a "
                "newer one"
            )
        self.height, self.width = noted["height"], noted["width"]
        self.channels = 1 if noted["channels"] == "grey" else 3
        self.fit, self.background = noted["fit"], noted["background"]
        self.is_digit = noted["subject"] == "digit"
        self.classes = noted["classes"]
        self.numpy = needed("numpy", "predict", "burgeon.predict")
        self.image = needed("PIL.Image", "predict", "burgeon.predict")

    def apply(self, picture, invert):
        """Bytes ``[height, width, channels]`` of a file's path or a pillow image."""
        if isinstance(picture, (str, os.PathLike)):
            try:
                with self.image.open(picture) as opened:
                    pixels, box, is_opaque = self._decoded(opened)
            except (OSError, SyntaxError, ValueError) as error:
                raise BurgeonError(f"{os.fspath(picture)} cannot be read as a picture: {error}") from error
        else:
            pixels, box, is_opaque = self._decoded(picture)
        if self.is_digit:
            return self._digit(pixels, is_opaque, invert)
        if invert == "always":
            pixels = 255 - pixels
        return self._framed(pixels, box, invert == "always")

    def _decoded(self, picture):
        """Upright pixels ``[rows, columns, channels]``, the part of them that the picture covers, and whether no pixel is
        transparent."""
        size, step = picture.size, 1
        is_plain_jpeg = picture.format == "JPEG" and not picture.info.get("progressive")
        if is_plain_jpeg and not self.is_digit and picture.mode in ("L", "RGB"):
            wanted = self.width, self.height
            if self._orientation(picture) >= 5:
                wanted = wanted[::-1]
            # At a half, a quarter or an eighth of its size, if it is then still large enough.
            picture.draft(picture.mode, wanted)
            step = round(size[0] / picture.size[0])
        orientation = self._orientation(picture)
        picture.load()
        if picture.mode in ("P", "PA") or "transparency" in picture.info:
            picture = picture.convert("RGBA")
        elif picture.mode in ("CMYK", "YCbCr", "LAB", "HSV", "1", "RGBX"):
            picture = picture.convert("L" if picture.mode == "1" else "RGB")
        pixels, is_opaque = self._bytes(picture)
        box = [0.0, 0.0, size[0] / step, size[1] / step]
        return (*self._upright(pixels, box, orientation), is_opaque)

    @staticmethod
    def _orientation(picture):
        found = picture.getexif().get(0x0112, 1) if hasattr(picture, "getexif") else 1
        return found if isinstance(found, int) and 1 <= found <= 8 else 1

    def _upright(self, pixels, box, orientation):
        rows, columns = pixels.shape[:2]
        left, top, right, bottom = box
        if orientation >= 5:
            pixels = pixels.swapaxes(0, 1)
            left, top, right, bottom = top, left, bottom, right
            rows, columns = columns, rows
        if orientation in (2, 3, 6, 7):
            pixels = pixels[:, ::-1]
            left, right = columns - right, columns - left
        if orientation in (3, 4, 7, 8):
            pixels = pixels[::-1]
            top, bottom = rows - bottom, rows - top
        return self.numpy.ascontiguousarray(pixels), (left, top, right, bottom)

    def _bytes(self, picture):
        """Pixels on the background, in the network's channels."""
        numpy = self.numpy
        values = numpy.asarray(picture)
        if values.dtype != numpy.uint8:
            # Cameras and scanners store 10, 12 and 14 bits in the lower bits of 16.
            bits = max(8, int(values.max(initial=0)).bit_length())
            values = numpy.clip(numpy.round(values / (2.0**bits - 1) * 255), 0, 255).astype(numpy.uint8)
        if values.ndim == 2:
            values = values[..., None]
        alpha = values[..., -1:] if values.shape[2] in (2, 4) else None
        colour = values[..., : 1 if values.shape[2] <= 2 else 3]
        if self.channels == 1 and colour.shape[2] == 3:
            weighted = colour.astype(numpy.uint32) * numpy.array(LUMA, numpy.uint32)
            colour = (weighted.sum(axis=2, keepdims=True) // 10000).astype(numpy.uint8)
        elif self.channels == 3 and colour.shape[2] == 1:
            colour = colour.repeat(3, axis=2)
        if alpha is None or (alpha == 255).all():
            return colour, True
        share = alpha.astype(numpy.float32) / numpy.float32(255)
        mixed = colour / numpy.float32(255) * share + numpy.float32(self.background) * (1 - share)
        return numpy.floor(mixed * 255 + 0.5).clip(0, 255).astype(numpy.uint8), False

    def _digit(self, pixels, is_opaque, invert):
        """A digit that already looks like a training image."""
        if not is_opaque or pixels.shape[:2] != (self.height, self.width):
            raise NeedsTheCommand
        values = pixels[..., 0].astype(self.numpy.float32) / self.numpy.float32(255)
        border = self.numpy.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
        paper = self.numpy.sort(border)[len(border) // 2]
        if (abs(values - paper) <= PAPER_SPREAD).all():
            raise NeedsTheCommand
        if paper <= PAPER_SPREAD and invert != "always":
            return pixels
        if paper >= 1 - PAPER_SPREAD and invert != "never":
            return 255 - pixels
        raise NeedsTheCommand

    def _framed(self, pixels, box, is_inverted):
        """Brings pixels to the network's size with a bilinear filter that covers all old pixels within each new one."""
        if pixels.shape[:2] == (self.height, self.width):
            return pixels
        left, top, right, bottom = box
        old, new = (bottom - top, right - left), (self.height, self.width)
        if self.fit == "stretch":
            return self._resized(pixels, box, new)
        if self.fit == "crop":
            # The largest part that has the network's proportions, in the middle.
            scale = min(old[0] / new[0], old[1] / new[1])
            part = new[0] * scale, new[1] * scale
            margin = [max((whole - kept) / 2, 0.0) for whole, kept in zip(old, part)]
            start = left + margin[1], top + margin[0]
            rows, columns = pixels.shape[:2]
            end = min(start[0] + part[1], columns), min(start[1] + part[0], rows)
            return self._resized(pixels, (*start, *end), new)
        scale = min(new[0] / old[0], new[1] / old[1])
        inner = [min(max(int(side * scale + 0.5), 1), most) for side, most in zip(old, new)]
        background = int(self.background * 255 + 0.5)
        out = self.numpy.full((*new, self.channels), 255 - background if is_inverted else background, self.numpy.uint8)
        top, left = (new[0] - inner[0]) // 2, (new[1] - inner[1]) // 2
        out[top:top + inner[0], left:left + inner[1]] = self._resized(pixels, box, inner)
        return out

    def _resized(self, pixels, box, size):
        picture = self.image.fromarray(pixels[..., 0] if self.channels == 1 else pixels)
        resized = picture.resize((size[1], size[0]), self.image.Resampling.BILINEAR, box=box)
        return self.numpy.asarray(resized).reshape(size[0], size[1], self.channels)
