"""entities-en-v2: WikiANN and WNUT-17 on all-MiniLM-L6-v2's layers, with capitals (cased.py); then natural sentences, too, which a
first model labels (silver.py).  CoNLL-2003 is only measured."""
import collections, random

import cased, corpora, english, entities, silver
from server import sql
from steps import loaded, measured, once, prepared, trained

SEED = 41
TOKENS = 9500
entities.TYPES.update({"MISC": "MISC"})


def rows(data, seed):
    """Both sets, each mention exchanged for others as well; some in capitals alone, as headings are."""
    rng = random.Random(seed)
    wiki, wnut = (entities.rows(data, f"{part}-train.conll") for part in ("wikiann-en", "wnut17"))
    out = wiki + wnut * 2
    for part in (wiki, wnut, wnut):
        out += entities.exchanged(part, rng)
    out += [(text.upper(), spans) for text, spans in rng.sample(wiki, 1500) if len(text.upper()) == len(text)]
    rng.shuffle(out)
    return out


def texts(data):
    return ([t for part in ("wikiann-en", "wnut17") for t, _ in entities.rows(data, f"{part}-train.conll")] * 3
            + corpora.reuters(data)[::3] + corpora.wikitext(data) + english.tweets(data)[::4])


def known(data):
    """{name: how often each type} in the annotated sets, and WikiANN's persons as lists of words."""
    counts, people = collections.defaultdict(collections.Counter), []
    for part in ("wikiann-en", "wnut17"):
        for words, tags in entities.sentences(data / f"{part}-train.conll"):
            for a, b, t in entities.spans(words, tags):
                counts[" ".join(words[a:b])][t] += 1
                if t == "PER" and part == "wikiann-en" and b - a < 4 and all(w[0].isalpha() for w in words[a:b]):
                    people.append(words[a:b])
    return counts, people


def natural(data):
    """What names-first says of the natural sentences, made consistent; comments; a part of both in capitals alone."""
    rng = random.Random(SEED)
    counts, people = known(data)
    texts = {int(i): t for i, t in sql("SELECT id, body FROM names_plain")}
    said = [(int(i), label, int(a) - 1, int(b), float(score)) for i, label, a, b, score in sql("SELECT * FROM names_said ORDER BY id, start_pos")]
    out = silver.consistent(texts, said, counts) + silver.comments(data, people)
    named = [row for row in out if row[1] and len(row[0].upper()) == len(row[0])]
    out += [(text.upper(), spans) for text, spans in rng.sample(named, len(named) // 8)]
    rng.shuffle(out)
    return out


def measure(model):
    for part, name in (("wiki", "WikiANN dev"), ("wnut", "WNUT-17 dev"), ("conl", "CoNLL-2003 dev")):
        measured(model, f"SELECT body, spans FROM names_{part}", name)


def make(a):
    to = a.work / "minilm-cased"
    once("cased files", f"1, {TOKENS}", lambda: cased.make(a.minilm, texts(a.data), TOKENS, to))
    loaded("minilm-cased", to, more=", task => 'embed'")
    prepared("names_train", "body text, spans jsonb", lambda: rows(a.data, SEED))
    for part in ("wikiann-en", "wnut17", "conll2003"):
        prepared(f"names_{part[:4]}", "body text, spans jsonb", lambda: entities.rows(a.data, f"{part}-dev.conll"), version=2)
    options = dict(task="entities", epochs=2, batch_size=32, max_tokens=128, validation_query="SELECT body, spans FROM names_wiki WHERE id <= 2000")
    trained("names-first", "distil_train", "SELECT body, spans FROM names_train ORDER BY id", "minilm-cased", learning_rate=3e-4, **options)
    prepared("names_plain", "body text", lambda: [(t,) for t in silver.plain(a.data)])
    once("names_said", "1", lambda: sql("DROP TABLE IF EXISTS names_said; CREATE TABLE names_said AS SELECT id, label, start_pos, end_pos, score "
                                        "FROM names_plain, distil_entities(body, 'names-first')"))
    prepared("names_natural", "body text, spans jsonb", lambda: natural(a.data))
    prepared("names_again", "body text, spans jsonb", lambda: rows(a.data, SEED + 1))
    trained("entities-en-v2", "distil_train",
            "SELECT body, spans FROM (SELECT body, spans FROM names_again UNION ALL SELECT body, spans FROM names_natural) AS t ORDER BY md5(body)",
            "names-first", learning_rate=2e-4, **options)
    for model in ("names-first", "entities-en-v2"):
        measure(model)
