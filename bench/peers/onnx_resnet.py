#!/usr/bin/env python3
"""ResNet-18 in ONNX Runtime on the processor, timed: the network that torch_resnet.py --export wrote, whose answer it must
give. Prints one JSON object. bench/peers/run starts this; see bench/NOTES.md."""
import argparse
import json
import statistics
import sys
import time

import numpy as np
import onnxruntime


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('file', help='of torch_resnet.py --export')
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=2)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    net = onnxruntime.InferenceSession(options.file, settings, providers=['CPUExecutionProvider'])
    known = np.load(options.file + '.npz')
    if not np.allclose(net.run(None, {'images': known['images']})[0], known['logits'], rtol=1e-2, atol=1e-3):
        sys.exit('another answer than PyTorch\'s')
    images = {'images': np.random.default_rng(0).standard_normal((options.batch, 3, 224, 224), dtype=np.float32)}
    for _ in range(3):
        net.run(None, images)
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < options.seconds:
        start = time.perf_counter()
        net.run(None, images)
        times.append((time.perf_counter() - start) * 1e3)
    json.dump({'onnxruntime': onnxruntime.__version__, 'batch': options.batch, 'ms_median': statistics.median(times)},
              sys.stdout)
    print()


main()
