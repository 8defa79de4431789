"""translate-en-de-captions: English captions of photographs into German, a Marian of 4 + 4 layers, trained from nothing.

    python models/recipe/translation.py --to build/translate     # data in ../shared/data

The captions are Multi30k's: 29,000 to learn from, 1,014 to look at on the way (val), 1,000 of 2016 that are translated once,
at the end. No English caption of these two, nor a German one, is learnt from.

How. Both languages share one SentencePiece model of 6,000 pieces. The network is Marian's as transformers has it, of
width 256; it learns the whole table of pieces once for both sides and for the output. A step takes captions of about the
same length, 2,500 tokens in all. The labels are smoothed, much is dropped out (29,000 captions are few), the learning
rate rises for 400 steps and falls to nothing in the others. What is written is the mean of the weights after each of the
last epochs, in 16 bits.

Whatever stops it, the same command goes on from the last state, which is written every few minutes (--to/state.pt); when
all steps are done it measures and writes. Every epoch's order comes from its number.

Needs torch, transformers, safetensors, sentencepiece and sacrebleu from PyPI.
"""
import argparse, json, os, random, shutil, tempfile, time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")     # on a shared machine, waiting threads should not spin
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import sacrebleu, sentencepiece, torch, transformers
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

import corpora

ROOT = Path(__file__).resolve().parents[2]
PIECES = 6000
TOKENS = 2500               # of a step, the longer side, padded
STEPS = 3000                # 14 epochs
PEAK, WARMUP = 1.2e-3, 400
AVERAGED = 4                # epochs
SAVE_SECONDS = 240
LONGEST = 100               # no caption has more pieces
SHAPE = dict(d_model=256, encoder_layers=4, decoder_layers=4, encoder_attention_heads=4, decoder_attention_heads=4,
             encoder_ffn_dim=768, decoder_ffn_dim=768, max_position_embeddings=256, activation_function="swish", scale_embedding=True,
             dropout=0.2, attention_dropout=0.1, activation_dropout=0.0, eos_token_id=0, forced_eos_token_id=0)
BEGUN = time.time()

transformers.logging.set_verbosity_error()


def log(*what):
    print(f"[{(time.time() - BEGUN) / 60:6.1f} min]", *what, flush=True)


# ---- captions ----

def lines(data, part, language):
    (_, body), = corpora.members(data / "more/multi30k.tar", [f"task1/raw/{part}.{language}.gz"])
    return body.removesuffix("\n").split("\n")


def captions(data, part):
    """(English, German), as they are in the files."""
    pairs = list(zip(lines(data, part, "en"), lines(data, part, "de"), strict=True))
    return [(a.strip(), b.strip()) for a, b in pairs]


def to_learn(data):
    kept_out = {text for part in ("val", "test_2016_flickr") for pair in captions(data, part) for text in pair}
    return [pair for pair in captions(data, "train") if not kept_out & set(pair)]


# ---- the tokenizer ----

def write_tokenizer(pairs, out):
    """source.spm and target.spm are one model; vocab.json numbers its pieces as opus-mt's does."""
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text")
        text.write_text("\n".join(line for pair in pairs for line in pair), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=f"{folder}/spm", vocab_size=PIECES, model_type="unigram", character_coverage=1.0,
            num_threads=1, minloglevel=2)
        for side in ("source", "target"):
            shutil.copy(f"{folder}/spm.model", out / f"{side}.spm")
    model = sentencepiece.SentencePieceProcessor(model_file=str(out / "source.spm"))
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size()) if not model.is_control(i) and not model.is_unknown(i)]
    vocab = {piece: i for i, piece in enumerate(["</s>", "<unk>"] + pieces + ["<pad>"])}
    (out / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    (out / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "MarianTokenizer", "source_lang": "en", "target_lang": "de", "model_max_length": 256}, indent=1) + "\n")


def encode(out, pairs):
    """(source, target) as ids with </s> behind."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(out / "source.spm"))
    vocab = json.loads((out / "vocab.json").read_text(encoding="utf-8"))

    def ids(text):
        return [vocab.get(piece, 1) for piece in model.encode(text, out_type=str)][:LONGEST - 1] + [0]

    return [(ids(a), ids(b)) for a, b in pairs]


# ---- learning ----

def fresh_model(out):
    torch.manual_seed(11)
    pad = len(json.loads((out / "vocab.json").read_text(encoding="utf-8"))) - 1
    model = MarianMTModel(MarianConfig(vocab_size=pad + 1, pad_token_id=pad, decoder_start_token_id=pad, **SHAPE))
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "embed_positions" not in name and weights.dim() == 2:
                if name == "model.shared.weight":
                    weights.normal_(0, SHAPE["d_model"] ** -0.5)
                    weights[pad] = 0
                else:
                    torch.nn.init.xavier_uniform_(weights)
    return model


def batches(examples, epoch):
    """Numbers of captions that go together, of like length; another cut and order in each epoch."""
    rng = random.Random(epoch)
    order = sorted(range(len(examples)), key=lambda i: max(map(len, examples[i])) + rng.random() * 2)
    out, longest = [[]], 0
    for i in order:
        longest = max(longest, *map(len, examples[i]))
        if longest * (len(out[-1]) + 1) > TOKENS:
            out.append([])
            longest = max(map(len, examples[i]))
        out[-1].append(i)
    rng.shuffle(out)
    return out


def padded(rows, pad):
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])


def loss_of(model, examples, pad):
    source = padded([s for s, _ in examples], pad)
    target = padded([t for _, t in examples], pad)
    before = torch.cat([torch.full((len(target), 1), pad), target[:, :-1]], 1)
    with torch.autocast("cpu", torch.bfloat16):
        states = model.model(input_ids=source, attention_mask=(source != pad).long(), decoder_input_ids=before,
                             use_cache=False).last_hidden_state
        wanted = target != pad
        logits = F.linear(states[wanted], model.model.shared.weight)
    return F.cross_entropy(logits.float(), target[wanted], label_smoothing=0.1)


class Learner:
    """The model and where it is; goes on from out/state.pt."""

    def __init__(self, out, examples, steps=STEPS):
        self.out, self.examples = out, examples
        self.model = fresh_model(out)
        self.pad = self.model.config.pad_token_id
        self.weights = [p for n, p in self.model.named_parameters() if "embed_positions" not in n]
        self.steps = steps
        self.optimizer = torch.optim.AdamW(self.weights, PEAK, (0.9, 0.98), 1e-9, weight_decay=1e-4)
        self.step = self.epoch = self.at = 0
        self.seconds = 0.0          # of all calls
        self.ends = []              # the weights after the last epochs
        self.saved = time.time()
        if (out / "state.pt").exists():
            state = torch.load(out / "state.pt", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.step, self.epoch, self.at, self.seconds, self.ends = (state[k] for k in ("step", "epoch", "at", "seconds", "ends"))
            torch.set_rng_state(state["random"])
            log(f"goes on at step {self.step}")

    def save(self):
        self.seconds += time.time() - self.saved
        self.saved = time.time()
        torch.save(dict(model=self.model.state_dict(), optimizer=self.optimizer.state_dict(), step=self.step, epoch=self.epoch,
                        at=self.at, seconds=self.seconds, ends=self.ends, random=torch.get_rng_state()), self.out / "state.part")
        os.replace(self.out / "state.part", self.out / "state.pt")

    def learn_batch(self, batch):
        rate = PEAK * min((self.step + 1) / WARMUP, (self.steps - self.step) / (self.steps - WARMUP))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(self.model, [self.examples[i] for i in batch], self.pad)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def end_epoch(self, losses, held):
        self.epoch, self.at = self.epoch + 1, 0
        self.ends = (self.ends + [[w.detach().clone() for w in self.weights]])[-AVERAGED:]
        self.model.eval()
        with torch.no_grad():
            parts = [loss_of(self.model, held[i:i + 128], self.pad).item() for i in range(0, len(held), 128)]
        self.save()
        log(f"epoch {self.epoch}, step {self.step}, {self.seconds / max(self.step, 1):.2f} s a step: "
            f"loss {sum(losses) / max(len(losses), 1):.3f}, val {sum(parts) / len(parts):.3f}")

    def learn(self, held):
        while self.step < self.steps:
            order, losses = batches(self.examples, self.epoch), []
            self.model.train()
            while self.at < len(order) and self.step < self.steps:
                losses.append(self.learn_batch(order[self.at]))
                self.at += 1
                if time.time() - self.saved > SAVE_SECONDS:
                    self.save()
                    log(f"step {self.step}: loss {sum(losses) / len(losses):.3f}")
            self.end_epoch(losses, held)

    def average(self):
        with torch.no_grad():
            for i, w in enumerate(self.weights):
                w.copy_(torch.stack([end[i] for end in self.ends]).mean(0))


# ---- what comes out ----

def write_model(model, out):
    """As transformers and opus-mt have it; positions are not written, as they follow from the shape."""
    pad = model.config.pad_token_id
    model = model.half()
    kept = {n: t.contiguous() for n, t in model.state_dict().items()
            if not any(part in n for part in ("embed_positions", "embed_tokens", "lm_head"))}
    save_file(kept, out / "model.safetensors", metadata={"format": "pt"})
    config = dict(SHAPE, architectures=["MarianMTModel"], model_type="marian", is_encoder_decoder=True, vocab_size=pad + 1, pad_token_id=pad,
                  decoder_start_token_id=pad, share_encoder_decoder_embeddings=True, tie_word_embeddings=True, torch_dtype="float16")
    generation = dict(max_length=128, num_beams=4, bad_words_ids=[[pad]], forced_eos_token_id=0, decoder_start_token_id=pad,
                      eos_token_id=0, pad_token_id=pad)
    for name, content in (("config", config), ("generation_config", generation)):
        (out / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def translate(out, texts, beams=4):
    model = MarianMTModel.from_pretrained(out, dtype=torch.float32).eval()
    tokenizer = MarianTokenizer.from_pretrained(out)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    made = [""] * len(texts)
    for i in range(0, len(order), 50):
        some = order[i:i + 50]
        given = tokenizer([texts[j] for j in some], return_tensors="pt", padding=True)
        with torch.no_grad():
            ids = model.generate(**given, num_beams=beams)
        for j, text in zip(some, tokenizer.batch_decode(ids, skip_special_tokens=True)):
            made[j] = text
    return made


def measure(out, data, parts=("val", "test_2016_flickr"), most=None):
    for part in parts:
        pairs = captions(data, part)[:most]
        made = translate(out, [a for a, _ in pairs])
        log(f"{part}: BLEU {sacrebleu.corpus_bleu(made, [[b for _, b in pairs]]).score:.2f}, "
            f"chrF {sacrebleu.corpus_chrf(made, [[b for _, b in pairs]]).score:.2f}, {len(pairs)} captions")


def make(data, out, steps=STEPS):
    out.mkdir(parents=True, exist_ok=True)
    pairs = to_learn(data)
    log(f"{len(pairs)} captions to learn from")
    if not (out / "vocab.json").exists():
        write_tokenizer(pairs, out)
    learner = Learner(out, encode(out, pairs), steps)
    learner.learn(encode(out, captions(data, "val")))
    learner.average()
    write_model(learner.model, out)
    log(f"{sum(w.numel() for w in learner.weights)} weights, {learner.seconds / 60:.0f} minutes in all")
    measure(out, data)


def peek(data, out):
    """The model as far as it has come, in out/peek, and its score on a part of val."""
    learner = Learner(out, [])
    if len(learner.ends) > 1:
        learner.average()
    there = out / "peek"
    there.mkdir(exist_ok=True)
    for name in ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json"):
        shutil.copy(out / name, there / name)
    write_model(learner.model, there)
    measure(there, data, ("val",), 200)


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    ask.add_argument("--to", type=Path, default=ROOT / "build/translate")
    ask.add_argument("--steps", type=int, default=STEPS)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--peek", action="store_true", help="write and measure what there is, in --to/peek; learn nothing")
    a = ask.parse_args()
    torch.set_num_threads(a.threads)
    if a.peek:
        peek(a.data, a.to)
    else:
        make(a.data, a.to, a.steps)


if __name__ == "__main__":
    main()
