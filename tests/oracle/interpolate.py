#!/usr/bin/env python3
"""Golden resampling from PyTorch (made with 1.13) for tests/ops/test_interpolate.c.
Usage: interpolate.py TESTS/DATA/INTERPOLATE"""
import pathlib
import sys

import numpy
import torch

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(5)
# The order and the options are those of the test's table.
CASES = [
    ((2, 3, 4, 5), dict(size=(8, 10))), ((1, 2, 7, 6), dict(size=(3, 4))), ((2, 1, 5, 3), dict(scale_factor=(2.5, 1.7))),
    ((1, 1, 9, 8), dict(scale_factor=0.6)), ((2, 3, 1, 4), dict(size=(3, 1))),
]
number = 0
for mode, align in (('nearest', None), ('bilinear', False), ('bilinear', True)):
    for shape, options in CASES:
        x = torch.randn(shape, requires_grad=True)
        y = torch.nn.functional.interpolate(x, mode=mode, align_corners=align, **options)
        dy = torch.randn(y.shape)
        y.backward(dy)
        for key, value in (('x', x), ('y', y), ('dy', dy), ('dx', x.grad)):
            numpy.save(out / f'{number}_{key}.npy', value.detach().numpy())
        number += 1
