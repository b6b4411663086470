"""Predictions of the package beside those of the command."""

import json

import numpy
import pytest
from conftest import picture
from PIL import Image, ImageDraw

import burgeon

# How far a probability may be from the command's: rounding of filters, and of JPEG decoders.
PIXELS, JPEG = 1e-2, 3e-2


def of_the_command(command, run, path, *options):
    return json.loads(command("predict", run.path, path, "--json", *options))


def same(found, told, tolerance):
    assert found.name == told["class"]
    assert set(found.probabilities) == set(told["probabilities"])
    for name, share in told["probabilities"].items():
        assert abs(found.probabilities[name] - share) <= tolerance, (name, found.probabilities[name], share)
    assert found.probability == max(found.probabilities.values())


@pytest.fixture(scope="module", params=[("crop", 3), ("pad", 3), ("stretch", 1)], ids=lambda one: f"{one[0]}-{one[1]}")
def model(request, study, tmp_path_factory):
    fit, channels = request.param
    return burgeon.train(study(fit, channels), grow=False, runs=tmp_path_factory.mktemp("runs"), progress=False)


def test_pictures_of_any_kind_are_prepared_as_the_command_does(model, command, tmp_path):
    whole = picture("lying", 7, (97, 143))
    small, tall = picture("upright", 8, (16, 12)), picture("upright", 9, (120, 31))
    mask = Image.linear_gradient("L").resize(whole.size)
    turned = Image.Exif()
    files = {"whole.png": whole, "small.png": small, "tall.bmp": tall, "grey.png": whole.convert("L"),
             "palette.gif": whole.convert("P"), "plain.webp": whole, "deep.tiff": tall}
    for name, image in files.items():
        image.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    seen_through = whole.copy()
    seen_through.putalpha(mask)
    seen_through.save(tmp_path / "through.png")
    grey_through = whole.convert("L")
    grey_through.putalpha(mask)
    grey_through.save(tmp_path / "grey-through.png")
    sixteen = (numpy.asarray(whole.convert("L")).astype(numpy.uint16) << 4)
    Image.fromarray(sixteen).save(tmp_path / "sixteen.png")
    for orientation in range(1, 9):
        turned[0x0112] = orientation
        whole.save(tmp_path / f"turned-{orientation}.png", exif=turned)
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 18
    for path, found in zip(paths, burgeon.predict(model, paths)):
        same(found, of_the_command(command, model, path), PIXELS)


def test_jpeg_files_are_decoded_at_the_size_that_the_command_takes(model, command, tmp_path):
    for rows, columns in ((33, 25), (97, 143), (250, 410)):
        whole = picture("upright", rows, (rows, columns))
        for orientation in (1, 3, 6, 8):
            turned = Image.Exif()
            turned[0x0112] = orientation
            whole.save(tmp_path / f"{rows}-{orientation}.jpg", exif=turned, quality=92)
        whole.save(tmp_path / f"{rows}-progressive.jpg", progressive=True)
        whole.convert("L").save(tmp_path / f"{rows}-grey.jpg")
    paths = sorted(tmp_path.iterdir())
    for path, found in zip(paths, burgeon.predict(model, paths)):
        same(found, of_the_command(command, model, path), JPEG)


def test_one_picture_gives_one_answer_from_any_form_of_the_model(run, command, photos):
    path = photos / "lying" / "3.png"
    told = of_the_command(command, run, path)
    for model in (run, run.path, str(run.model), run.model / "model.onnx"):
        same(burgeon.predict(model, path), told, PIXELS)
    same(burgeon.predict(run, Image.open(path)), told, PIXELS)
    assert burgeon.predict(run, []) == []


def test_bytes_of_the_networks_size_are_taken_as_they_are(run, command, tmp_path):
    pixels = numpy.stack([numpy.asarray(picture(label, 5, (16, 12))) for label in ("lying", "upright")] * 40)
    found = burgeon.predict(run, pixels)
    assert len(found) == 80
    Image.fromarray(pixels[1]).save(tmp_path / "one.png")
    same(found[1], of_the_command(command, run, tmp_path / "one.png"), 1e-5)
    assert found[1] == found[79]
    for wrong in (pixels.astype(numpy.float32), pixels[:, :8]):
        with pytest.raises(ValueError, match=r"takes uint8 \[images, 16, 12, 3\]"):
            burgeon.predict(run, wrong)


def test_digits_are_taken_as_they_are_or_found_by_the_command(digits, command, tmp_path):
    def drawing(side, paper, ink):
        image = Image.new("L", (side, side), paper)
        width = max(2, side // 10)
        ImageDraw.Draw(image).line([(side // 2, side // 5), (side // 2, side * 4 // 5)], ink, width)
        return image

    drawing(28, 0, 255).save(tmp_path / "trained.png")
    drawing(28, 255, 0).save(tmp_path / "inverted.png")
    drawing(200, 240, 10).convert("RGB").save(tmp_path / "paper.png")
    paths = sorted(tmp_path.iterdir())
    for path, found in zip(paths, burgeon.predict(digits, paths)):
        same(found, of_the_command(command, digits, path), PIXELS)
    with pytest.raises(burgeon.BurgeonError, match="found and centred first"):
        burgeon.predict(digits, drawing(200, 240, 10))
    with pytest.raises(burgeon.CommandError, match="burgeon predict"):
        drawing(200, 240, 240).save(tmp_path / "blank.png")
        burgeon.predict(digits, tmp_path / "blank.png")


def test_dark_and_light_are_exchanged_where_that_is_asked_for(run, command, photos):
    path = photos / "upright" / "4.png"
    same(burgeon.predict(run, path, invert="always"), of_the_command(command, run, path, "--invert", "always"), PIXELS)
    with pytest.raises(ValueError, match="'auto', 'always' or 'never'"):
        burgeon.predict(run, path, invert="perhaps")


def test_what_is_no_picture_and_what_is_no_model_is_told(run, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(burgeon.BurgeonError, match="text.png cannot be read as a picture"):
        burgeon.predict(run, tmp_path / "text.png")
    with pytest.raises(burgeon.BurgeonError, match="has no model"):
        burgeon.predict(tmp_path, tmp_path / "text.png")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(burgeon.BurgeonError, match="cannot be loaded by ONNX Runtime"):
        burgeon.predict(tmp_path, tmp_path / "text.png")
