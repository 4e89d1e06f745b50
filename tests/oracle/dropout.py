#!/usr/bin/env python3
"""Golden dropout from PyTorch's CPU stream for tests/ops/test_dropout.c. Usage: dropout.py TESTS/DATA/DROPOUT"""
import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
x = torch.arange(1, 97, dtype=torch.float32)
torch.manual_seed(0)
# One after the other from one stream, as in test_dropout.c.
for i, y in enumerate((F.dropout(x.reshape(8, 12), .25), F.dropout2d(x.reshape(4, 6, 2, 2), .25),
                       F.dropout2d(x.reshape(8, 12), .4), F.dropout2d(x.reshape(4, 6, 4), .5), F.dropout(x, 1.0),
                       F.dropout(x, .3))):
    numpy.save(out / f'y_{i}.npy', y.numpy())
