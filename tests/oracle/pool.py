#!/usr/bin/env python3
"""Golden pooling from PyTorch for tests/ops/test_pool.c. Usage: pool.py TESTS/DATA/POOL"""
import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
# Small integers, so that many windows have ties.
x = numpy.random.default_rng(2).integers(-3, 4, (2, 3, 19, 22)).astype('f4')
numpy.save(out / 'x.npy', x)

# As in test_pool.c: kernel, stride, padding, dilation, ceil_mode
MAX = [
    ((2, 2), (2, 2), (0, 0), (1, 1), False), ((2, 2), (2, 2), (0, 0), (1, 1), True), ((3, 3), (2, 2), (1, 1), (1, 1), False),
    ((3, 3), (2, 2), (1, 1), (1, 1), True), ((3, 2), (1, 2), (1, 1), (1, 1), False), ((3, 3), (1, 1), (1, 1), (2, 2), False),
    ((2, 3), (3, 2), (0, 1), (3, 1), True), ((5, 5), (5, 4), (2, 2), (1, 1), True), ((17, 17), (1, 1), (8, 8), (1, 1), False),
    ((1, 1), (3, 3), (0, 0), (1, 1), False), ((2, 2), (3, 5), (0, 0), (1, 1), True),
]
# kernel, stride, padding, ceil_mode, count_include_pad, divisor_override
AVERAGE = [
    ((2, 2), (2, 2), (0, 0), False, True, None), ((3, 3), (2, 2), (1, 1), False, True, None),
    ((3, 3), (2, 2), (1, 1), True, False, None), ((3, 3), (2, 2), (1, 1), True, True, None),
    ((5, 4), (3, 4), (2, 1), True, True, None), ((3, 2), (1, 3), (1, 1), True, True, 7), ((4, 4), (6, 6), (0, 0), True, False, None),
]
ADAPTIVE = [(1, 1), (7, 7), (19, 22), (2, 3), (30, 5)]


def save(kind, i, y, a, indices=None):
    y.backward(1 + .5 * torch.arange(y.numel(), dtype=torch.float32).reshape(y.shape))
    numpy.save(out / f'{kind}_y_{i}.npy', y.detach().numpy())
    numpy.save(out / f'{kind}_dx_{i}.npy', a.grad.numpy())
    if indices is not None:
        numpy.save(out / f'{kind}_indices_{i}.npy', indices.numpy().astype('i4'))


for i, (kernel, stride, padding, dilation, ceil_mode) in enumerate(MAX):
    a = torch.tensor(x, requires_grad=True)
    y, indices = F.max_pool2d(a, kernel, stride, padding, dilation, ceil_mode, return_indices=True)
    save('max', i, y, a, indices)
for i, case in enumerate(AVERAGE):
    a = torch.tensor(x, requires_grad=True)
    save('avg', i, F.avg_pool2d(a, *case), a)
for i, size in enumerate(ADAPTIVE):
    a = torch.tensor(x, requires_grad=True)
    save('adaptive', i, F.adaptive_avg_pool2d(a, size), a)
