#!/usr/bin/env python3
"""Compares translations with those of transformers' generate: the same ids, under several settings of generation_config.json.

    python3 test/compare_marian.py MODEL_DIR TEXTS [MAX [KERNELS]]

TEXTS has a sentence per line; those that are too long for the model are left out. transformers computes in float32, in batches of sentences of like length. Where the ids differ the
two translations are scored again, in float64: a difference of the scores below 1e-5 is a tie that rounding decides.
(Rounding also decides ties on the way, between the last hypothesis that goes on and the first that does not: then the scores of the
two results may differ by more.)

Builds test/dbert_cli.c with the core's objects, which make has built. Needs torch, transformers and sentencepiece; uses no network.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from transformers import GenerationConfig, MarianMTModel, MarianTokenizer

import compare_hf

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

# beside what the model's own files say
SETTINGS = {
    "greedy": dict(num_beams=1),
    "4 beams": dict(num_beams=4),
    "6 beams": dict(num_beams=6),
    "length_penalty 0.4": dict(num_beams=4, length_penalty=0.4),
    "length_penalty 2": dict(num_beams=4, length_penalty=2.0),
    "length_penalty -1": dict(num_beams=4, length_penalty=-1.0),
    "early_stopping true": dict(num_beams=4, early_stopping=True),
    "early_stopping never": dict(num_beams=4, early_stopping="never"),
    "no bad words": dict(num_beams=4, bad_words_ids=None),
    "more bad words": dict(num_beams=4, bad_words_ids=[[1], [5], [7], [12]]),
    "renormalize_logits": dict(num_beams=4, renormalize_logits=True),
    "max_length 9, forced end": dict(num_beams=4, max_length=9),
    "max_length 9, greedy, forced end": dict(num_beams=1, max_length=9),
    "max_length 9, no forced end": dict(num_beams=4, max_length=9, forced_eos_token_id=None),
}


def without_ends(ids, config):
    ids = ids[1:]
    if config.eos_token_id in ids:
        ids = ids[:ids.index(config.eos_token_id)]
    return [i for i in ids if i != config.pad_token_id] if config.pad_token_id not in ids else ids[:ids.index(config.pad_token_id)]


def generate(model, tokenizer, texts):
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = [None] * len(texts)
    for at in range(0, len(order), 25):
        some = order[at:at + 25]
        given = tokenizer([texts[i] for i in some], return_tensors="pt", padding=True)
        with torch.no_grad():
            for i, ids in zip(some, model.generate(**given).tolist()):
                out[i] = without_ends(ids, model.generation_config)
    return out


def score(exact, tokenizer, text, ids, settings):
    """The translation's score in float64, by its length."""
    config = exact.generation_config
    given = tokenizer([text], return_tensors="pt")
    ended = len(ids) + 1 < config.max_length
    labels = torch.tensor([ids + [config.eos_token_id] * ended])
    before = torch.cat([torch.tensor([[config.decoder_start_token_id]]), labels[:, :-1]], 1)
    with torch.no_grad():
        logits = exact(**given, decoder_input_ids=before).logits[0]
    for word in (config.bad_words_ids or []) if settings.get("renormalize_logits") else []:
        logits[:, word[0]] = -torch.inf
    return logits.log_softmax(-1).gather(1, labels[0][:, None]).sum().item() / labels.shape[1] ** (config.length_penalty or 1)


def compare(home, texts, kernels):
    tokenizer = MarianTokenizer.from_pretrained(home)
    model = MarianMTModel.from_pretrained(home, dtype=torch.float32).eval()
    exact = MarianMTModel.from_pretrained(home, dtype=torch.float64).eval()
    path = os.path.join(home, "generation_config.json")
    preset = json.load(open(path))
    for name, settings in SETTINGS.items():
        json.dump(preset | settings, open(path, "w"))
        model.generation_config = exact.generation_config = GenerationConfig.from_pretrained(home)
        lines = "".join(json.dumps(text) + "\n" for text in texts)
        ours = [json.loads(line) for line in subprocess.run([compare_hf.CLI, home, "translate", kernels], input=lines, capture_output=True,
                                                            text=True, check=True).stdout.splitlines()]
        theirs = generate(model, tokenizer, texts)
        other = [i for i in range(len(texts)) if ours[i]["ids"] != theirs[i]]
        texts_differ = sum(ours[i]["text"].rstrip(" ") != tokenizer.decode(theirs[i], skip_special_tokens=True).rstrip(" ")
                           for i in range(len(texts)) if i not in other)
        gaps = [abs(score(exact, tokenizer, texts[i], ours[i]["ids"], settings) -
                    score(exact, tokenizer, texts[i], theirs[i], settings)) for i in other]
        print(f"{name}: {len(texts) - len(other)} of {len(texts)} the same ids, {sum(g < 1e-5 for g in gaps)} ties"
              f"{', largest difference of scores %.2g' % max(gaps) if gaps else ''}; {texts_differ} texts of the same ids differ", flush=True)


def main():
    compare_hf.build()
    texts = [line for line in open(sys.argv[2], encoding="utf-8").read().split("\n") if line.strip()]
    most = json.load(open(os.path.join(sys.argv[1], "config.json")))["max_position_embeddings"]
    tokenizer = MarianTokenizer.from_pretrained(sys.argv[1])
    texts = [text for text in texts if len(tokenizer(text)["input_ids"]) <= most][:int(sys.argv[3]) if len(sys.argv) > 3 else None]
    with tempfile.TemporaryDirectory() as home:
        for name in os.listdir(sys.argv[1]):
            if name.endswith((".json", ".spm", ".safetensors")):
                shutil.copy(os.path.join(sys.argv[1], name), home)
        compare(home, texts, sys.argv[4] if len(sys.argv) > 4 else "best")


if __name__ == "__main__":
    main()
