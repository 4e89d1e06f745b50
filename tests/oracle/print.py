#!/usr/bin/env python3
"""Writes tests/data/print.txt: what print() of PyTorch tensors and NumPy arrays gives.

Made with torch 1.13 and NumPy 1.24.

A case: "case NAME DTYPE SHAPE DATA SUFFIX", then the text, each line behind a '|'. SHAPE is 2x3, or '-' without
dimensions. DATA is the bytes in hexadecimal, '-' for none, '=' for those of the case before, or ramp*S: element i is
((7919 i) % 10007 - 5000) * S, for u8 its remainder by 251, for bool that remainder's by 2.
SUFFIX is '-', requires_grad, or the name of a grad_fn.
Usage: print.py [FILE [SEED [CASES]]]
"""
import os
import random
import sys
import warnings

import numpy as np
import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'data', 'print.txt')
DTYPES = {'f32': np.float32, 'f64': np.float64, 'i32': np.int32, 'i64': np.int64, 'u8': np.uint8, 'bool': np.bool_}
lines = []


def write(name, dtype, shape, data, suffix, text):
    lines.append('case %s %s %s %s %s' % (name, dtype, 'x'.join(map(str, shape)) or '-', data, suffix))
    lines.extend('|' + line for line in text.split('\n'))


def both(dtype, a, data=None, suffix='-', torch_only=False):
    a = np.array(a).astype(DTYPES[dtype])
    data = data or a.tobytes().hex() or '-'
    t = torch.tensor(a)
    if suffix == 'requires_grad':
        t.requires_grad_()
    elif suffix != '-':
        t.requires_grad_()
        t = {'ReluBackward0': t.relu, 'CloneBackward0': t.clone}[suffix]()
        a = t.detach().numpy()
        data = a.tobytes().hex() or '-'
    write('torch', dtype, a.shape, data, suffix, str(t))
    if not torch_only:
        write('numpy', dtype, a.shape, '=', '-', str(a[()]))


def ramp(dtype, shape, scale):
    n = int(np.prod(shape))
    values = ((np.arange(n, dtype=np.int64) * 7919) % 10007 - 5000) * float(scale)
    both(dtype, values.astype(DTYPES[dtype]).reshape(shape), 'ramp*%r' % scale)


def fixed():
    data = [[0.4534, -0.7466, 0.3465, 0.6455, -0.8765], [0.6412, -1.5858, 0.2232, -0.1471, -0.9211],
            [1.2993, -0.2697, 0.9602, -0.9422, 0.8010], [-1.5591, -0.0076, 1.2083, 1.5805, -0.0050],
            [0.5771, 0.9593, -0.5919, -0.1729, -0.1015]]
    both('f32', data)
    both('f32', 1.5805)
    both('i64', [3, 0, 0, 3, 1])
    exam = np.arange(0, 500, 3)
    exam.resize(3, 5, 5)
    both('i64', exam)
    nan, inf = float('nan'), float('inf')
    for dtype in ('f32', 'f64'):
        for a in ([1e-5, 1.0], [1e5, 1.0], [1.0, 2.0], [nan, 1.5, inf], [nan, 1.0, -inf], [nan], [inf, nan],
                  [-inf, nan], [0.0], [-0.0, 0.0], [0.0, 1e-9], [1e8, 1.0], [100000000.0], [1.00000001e8], [1e8 - 8],
                  [999.0, 1.0], [1000.0, 1.0], [1001.0, 1.0], [1e-4], [9.99e-5, 9.99e-5], [1e30, -1e30],
                  [1e38, 1e-38], [1e300, 1e-300][:2 if dtype == 'f64' else 0] + [2.0], [0.1, 0.2, 0.30000001],
                  [1 / 3, 2 / 3], [5e-324, 1.0],
                  [0.5, 12345.678], [99999.99996, 3e4], [0.99999999999], [9.99999999999e9], [1, inf, nan, -5.25],
                  [123456789.0, 0.5], [2.5, 3.5], [16777216.0], [1e-45], [[0.0, 0.0], [-0.0, nan]],
                  [-1e-3, 0.1234567891]):
            both(dtype, a)
        for v in (0.0, -0.0, 1.0, 0.1, 1e-4, 9.9e-5, 1e16, 9999999999999998.0, 123456790.0, nan, -inf, 1e22, 1 / 3,
                  1e5):
            both(dtype, v)
    for dtype in DTYPES:
        for shape in ((0,), (0, 3), (2, 0), (1, 0, 2), (4, 0, 1, 7)):
            both(dtype, np.zeros(shape))
        both(dtype, 1)
        both(dtype, [[1, 0], [0, 1]])
    both('bool', [True, True])
    both('bool', False)
    both('i32', [-2**31, 2**31 - 1, 0])
    both('i64', [-2**63, 2**63 - 1, 0])
    both('u8', range(256))
    for suffix in ('requires_grad', 'ReluBackward0', 'CloneBackward0'):
        for n in (1, 2, 5, 6, 7, 8, 9, 10, 16, 30):
            both('f32', np.arange(n) * 0.7 - 1, suffix=suffix, torch_only=True)
        both('f64', [[1.0, 2.0]], suffix=suffix, torch_only=True)
        both('f64', np.arange(7) * 0.7, suffix=suffix, torch_only=True)
        both('f64', np.zeros((0, 3)), suffix=suffix, torch_only=True)
        both('f32', 2.5, suffix=suffix, torch_only=True)
    both('f64', np.zeros((2, 0, 1, 1, 1, 1, 1)), suffix='CloneBackward0', torch_only=True)
    ramp('f32', (1000,), 0.001)
    ramp('i64', (10, 100), 1.0)
    ramp('f32', (7, 7, 7, 7), 0.001)
    for shape in ((1001,), (100, 11), (3, 400), (7, 8, 20), (6, 6, 30), (2, 2, 2, 2, 70), (1, 1, 1, 1001),
                  (64, 3, 3, 3)):
        for dtype, scale in (('f32', 0.001), ('f32', 1.0), ('f32', 1e-7), ('f64', 0.37), ('f64', 1e7), ('i64', 1.0),
                             ('i32', 1000.0)):
            ramp(dtype, shape, scale)
    for dtype in ('u8', 'bool'):
        a = ((np.arange(1200, dtype=np.int64) * 7919) % 10007 - 5000)
        both(dtype, (a % 251).reshape(30, 40) % (2 if dtype == 'bool' else 256), 'ramp*1.0')


def shape_of(r, most):
    while True:
        shape = [r.choice([1, 1, 2, 3, 4, 5, 7, 9, 13, 25, 40]) for _ in range(r.choice([1, 1, 2, 2, 3, 3, 4, 5]))]
        if np.prod(shape) <= most:
            return shape


def floats(r, n):
    kind, scale = r.randrange(8), 10.0 ** r.randint(-6, 9)
    if kind == 0:
        v = [float(r.randint(-1000, 1000)) for _ in range(n)]
    elif kind == 1:
        v = [r.choice([0.0, 0.5, -0.25, 1.0, 2.75]) for _ in range(n)]
    elif kind == 2:
        v = [r.choice([-1, 1]) * 10.0 ** r.uniform(-8, 8) for _ in range(n)]
    elif kind == 3:
        v = [round(r.gauss(0, 1), r.randint(0, 10)) for _ in range(n)]
    elif kind == 4:
        v = [r.uniform(1, 3) * scale for _ in range(n)]
    elif kind == 5:
        v = [r.randint(0, 9) * scale for _ in range(n)]
    else:
        v = [r.gauss(0, 1) for _ in range(n)]
    if r.random() < 0.15:
        v[r.randrange(n)] = r.choice([float('nan'), float('inf'), -float('inf')])
    if r.random() < 0.15:
        v[r.randrange(n)] = r.choice([0.0, -0.0])
    return v


def random_case(r):
    shape = shape_of(r, r.choice([3, 30, 30, 100]))
    n = int(np.prod(shape))
    dtype = r.choice(['f32', 'f32', 'f32', 'f64', 'f64', 'i64', 'i32', 'u8', 'bool'])
    if dtype in ('f32', 'f64'):
        a = floats(r, n)
    else:
        top = 10 ** r.randint(0, 9)
        a = [r.randint(-top, top) % (256 if dtype == 'u8' else 2 if dtype == 'bool' else 10**10) *
             (r.choice([-1, 1]) if dtype[0] == 'i' else 1) // (10 if dtype == 'i32' else 1) for _ in range(n)]
    suffix = r.choice(['-', '-', '-', 'requires_grad', 'ReluBackward0', 'CloneBackward0']) if dtype[0] == 'f' else '-'
    both(dtype, np.array(a).reshape(shape), suffix=suffix, torch_only=suffix != '-')


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else OUT
    r = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    warnings.simplefilter('ignore')
    np.seterr(all='ignore')
    fixed()
    for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 250):
        random_case(r)
    with open(out, 'w') as f:
        f.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
