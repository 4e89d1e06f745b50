"""Writes tests/data/weights: small files by the real torch.save, which the tests of lib/weights read.

Run with a Python that has PyTorch (made with 1.13): python3 tests/oracle/weights.py
"""
import collections
import os
import zipfile

import numpy
import torch
from torch import nn

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "weights")


def path(name):
    return os.path.join(HERE, name)


def count_up(tensor, first):
    """first, first + 1, ... in row-major order"""
    return torch.arange(first, first + tensor.numel()).reshape(tensor.shape).to(tensor.dtype)


def network():
    net = nn.Sequential(collections.OrderedDict(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2)))
    with torch.no_grad():
        for i, tensor in enumerate(net.state_dict().values()):
            tensor.copy_(count_up(tensor, 10 * i))
    return net


def save_network():
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.5)
    for p in net.parameters():
        p.grad = torch.ones_like(p)
    torch.save(net.state_dict(), path("state_dict.pth"))
    torch.save(net.state_dict(), path("protocol4.pth"), pickle_protocol=4)
    torch.save(net.state_dict(), path("legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save(net, path("whole_model.pth"))
    optimizer.step()
    for state in optimizer.state_dict()["state"].values():
        state["exp_avg"].fill_(0.125)
    torch.save({"model": network().state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.75,
                "large": 2**40, "negative": -5, "least": -2**63, "name": "Gr\u00fc\u00dfe", "done": True, "none": None},
               path("checkpoint.pth"))


def save_types():
    types = [torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8, torch.bool, torch.int8, torch.int16,
             torch.float16, torch.bfloat16]
    torch.save([torch.tensor([[0, 1, 2], [3, 4, 5]]).to(t) for t in types], path("types.pth"))


def save_views():
    a = torch.arange(12.0).reshape(3, 4)
    torch.save({"a": a, "t": a.t(), "part": a[1:, 2], "expanded": a[0, 1:2].expand(2, 3), "parameter": nn.Parameter(a),
                "scalar": torch.tensor(7), "empty": torch.zeros(0, 3), "size": a.size(), "again": [a, a]},
               path("views.pth"))


def rewrite(source, target, compression, change=lambda name, data: data, more=()):
    """The same entries, otherwise packed."""
    with zipfile.ZipFile(path(source)) as old, zipfile.ZipFile(path(target), "w", compression) as new:
        for entry in old.namelist():
            new.writestr(entry, change(entry.split("/", 1)[1], old.read(entry)))
        for name, data in more:
            new.writestr(old.namelist()[0].split("/")[0] + "/" + name, data)


def swap(name, data):
    sizes = {"data/6": 8}   # num_batches_tracked; the rest is float32
    size = sizes.get(name, 4)
    return numpy.frombuffer(data, "<u%d" % size).byteswap().tobytes() if name.startswith("data/") else data


def save_npz():
    """NumPy's types, orders and byte orders"""
    arrays = {"conv.weight": numpy.arange(6, dtype="<f4").reshape(2, 3), "order": numpy.arange(6.0).reshape(2, 3).T,
              "big": numpy.arange(3, dtype=">i8"), "half": numpy.arange(3, dtype="<f2"), "flag": numpy.array([True, False]),
              "scalar": numpy.array(7, dtype="<i4"), "empty": numpy.zeros((0, 3), dtype="<i2"),
              "bytes": numpy.arange(4, dtype="u1"), "signed": numpy.arange(-2, 2, dtype="i1")}
    numpy.savez(path("plain.npz"), **arrays)
    numpy.savez_compressed(path("compressed.npz"), **arrays)
    numpy.savez(path("one.npz"), a=numpy.arange(3, dtype="<f4"))
    numpy.savez(path("object.npz"), a=numpy.array([None, 1]))


def main():
    os.makedirs(HERE, exist_ok=True)
    save_network()
    save_types()
    save_views()
    save_npz()
    rewrite("state_dict.pth", "deflated.pth", zipfile.ZIP_DEFLATED)
    rewrite("state_dict.pth", "big_endian.pth", zipfile.ZIP_STORED, swap, [("byteorder", b"big")])
    rewrite("state_dict.pth", "middle_endian.pth", zipfile.ZIP_STORED, more=[("byteorder", b"middle")])
    rewrite("state_dict.pth", "short_storage.pth", zipfile.ZIP_STORED,
            lambda name, data: data[:-4] if name == "data/0" else data)
    with zipfile.ZipFile(path("state_dict.pth")) as old, zipfile.ZipFile(path("no_storage.pth"), "w") as new:
        for entry in old.namelist():
            if not entry.endswith("/data/1"):
                new.writestr(entry, old.read(entry))
    with zipfile.ZipFile(path("other.zip"), "w") as other:
        other.writestr("a.txt", b"not a checkpoint")
    torch.save({"accuracy": numpy.float64(0.5)}, path("numpy_scalar.pth"))
    torch.save({(1, 2): 3}, path("tuple_key.pth"))


if __name__ == "__main__":
    main()
