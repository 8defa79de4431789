#!/usr/bin/env python3
"""What threads and unread rows save: the encoder of bench/encode, interleaved.

Prints the median milliseconds of each way of computing the same texts, and the
median over the rounds of its ratio to the first way.
"""
import argparse
import pathlib
import statistics
import subprocess

ENCODE = pathlib.Path(__file__).resolve().parent / "encode"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="*", default=[2])
    parser.add_argument("--kernels", nargs="*", default=[])
    parser.add_argument("--texts", nargs="*", default=["512", "128", "32", "23 " * 32],
                        help="token counts of the texts of a batch")
    args = parser.parse_args()

    encode = subprocess.Popen([ENCODE, *args.kernels], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(encode.stdout.readline().strip())
    ways = {"whole, 1 thread": "* threads 1", "1 thread": "threads 1"}
    for n in args.threads:
        ways |= {f"whole, {n} threads": f"* threads {n}", f"{n} threads": f"threads {n}"}

    def seconds(way, texts):
        encode.stdin.write(f"{way} {texts}\n")
        encode.stdin.flush()
        return float(encode.stdout.readline())

    for texts in args.texts:
        for way in ways.values():
            seconds(way, texts)
        samples = [[seconds(way, texts) for way in ways.values()] for _ in range(args.rounds)]
        lengths = texts.split()
        print(f"{len(lengths)} texts, {sum(map(int, lengths))} tokens")
        for i, name in enumerate(ways):
            print(f"  {name:18} {statistics.median(s[i] for s in samples) * 1e3:9.2f} ms"
                  f"   x{statistics.median(s[0] / s[i] for s in samples):.2f}"
                  f"   least {min(s[i] for s in samples) * 1e3:9.2f} ms", flush=True)


if __name__ == "__main__":
    main()
