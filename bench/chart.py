#!/usr/bin/env python3
"""The chart of speed in README.md: from bench/peers.py's results to an SVG.

    build/peers/venv/bin/python bench/chart.py build/peers/results.json doc/speed.svg

peers.py calls it at its end.  Bars are speeds on the same texts, ONNX Runtime's
being 1; of each rival the fastest of its ways counts.
"""
import json
import re
import sys

COLOURS = {"distilbert": "#2f6fb3", "ONNX Runtime": "#b8bec6", "OpenVINO": "#8b93a0"}


def name_of(label):
    """A case's name for a reader: "128 tokens", "128 SST-2 sentences"."""
    named = re.fullmatch(r"(\d+) (sst|imdb) by 32", label)
    kinds = {"sst": "sentences", "imdb": "reviews"}
    return f"{named[1]} {kinds[named[2]]}" if named else f"1 text of {label}"


def shown(cases):
    single = ("16 tokens", "128 tokens", "512 tokens")
    return [label for label in cases if label in single or re.fullmatch(r"\d+ (sst|imdb) by 32", label)]


def speeds(case):
    """Speed by side; ours classifies, as the rivals' graph does."""
    ours = case["ratios"]["best classify"]
    return {"distilbert": ours, "ONNX Runtime": 1.0, "OpenVINO": ours / case["ratios"]["openvino classify"]}


def draw(report, path):
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    matplotlib.rcParams.update({"svg.hashsalt": "distilbert", "svg.fonttype": "none",
                                "font.family": "sans-serif"})

    cases = report["cases"]
    labels = shown(cases)
    figure, axis = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    for i, (side, colour) in enumerate(COLOURS.items()):
        heights = [speeds(cases[label]["fp32"])[side] for label in labels]
        bars = axis.bar([x + 0.27 * (i - 1) for x in range(len(labels))], heights, 0.25, label=side, color=colour)
        axis.bar_label(bars, [f"{h:.2f}" for h in heights], fontsize=8)
    axis.set_xticks(range(len(labels)), [name_of(label) for label in labels])
    axis.set_ylabel("speed, ONNX Runtime = 1")
    axis.set_title(f"DistilBERT-base, fp32, one core\n{report['versions']['fp32']}", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, ncols=3, fontsize=9, loc="upper left", bbox_to_anchor=(0, 1.02))
    axis.set_ylim(0, 1.25 * axis.get_ylim()[1])
    figure.savefig(path, metadata={"Date": None})


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        draw(json.load(file), sys.argv[2])


if __name__ == "__main__":
    main()
