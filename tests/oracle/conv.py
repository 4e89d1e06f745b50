#!/usr/bin/env python3
"""Writes tests/data/conv/NAME.npy: output, input's, weight's and bias's gradient of some convolutions by PyTorch, one
after the other as float32. Operands are the small integers that tests/ops/test_conv.c makes."""
import pathlib

import numpy
import torch
import torch.nn.functional as functional

OUT = pathlib.Path(__file__).resolve().parent.parent / 'data' / 'conv'


def numbers(shape, step):
    count = int(numpy.prod(shape))
    values = (numpy.arange(count) * step + step) % 11 - 5
    return torch.tensor(values.reshape(shape), dtype=torch.float32)


CASES = {
    'strided': (functional.conv2d, (2, 3, 7, 6), (4, 3, 3, 2), dict(stride=(2, 1), padding=(1, 2))),
    'grouped': (functional.conv2d, (2, 4, 6, 6), (6, 2, 3, 3), dict(groups=2, dilation=(1, 2), padding=2)),
    'same': (functional.conv2d, (1, 2, 5, 6), (3, 2, 2, 4), dict(padding='same', dilation=(1, 1))),
    'one_dimension': (functional.conv1d, (3, 4, 12), (6, 4, 3), dict(stride=2, padding=1)),
    'unbatched': (functional.conv2d, (2, 5, 5), (3, 2, 3, 3), dict()),
}

for name, (function, shape, kernel, options) in CASES.items():
    x, w, b = numbers(shape, 7), numbers(kernel, 3), numbers(kernel[:1], 5)
    for t in (x, w, b):
        t.requires_grad_(True)
    y = function(x, w, b, **options)
    y.backward(numbers(tuple(y.shape), 4))
    together = torch.cat([t.detach().flatten() for t in (y, x.grad, w.grad, b.grad)])
    OUT.mkdir(exist_ok=True)
    numpy.save(OUT / f'{name}.npy', together.numpy())
