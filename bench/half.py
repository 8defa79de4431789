#!/usr/bin/env python3
"""Weights of 16 bits against the same as floats: DistilBERT-base, one core, interleaved.

    python3 bench/half.py [KERNELS [ROUNDS]]

Starts bench/encode for fp32, f16 and bf16 and gives all the same texts in turn,
for classification and with every layer whole.  Figures are medians over the
rounds of the thread's processor time, and of the ratios within a round; pinned
to the last core.  The ceiling is the least time that the weights' bytes and the
operations allow, by the memory's speed and the multiply-add peak as
bench/kernels measures them; the share is that time by the one measured.
"""
import os
import re
import statistics
import subprocess
import sys

from int8 import ROOT, Encoder

TOKENS = [1, 2, 4, 8, 16, 32, 128, 512]
PRECISIONS = ["fp32", "f16", "bf16"]
LAYERS, WIDTH = 6, 768


def giga_operations(t, whole):
    """Of the products and of attention; the last layer of a classification goes on with one row."""
    layers = LAYERS if whole else LAYERS - 1
    work = layers * (24 * t * WIDTH ** 2 + 4 * t * t * WIDTH)
    if not whole:
        work += 4 * t * WIDTH ** 2 + 20 * WIDTH ** 2 + 4 * t * WIDTH
    return work / 1e9


def machine(kernels):
    """GFLOP/s of the multiply-add peak, GB/s of the memory."""
    output = subprocess.run([ROOT / "bench" / "kernels", "--machine", kernels], text=True, capture_output=True,
                            check=True).stdout
    return [float(x) for x in re.search(r"peak ([\d.]+) GFLOP/s, memory ([\d.]+)", output).groups()]


def measure(sides, tokens, whole, rounds):
    samples = {p: [] for p in sides}
    for _ in range(rounds):
        for p, side in sides.items():
            samples[p].append(side.seconds([tokens], whole))
    return samples


def show(kernels="best", rounds=15):
    """Prints; returns how many times as fast each is, by what is asked and the number of tokens."""
    report = {}
    sides = {p: Encoder(kernels, p) for p in PRECISIONS}
    name = sides["fp32"].name.split()[0]
    peak, memory = machine(name)
    print(f"{name}, weights of 16 bits: milliseconds in fp32, F16, BF16; times as fast; the share of the ceiling\n"
          f"(peak {peak:.1f} GFLOP/s, memory {memory:.1f} GB/s)")
    for whole in (False, True):
        for t in TOKENS:
            measure(sides, t, whole, 1)
            samples = measure(sides, t, whole, rounds)
            work = giga_operations(t, whole) / peak
            kind, ms, shares = "embed" if whole else "classify", [], []
            ratios = report[f"{kind} {t}"] = {
                p: statistics.median(a / b for a, b in zip(samples["fp32"], samples[p])) for p in PRECISIONS[1:]}
            for p in PRECISIONS:
                size = 12 * LAYERS * WIDTH ** 2 * (4 if p == "fp32" else 2) / 1e9
                seconds = statistics.median(samples[p])
                ms.append(f"{1e3 * seconds:7.2f}")
                shares.append(f"{max(work, size / memory) / seconds:.2f}")
            print(f"{kind:>10} {t:4d} tokens  {' '.join(ms)}  x {' '.join(f'{r:.2f}' for r in ratios.values())}"
                  f"  {' '.join(shares)}", flush=True)
    return report


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    show(sys.argv[1] if len(sys.argv) > 1 else "best", int(sys.argv[2]) if len(sys.argv) > 2 else 15)
