"""From a model in the database to models/<name>: distil_export_model's files, weights in half precision."""
import json

import numpy as np
from safetensors.numpy import load, save_file

from server import quote, sql


def export(name, to, drop=(), most=16_000_000):
    """Write the directory; tensors whose names begin with one of `drop` stay behind."""
    files = {f: bytes.fromhex(d) for f, d in sql(f"SELECT file, encode(data, 'hex') FROM distil_export_model({quote(name)})")}
    for f in to.rglob("*") if to.exists() else ():
        if f.is_file():
            f.unlink()
    for f, body in files.items():
        path = to / f
        path.parent.mkdir(parents=True, exist_ok=True)
        if f.endswith(".safetensors"):
            tensors = {k: v.astype(np.float16) for k, v in load(body).items() if not k.startswith(tuple(drop))}
            save_file(tensors, path, {"format": "pt"})
        elif f == "config.json":
            config = json.loads(body)
            config.pop("dtype", None)
            config["torch_dtype"] = "float16"
            path.write_text(json.dumps(config, indent=2) + "\n")
        else:
            path.write_bytes(body)
        path.chmod(0o644)
    size = sum(f.stat().st_size for f in to.rglob("*") if f.is_file())
    print(f"{to}: {size:,} bytes")
    assert size <= most, f"a model that ships has {most:,} bytes at most"
