#!/usr/bin/env python3
"""Writes tests/data/repr.txt: Python's repr of doubles ("d BITS TEXT") and NumPy's str of float32 ("f BITS TEXT")."""
import os
import random
import struct

import numpy as np

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'data', 'repr.txt')


def double(bits):
    return struct.unpack('<d', struct.pack('<Q', bits))[0]


def single(bits):
    return np.frombuffer(struct.pack('<I', bits), np.float32)[0]


def main():
    r = random.Random(3)
    doubles = [0.0, -0.0, float('nan'), float('inf'), -float('inf'), 5e-324, 2.225073858507201e-308, 1e23, 9.999e-5,
               2.2250738585072014e-308, 1.7976931348623157e308, 9999999999999998.0, 0.5817261338233948, 1e-5, 1 / 3]
    doubles += [s * 10.0 ** k for k in range(-30, 31) for s in (1, -3)] + [2.0 ** k for k in range(-1074, 1024, 3)]
    doubles += [7.120236347223045e-307, 7.291122019556398e-304, 5.641232424577593e-278]     # powers of 2
    doubles += [double(r.getrandbits(64)) for _ in range(700)] + [r.random() * 5e-310 for _ in range(50)]
    doubles += [float(np.float32(r.gauss(0, 1))) for _ in range(1200)] + [r.random() for _ in range(300)]
    doubles += [round(r.uniform(-1000, 1000), r.randint(0, 6)) for _ in range(300)]
    singles = [np.float32(s * 10.0 ** k) for k in range(-30, 31) for s in (1, -3)]
    singles += [np.float32(2.0 ** k) for k in range(-149, 128)]
    singles += [single(r.getrandbits(32)) for _ in range(600)] + [np.float32(r.random()) for _ in range(300)]
    with open(OUT, 'w') as f:
        for v in doubles:
            f.write('d %016x %s\n' % (struct.unpack('<Q', struct.pack('<d', v))[0], v))
        for v in singles:
            f.write('f %08x %s\n' % (int(v.view(np.uint32)), v))


if __name__ == '__main__':
    main()
