"""medical-en-v1: diseases, chemicals and genes in abstracts (NCBI-disease, BC5CDR, BC2GM; CC-BY-4.0).

Each set has some of the three types alone.  So a model of its own types is trained on each, and fills in what the others lack;
the last model learns from all, each mention also exchanged for others.  No file named test is read.

Tried, F1 on BC5CDR's development part of a model of that set alone, three epochs: learning rate 1e-4: 0.819, 2.5e-4: 0.832; two
epochs of the set and of its exchanged copy at 3e-4: 0.831; layers that first read the abstracts with words masked: 0.813.  A model
of three layers loses four points: this one keeps six."""
import json, random

import corpora, english, entities
from server import sql
from steps import measured, once, prepared, trained, trimmed

TYPES = {"Chemical": "CHEMICAL", "Disease": "DISEASE", "GENE": "GENE"}
SETS = {"ncbi": "NCBI-disease-IOB", "cdr": "BC5CDR-IOB", "gm": "BC2GM-IOB"}
SEED = 37
TOKENS = 10200


def rows(data, name, part):
    """(text, spans) of train or devel."""
    (_, body), = corpora.members(data / "more/bio-ner.tar.gz", [f"{SETS[name]}/{part}.tsv"])
    out, words, tags = [], [], []
    for line in body.splitlines() + [""]:
        if line.strip():
            word, tag = line.rstrip("\n").split("\t")[:2]
            words.append(word)
            tags.append(tag)
        elif words:
            out.append(entities.row(words, entities.spans(words, tags, TYPES)))
            words, tags = [], []
    return out


def filled(name, types):
    """The set with what the other sets' models find of the types that it lacks, unless it lies where an entity is known."""
    others = [m for m in ("cdr", "gm") if m != name]
    said = " UNION ALL ".join(f"SELECT label, start_pos, end_pos, score FROM distil_entities(t.body, 'medical-{m}')" for m in others)
    table = f"medical_{name}_filled"
    sql(f"""DROP TABLE IF EXISTS {table}; CREATE TABLE {table} AS
        SELECT t.id, t.body, t.spans || coalesce((SELECT jsonb_agg(jsonb_build_object('start', e.start_pos - 1, 'end', e.end_pos, 'label', e.label))
            FROM ({said}) AS e WHERE e.label <> ALL ('{{{",".join(types)}}}') AND e.score > 0.7 AND NOT EXISTS (SELECT FROM jsonb_array_elements(t.spans) AS s
                WHERE (s ->> 'start')::int < e.end_pos AND e.start_pos - 1 < (s ->> 'end')::int)), '[]') AS spans
        FROM medical_{name}_train AS t""")


def together():
    """All sets, filled; the two of diseases once more, with their mentions exchanged."""
    rng, out = random.Random(SEED), []
    for name in SETS:
        rows = [(text, json.loads(spans)) for text, spans in sql(f"SELECT body, spans FROM medical_{name}_filled ORDER BY id")]
        out += rows + (entities.exchanged(rows, rng) if name != "gm" else [])
    rng.shuffle(out)
    return out


def micro(model, measure, types):
    """F1 of some types together, out of what distil_evaluate says of each."""
    rows = [tuple(map(float, r)) for r in sql(f"""SELECT coalesce(precision, 0), coalesce(recall, 0), support FROM recipe_score
        WHERE model = '{model}' AND measure = '{measure}' AND label IN ({", ".join(f"'{t}'" for t in types)})""")]
    hits = sum(r * n for _, r, n in rows)
    said = sum(r * n / p for p, r, n in rows if p > 0)
    print(f"{model} on {measure}, {' and '.join(types)}: F1 {2 * hits / (said + sum(n for *_, n in rows)):.4f}", flush=True)


def make(a):
    known = {"ncbi": ["DISEASE"], "cdr": ["DISEASE", "CHEMICAL"], "gm": ["GENE"]}
    english.base(a)
    for name in SETS:
        prepared(f"medical_{name}_train", "body text, spans jsonb", lambda: rows(a.data, name, "train"))
        prepared(f"medical_{name}_dev", "body text, spans jsonb", lambda: rows(a.data, name, "devel"))
    texts = " UNION ALL ".join(f"SELECT body FROM medical_{name}_train" for name in SETS)
    trimmed("minilm-medical", "minilm", f"{texts} UNION ALL (SELECT body FROM english ORDER BY id LIMIT 3000)", TOKENS)
    options = dict(task="entities", batch_size=16, max_tokens=160, learning_rate=2.5e-4)
    for name in ("cdr", "gm"):
        trained(f"medical-{name}", "distil_train", f"SELECT body, spans FROM medical_{name}_train ORDER BY id", "minilm-medical",
                epochs=3 if name == "cdr" else 2, validation_query=f"SELECT body, spans FROM medical_{name}_dev WHERE id <= 1000", **options)
    for name in SETS:
        once(f"medical {name} filled", "3", lambda: filled(name, known[name]))
    prepared("medical_all", "body text, spans jsonb", together, version=3)
    trained("medical-en-v1", "distil_train", "SELECT body, spans FROM medical_all ORDER BY id", "minilm-medical", epochs=3,
            validation_query="SELECT body, spans FROM medical_cdr_dev WHERE id <= 1000", **options)
    for name, types in known.items():
        measured("medical-en-v1", f"SELECT body, spans FROM medical_{name}_dev", f"{name} dev")
        micro("medical-en-v1", f"{name} dev", types)
