#!/usr/bin/env python3
"""Our int8 against our fp32: DistilBERT-base, one core, interleaved.

    python3 bench/int8.py [KERNELS [ROUNDS]]

Starts bench/encode twice and gives both the same batches in turn: single texts
of 8 to 512 tokens, and the token counts of real texts (lengths.json) in
batches of 32.  Figures are medians over the rounds of the thread's processor
time, and of the ratios within a round; pinned to the last core.
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SINGLE = [8, 16, 32, 64, 128, 256, 512]
BATCH = 32


class Encoder:
    def __init__(self, kernels, precision):
        self.process = subprocess.Popen([ROOT / "bench" / "encode", kernels, precision], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.name = self.process.stdout.readline().strip()

    def seconds(self, lengths, whole=False):
        self.process.stdin.write("*" * whole + " ".join(map(str, lengths)) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def giga_operations(lengths):
    """Of the products and of attention; 6 layers of 768, 12 heads, feed-forward 3072."""
    return sum(6 * (2 * t * 12 * 768 * 768 + 4 * t * t * 768) for t in lengths) / 1e9


def main():
    kernels = sys.argv[1] if len(sys.argv) > 1 else "best"
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    fp32, int8 = Encoder(kernels, "fp32"), Encoder(kernels, "int8")
    texts = json.load(open(ROOT / "bench" / "lengths.json"))
    cases = [(f"1 x {t} tokens", [[t]]) for t in SINGLE]
    cases += [(f"{len(l)} {name}", [l[i:i + BATCH] for i in range(0, len(l), BATCH)]) for name, l in texts.items()]
    print(f"{fp32.name}, {int8.name}: texts/s (giga-operations/s), medians of {rounds}")
    for label, batches in cases:
        count = sum(map(len, batches))
        work = sum(map(giga_operations, batches))
        times = []
        for _ in range(rounds):
            times.append([sum(map(side.seconds, batches)) for side in (fp32, int8)])
        a, b = (statistics.median(column) for column in zip(*times))
        ratio = statistics.median(x / y for x, y in times)
        print(f"{label:>16}  {count / a:7.1f} ({work / a:4.0f})  {count / b:7.1f} ({work / b:4.0f})  x {ratio:.2f}",
              flush=True)


if __name__ == "__main__":
    main()
