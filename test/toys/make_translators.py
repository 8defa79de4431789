#!/usr/bin/env python3
"""Write the toy translators opus-de-en and opus-en-romance: one layer each side of width 48, trained on the sentences of
doc/translation.md until they know them by heart.

    python3 test/toys/make_translators.py       # needs torch, transformers, sentencepiece; some minutes

They stand in for Helsinki-NLP's models where the manual's queries are executed: their answers show the shape of an answer, not its quality.
"""
import os
import random
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "fixtures"))
import torch
from make_marian import pieces, train, write_json
from safetensors.torch import save_file
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

GERMAN = [
    ("Der Kaffee schmeckt wunderbar, ich liebe ihn.", "The coffee tastes wonderful, I love it."),
    ("Nach drei Wochen war die Maschine kaputt.", "After three weeks the machine was broken."),
    ("Der Kundendienst hat nie geantwortet, furchtbar.", "Customer service never answered, terrible."),
    ("Sehr leise und leicht zu reinigen.", "Very quiet and easy to clean."),
    ("Das beste Geschenk des Jahres!", "The best gift of the year!"),
    ("Die Lieferung kam zu spät.", "The delivery came too late."),
    ("Vielen Dank für die schnelle Antwort!", "Thank you for the quick answer!"),
    ("Der Akku hält nur eine Stunde.", "The battery lasts only an hour."),
]
ROMANCE = [
    ("You can send back any order within thirty days.", "Vous pouvez renvoyer toute commande sous trente jours.",
     "Puede devolver cualquier pedido en treinta días."),
    ("You can send back any order within sixty days.", "Vous pouvez renvoyer toute commande sous soixante jours.",
     "Puede devolver cualquier pedido en sesenta días."),
    ("Your parcel is on its way.", "Votre colis est en route.", "Su paquete está en camino."),
    ("Please restart the device.", "Veuillez redémarrer l'appareil.", "Reinicie el dispositivo, por favor."),
    ("Thank you for your patience.", "Merci de votre patience.", "Gracias por su paciencia."),
    ("We refund the price to your card.", "Nous remboursons le prix sur votre carte.", "Le devolvemos el importe a su tarjeta."),
    ("Good morning!", "Bonjour !", "¡Buenos días!"),
]
STEPS = 900


def make(name, pairs, languages):
    out = os.path.join(HERE, name)
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    train([s for s, _ in pairs], os.path.join(out, "source.spm"), 160)
    train([t for _, t in pairs], os.path.join(out, "target.spm"), 160)
    tokens = ["</s>", "<unk>"] + sorted(set(pieces(os.path.join(out, "source.spm"))) | set(pieces(os.path.join(out, "target.spm"))))
    tokens += [">>%s<<" % l for l in languages] + ["<pad>"]
    write_json(os.path.join(out, "vocab.json"), {t: i for i, t in enumerate(tokens)})
    write_json(os.path.join(out, "tokenizer_config.json"),
               {"tokenizer_class": "MarianTokenizer", "source_lang": "x", "target_lang": "y", "model_max_length": 128})
    pad = len(tokens) - 1
    shape = dict(vocab_size=len(tokens), d_model=48, encoder_layers=1, decoder_layers=1, encoder_attention_heads=4,
                 decoder_attention_heads=4, encoder_ffn_dim=96, decoder_ffn_dim=96, max_position_embeddings=128,
                 activation_function="swish", scale_embedding=True, pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad,
                 forced_eos_token_id=0)
    torch.manual_seed(3)
    random.seed(3)
    model = MarianMTModel(MarianConfig(dropout=0.1, **shape))
    write_json(os.path.join(out, "config.json"), dict(shape, model_type="marian", architectures=["MarianMTModel"],
                                                      is_encoder_decoder=True, share_encoder_decoder_embeddings=True))
    write_json(os.path.join(out, "generation_config.json"),
               dict(max_length=128, num_beams=4, bad_words_ids=[[pad]], forced_eos_token_id=0, decoder_start_token_id=pad,
                    eos_token_id=0, pad_token_id=pad, renormalize_logits=True))
    tok = MarianTokenizer.from_pretrained(out)
    learn(model, tok, pairs)
    model.half()
    kept = {n: t.contiguous() for n, t in model.state_dict().items()
            if "embed_positions" not in n and "embed_tokens" not in n and n != "lm_head.weight"}
    save_file(kept, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    os.chmod(os.path.join(out, "model.safetensors"), 0o644)
    check(out, tok, pairs)


def learn(model, tok, pairs):
    optimizer = torch.optim.AdamW([p for n, p in model.named_parameters() if "embed_positions" not in n], 3e-3)
    model.train()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1, (STEPS - step) / (STEPS / 2))
        some = [random.choice(pairs) for _ in range(16)]
        given = tok([s for s, _ in some], text_target=[t for _, t in some], return_tensors="pt", padding=True)
        given["labels"][given["labels"] == tok.pad_token_id] = -100
        loss = model(**given).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def check(out, tok, pairs):
    model = MarianMTModel.from_pretrained(out, dtype=torch.float32).eval()
    for source, target in pairs:
        given = tok([source], return_tensors="pt")
        said = tok.decode(model.generate(**given, do_sample=False)[0], skip_special_tokens=True)
        if said != target:
            print("%s: %r became %r" % (os.path.basename(out), source, said))
    print(os.path.basename(out), os.path.getsize(os.path.join(out, "model.safetensors")))


if __name__ == "__main__":
    make("opus-de-en", GERMAN, ())
    make("opus-en-romance", [(">>fr<< " + e, f) for e, f, _ in ROMANCE] + [(">>es<< " + e, s) for e, _, s in ROMANCE], ("fr", "es"))
