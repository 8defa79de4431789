"""A WordPiece vocabulary of one's own, and texts as numbers of its pieces."""
import json

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)


def make(texts, size, lowercase):
    """Learn a vocabulary.  Accents are taken off in either case: a small model has no pieces to spare for them."""
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    tok.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=size, min_frequency=3, special_tokens=MARKS,
                                                             limit_alphabet=200, show_progress=False))
    tok.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                       special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)])
    return tok


def encode(tok, texts):
    """Each text's pieces without [CLS] and [SEP]."""
    out = []
    for i in range(0, len(texts), 5000):
        out += [np.array(e.ids, np.uint16) for e in tok.encode_batch_fast(texts[i:i + 5000], add_special_tokens=False)]
    return out


def names(tok):
    return [p for p, _ in sorted(tok.get_vocab().items(), key=lambda kv: kv[1])]


def save(tok, to):
    """tokenizer.json, vocab.txt, tokenizer_config.json."""
    tok.save(str(to / "tokenizer.json"))
    (to / "vocab.txt").write_text("".join(p + "\n" for p in names(tok)), encoding="utf-8")
    norm = json.loads(tok.to_str())["normalizer"]
    marks = {"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    settings = {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": norm["lowercase"],
                "strip_accents": norm["strip_accents"], "tokenize_chinese_chars": True, "model_max_length": 512, **marks}
    (to / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
