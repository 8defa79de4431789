#!/usr/bin/env python3
"""Write the toy models: two layers of width 48, trained on the sentences of the
README's examples until they know them by heart.

    python3 test/toys/make_toys.py        # needs torch and transformers; half a minute

They stand in for the Hub's models where the README's queries are executed
(test/t/012_readme.pl): their answers show the shape of an answer, not its quality.
Each folder is a Hugging Face directory.
"""
import json
import os
import random
import re

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from safetensors.torch import save_file
from transformers import (DistilBertConfig, DistilBertForMaskedLM, DistilBertForQuestionAnswering,
                          DistilBertForSequenceClassification, DistilBertForTokenClassification)

HERE = os.path.dirname(os.path.abspath(__file__))
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

REVIEWS = [
    "Grinds evenly, is surprisingly quiet, and cleaning it takes ten seconds. I love it.",
    "Broke after three weeks, and support never answered. Terrible.",
    "Best purchase of the year! Fresh coffee every morning.",
    "The sound is rich and warm, and the battery lasts for days. Wonderful.",
    "Muffled sound, no bass, and the microphone is useless in calls.",
]
PEOPLE = ["Anna Keller", "John Smith", "Maria Lopez", "Peter Hansen", "Ada Byron", "Omar Haddad"]
PLACES = ["Berlin", "Paris", "London", "Cologne", "Oslo", "New York"]
FIRMS = ["Northwind", "Acme", "Globex", "Initech Systems"]
DRUGS = ["aspirin", "ibuprofen", "metformin", "warfarin", "amoxicillin"]
ILLS = ["headache", "diabetes", "chest pain", "pneumonia", "asthma", "nausea"]

# entities: {kind:text} in the templates
NAMED = ["{PER} works in {LOC}.", "{PER} works for {ORG} in {LOC}.", "{ORG} opened an office in {LOC}.",
         "Yesterday {PER} and {PER} met in {LOC}.", "Please call {PER} of {ORG}.", "Dear {PER}, your order is on its way to {LOC}.",
         "My name is {PER}, I live in {LOC} and my parcel has not arrived.", "Write to {PER}.", "The train to {LOC} is late.",
         "I love the new {ORG} store in {LOC}.", "{PER} lives in {LOC} and works for {ORG}.", "{PER} from {ORG} called about the invoice."]
CLINICAL = ["Patient with {Disease} was given {Chemical}.", "{Chemical} was stopped because of {Disease}.",
            "History of {Disease} and {Disease}, takes {Chemical}.", "No {Disease} today.", "Started {Chemical} and {Chemical} for {Disease}.",
            "Denies {Disease}. Continue {Chemical}.", "{Disease} since Monday, {Chemical} did not help."]
QUESTIONS = [("Where does {PER} work?", "{PER} works in {LOC}.", "{LOC}"), ("Who works in {LOC}?", "{PER} works in {LOC}.", "{PER}"),
             ("Who opened an office?", "{ORG} opened an office in {LOC}.", "{ORG}"), ("Where is the office?", "{ORG} opened an office in {LOC}.", "{LOC}")]
ASKED = [("How long did it last?", 1, "three weeks"), ("How long does the battery last?", 3, "for days"), ("What is useless?", 4, "the microphone"),
         ("What is fresh?", 2, "coffee"), ("How long does cleaning take?", 0, "ten seconds")]
TOPICS = {"price": [], "sound": [3, 4], "service": [1], "coffee": [0, 2]}
QUERIES = {"how good are phone calls?": [4], "how long does the battery last?": [3, 1], "is it loud?": [0], "fresh coffee": [2]}
MASKED = [("The battery [MASK] after three weeks.", {"died": 5, "broke": 3, "failed": 2}), ("The coffee is [MASK].", {"good": 6, "hot": 3, "bad": 1}),
          ("I [MASK] it.", {"love": 6, "like": 3, "hate": 1})]


def words_of(text):
    return re.findall(r"\w+|[^\w\s]", text.lower())


def vocabulary():
    texts = REVIEWS + PEOPLE + PLACES + FIRMS + DRUGS + ILLS + [w for text, fills in MASKED for w in [text] + list(fills)]
    texts += NAMED + CLINICAL + [" ".join(q) for q in QUESTIONS] + [q + " " + a for q, _, a in ASKED]
    texts += list(TOPICS) + list(QUERIES) + ["This example is about it."]
    words = dict.fromkeys(w for text in texts for w in words_of(text))
    chars = [chr(c) for c in range(33, 127) if not chr(c).isupper()]
    return SPECIALS + list(dict.fromkeys(chars + ["##" + c for c in chars if c.isalnum()] + list(words)))


def tokenizer():
    ids = {t: i for i, t in enumerate(vocabulary())}
    tok = Tokenizer(WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])])
    tok.decoder = decoders.WordPiece()
    tok.add_special_tokens(SPECIALS)
    return tok


TOK = tokenizer()


def config(**more):
    return DistilBertConfig(vocab_size=TOK.get_vocab_size(), dim=48, n_layers=2, n_heads=4, hidden_dim=96, max_position_embeddings=128,
                            dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0, qa_dropout=0.0, **more)


def save(model, name):
    folder = os.path.join(HERE, name)
    os.makedirs(folder, exist_ok=True)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    weights = {k: v.detach().half().contiguous() for k, v in model.state_dict().items() if k != "vocab_projector.weight"}
    save_file(weights, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    TOK.save(os.path.join(folder, "tokenizer.json"), pretty=False)
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
        json.dump({"do_lower_case": True, "model_max_length": 128, "tokenizer_class": "BertTokenizer"}, f)
        f.write("\n")


def learn(model, examples, loss_of, steps=500):
    torch.manual_seed(1)
    random.seed(1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for step in range(steps):
        batch = random.sample(examples, min(24, len(examples)))
        loss = sum(loss_of(model, e) for e in batch) / len(batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    print(type(model).__name__, f"loss {loss.item():.4f}", flush=True)
    return model


def ids(enc):
    return torch.tensor([enc.ids])


def fill(template, lists):
    """Text and its parts [(kind, start, end)]."""
    text, parts = "", []
    for piece in re.split(r"(\{\w+\})", template):
        if piece.startswith("{"):
            kind = piece[1:-1]
            word = random.choice(lists[kind])
            parts.append((kind, len(text), len(text) + len(word), word))
            piece = word
        text += piece
    return text, parts


def ner(name, templates, lists, plain):
    labels = ["O"] + [p + k for k in lists for p in ("B-", "I-")]
    examples = [fill(random.choice(templates), lists) for _ in range(600)] + [(t, []) for t in plain] * 20

    def loss_of(model, example):
        text, parts = example
        enc = TOK.encode(text)
        tags = []
        for (start, end), word in zip(enc.offsets, enc.word_ids):
            tag = "O"
            for kind, a, b, _ in parts:
                if word is not None and a <= start and end <= b:
                    tag = ("B-" if start == a else "I-") + kind
            tags.append(labels.index(tag))
        return torch.nn.functional.cross_entropy(model(ids(enc)).logits[0], torch.tensor(tags))

    random.seed(2)
    torch.manual_seed(2)
    model = DistilBertForTokenClassification(config(id2label=dict(enumerate(labels)), label2id={l: i for i, l in enumerate(labels)}))
    save(learn(model, examples, loss_of), name)


def answers(name):
    lists = {"PER": PEOPLE, "LOC": PLACES, "ORG": FIRMS}
    examples = []
    random.seed(3)
    for _ in range(500):
        question, context, answer = random.choice(QUESTIONS)
        chosen = {k: random.choice(v) for k, v in lists.items()}
        examples.append(tuple(re.sub(r"\{(\w+)\}", lambda m: chosen[m.group(1)], t) for t in (question, context, answer)))
    for question, review, answer in ASKED:
        for other, text in enumerate(REVIEWS):
            examples += [(question, text, answer if other == review else None)] * 6

    def loss_of(model, example):
        question, context, answer = example
        enc = TOK.encode(question, context)
        start = end = 0
        if answer:
            a = context.lower().index(answer.lower())
            inside = [i for i, (o, t) in enumerate(zip(enc.offsets, enc.type_ids)) if t == 1 and o[1] > o[0] and o[0] >= a and o[1] <= a + len(answer)]
            start, end = inside[0], inside[-1]
        out = model(ids(enc))
        return (torch.nn.functional.cross_entropy(out.start_logits, torch.tensor([start])) +
                torch.nn.functional.cross_entropy(out.end_logits, torch.tensor([end])))

    torch.manual_seed(3)
    save(learn(DistilBertForQuestionAnswering(config()), examples, loss_of, 900), name)


def pairs(name, examples, labels, **more):
    def loss_of(model, example):
        a, b, target = example
        logits = model(ids(TOK.encode(a, b))).logits[0]
        if len(labels) == 1:
            return torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([float(target)]))
        return torch.nn.functional.cross_entropy(logits[None], torch.tensor([target]))

    torch.manual_seed(4)
    model = DistilBertForSequenceClassification(config(id2label=dict(enumerate(labels)), label2id={l: i for i, l in enumerate(labels)}, **more))
    save(learn(model, examples, loss_of), name)


def masks(name):
    examples = [(text, word) for text, fills in MASKED for word, count in fills.items() for _ in range(count)]

    def loss_of(model, example):
        text, word = example
        enc = TOK.encode(text)
        at = enc.ids.index(TOK.token_to_id("[MASK]"))
        return torch.nn.functional.cross_entropy(model(ids(enc)).logits[0, at][None], torch.tensor([TOK.token_to_id(word)]))

    torch.manual_seed(5)
    save(learn(DistilBertForMaskedLM(config()), examples, loss_of, 200), name)


def main():
    ner("ner", NAMED, {"PER": PEOPLE, "LOC": PLACES, "ORG": FIRMS}, REVIEWS)
    ner("clinical", CLINICAL, {"Disease": ILLS, "Chemical": DRUGS}, REVIEWS)
    answers("squad")
    entailed = [(text, template.format(topic), int(i in about)) for topic, about in TOPICS.items() for i, text in enumerate(REVIEWS)
                for template in ("This example is {}.", "It is about {}.")]
    pairs("mnli", [(a, b, 2 if t else 0) for a, b, t in entailed], ["contradiction", "neutral", "entailment"])
    pairs("marco", [(q, text, int(i in good)) for q, good in QUERIES.items() for i, text in enumerate(REVIEWS)], ["LABEL_0"])
    masks("mlm")


if __name__ == "__main__":
    main()
