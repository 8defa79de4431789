"""entities-en-v2: WikiANN and WNUT-17 on all-MiniLM-L6-v2's layers, with capitals (cased.py).  CoNLL-2003 is only measured."""
import random

import cased, corpora, english, entities
from steps import loaded, measured, once, prepared, trained

SEED = 41
TOKENS = 9500
entities.TYPES.update({"MISC": "MISC"})


def rows(data):
    """Both sets, each mention exchanged for others as well; some in capitals alone, as headings are."""
    rng = random.Random(SEED)
    wiki, wnut = (list(entities.sentences(data / f"{part}-train.conll")) for part in ("wikiann-en", "wnut17"))
    plain = [[entities.row(w, entities.spans(w, t)) for w, t in part] for part in (wiki, wnut)]
    out = plain[0] + plain[1] * 2
    for part in (wiki, wnut, wnut):
        out += entities.exchanged(part, rng)
    out += [(text.upper(), spans) for text, spans in rng.sample(plain[0], 1500) if len(text.upper()) == len(text)]
    rng.shuffle(out)
    return out


def texts(data):
    return ([t for part in ("wikiann-en", "wnut17") for t, _ in entities.rows(data, f"{part}-train.conll")] * 3
            + corpora.reuters(data)[::3] + corpora.wikitext(data) + english.tweets(data)[::4])


def make(a):
    to = a.work / "minilm-cased"
    once("cased files", f"1, {TOKENS}", lambda: cased.make(a.minilm, texts(a.data), TOKENS, to))
    loaded("minilm-cased", to, more=", task => 'embed'")
    prepared("names_train", "body text, spans jsonb", lambda: rows(a.data))
    for part in ("wikiann-en", "wnut17", "conll2003"):
        prepared(f"names_{part[:4]}", "body text, spans jsonb", lambda: entities.rows(a.data, f"{part}-dev.conll"))
    trained("entities-en-v2", "distil_train", "SELECT body, spans FROM names_train ORDER BY id", "minilm-cased", task="entities", epochs=3,
            learning_rate=1.5e-4, batch_size=32, max_tokens=128, validation_query="SELECT body, spans FROM names_wiki WHERE id <= 2000")
    for part, name in (("wiki", "WikiANN dev"), ("wnut", "WNUT-17 dev"), ("conl", "CoNLL-2003 dev")):
        measured("entities-en-v2", f"SELECT body, spans FROM names_{part}", name)
