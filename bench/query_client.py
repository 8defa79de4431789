#!/usr/bin/env python3
"""What users do otherwise: fetch, tokenise, run ONNX Runtime, write back.

    query_client.py TABLE arrival|sorted|one

One thread, batches of 32 (arrival order or sorted by length) or one by one.
Prints the processor seconds of this process once it is ready to fetch, and of
psql and its backend, which are small beside it.
"""
import os
import pathlib
import resource
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import numpy
import onnxruntime
from tokenizers import Tokenizer

ROOM = pathlib.Path(os.environ["ROOM"])


def psql(sql, data=None):
    return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql], text=True, input=data,
                          check=True, stdout=subprocess.PIPE).stdout


def batches(encodings, way):
    order = list(range(len(encodings)))
    if way == "sorted":
        order.sort(key=lambda i: len(encodings[i].ids))
    size = 1 if way == "one" else 32
    return [order[i:i + size] for i in range(0, len(order), size)]


def run(session, encodings):
    longest = max(len(e.ids) for e in encodings)
    ids = numpy.zeros((len(encodings), longest), dtype=numpy.int64)
    mask = numpy.zeros_like(ids)
    for i, e in enumerate(encodings):
        ids[i, :len(e.ids)] = e.ids
        mask[i, :len(e.ids)] = 1
    logits = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    p = numpy.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p[:, 1] - p[:, 0]


def main():
    table, way = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(ROOM / "fused.onnx"), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(ROOM / "tokenizer" / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)

    start = time.process_time()
    lines = psql(f"COPY (SELECT id, translate(body, E'\\n\\t\\\\', '   ') FROM {table} ORDER BY id) TO STDOUT").splitlines()
    ids, texts = zip(*(line.split("\t", 1) for line in lines))
    encodings = tokenizer.encode_batch(list(texts))
    scores = numpy.zeros(len(texts))
    for batch in batches(encodings, way):
        scores[batch] = run(session, [encodings[i] for i in batch])
    psql("CREATE TEMP TABLE result (id int, score real); COPY result FROM STDIN;"
         f"UPDATE {table} t SET score = r.score FROM result r WHERE r.id = t.id",
         "".join(f"{i}\t{s}\n" for i, s in zip(ids, scores)))
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(time.process_time() - start + children.ru_utime + children.ru_stime)


if __name__ == "__main__":
    main()
