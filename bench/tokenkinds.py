#!/usr/bin/env python3
"""Tokenizers of every kind against Hugging Face's, on one core.

    make bench/tokens
    python3 bench/tokenkinds.py [--text file] [--rounds n] [folder ...]

Without folders: all tokenizer-* of ../shared/golden (or $DBERT_SHARED), or where
that is absent of test/fixtures.  For each, MB/s of ours and of the rival's three
ways (process time, taken in turns; the text's lines one by one), and how many
times as fast as the best of them we are.  Then the time that a text takes us per
byte without its spaces, as one word, by that with them (medians of times taken in
turns): the letters of the text, and all of it.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess

import peers


def without_spaces(folder, prose, rounds):
    """Our time per byte for the prose without its spaces, by that for all of it."""
    dense = prose.replace(b" ", b"")
    files = [peers.HOME / "spaces.txt", peers.HOME / "dense.txt"]
    for file, data in zip(files, (prose, dense)):
        file.write_bytes(data)
    run = subprocess.run([peers.ROOT / "bench" / "tokens", folder, *files], text=True, check=True,
                         input="\n" * rounds, stdout=subprocess.PIPE)
    times = [[float(t) for t in line.split()[::2]] for line in run.stdout.splitlines()]
    return statistics.median(b / len(dense) / (a / len(prose)) for a, b in times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("folders", type=pathlib.Path, nargs="*")
    args = parser.parse_args()
    peers.HOME.mkdir(parents=True, exist_ok=True)
    if not args.text:
        from pydoc_data.topics import topics
        args.text = peers.HOME / "prose.txt"
        args.text.write_text("\n".join(topics.values()), encoding="utf-8")
    shared = pathlib.Path(os.environ.get("DBERT_SHARED", peers.ROOT.parent / "shared")) / "golden"
    folders = args.folders or [p for root in (shared, peers.ROOT / "test" / "fixtures") for p in
                               sorted(root.glob("tokenizer-*")) if p.is_dir()]
    if not args.folders and shared.exists():
        folders = [p for p in folders if p.parent == shared]
    prose = b" ".join(args.text.read_bytes().split())
    letters = b" ".join(re.findall(rb"[A-Za-z]+", prose))
    print(f"{'tokenizer':28}  ours   encode  encode_batch  encode_batch_fast   x best   without spaces: letters   all")
    for folder in folders:
        t = peers.measure_tokenizers(args.rounds, args.text, folder)
        rate = [t[name]["MB/s"] for name in ("ours", "encode", "encode_batch", "encode_batch_fast")]
        best = min(v["ratio"] for name, v in t.items() if name != "ours")
        dense = [without_spaces(folder, text, args.rounds) for text in (letters, prose)]
        print(f"{folder.name.removeprefix('tokenizer-'):28} {rate[0]:5.1f}  {rate[1]:7.2f}  {rate[2]:12.2f}  {rate[3]:17.2f}"
              f"  {best:7.2f}   {dense[0]:23.2f}  {dense[1]:4.2f}", flush=True)


if __name__ == "__main__":
    main()
