#!/usr/bin/env python3
"""Whether a test on the penultimate features finds what those on the outputs do not.

    python features.py MODEL.onnx MNIST_FOLDER FASHION_FOLDER

needs numpy, scipy, pillow, onnx and onnxruntime. For each shift and two sizes of a window, the share of 60 draws in which
each of four tests rejects at 1 %: BBSDs (Kolmogorov and Smirnov's test of each output, Bonferroni), MMD of the features
with a Gaussian kernel against 500 images (its null distribution from 400 clean windows), Kolmogorov and Smirnov's test of
the Mahalanobis distance of the features to the mean of the predicted class, and Fisher's test of the unsure answers.
"""

import sys

import numpy as np
import onnx
import onnxruntime
from scipy import stats

from shifts import NO_CLASS, SHIFTS, idx

LEVEL, DRAWS, SIZES, KERNEL_IMAGES = 0.01, 60, (50, 250), 500
NAMES = ["none", "noise 0.05", "noise 0.1", "noise 0.2", "blur 0.5", "blur 1.0", "rotation 5°", "rotation 10°"]
NAMES += ["rotation 15°", "shift by 1", "shift by 2", "contrast 0.5", "contrast 0.75", "coarse 14×14", "zoom 1.2", "thinner"]
NAMES += ["covered 6×6", "rotation 45° of a fifth"]


def squared_distances(first, second):
    return (first * first).sum(1)[:, None] + (second * second).sum(1)[None] - 2 * first @ second.T


def main():
    path, mnist, fashion = sys.argv[1:4]
    model = onnx.load(path)
    features = model.graph.node[-1].input[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(features, 1, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)

    def run(images):
        batches = np.array_split(images, 20)
        found = [session.run(None, {"images": batch[:, None].astype(np.float32) / 255}) for batch in batches]
        logits, features = (np.concatenate(part) for part in zip(*found))
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True), features

    images, labels = idx(mnist, "t10k-images"), idx(mnist, "t10k-labels")
    random = np.random.default_rng(0)
    first, second = np.split(random.permutation(len(images)), 2)
    clean, clean_features = run(images)
    reference, outputs = clean_features[first], clean[first]
    answers = outputs.argmax(1)
    means = np.stack([reference[answers == label].mean(0) for label in range(10)])
    covariance = np.cov((reference - means[answers]).T) + 1e-2 * np.eye(reference.shape[1])
    precision = np.linalg.inv(covariance)

    def mahalanobis(outputs, features):
        difference = features - means[outputs.argmax(1)]
        return np.einsum("ij,jk,ik->i", difference, precision, difference)

    distances = np.sort(mahalanobis(outputs, reference))
    part = reference[:KERNEL_IMAGES]
    own = squared_distances(part, part)
    scale = 1 / np.median(own[np.triu_indices(KERNEL_IMAGES, 1)])
    within = (np.exp(-scale * own).sum() - KERNEL_IMAGES) / (KERNEL_IMAGES * (KERNEL_IMAGES - 1))

    def mmd(features):
        count = len(features)
        kernel = np.exp(-scale * squared_distances(features, features))
        between = np.exp(-scale * squared_distances(features, part)).mean()
        return (kernel.sum() - count) / (count * (count - 1)) + within - 2 * between

    wrong = int((answers != labels[first]).sum())
    threshold = np.sort(outputs.max(1))[wrong]
    null = {size: np.array([mmd(clean_features[random.choice(second, size, False)]) for _ in range(400)]) for size in SIZES}

    def rejects(outputs_now, features_now, size):
        ks = [stats.ks_2samp(outputs_now[:, label], outputs[:, label], method="asymp").pvalue for label in range(10)]
        unsure = int((outputs_now.max(1) < threshold).sum())
        table = [[unsure, size - unsure], [wrong, len(first) - wrong]]
        return [
            10 * min(ks) < LEVEL,
            (null[size] >= mmd(features_now)).mean() < LEVEL,
            stats.ks_2samp(mahalanobis(outputs_now, features_now), distances, method="asymp").pvalue < LEVEL,
            stats.fisher_exact(table, "greater").pvalue < LEVEL,
        ]

    print("| shift | accuracy | " + " | ".join(f"{test}, {size}" for size in SIZES for test in ("BBSDs", "MMD", "Mahalanobis", "unsure")) + " |")

    def line(name, shifted, labels):
        found, features = run(shifted)
        cells = []
        for size in SIZES:
            draws = [random.choice(second, size, False) for _ in range(DRAWS)]
            share = np.mean([rejects(found[draw], features[draw], size) for draw in draws], 0)
            cells += [f"{100 * value:.0f}" for value in share]
        print(f"| {name} | {100 * (found.argmax(1) == labels).mean():.1f} | " + " | ".join(cells) + " |", flush=True)

    for number, name in enumerate(NAMES):
        line(name, SHIFTS[name](images, np.random.default_rng(number)), labels)
    for share in (0.05, 0.1, 0.2):
        chosen = random.random(len(images)) < share
        foreign = np.where(chosen[:, None, None], idx(fashion, "t10k-images"), images)
        line(f"Fashion, {share:.0%}", foreign, np.where(chosen, NO_CLASS, labels))


main()
