#!/usr/bin/env python3
"""A picture of the terminal, from the real output of "make demo".

    bash test/demo.sh | python3 test/picture.py doc/demo.svg      ("make picture")

Takes the queries named below with all that follows them up to the next query,
and writes them as text of an SVG, so that it stays sharp and can be searched.
Lines of tables are drawn, not written: fonts differ in how far such characters
reach.  Needs nothing beyond Python.
"""
import sys
from xml.sax.saxutils import escape

SHOWN = ("SELECT body, round(distil_sentiment", "SELECT product, count(*)", "SELECT note, entity")
WIDTH, HEIGHT, SIZE, MARGIN = 8.4, 18, 14, 16      # of a character, in pixels
COLOURS = {"query": "#7fd1ff", "time": "#8a93a0", "text": "#e6e6e6", "line": "#5c6670", "back": "#16191d"}

# Which halves of its cell a character of a table's border fills: left, right, up, down.
BORDERS = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu",
           "├": "rud", "┤": "lud", "┬": "lrd", "┴": "lru", "┼": "lrud"}


def shown_lines(output):
    """(kind, text) of the lines of the queries that are shown."""
    lines, showing, in_query = [], False, False
    for text in output.expandtabs(4).splitlines():
        if text.startswith(("SELECT ", "CREATE ", "== ")):
            showing, in_query = text.startswith(SHOWN), True
            if showing and lines:
                lines.append(("text", ""))
        elif text.startswith("┌"):
            in_query = False
        if showing and text:
            lines.append(("query" if in_query else "time" if text.startswith("Time:") else "text", text))
    return lines


def strokes(column, row, sides):
    """Lines from a cell's middle to those of its sides."""
    x, y = MARGIN + (column + 0.5) * WIDTH, MARGIN + (row + 0.5) * HEIGHT
    ends = {"l": (x - WIDTH / 2, y), "r": (x + WIDTH / 2, y), "u": (x, y - HEIGHT / 2), "d": (x, y + HEIGHT / 2)}
    return "".join(f"M{x:.1f} {y:.1f}L{ends[s][0]:.1f} {ends[s][1]:.1f}" for s in sides)


def words(kind, text, row):
    """The text without borders; each run of it is as wide as its characters are many."""
    blank = "".join(" " if c in BORDERS else c for c in text)
    start = 0
    for run in blank.split("  "):
        word = run.strip()
        if word:
            x = MARGIN + (start + run.index(word)) * WIDTH
            yield (f'<text x="{x:.1f}" y="{MARGIN + row * HEIGHT + 13}" fill="{COLOURS[kind]}" '
                   f'textLength="{len(word) * WIDTH:.1f}">{escape(word)}</text>')
        start += len(run) + 2


def svg(lines):
    width = 2 * MARGIN + WIDTH * max(len(text) for _, text in lines)
    height = 2 * MARGIN + HEIGHT * len(lines)
    path = "".join(strokes(column, row, BORDERS[c]) for row, (_, text) in enumerate(lines)
                   for column, c in enumerate(text) if c in BORDERS)
    body = [part for row, (kind, text) in enumerate(lines) for part in words(kind, text, row)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'font-family="ui-monospace, \'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="{SIZE}">',
        "<title>psql: distil_sentiment and distil_entities over a table of reviews</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{COLOURS["back"]}"/>',
        f'<path d="{path}" stroke="{COLOURS["line"]}" fill="none"/>', *body, "</svg>", ""])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = shown_lines(sys.stdin.read())
    if sum(text.startswith(SHOWN) for _, text in lines) != len(SHOWN):
        sys.exit("picture.py: the demo's output lacks queries that are to be shown")
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(svg(lines))


if __name__ == "__main__":
    main()
