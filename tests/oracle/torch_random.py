#!/usr/bin/env python3
"""Writes tests/data/torch_random.txt: what PyTorch's CPU generator gives. Made with torch 1.13 on x86-64 with AVX2.

A line is a call on one generator, in order: NAME A B N, the hexadecimal bytes of up to 4 first elements, and the
FNV-1a hash of all bytes. A `seed` line starts anew; a `state` line holds the hash of torch.get_rng_state().
"""
import os

import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'data', 'torch_random.txt')


def fnv(data):
    h = 0xcbf29ce484222325
    for b in data:
        h = (h ^ b) * 0x100000001b3 & 0xffffffffffffffff
    return '%016x' % h


CALLS = {
    'uniform': lambda a, b, n: torch.empty(n).uniform_(a, b),
    'rand64': lambda a, b, n: torch.rand(n, dtype=torch.float64),
    'bernoulli': lambda a, b, n: torch.empty(n).bernoulli_(a),
    'random': lambda a, b, n: torch.stack([torch.empty((), dtype=torch.int64).random_() for _ in range(n)]),
    'randint': lambda a, b, n: torch.randint(int(a), int(b), (n,)),
    'randperm': lambda a, b, n: torch.randperm(n),
    'normal': lambda a, b, n: torch.empty(n).normal_(a, b),
}


def main():
    torch.set_num_threads(1)
    lines = []

    def state():
        lines.append('state ' + fnv(torch.get_rng_state().numpy().tobytes()))

    def call(name, a, b, n):
        t = CALLS[name](a, b, n).numpy()
        lines.append('%s %r %r %d %s %s' % (name, a, b, n, t[:4].tobytes().hex(), fnv(t.tobytes())))

    for seed in (0, 1234, 2**40 + 7):
        torch.manual_seed(seed)
        lines.append('seed %d' % seed)
        state()
        for n in (1, 624, 5000):
            call('uniform', 0.0, 1.0, n)
            call('uniform', -0.1, 0.3, n)
            call('rand64', 0, 0, n)
            call('bernoulli', 0.75, 0, n)
            call('bernoulli', 1 / 3, 0, n)
            call('randint', 0, 33, n)
            call('randint', -5, 2**40, n)
            call('randint', 0, 2**32, n)
            call('randint', -1, 2**32 - 2, n)
            call('randperm', 0, 0, n)
            state()
        call('bernoulli', 0.0, 0, 9)
        call('bernoulli', 1.0, 0, 9)
        call('random', 0, 0, 3)
        for n in (1, 2, 7, 15, 16, 17, 31, 32, 33, 4000):
            call('normal', 0.0, 1.0, n)
            state()
            call('normal', 3.0, 0.02, n)
            state()
    with open(OUT, 'w') as f:
        f.write('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
