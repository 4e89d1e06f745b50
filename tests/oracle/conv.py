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


def padded(function, mode, pads):
    return lambda x, w, b, **options: function(functional.pad(x, pads, mode=mode), w, b, **options)


# function, input, weight, options
CASES = {
    'strided': (functional.conv2d, (2, 3, 7, 6), (4, 3, 3, 2), dict(stride=(2, 1), padding=(1, 2))),
    'grouped': (functional.conv2d, (2, 4, 6, 6), (6, 2, 3, 3), dict(groups=2, dilation=(1, 2), padding=2)),
    'same': (functional.conv2d, (1, 2, 5, 6), (3, 2, 2, 4), dict(padding='same', dilation=(1, 1))),
    'one_dimension': (functional.conv1d, (3, 4, 12), (6, 4, 3), dict(stride=2, padding=1)),
    'unbatched': (functional.conv2d, (2, 5, 5), (3, 2, 3, 3), dict()),
    'three_dimensions': (functional.conv3d, (2, 2, 5, 4, 6), (3, 2, 1, 2, 3),
                         dict(stride=(2, 1, 2), padding=(0, 1, 1))),
    'reflect': (padded(functional.conv2d, 'reflect', (2, 2, 1, 1)), (2, 2, 4, 5), (3, 2, 3, 3), dict(stride=2)),
    'circular_same': (padded(functional.conv2d, 'circular', (1, 2, 0, 1)), (1, 2, 5, 6), (3, 2, 2, 4), dict()),
    'replicate': (padded(functional.conv1d, 'replicate', (3, 3)), (2, 3, 5), (4, 3, 2), dict(dilation=2)),
    'circular_3d': (padded(functional.conv3d, 'circular', (1, 1, 1, 1, 2, 2)), (1, 2, 3, 4, 3), (2, 2, 3, 2, 2),
                    dict()),
    'transposed': (functional.conv_transpose2d, (2, 3, 4, 5), (3, 2, 3, 2), dict()),
    'transposed_strided': (functional.conv_transpose2d, (2, 4, 4, 3), (4, 3, 3, 4),
                           dict(stride=(2, 3), padding=(1, 2), output_padding=(1, 2), groups=2)),
    'transposed_tail': (functional.conv_transpose2d, (1, 2, 3, 4), (2, 3, 2, 3),
                        dict(stride=(1, 2), padding=(0, 1), output_padding=(2, 3), dilation=(3, 4))),
    'transposed_1d': (functional.conv_transpose1d, (3, 4, 6), (4, 2, 3), dict(stride=3, padding=1, output_padding=1)),
    'transposed_3d': (functional.conv_transpose3d, (2, 3, 2, 3, 4), (3, 2, 2, 3, 1),
                      dict(stride=(2, 1, 2), output_padding=(1, 0, 1), dilation=(1, 2, 1))),
    'transposed_unbatched': (functional.conv_transpose2d, (2, 3, 3), (2, 2, 2, 2), dict(stride=4)),
}


def write(name, tensors):
    OUT.mkdir(exist_ok=True)
    numpy.save(OUT / f'{name}.npy', torch.cat([t.detach().flatten() for t in tensors]).numpy())


for name, (function, shape, kernel, options) in CASES.items():
    bias = kernel[1] * options.get('groups', 1) if name.startswith('transposed') else kernel[0]
    x, w, b = numbers(shape, 7), numbers(kernel, 3), numbers((bias,), 5)
    for t in (x, w, b):
        t.requires_grad_(True)
    y = function(x, w, b, **options)
    y.backward(numbers(tuple(y.shape), 4))
    write(name, (y, x.grad, w.grad, b.grad))

x, w, b, r = numbers((2, 3, 5, 6), 7), numbers((4, 3, 3, 3), 3), numbers((4,), 5), numbers((2, 4, 5, 6), 2) * 8
for t in (x, w, b, r):
    t.requires_grad_(True)
y = functional.relu(functional.conv2d(x, w, b, padding=1) + r)
y.backward(numbers((2, 4, 5, 6), 4))
write('fused', (y, x.grad, w.grad, b.grad, r.grad))
