#!/usr/bin/env python3
"""Translation at opus-mt's shape against CTranslate2: one core, interleaved.

    make benches && python3 bench/translate.py [--quick]

The model is a Marian of 6 + 6 layers, width 512, feed-forward 2048, 58,101
tokens, with random weights, made by transformers, once, under build/peers/marian;
CTranslate2's are made of the same files by its own converter. The logit of the
end is so low that it never comes: every sentence takes all its steps on either
side, one for each of its own tokens.

One sentence of 24 tokens, and 32 of 12 to 36 (CTranslate2 sorts and pads them itself),
greedy and with 4 beams. A time is processor time, a figure the median over
the rounds; x is the median of the ratios within a round: how many times as fast
as CTranslate2 we are. Beside it stands the roofline: the bytes of the decoder's
weights, read once a step, by the memory's speed, or a step's multiply-adds at the
processor's peak (bench/kernels), whichever takes longer, and the same of the
encoder once. In 8 bits the peak is taken as four times that of fp32. A step of one
sentence waits for memory.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess

import half
import peers

HOME = peers.HOME / "marian"
FIXTURE = peers.ROOT / "test" / "fixtures" / "marian-one"
VOCAB, WIDTH, FFN, LAYERS = 58101, 512, 2048, 6
# weights that a step reads: those of the keys and values of the encoder's states are read once for a sentence
DECODER = LAYERS * (6 * WIDTH * WIDTH + 2 * WIDTH * FFN) + VOCAB * WIDTH
# and the encoder's, with those
ENCODER = LAYERS * (6 * WIDTH * WIDTH + 2 * WIDTH * FFN)
CASES = {"one": [24], "32": [12 + 24 * i // 31 for i in range(32)]}


def make_model():
    """The last file written is the converter's, so that an interrupted run starts again."""
    import torch
    import transformers
    from ctranslate2.converters import TransformersConverter

    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    words = ["</s>", "<unk>"] + [f"word{i}" for i in range(VOCAB - 3)] + ["<pad>"]
    (HOME / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    for name in ("source.spm", "target.spm", "tokenizer_config.json"):
        shutil.copy(FIXTURE / name, HOME / name)
    torch.manual_seed(1)
    model = transformers.MarianMTModel(transformers.MarianConfig(
        d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=LAYERS, encoder_ffn_dim=FFN, decoder_ffn_dim=FFN, encoder_attention_heads=8,
        decoder_attention_heads=8, max_position_embeddings=512, activation_function="swish", scale_embedding=True, forced_eos_token_id=None))
    with torch.no_grad():
        model.model.shared.weight.normal_(0, 0.1)
        model.model.shared.weight[VOCAB - 1] = 0
        model.final_logits_bias[0, 0] = -1e4
    model.generation_config.max_length = 512
    model.generation_config.bad_words_ids = [[VOCAB - 1]]
    model.save_pretrained(HOME)

    class Words:
        eos_token, unk_token = "</s>", "<unk>"

        @staticmethod
        def get_vocab():
            return {word: i for i, word in enumerate(words)}

    class Converter(TransformersConverter):
        def load_tokenizer(self, *_, **__):
            return Words

    for precision, quantization in (("fp32", None), ("int8", "int8")):
        Converter(str(HOME)).convert(str(HOME / f"ctranslate2-{precision}"), quantization=quantization, force=True)


class Theirs:
    def __init__(self, precision):
        import ctranslate2
        self.translator = ctranslate2.Translator(str(HOME / f"ctranslate2-{precision}"), device="cpu", intra_threads=1, inter_threads=1,
                                                 compute_type="float32" if precision == "fp32" else "int8")
        self.version = ctranslate2.__version__

    def seconds(self, beams, steps, lengths):
        texts = [[f"word{(number * 613 + i * 7919) % (VOCAB - 3)}" for i in range(length - 1)] + ["</s>"]
                 for number, length in enumerate(lengths)]
        out = []
        spent = peers.process_seconds(lambda: out.extend(self.translator.translate_batch(
            texts, beam_size=beams, max_decoding_length=steps, max_batch_size=0)))
        tokens = sum(len(result.hypotheses[0]) for result in out)
        assert tokens == steps * len(lengths), (tokens, steps, len(lengths))
        return spent


class Ours:
    def __init__(self, kernels, precision):
        self.process = subprocess.Popen([peers.ROOT / "bench" / "translate", kernels, precision, HOME], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.process.stdout.readline().strip()

    def seconds(self, beams, steps, lengths):
        self.process.stdin.write(f"{beams} {steps} {' '.join(map(str, lengths))}\n")
        self.process.stdin.flush()
        spent, tokens = self.process.stdout.readline().split()
        assert int(tokens) == steps * len(lengths), (tokens, steps, len(lengths))
        return float(spent)


def least_seconds(precision, lengths, beams, steps, peak, memory):
    """Of the products alone."""
    size, faster = (4, 1) if precision == "fp32" else (1, 4)

    def pass_seconds(weights, rows):
        return max(weights * size / (1e9 * memory), 2 * weights * rows / (1e9 * peak * faster))

    return pass_seconds(ENCODER, sum(lengths)) + steps * pass_seconds(DECODER, beams * len(lengths))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--kernels", default="best", help="kernels to force on our side")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="", help="fp32 or int8")
    args = parser.parse_args()

    peers.enter_venv()
    if not (HOME / "ctranslate2-int8" / "model.bin").exists():
        make_model()
    os.sched_setaffinity(0, {args.core})
    for precision in ("fp32", "int8"):
        if args.only not in ("", precision):
            continue
        ours, theirs = Ours(args.kernels, precision), Theirs(precision)
        peak, memory = half.machine(ours.version.split()[0])
        print(f"{ours.version} (peak {peak:.0f} GFLOP/s, memory {memory:.1f} GB/s); CTranslate2 {theirs.version}; tokens/s", flush=True)
        for name, lengths in CASES.items():
            for beams in (1, 4):
                steps = sum(lengths) // len(lengths)
                runs = {who: lambda side=side: side.seconds(beams, steps, lengths) for who, side in (("ours", ours), ("theirs", theirs))}
                peers.measure(runs, 1)      # warm
                samples = peers.measure(runs, 3 if args.quick else 7)
                median = {key: statistics.median(s) for key, s in samples.items()}
                ratio = statistics.median(b / a for a, b in zip(samples["ours"], samples["theirs"]))
                least = least_seconds(precision, lengths, beams, steps, peak, memory)
                tokens = steps * len(lengths)
                print(f"  {name:>4} sentence{'s' if len(lengths) > 1 else ' '}, {beams} beam{'s' if beams > 1 else ' '}: "
                      f"ours {tokens / median['ours']:8.1f}  CTranslate2 {tokens / median['theirs']:8.1f}  x {ratio:.2f}   "
                      f"roofline {tokens / least:8.1f} (reached {least / median['ours']:.2f})", flush=True)


if __name__ == "__main__":
    main()
