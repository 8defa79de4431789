#!/usr/bin/env python3
"""Write test/fixtures/pairs.json: what transformers' pipelines and sentence-transformers'
CrossEncoder make of questions, labels, documents and masks, with the fixtures' models.

    python3 test/make_pairs.py [answers] [zero_shot] [rerank] [fill_mask]

Writes the parts that are named, all of them without a name, and keeps the others.  Needs torch and
transformers; answers need a version before 5, which still has the pipeline.  Models run in float64.
"""
import json
import os
import sys
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
warnings.filterwarnings("ignore")

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedTokenizerFast, pipeline

transformers.logging.set_verbosity_error()

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
OUT = os.path.join(HERE, "pairs.json")
LIMIT = 64                      # positions of the fixtures' models

LONG = " ".join("The %s day was %s than the others, and Anna said so in Berlin." % (a, b)
                for a, b in [("first", "warmer"), ("second", "colder"), ("third", "slower"),
                             ("last", "quicker"), ("next", "brighter"), ("only", "smaller"),
                             ("new", "louder"), ("long", "stranger")])

CONTEXTS = [
    "The letter was written by Ada, who lived in London.",
    "x",
    "Berlin berlin BERLIN",
    LONG,
    LONG + " " + LONG.upper(),
    "Cafe\u0301 re\u0301sume\u0301, na\u00efve E\u0301l\u00e8ve; \u1e9b\u0323 \uff46\uff55\uff4c\uff4c \u00df \ufb01n",
    "\U0001f600 happy \U0001f469\u200d\U0001f469\u200d\U0001f467 family \U0001f389\U0001f389 in Berlin \U0001f600",
    "\u5317\u4eac\u662f\u4e2d\u56fd\u7684\u9996\u90fd\u3002\u6771\u4eac\u3078\u884c\u304f\u3002 Anna \u5317\u4eac",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 and \u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd, \u0645\u0631\u062d\u0628\u0627.",
    "a\u0001b\u007fc \u200bzero\u200dwidth\ufeff \u00a0nbsp\u2028line \ufffd end",
    "Is [MASK] a special token, and [SEP] or [UNK]?",
    ("\u0391\u03b4\u03b1 \u03bf\u03b4\u03bf\u03c2 \u041a\u0438\u0435\u0432 \u0438 \u041c\u043e\u0441\u043a\u0432\u0430, " * 9).strip(),
    "unbelievably" * 40 + " " + LONG,
]
QUESTIONS = ["Who wrote the letter?", "Where did Anna say so?", "\u5317\u4eac \U0001f600 Caf\u00e9?"]
ANSWER_OPTIONS = [dict(top_k=1), dict(top_k=5), dict(top_k=4, no_answer=True), dict(top_k=3, max_answer_tokens=3)]

TEXTS = ["The film was a delight, I loved the music!", "Worst meal ever: cold soup, rude waiter.",
         "Caf\u00e9 \U0001f600 \u5317\u4eac", LONG]
LABELS = [["film", "food", "politics"], ["one"], ["film", "film", "Caf\u00e9 \U0001f600", ""],
          ["the new day was longer and stranger than the second day and the third day in Berlin", "b"]]
TEMPLATES = ["This example is {}.", "\u00dcber {}, said Anna!"]

DOCS = ["The letter was written by Ada, who lived in London.", "", "Berlin", LONG, "\u5317\u4eac \U0001f600"]

MASKED = ["The capital of France is [MASK].", "I [MASK] this film, it was [MASK]!", "[MASK]",
          "The room was[MASK]clean, \U0001f600 [MASK] caf\u00e9.", "It's [MASK], isn't it? Don't!",
          "[UNK] zq [MASK] [PAD] [SEP] unbelievable", "\u5317\u4eac [MASK] \u0645\u0631\u062d\u0628\u0627"]
TARGETS = [None, ["good", "film", "the"], ["Film", "unbelievable", "", "film", "##ing", "[UNK]", "[PAD]"]]


def fixture(name):
    path = os.path.join(HERE, name)
    types = name.startswith(("bert", "albert"))
    inputs = ["input_ids", "attention_mask"] + (["token_type_ids"] if types else [])
    with open(os.path.join(path, "tokenizer_config.json"), encoding="utf-8") as f:
        roles = {k: v for k, v in json.load(f).items() if k.endswith("_token")}
    if not roles:
        return path, AutoTokenizer.from_pretrained(path, model_max_length=LIMIT, model_input_names=inputs)
    # version 5 makes the tokenizers of BPE and Unigram anew; the file itself is what counts
    return path, PreTrainedTokenizerFast(tokenizer_file=os.path.join(path, "tokenizer.json"), model_max_length=LIMIT,
                                         model_input_names=inputs, **roles)


def answers():
    cases = answers_of("distilbert-qa", QUESTIONS, ANSWER_OPTIONS)
    for name in ("roberta-qa", "xlm-roberta-qa", "albert-qa"):
        cases += answers_of(name, QUESTIONS[:1], ANSWER_OPTIONS[2:3])
    return cases


def answers_of(name, questions, all_options):
    path, tok = fixture(name)
    qa = pipeline("question-answering", model=path, tokenizer=tok, dtype=torch.float64)
    cases = []
    for q in questions:
        for c in CONTEXTS:
            for o in all_options:
                found = qa(question=q, context=c, top_k=o["top_k"], max_answer_len=o.get("max_answer_tokens", 15),
                           handle_impossible_answer=o.get("no_answer", False))
                found = found if isinstance(found, list) else [found]
                # what fills up the list has a score of 0
                cases.append({"model": name, "question": q, "context": c, **o, "answers": [
                    {"answer": f["answer"] or None, "score": round(f["score"], 8),
                     "start": f["start"], "end": f["end"]} for f in found if f["score"] > 0]})
    return cases


def zero_shot():
    path, tok = fixture("distilbert-nli")
    zs = pipeline("zero-shot-classification", model=path, tokenizer=tok, dtype=torch.float64)
    cases = []
    for text in TEXTS:
        for labels in LABELS:
            for template in TEMPLATES:
                for multi in (False, True):
                    r = zs(text, labels, multi_label=multi, hypothesis_template=template)
                    cases.append({"text": text, "labels": labels, "template": template, "multi_label": multi,
                                  "scores": [{"label": l, "score": round(s, 8)} for l, s in zip(r["labels"], r["scores"])]})
    return cases


def rerank():
    """CrossEncoder.predict: sigmoid, or the logits where the configuration says so."""
    cases = []
    for name, act in (("distilbert-regression", torch.nn.Sigmoid()), ("bert-rerank", torch.nn.Identity())):
        path, tok = fixture(name)
        model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float64).eval()
        for query in QUESTIONS + [LONG]:
            with torch.no_grad():
                # in lists, as CrossEncoder does: an empty document alone would be no document at all
                enc = [tok([query], [d], truncation=True, return_tensors="pt") for d in DOCS]
                scores = [round(act(model(**e).logits)[0, 0].item(), 8) for e in enc]
            cases.append({"model": name, "query": query, "docs": DOCS, "scores": scores})
    return cases + rerank_by_modules("bert-rerank-modules")


def rerank_by_modules(name):
    """Whose scores are made by modules behind the pooling: by sentence-transformers itself."""
    from sentence_transformers import CrossEncoder
    cross = CrossEncoder(os.path.join(HERE, name), device="cpu").double()
    return [{"model": name, "query": query, "docs": DOCS,
             "scores": [round(float(cross.predict([(query, d)])[0]), 8) for d in DOCS]}
            for query in QUESTIONS + [LONG]]


def fill_mask():
    cases = []
    for name in ("distilbert-mlm", "bert-mlm", "bert-mlm-untied", "roberta-mlm", "camembert-mlm", "albert-mlm"):
        path, tok = fixture(name)
        fill = pipeline("fill-mask", model=path, tokenizer=tok, dtype=torch.float64)
        for text in MASKED:
            text = text.replace("[MASK]", tok.mask_token)
            for targets in TARGETS[:1 if "roberta" in name or name[:2] in ("ca", "al") else None]:
                found = fill(text, top_k=4, **({"targets": targets} if targets else {}))
                found = found if isinstance(found[0], list) else [found]
                cases.append({"model": name, "text": text, "targets": targets, "top_k": 4, "masks": [
                    [{"token": tok.convert_ids_to_tokens(f["token"]), "decoded": f["token_str"], "score": round(f["score"], 8),
                      "sequence": f["sequence"]} for f in mask] for mask in found]})
    return cases


def main():
    parts = sys.argv[1:] or ["answers", "zero_shot", "rerank", "fill_mask"]
    whole = {}
    if os.path.exists(OUT):
        with open(OUT, encoding="utf-8") as f:
            whole = json.load(f)
    for part in parts:
        whole[part] = {"produced_by": "transformers %s, torch %s, float64" % (transformers.__version__, torch.__version__),
                       "cases": globals()[part]()}
        print(part, len(whole[part]["cases"]))
    with open(OUT, "w", encoding="utf-8") as f:
        f.write("{" + ",\n".join('"%s": {"produced_by": %s, "cases": [\n%s\n]}' % (
            part, json.dumps(whole[part]["produced_by"]),
            ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in whole[part]["cases"]))
            for part in sorted(whole)) + "}\n")


if __name__ == "__main__":
    main()
