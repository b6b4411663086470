#!/usr/bin/env python3
"""Writes scipy.json, SciPy's values that `scipy.rs` compares with: `python scipy.py > scipy.json`, with SciPy 1.17.1."""

# The script has the name of the package, and would import itself.
import sys

sys.path = sys.path[1:]

import json
import warnings

import numpy as np
from scipy import stats

# What SciPy says where it takes the approximation although the exact value was asked for would be an error here.
warnings.simplefilter("error")


def two_sample():
    sizes = [(5, 5), (7, 4), (20, 20), (25, 5000), (30, 70), (50, 5000), (100, 100), (137, 911), (250, 5000), (500, 500)]
    sizes += [(500, 5000), (499, 4999), (1000, 9000)]
    for first, second in sizes:
        common = np.lcm(first, second)
        least = 1 / np.sqrt(first * second / (first + second))
        for factor in (0.3, 0.7, 1.0, 1.3, 1.6, 2.0, 2.6, 4.0):
            distance = min(1.0, round(factor * least * common) / common)
            exact = stats._stats_py._attempt_exact_2kssamp(first, second, np.gcd(first, second), distance, "two-sided")
            harmonic = np.round(float(first) * second / (float(first) + second))
            yield [first, second, distance, exact[2], stats.kstwo.sf(distance, harmonic)]


def one_sample():
    """Every branch of the distribution of large samples."""
    for size in (1, 2, 5, 20, 140, 141, 455, 3000, 99_999, 200_000):
        scaled = [0.4, 0.6, 0.9, 1.0] + [factor * np.sqrt(size) for factor in (0.3, 0.6, 0.86, 1.1, 1.45, 1.5, 1.9, 2.1, 3, 5)]
        for value in scaled + [0.5 * size, 0.7 * size, size - 0.5]:
            if 0 < value < size:
                yield [size, value / size, stats.kstwo.sf(value / size, size)]


def samples():
    random = np.random.default_rng(7)
    for first, second in ((12, 30), (40, 40), (200, 300)):
        for digits in (1, 6):
            values = [np.round(random.normal(shift, 1, size), digits).astype(np.float32) for shift, size in ((0, first), (0.4, second))]
            found = [stats.ks_2samp(*values, method=method) for method in ("exact", "asymp")]
            yield [[value.tolist() for value in values], found[0].statistic, found[0].pvalue, found[1].pvalue]


def chi_square():
    random = np.random.default_rng(11)
    for classes in (2, 3, 10, 100, 1000):
        shares = random.dirichlet(np.full(classes, 3.0))
        for size in (200, 5000):
            table = np.array([random.multinomial(50_000, shares), random.multinomial(size, random.dirichlet(1e4 * shares))])
            table = table[:, table.sum(0) > 0]
            found = stats.chi2_contingency(table, correction=False)
            yield [table.tolist(), found.statistic, found.dof, found.pvalue]


def binomial():
    for right, images, accuracy in (
        [(0, 1, 0.5), (3, 3, 0.9), (0, 20, 0.1), (7, 20, 0.3), (18, 20, 0.97), (480, 500, 0.97), (470, 500, 0.97)]
        + [(500, 500, 0.97), (450, 500, 0.97), (9_600, 10_000, 0.97), (97_000, 100_000, 0.97), (50_400, 100_000, 0.5)]
    ):
        yield [right, images, accuracy] + [stats.binomtest(right, images, accuracy, way).pvalue for way in WAYS]


def fisher():
    for table in (
        [[[3, 1], [1, 3]], [[0, 5], [5, 0]], [[10, 0], [0, 0]], [[480, 20], [4900, 100]], [[450, 50], [4900, 100]]]
        + [[[5, 495], [50, 4950]], [[0, 500], [46, 4954]], [[49_000, 1_000], [9_700, 300]], [[12, 5], [29, 2]]]
    ):
        yield [table] + [stats.fisher_exact(table, way).pvalue for way in WAYS]


def mcnemar():
    for one, other in ((0, 0), (1, 0), (5, 5), (0, 6), (8, 2), (60, 85), (100, 40), (1000, 1100)):
        yield [one, other, stats.binomtest(one, one + other, 0.5).pvalue if one + other else 1.0]


WAYS = ("less", "greater", "two-sided")
TABLES = [two_sample, one_sample, samples, chi_square, binomial, fisher, mcnemar]
lines = []
for table in TABLES:
    rows = ",\n".join(json.dumps(row, default=float) for row in table())
    lines.append(f'"{table.__name__}": [\n{rows}\n]')
print("{\n" + ",\n".join(lines) + "\n}")
