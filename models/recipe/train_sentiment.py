"""Train sentiment-en-v1: a small English sentiment DistilBERT, from nothing but the shared data, on a CPU.

    python models/recipe/train_sentiment.py                 # data in ../shared/data, model to models/sentiment-en-v1

How. The model is small (4 layers of width 256) and the machine has two cores, so every token has to teach as much
as it can:

1. The word pieces get their first vectors without gradient descent: co-occurrence counts over the reviews, tweets and
   a shelf of novels, turned into positive pointwise mutual information and factorised (SVD). That is word2vec in a
   minute, and the encoder starts from words that already know their neighbours. The first layer's heads start out
   looking at the neighbours themselves (encoder.look_around), which spares the long plateau of masked-word training.
2. A cheap teacher (teacher.py: linear, word bigrams) reads the labelled reviews; its doubt about each review, and about
   every run of sentences cut out of one, becomes a soft label. So each review yields dozens of labelled short texts,
   which is what users have.
3. Stage "read": masked words are guessed and the verdict is given in the same pass, on short texts only. [CLS] learns
   to look around from the first step.
4. Stage "judge": verdicts above all, now with whole reviews up to 512 tokens, learning rate falling to zero, weights
   averaged over the second half.

Neutral texts carry the target 0.5, degrees of praise carry degrees of probability, so P(positive) - P(negative) reads as
a score and not as a shout.

What is held out, and how that is enforced, is in sources.py. Everything is seeded, but `tokenizers` breaks ties at random and bfloat16 sums may
round differently on another CPU, so expect the scores to repeat within a few tenths of a point, not the bits.
"""
import argparse, math, os, random, tarfile, time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")     # on a shared machine, waiting threads should not spin
import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import sources
from encoder import Encoder, export
from score import score
from teacher import teach

ROOT = Path(__file__).resolve().parents[2]
MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, UNK, CLS, SEP, MASK = range(5)
LONGEST = 512
# How often a text of each source is drawn per round, in either stage.
READ = {"span0": 1, "product": 1, "tweet": 1, "emotion": .8, "sst": 1, "phrase": .7, "neutral-phrase": .3, "uci": 1}
JUDGE = {"review": .8, "span1": .3, "product": .3, "tweet": 1.5, "emotion": .6, "sst": 3, "phrase": 1.5,
         "neutral-phrase": .35, "uci": 3}
START = time.time()


def log(*what):
    print(f"[{(time.time() - START) / 60:6.1f} min]", *what, flush=True)


def make_tokenizer(texts, size):
    tok = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.decoder = decoders.WordPiece()
    tok.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=size, min_frequency=3, special_tokens=MARKS,
                                                             limit_alphabet=300, show_progress=False))
    tok.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                       special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)])
    return tok


def encode(tok, texts, marks=True):
    """Each text's ids as a uint16 array, cut to 512 with the marks kept."""
    out = []
    for i in range(0, len(texts), 5000):
        for e in tok.encode_batch_fast(texts[i:i + 5000], add_special_tokens=marks):
            ids = e.ids if len(e.ids) <= LONGEST or not marks else e.ids[:LONGEST - 1] + [SEP]
            out.append(np.array(ids, np.uint16))
    return out


def novels(data, megabytes):
    """A sample of the novels, as paragraphs."""
    text = []
    with tarfile.open(data / "corpora/novels100.tar.xz") as tar:
        for m in tar:
            if m.isfile():
                text.append(tar.extractfile(m).read().decode("utf-8", "replace"))
                if sum(map(len, text)) > megabytes * 1e6:
                    break
    return [p.replace("\n", " ") for t in text for p in t.split("\n\n") if len(p) > 40]


def word_vectors(ids, vocab, dim, window=6):
    """PPMI-SVD vectors of the pieces: the count of each pair of pieces within `window`, nearer pairs weighing more."""
    row = np.concatenate([np.append(a[1:-1], PAD) for a in ids]).astype(np.int64)
    count = np.zeros(vocab * vocab, np.float32)
    for far in range(1, window + 1):
        a, b = row[:-far], row[far:]
        keep = (a > MASK) & (b > MASK)
        for part in np.array_split(np.flatnonzero(keep), 1 + keep.sum() // 20_000_000):
            pairs, n = np.unique(a[part] * vocab + b[part], return_counts=True)
            count[pairs] += n.astype(np.float32) / far
    count = torch.from_numpy(count).view(vocab, vocab)
    count = count + count.T
    one = count.sum(1)
    context = one ** 0.75
    context /= context.sum()
    ppmi = torch.log(count / (one[:, None].clamp_min(1e-9) * context[None].clamp_min(1e-12))).clamp_min_(0)
    torch.manual_seed(1)
    u, s, _ = torch.svd_lowrank(ppmi, q=dim + 16, niter=3)
    vectors = u[:, :dim] * s[:dim] ** 0.5
    vectors *= 0.05 / vectors.std()
    unseen = vectors.norm(dim=1) < 1e-4
    vectors[unseen] = 0.05 * torch.randn(int(unseen.sum()), dim)
    return vectors


def batches(texts, rates, rng, tokens):
    """Batches of one round: texts of like length together, so many tokens each, in random order."""
    drawn = []
    for i, t in enumerate(texts):
        rate = rates.get(t.source, 0)
        drawn += [i] * (int(rate) + (rng.random() < rate % 1))
    drawn.sort(key=lambda i: (len(texts[i].ids) + rng.random() * (1 + len(texts[i].ids) * 0.1)))
    out, batch, longest = [], [], 0
    for i in drawn:
        n = min(LONGEST, -(-len(texts[i].ids) // 8) * 8)
        if batch and max(longest, n) * (len(batch) + 1) > tokens:
            out.append((batch, longest))
            batch, longest = [], 0
        batch.append(i)
        longest = max(longest, n)
    out.append((batch, longest))
    rng.shuffle(out)
    return out


def collate(texts, batch, longest):
    ids = np.zeros((len(batch), longest), np.int64)
    for row, i in enumerate(batch):
        ids[row, :len(texts[i].ids)] = texts[i].ids
    ids = torch.from_numpy(ids)
    return ids, (ids != PAD).sum(1), torch.tensor([texts[i].p for i in batch], dtype=torch.float32)


def hide(ids, vocab, share):
    """Masked words: the places to guess, and the ids with those places hidden (8 of 10), garbled (1) or left (1)."""
    chosen = (torch.rand(ids.shape) < share) & (ids > MASK)
    how = torch.rand(ids.shape)
    shown = torch.where(chosen & (how < 0.8), MASK, ids)
    shown = torch.where(chosen & (how > 0.9), torch.randint(MASK + 1, vocab, ids.shape), shown)
    return chosen, shown


class Trainer:
    """bfloat16 network, float32 masters under AdamW, an average of the masters at the end."""

    def __init__(self, net, peak):
        self.net, self.peak = net.to(torch.bfloat16), peak
        self.live = list(net.parameters())
        self.masters = [p.detach().float().clone().requires_grad_() for p in self.live]
        wide = [m for m in self.masters if m.dim() > 1]
        slim = [m for m in self.masters if m.dim() == 1]
        self.adam = torch.optim.AdamW([{"params": wide, "weight_decay": 0.01}, {"params": slim, "weight_decay": 0.0}],
                                      lr=peak, betas=(0.9, 0.98), eps=1e-6, fused=True)
        self.mean = None

    def step(self, loss, rate):
        loss.backward()
        for p, m in zip(self.live, self.masters):
            m.grad = p.grad.float() if p.grad is not None else None
            p.grad = None
        torch.nn.utils.clip_grad_norm_(self.masters, 1.0)
        for group in self.adam.param_groups:
            group["lr"] = self.peak * rate
        self.adam.step()
        with torch.no_grad():
            for p, m in zip(self.live, self.masters):
                p.copy_(m)

    @torch.no_grad()
    def average(self, keep=0.998):
        if self.mean is None:
            self.mean = [m.detach().clone() for m in self.masters]
        torch._foreach_lerp_(self.mean, [m.detach() for m in self.masters], 1 - keep)

    def weights(self):
        chosen = self.mean or self.masters
        return {name: w.detach() for (name, _), w in zip(self.net.named_parameters(), chosen)}


def run(stage, trainer, texts, rates, until, a):
    """One stage: rounds over the texts until so many tokens are read."""
    rng = random.Random(a.seed + len(stage))
    torch.manual_seed(a.seed + len(stage))
    net, vocab = trainer.net, trainer.net.shape["vocab"]
    step, done, spent, sums = 0, 0, 0, {}
    begun = since = time.time()
    while done < until:
        for batch, longest in batches(texts, rates, rng, a.batch):
            ids, lengths, target = collate(texts, batch, longest)
            part = done / until
            rate = min(1.0, (step + 1) / 300)
            if stage == "read":
                chosen, shown = hide(ids, vocab, 0.15)
                shift = rng.randrange(LONGEST - longest + 1) if rng.random() < 0.5 else 0
                drop, weight = 0.0, 0.5
            else:
                part = max(part, (time.time() - begun) / (START + a.minutes * 60 - begun))
                rate *= 0.5 * (1 + math.cos(math.pi * min(1, part)))
                chosen, shown = hide(ids, vocab, 0.06)
                shift, drop, weight = 0, 0.1, 0.2 * max(0, 1 - part)
            x = net(shown, lengths, shift, drop)
            said = torch.log_softmax(net.verdict(x, drop), -1)
            loss = -(target * said[:, 1] + (1 - target) * said[:, 0]).mean()
            masked = F.cross_entropy(net.guesses(x[chosen]), ids[chosen]) if chosen.any() else torch.zeros(())
            trainer.step(loss + weight * masked, rate)
            if stage == "judge" and part > 0.5:
                trainer.average()
            step += 1
            done += ids.numel()
            spent += ids.numel()
            sums["verdict"] = sums.get("verdict", 0) + loss.item()
            sums["masked"] = sums.get("masked", 0) + masked.item()
            if step % 100 == 0:
                log(f"{stage} step {step} {done / 1e6:.2f}M tokens", {k: round(v / 100, 3) for k, v in sums.items()},
                    f"{spent / (time.time() - since):.0f} tokens/s")
                sums, since, spent = {}, time.time(), 0
            if done >= until or part >= 1:
                log(f"{stage}: {done / 1e6:.2f}M tokens in {step} steps")
                return


def main():
    ask = argparse.ArgumentParser(description="Train the shipped sentiment model.")
    ask.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    ask.add_argument("--to", type=Path, default=ROOT / "models/sentiment-en-v1")
    ask.add_argument("--seed", type=int, default=11)
    ask.add_argument("--vocab", type=int, default=12000)
    ask.add_argument("--layers", type=int, default=4)
    ask.add_argument("--peak", type=float, default=1e-3, help="highest learning rate")
    ask.add_argument("--batch", type=int, default=4096, help="tokens in a batch")
    ask.add_argument("--read", type=float, default=4.07, help="millions of tokens in the first stage")
    ask.add_argument("--judge", type=float, default=10.15, help="millions of tokens in the second stage")
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--minutes", type=float, default=1e9, help="on a busy machine: hurry so as to end by then")
    ask.add_argument("--cache", type=Path, help="a file to keep the prepared data in, for repeated runs")
    a = ask.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    rng = random.Random(a.seed)

    if a.cache and a.cache.exists():
        texts, held, tok, vectors = torch.load(a.cache, weights_only=False)
        tok = Tokenizer.from_str(tok)
    else:
        texts, held, dropped = sources.load(a.data, rng)
        log(f"{len(texts)} texts; kept out as held-out, duplicate or empty: {dropped}")
        domain = [t.text for t in texts if t.source in ("review", "sst", "product", "tweet", "emotion", "uci")]
        tok = make_tokenizer(domain, a.vocab)
        log(f"{tok.get_vocab_size()} word pieces")
        for t, ids in zip(texts, encode(tok, [t.text for t in texts])):
            t.ids = ids
        log(f"{sum(len(t.ids) for t in texts) / 1e6:.1f}M tokens")
        wide = [t.ids for t in texts if t.source in ("span0", "product", "sst", "tweet", "emotion", "uci")]
        vectors = word_vectors(wide + encode(tok, novels(a.data, 40)), tok.get_vocab_size(), 192)
        log("word vectors")
        near = vectors / vectors.norm(dim=1, keepdim=True)
        for word in ("terrible", "delightful", "broken"):
            best = (near @ near[tok.token_to_id(word)]).topk(8).indices.tolist() if tok.token_to_id(word) else []
            log(word, "->", [tok.id_to_token(i) for i in best])
        teach(texts, held, log)
        for t in texts:
            t.text = ""
        if a.cache:
            torch.save((texts, held, tok.to_str(), vectors), a.cache)
    texts = [t for t in texts if len(t.ids) > 2]

    vocab = tok.get_vocab_size()
    torch.manual_seed(a.seed + 1)
    net = Encoder(vocab, layers=a.layers)
    net.words.weight.data[:, :vectors.shape[1]] = vectors
    shipped = sum(p.numel() for n, p in net.named_parameters() if not n.startswith("guess"))
    log(f"{shipped / 1e6:.2f}M parameters ship")
    kept = a.cache.with_suffix(f".{a.seed}.read") if a.cache else None
    if kept and kept.exists():
        net.load_state_dict(torch.load(kept)[0])
    else:
        trainer = Trainer(net, a.peak)
        run("read", trainer, texts, READ, a.read * 1e6, a)
        if kept:
            torch.save((trainer.weights(), net.shape), kept)
    trainer = Trainer(net, a.peak * 0.8)
    run("judge", trainer, texts, JUDGE, a.judge * 1e6, a)
    export(trainer.weights(), net.shape, tok, a.to)
    for name, rows in held.items():
        log(name, score(a.to, rows))


if __name__ == "__main__":
    main()
