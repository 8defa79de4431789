#!/usr/bin/env python3
"""Writes test/entities.json: tokens with random logits, and the entities that
transformers' TokenClassificationPipeline makes of them with every strategy.

    python3 test/make_entities.py > test/entities.json     (transformers 5.12.1)
"""
import json
import random
import sys
from types import SimpleNamespace

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast
from transformers.pipelines.token_classification import AggregationStrategy, TokenClassificationPipeline

TAG_SETS = [
    ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
    ["PER", "LOC", "O"],                        # no prefixes
    ["LABEL_0", "LABEL_1", "LABEL_2"],
    ["I-PER", "O", "B-PER", "I-X-Y", "B-X-Y", "Z-W", "I-O"],    # dashes inside, odd ones
]

TEXTS = [
    "Angela Merkel visited Paris.",
    "Jane Doe of Acme-Corp (Berlin) said: no!",
    "Zürich café señor Ångström",
    "東京 and 北京市 are towns",
    "I ❤ New York 🗽 so much",
    "Saint-Étienne, O'Brien and McDonald's",
    "[SEP] inside [CLS] the [UNK] text",
    "a\tb\nc  d",
    "ffi ﬃ ½ İstanbul",
    "",
    "Wwwww www ww w",
    "it's 2024-05-06, 12:30",
]


def make_tokenizer():
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789")
    words = ["angela", "merkel", "visited", "paris", "jane", "of", "berlin", "and", "the", "saint", "new", "york",
             "##er", "##ber", "##lin", "ber", "##ch", "##me", "東", "京", "are", "text", "##tt", "##ww"]
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(".,:()-'!") + letters + ["##" + c for c in letters] + words
    tok = Tokenizer(models.WordPiece({t: i for i, t in enumerate(vocab)}, unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer()
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(tokenizer_object=tok, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                   pad_token="[PAD]", mask_token="[MASK]"), vocab


def entities(pipeline, text, enc, logits, strategy):
    maxes = np.max(logits, axis=-1, keepdims=True)
    scores = np.exp(logits - maxes)
    scores /= scores.sum(axis=-1, keepdims=True)
    pre = pipeline.gather_pre_entities(text, np.array(enc["input_ids"]), scores, enc["offset_mapping"],
                                       np.array(enc["special_tokens_mask"]), strategy)
    return [[e.get("entity", e.get("entity_group")), round(float(e["score"]), 7), e["start"], e["end"]]
            for e in pipeline.aggregate(pre, strategy)
            if e.get("entity") != "O" and e.get("entity_group") != "O"]


def main():
    rng = random.Random(3)
    tokenizer, vocab = make_tokenizer()
    cases = []
    for n, text in enumerate(TEXTS * 4):
        labels = TAG_SETS[n % len(TAG_SETS) if n < len(TEXTS) else n // len(TEXTS)]
        pipeline = TokenClassificationPipeline.__new__(TokenClassificationPipeline)
        pipeline.tokenizer = tokenizer
        pipeline.model = SimpleNamespace(config=SimpleNamespace(id2label=dict(enumerate(labels))))
        enc = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
        sharp = rng.choice([1, 3])
        logits = [[round(rng.gauss(0, sharp), 3) for _ in labels] for _ in enc["input_ids"]]
        cases.append({
            "text": text, "labels": labels, "ids": enc["input_ids"], "offsets": enc["offset_mapping"],
            "special": enc["special_tokens_mask"], "logits": logits,
            "entities": {s.value: entities(pipeline, text, enc, np.array(logits, dtype=np.float32), s)
                         for s in AggregationStrategy},
        })
    lines = ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases)
    sys.stdout.write('{"vocab":%s,\n"cases":[\n%s\n]}\n' % (json.dumps(vocab, ensure_ascii=False), lines))


if __name__ == "__main__":
    main()
