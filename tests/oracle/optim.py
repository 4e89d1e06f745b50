"""Writes tests/data/optim: parameters after 1, 10 and 100 steps of PyTorch's optimizers, which tests/optim compares with.

Run with a Python that has PyTorch (made with 1.13): python3 tests/oracle/optim.py
Parameters and gradients come from a formula that the test repeats. The second parameter has a gradient at every third
step only, the third one none.
"""
import os

import numpy
import torch

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "optim")
SIZES = [17, 4, 3]
STEPS = [1, 10, 100]


def numbers(n, salt):
    """n floats in [-2, 2]"""
    i = numpy.arange(n, dtype=numpy.int64)
    return torch.from_numpy((((i * 7919 + salt * 104729) % 2001 - 1000) / 500.0).astype(numpy.float32))


def trajectory(name, make):
    params = [torch.nn.Parameter(numbers(n, k)) for k, n in enumerate(SIZES)]
    params[2].requires_grad = False
    optimizer = make([p for p in params if p.requires_grad])
    rows = []
    for step in range(1, STEPS[-1] + 1):
        params[0].grad = numbers(SIZES[0], 10 * step)
        params[1].grad = numbers(SIZES[1], 10 * step + 1) if step % 3 == 1 else None
        optimizer.step()
        if step in STEPS:
            rows.append(torch.cat([p.detach() for p in params]).numpy())
    numpy.save(os.path.join(HERE, name + ".npy"), numpy.stack(rows))


def main():
    torch.set_num_threads(1)
    os.makedirs(HERE, exist_ok=True)
    optim = torch.optim
    trajectory("adam", lambda p: optim.Adam(p))
    trajectory("adam_decay", lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1))
    trajectory("adam_amsgrad", lambda p: optim.Adam(p, lr=0.01, amsgrad=True))
    trajectory("adamw", lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1))
    trajectory("adamw_amsgrad", lambda p: optim.AdamW(p, amsgrad=True))
    trajectory("sgd", lambda p: optim.SGD(p, lr=0.01, weight_decay=0.1))
    trajectory("sgd_momentum", lambda p: optim.SGD(p, lr=0.01, momentum=0.9, dampening=0.2, weight_decay=0.01))
    trajectory("sgd_nesterov", lambda p: optim.SGD(p, lr=0.001, momentum=0.9, weight_decay=0.01, nesterov=True))


if __name__ == "__main__":
    main()
