#!/usr/bin/env python3
"""MNIST turns into rotated MNIST, and the model follows: alarm, retraining, both gates, promotion, all by itself.

    python3 examples/drift/drift.py --data MNIST [--burgeon target/release/burgeon] [--work target/drift]

Needs nothing but Python. The digits that come in are training images, turned by an angle; their labels come as feedback from
four sources. The last figures are on turned test images, which nobody has labelled.
"""

import argparse
import gzip
import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request

STUDY = """
name = "digits"
data = {{ source = "mnist", validation = 5000, train = {train} }}
[model]
layers = [
  {{ conv = {{ filters = 6, kernel = 5, padding = "same" }} }}, {{ max-pool = {{ size = 2 }} }},
  {{ conv = {{ filters = 16, kernel = 5, padding = "valid" }} }}, {{ max-pool = {{ size = 2 }} }},
  {{ dense = {{ units = 120 }} }}, {{ dense = {{ units = 84 }} }},
]
[train]
epochs = {epochs}
schedule = "one-cycle"
learning-rate = 0.002
augment = {{ shift = 1, rotate = 10 }}
[gate]
accuracy = 0.97
[tune]
trials = 1
"""

RETRAIN = """
[retrain]
least = {least}
accuracy = 0.97
share = 0.4
"""


def mnist(folder, part):
    def read(name, skip):
        path = os.path.join(folder, name)
        opened = gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")
        with opened as file:
            return file.read()[skip:]

    pixels = read(f"{part}-images-idx3-ubyte", 16)
    labels = read(f"{part}-labels-idx1-ubyte", 8)
    return [(pixels[784 * at : 784 * (at + 1)], str(label)) for at, label in enumerate(labels)]


def turning(degrees):
    """For each pixel, those that it is mixed of, with their weights (bilinear)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    table = []
    for row in range(28):
        for column in range(28):
            y, x = row - 13.5, column - 13.5
            top, left = cos * y - sin * x + 13.5, sin * y + cos * x + 13.5
            r, c = math.floor(top), math.floor(left)
            parts = []
            for dr in (0, 1):
                for dc in (0, 1):
                    weight = (1 - abs(top - r - dr)) * (1 - abs(left - c - dc))
                    if 0 <= r + dr < 28 and 0 <= c + dc < 28 and weight > 0:
                        parts.append((28 * (r + dr) + c + dc, weight))
            table.append(parts)
    return table


def turned(digits, table):
    def one(image):
        return bytes(min(255, round(sum(image[at] * weight for at, weight in parts))) for parts in table)

    return [(one(image), label) for image, label in digits]


class Server:
    def __init__(self, address):
        self.address, self.failed, self.asked = address, 0, 0

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        self.asked += 1
        try:
            with urllib.request.urlopen(urllib.request.Request(self.address + path, data), timeout=30) as answer:
                return json.load(answer), answer.headers
        except OSError as error:
            self.failed += 1
            print("a request failed:", error)
            raise

    def classify(self, digits):
        pixels = [value for image, _ in digits for value in image]
        shape = [len(digits), 1, 28, 28]
        inputs = [{"name": "images", "shape": shape, "datatype": "UINT8", "data": pixels}]
        told, headers = self.ask("/v2/models/digits/infer", {"inputs": inputs})
        classes = next(output["data"] for output in told["outputs"] if output["name"] == "class")
        return headers["x-request-id"], told["model_version"], [str(label) for label in classes]

    def accuracy(self, digits):
        right, versions = 0, set()
        for at in range(0, len(digits), 250):
            _, version, classes = self.classify(digits[at : at + 250])
            right += sum(label == known for label, (_, known) in zip(classes, digits[at:]))
            versions.add(version)
        return right / len(digits), versions


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("BURGEON_DATA", "data"), help="the folder with MNIST")
    parser.add_argument("--burgeon", default="burgeon")
    parser.add_argument("--work", default="target/drift", help="a folder, which is emptied")
    parser.add_argument("--degrees", type=float, default=30)
    parser.add_argument("--labels", type=int, default=4000)
    parser.add_argument("--train", type=int, default=55000, help="images of the study")
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    options.data, work = os.path.abspath(options.data), os.path.abspath(options.work)
    burgeon = os.path.abspath(shutil.which(options.burgeon) or options.burgeon)
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    environment = dict(os.environ, BURGEON_DATA=options.data, NO_COLOR="1")

    def run(*arguments):
        print("$ burgeon", *arguments, flush=True)
        subprocess.run([burgeon, *arguments], cwd=work, env=environment, check=True)

    with open(os.path.join(work, "study.toml"), "w") as file:
        file.write(STUDY.format(train=options.train, epochs=options.epochs))
    run("train", "study.toml", "--quiet")
    run("registry", "add", "runs/digits-0001")
    run("registry", "promote", "production", "1")
    with open(os.path.join(work, "registry", "registry.toml"), "a") as file:
        file.write(RETRAIN.format(least=int(options.labels * 0.8)))

    test, table = mnist(options.data, "t10k"), turning(options.degrees)
    print(f"turning digits by {options.degrees:g}°", flush=True)
    new_test = turned(test[:2000], table)
    stream = turned(mnist(options.data, "train")[: options.labels], table)
    arguments = ["serve", "--registry", "registry", "--listen", "127.0.0.1:0", "--keep-images", "20000", "--log", "warn"]
    serving = subprocess.Popen([burgeon, *arguments], cwd=work, env=environment, stdout=subprocess.PIPE, text=True)
    watching = None
    try:
        server = Server(serving.stdout.readline().split()[-1].rstrip("/"))
        watching = subprocess.Popen([burgeon, "retrain", "--watch", "2"], cwd=work, env=environment)
        old, new = server.accuracy(test)[0], server.accuracy(new_test)[0]
        print(f"version 1: {old:.2%} of upright test digits, {new:.2%} of turned ones", flush=True)
        done = threading.Event()

        def asks_all_the_time():
            while not done.is_set():
                server.classify(stream[:1])
                time.sleep(0.2)

        someone = threading.Thread(target=asks_all_the_time, daemon=True)
        someone.start()
        print("turned digits come in", flush=True)
        shown = []
        for at in range(0, len(stream), 25):
            began = time.time()
            shown.append((server.classify(stream[at : at + 25])[0], stream[at : at + 25]))
            # Fifty images in a second are kept, those that are asked all the time among them.
            time.sleep(max(0.0, 0.6 - (time.time() - began)))
        drift = server.ask("/api/drift")[0]
        print("alarm of drift:", drift.get("alarm"), flush=True)
        print("feedback comes in", flush=True)
        for number, (request, digits) in enumerate(shown):
            for index, (_, label) in enumerate(digits):
                source = f"kiosk-{(number + index) % 4}"
                server.ask("/feedback", {"request": request, "index": index, "label": label, "source": source})
        began = time.time()
        while server.classify(stream[:1])[1] == "1":
            if time.time() - began > 3600 or watching.poll() is not None:
                sys.exit("no other version serves")
            time.sleep(1)
        done.set()
        someone.join()
        print(f"version 2 serves, {time.time() - began:.0f} s after the last label", flush=True)
        old_then, old = old, server.accuracy(test)[0]
        new = server.accuracy(new_test)[0]
        print(f"version 2: {old:.2%} of upright test digits, {new:.2%} of turned ones")
        print(f"{server.asked} requests, {server.failed} failed")
        passed = new >= 0.97 and old >= old_then - 0.01 and server.failed == 0 and drift.get("alarm")
        print("passed" if passed else "NOT passed")
        sys.exit(0 if passed else 1)
    finally:
        for process in (watching, serving):
            if process is not None:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
