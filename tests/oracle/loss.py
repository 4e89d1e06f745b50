#!/usr/bin/env python3
"""Golden losses and gradients from PyTorch for tests/ops/test_loss.c. Usage: loss.py TESTS/DATA/LOSS"""
import pathlib
import sys

import numpy
import torch

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
generator = numpy.random.default_rng(5)
SHAPES = {'rows': (6, 5), 'maps': (2, 5, 3, 2), 'one': (5,)}
x, target, probabilities = {}, {}, {}
for name, shape in SHAPES.items():
    dim = 1 if len(shape) > 1 else 0
    x[name] = (generator.standard_normal(shape) * 3).astype('f4')
    target[name] = generator.integers(0, 5, shape[:dim] + shape[dim + 1:])
    q = generator.random(shape).astype('f4')
    probabilities[name] = q / q.sum(dim, keepdims=True)
weight = numpy.array([.5, 2, 0, 1.25, 3], 'f4')
for name in SHAPES:
    numpy.save(out / f'x_{name}.npy', x[name])
    numpy.save(out / f'target_{name}.npy', target[name])
    numpy.save(out / f'probabilities_{name}.npy', probabilities[name])
numpy.save(out / 'weight.npy', weight)

# As in test_loss.c: kind, data, weighted, ignore, smoothing, reduction
CASES = [
    ('index', 'rows', 0, -100, 0, 'mean'), ('index', 'rows', 0, -100, 0, 'sum'), ('index', 'rows', 0, -100, 0, 'none'),
    ('index', 'rows', 1, -100, 0, 'mean'), ('index', 'rows', 0, 1, 0, 'mean'), ('index', 'rows', 0, -100, .1, 'mean'),
    ('index', 'rows', 1, 1, .2, 'mean'), ('index', 'rows', 1, 1, .2, 'sum'), ('index', 'rows', 1, 1, .2, 'none'),
    ('index', 'maps', 0, -100, 0, 'mean'), ('index', 'maps', 1, 1, .3, 'mean'), ('index', 'maps', 1, 1, .3, 'none'),
    ('index', 'one', 0, -100, 0, 'mean'), ('index', 'one', 1, -100, .1, 'none'),
    ('probability', 'rows', 0, -100, 0, 'mean'), ('probability', 'rows', 1, -100, .2, 'mean'),
    ('probability', 'rows', 1, -100, 0, 'none'), ('probability', 'maps', 1, -100, .1, 'sum'),
    ('probability', 'maps', 0, -100, .1, 'mean'), ('probability', 'one', 0, -100, 0, 'mean'),
    ('nll', 'rows', 0, -100, 0, 'mean'), ('nll', 'rows', 1, 1, 0, 'mean'), ('nll', 'rows', 1, 1, 0, 'none'),
    ('nll', 'maps', 1, 1, 0, 'mean'), ('nll', 'maps', 0, -100, 0, 'sum'), ('nll', 'one', 0, -100, 0, 'mean'),
    ('mse', 'maps', 0, 0, 0, 'mean'), ('mse', 'maps', 0, 0, 0, 'sum'), ('mse', 'maps', 0, 0, 0, 'none'),
]
for i, (kind, data, weighted, ignore, smoothing, reduction) in enumerate(CASES):
    a = torch.tensor(x[data], requires_grad=True)
    w = torch.tensor(weight) if weighted else None
    q = torch.tensor(probabilities[data], requires_grad=True)
    if kind == 'index':
        y = torch.nn.functional.cross_entropy(a, torch.tensor(target[data]), w, ignore_index=ignore,
                                              label_smoothing=smoothing, reduction=reduction)
    elif kind == 'probability':
        y = torch.nn.functional.cross_entropy(a, q, w, label_smoothing=smoothing, reduction=reduction)
    elif kind == 'nll':
        y = torch.nn.functional.nll_loss(a, torch.tensor(target[data]), w, ignore_index=ignore, reduction=reduction)
    else:
        y = torch.nn.functional.mse_loss(a, q, reduction=reduction)
    # The gradient that comes in: 1, 1.5, 2, ...
    y.backward(1 + .5 * torch.arange(y.numel(), dtype=torch.float32).reshape(y.shape))
    numpy.save(out / f'y_{i}.npy', y.detach().numpy())
    numpy.save(out / f'dx_{i}.npy', a.grad.numpy())
    if q.grad is not None:
        numpy.save(out / f'dq_{i}.npy', q.grad.numpy())
