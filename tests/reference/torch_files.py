"""Files of torch.save, good and bad ones, and what is in the good ones as safetensors."""

import argparse
import collections
import os
import pathlib
import pickle
import zipfile

import torch
from safetensors.torch import save_file


class Attack:
    """Unpickles to a call of os.system, which would leave a file behind."""

    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.system, (f"touch '{self.victim}'",)


def tensors():
    torch.manual_seed(0)
    grid = torch.randn(6, 8)
    return {
        "f64": torch.randn(3, dtype=torch.float64),
        "f32": grid,
        "f16": torch.randn(2, 5).half(),
        "bf16": torch.randn(7).bfloat16(),
        "f8_e4m3": torch.randn(4, 4).to(torch.float8_e4m3fn),
        "f8_e5m2": torch.randn(4, 4).to(torch.float8_e5m2),
        "i64": torch.tensor([-(2**40), 3]),
        "i32": torch.tensor([-5], dtype=torch.int32),
        "i16": torch.tensor([-300], dtype=torch.int16),
        "i8": torch.tensor([-128, 127], dtype=torch.int8),
        "u8": torch.tensor([255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(3)),
        # Views: the rows lie together, the others are gathered.
        "rows": grid[2:4],
        "columns": grid[:, 1:3],
        "transposed": grid.t(),
        "every_other": torch.randn(2, 3, 4, dtype=torch.float64).permute(2, 0, 1)[::2],
    }


def with_members(source, target, change):
    """Copies a zip archive; `change` gives (bytes, compression) of each member."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data, compression = change(name, old.read(name))
            new.writestr(name, data, compression)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path, required=True)
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)

    flat = tensors()
    ordered = collections.OrderedDict(flat)
    ordered._metadata = collections.OrderedDict(version=1)
    nested = {
        "module": ordered,
        "epoch": 3,
        "lr": 1e-4,
        "name": "run",
        "shape": torch.Size([2, 3]),
        "dtype": torch.bfloat16,
        "device": torch.device("cpu"),
        "big": 2**40,
        "none": None,
        "list": [torch.ones(2), {"deep": torch.zeros(1)}],
    }
    torch.save(flat, output / "flat.pt")
    torch.save(nested, output / "nested.pt")
    torch.save(nested, output / "protocol4.pt", pickle_protocol=4)
    torch.serialization.set_crc32_options(False)
    torch.save(flat, output / "no_crc.pt")
    torch.serialization.set_crc32_options(True)
    save_file({name: value.detach().contiguous().clone() for name, value in flat.items()}, output / "flat.safetensors")

    torch.save(flat, output / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.ones(2), output / "bare_tensor.pt")
    torch.save({"a": torch.ones(1).expand(1000)}, output / "expanded.pt")
    torch.save({"a": torch.zeros(2, dtype=torch.uint16)}, output / "uint16.pt")
    torch.save({"a": torch.zeros(2, dtype=torch.complex64)}, output / "complex.pt")
    torch.save({("a", 1): torch.zeros(2)}, output / "tuple_key.pt")
    torch.save({"a": {"b": torch.zeros(2)}, "a.b": torch.zeros(2)}, output / "doubled.pt")
    torch.save({"module": torch.nn.Linear(2, 2)}, output / "module.pt")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), output / "torchscript.pt")
    for protocol in (2, 4):
        torch.save({"a": torch.ones(1), "b": Attack(output / "attacked")}, output / f"attack{protocol}.pt",
                   pickle_protocol=protocol)
    (output / "attack_bare.pt").write_bytes(pickle.dumps(Attack(output / "attacked"), protocol=2))

    with_members(output / "flat.pt", output / "deflated.pt", lambda name, data: (data, zipfile.ZIP_DEFLATED))
    bomb = lambda name, data: (bytes(64 << 20), zipfile.ZIP_DEFLATED) if name.endswith("data/0") else (data, 0)
    with_members(output / "flat.pt", output / "bomb.pt", bomb)
    with_members(output / "flat.pt", output / "big_endian.pt",
                 lambda name, data: (b"big" if name.endswith("byteorder") else data, zipfile.ZIP_STORED))
    cut = lambda name, data: (data[:-8] if name.endswith("data/1") else data, zipfile.ZIP_STORED)
    with_members(output / "flat.pt", output / "short_storage.pt", cut)
    with zipfile.ZipFile(output / "flat.pt") as old, zipfile.ZipFile(output / "no_storage.pt", "w") as new:
        for name in old.namelist():
            if not name.endswith("data/2"):
                new.writestr(name, old.read(name))


if __name__ == "__main__":
    main()
