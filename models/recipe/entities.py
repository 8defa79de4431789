"""Rows for the entities model: WikiANN and WNUT-17, as texts with spans of PER, ORG, LOC and MISC."""
TYPES = {"PER": "PER", "ORG": "ORG", "LOC": "LOC", "person": "PER", "location": "LOC", "corporation": "ORG", "group": "ORG",
         "creative-work": "MISC", "product": "MISC"}


def sentences(path):
    """(words, tags) of each sentence of a file in CoNLL's format."""
    words, tags = [], []
    for line in open(path, encoding="utf-8"):
        parts = line.rstrip("\n").split("\t") if "\t" in line else line.split()     # CoNLL-2003 has spaces
        if len(parts) < 2 or not parts[0] or parts[0] == "-DOCSTART-":
            if words:
                yield words, tags
            words, tags = [], []
            continue
        words.append(parts[0].removeprefix("en:") if "wikiann" in str(path) else parts[0])
        tags.append(parts[-1])
    if words:
        yield words, tags


def spans(words, tags, types=TYPES):
    """(first word, word after the last, type) of each entity."""
    out, begin = [], None
    for i, tag in enumerate(list(tags) + ["O"]):
        if begin is not None and (tag[0] != "I" or tag[2:] != tags[begin][2:]):
            out.append((begin, i, types[tags[begin][2:]]))
            begin = None
        if begin is None and tag != "O":
            begin = i
    return out


def row(words, entities):
    """The text, and its spans as distil_train reads them."""
    starts, at = [], 0
    for w in words:
        starts.append(at)
        at += len(w) + 1
    return " ".join(words), [{"start": starts[a], "end": starts[b - 1] + len(words[b - 1]), "label": t}
                             for a, b, t in entities]


def rows(data, name):
    return [row(words, spans(words, tags)) for words, tags in sentences(data / name)]


def exchanged(rows, rng, share=0.6):
    """The rows (text, spans) once more, each mention with `share` replaced by one of its type from another text: names in
    sentences where they never stood.  Texts without an entity are left out."""
    pool = {}
    for text, marks in rows:
        for m in marks:
            pool.setdefault(m["label"], []).append(text[m["start"]:m["end"]])
    out = []
    for text, marks in rows:
        new, found, at = "", [], 0
        for m in sorted(marks, key=lambda m: m["start"]):
            if m["start"] < at:
                continue        # spans that overlap: the first stays
            name = rng.choice(pool[m["label"]]) if rng.random() < share else text[m["start"]:m["end"]]
            new += text[at:m["start"]]
            found.append({"start": len(new), "end": len(new) + len(name), "label": m["label"]})
            new += name
            at = m["end"]
        if found:
            out.append((new + text[at:], found))
    return out
