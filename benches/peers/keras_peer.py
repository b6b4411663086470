"""The networks of models/*.toml in Keras on TensorFlow, with all data in memory: a peer for burgeon.

    python keras_peer.py --network single-conv --batch 64 --epochs 2

Prints a JSON line for every epoch.
"""

import argparse
import gzip
import json
import os
import pathlib
import time

parser = argparse.ArgumentParser()
parser.add_argument("--network", choices=["lenet", "single-conv", "compact"], default="lenet")
parser.add_argument("--data", default="data")
parser.add_argument("--images", type=int, default=55_000, help="as burgeon trains on")
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402

tf.config.threading.set_intra_op_parallelism_threads(args.threads)
tf.config.threading.set_inter_op_parallelism_threads(args.threads)
keras.utils.set_random_seed(1)


def idx(name, header):
    path = pathlib.Path(args.data) / name
    raw = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    return np.frombuffer(raw, np.uint8)[header:]


def network(name):
    if name == "lenet":
        body = [
            layers.Conv2D(6, 5, padding="same", activation="relu"), layers.MaxPooling2D(2),
            layers.Conv2D(16, 5, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
            layers.Dense(120, activation="relu"), layers.Dense(84, activation="relu")]
    elif name == "single-conv":
        body = [
            layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
            layers.Dense(128, activation="relu")]
    else:
        body = []
        for filters, pool in [(10, True), (16, True), (20, False), (24, False)]:
            body += [layers.Conv2D(filters, 3, padding="same"), layers.BatchNormalization(),
                     layers.ReLU()] + ([layers.MaxPooling2D(2)] if pool else [])
        body.append(layers.GlobalAveragePooling2D())
    return keras.Sequential([keras.Input((28, 28, 1)), *body, layers.Dense(10)])


class Timer(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.start
        print(json.dumps({"epoch": epoch + 1, "seconds": seconds}), flush=True)


x = idx("train-images-idx3-ubyte", 16).reshape(-1, 28, 28, 1)[:args.images].astype(np.float32)
x = (x / 255 - 0.1307) / 0.3081
y = idx("train-labels-idx1-ubyte", 8)[:args.images].astype(np.int64)
model = network(args.network)
model.compile(optimizer=keras.optimizers.Adam(1e-3),
              loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(x, y, batch_size=args.batch, epochs=args.epochs, verbose=0, callbacks=[Timer()])
