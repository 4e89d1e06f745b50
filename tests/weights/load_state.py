"""PyTorch loads state dicts of modules and optimizers written here, and goes on from them as this library does.

Usage: load_state.py WRITE_STATE; exits 77 without PyTorch.
"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from torch_python import need  # noqa: E402

need("torch")
import torch  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import nn as oracle  # noqa: E402

optim = torch.optim
MAKERS = [optim.Adam, lambda p: optim.AdamW(p, amsgrad=True), lambda p: optim.SGD(p, lr=1),
          lambda p: optim.SGD(p, lr=1, momentum=0.9, nesterov=True)]


def numbers(shape, salt):
    i = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    return (((i * 7919 + salt * 104729) % 2001 - 1000).double() / 500).float().reshape(shape)


def check_network(v):
    net = oracle.FashionCNN()
    assert str(net.load_state_dict(v["network"], strict=True)) == "<All keys matched successfully>"
    assert v["network"]._metadata == net.state_dict()._metadata, v["network"]._metadata
    assert list(v["network"]) == list(net.state_dict())
    assert net.layer1[1].num_batches_tracked.item() == 1
    with torch.no_grad():
        logits = net.eval()(numbers((2, 1, 28, 28), 1))
    torch.testing.assert_close(v["logits"], logits, rtol=1e-4, atol=1e-5)


def check_training(make, v):
    box = torch.nn.Module()
    box.p, box.q = torch.nn.Parameter(torch.zeros(7, 5)), torch.nn.Parameter(torch.zeros(3))
    box.load_state_dict(v["before"], strict=True)
    optimizer = make(box.parameters())
    own = optimizer.state_dict()
    optimizer.load_state_dict(v["optimizer"])
    assert set(v["optimizer"]["param_groups"][0]) == set(own["param_groups"][0])
    box.p.grad, box.q.grad = numbers((7, 5), 2), numbers((3,), 2)
    optimizer.step()
    for name, p in box.named_parameters():
        torch.testing.assert_close(v["after"][name], p.detach(), rtol=1e-6, atol=1e-7)
        assert not torch.equal(v["before"][name], p)


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "state.pth")
    subprocess.check_call([sys.argv[1], path])
    state = torch.load(path)
assert len(state["trainings"]) == len(MAKERS)
for maker, training in zip(MAKERS, state["trainings"]):
    check_training(maker, training)
check_network(state)
print("torch", torch.__version__, "goes on from it")
