#!/usr/bin/env python3
"""Golden batch normalisation from PyTorch for tests/ops/test_batch_norm.c: three training steps, then evaluation.
Usage: batch_norm.py TESTS/DATA/BATCH_NORM"""
import pathlib
import sys

import numpy
import torch

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
torch.manual_seed(3)
# maps (N C H W), rows (N C)
for name, layer, shape in (('maps', torch.nn.BatchNorm2d(3), (4, 3, 5, 7)), ('rows', torch.nn.BatchNorm1d(6), (5, 6))):
    with torch.no_grad():
        layer.weight.uniform_(.5, 2)
        layer.bias.uniform_(-1, 1)
    numpy.save(out / f'{name}_weight.npy', layer.weight.detach().numpy())
    numpy.save(out / f'{name}_bias.npy', layer.bias.detach().numpy())
    for step in range(4):
        if step == 3:
            layer.eval()
        layer.zero_grad(set_to_none=True)
        x = (torch.randn(shape) * 3 + torch.arange(shape[1]).reshape([-1] + [1] * (len(shape) - 2))).requires_grad_()
        dy = torch.randn(shape)
        y = layer(x)
        y.backward(dy)
        for key, value in (('x', x), ('dy', dy), ('y', y), ('dx', x.grad), ('dweight', layer.weight.grad),
                           ('dbias', layer.bias.grad), ('mean', layer.running_mean), ('var', layer.running_var)):
            numpy.save(out / f'{name}_{key}_{step}.npy', value.detach().numpy())
