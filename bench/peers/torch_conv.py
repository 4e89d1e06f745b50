#!/usr/bin/python3
"""One convolution in PyTorch, timed in its three directions. The shape is written as for hapgop-bench conv. Prints one
JSON object with a result a direction: "ms_median" with weights that stay (forward: the lesser of F.conv2d and of
mkldnn's prepacked form where there is one), "ms_new_weights" with weights that do not (F.conv2d packs them in each call).
Backward directions are aten::convolution_backward with one gradient asked for. bench/peers/run starts this with the
environment that suits PyTorch best; see bench/NOTES.md."""
import argparse
import json
import statistics
import sys
import time

import torch


def parse(text):
    """Input size, weight size, stride, padding, dilation, groups."""
    first, second, *rest = text.split()
    size, kernel = [int(n) for n in first.split('x')], [int(n) for n in second.split('x')]
    rank = len(size) - 2
    values = {'s': [1] * rank, 'p': [0] * rank, 'd': [1] * rank, 'g': [1]}
    for field in rest:
        numbers = [int(n) for n in field[1:].split('x')]
        values[field[0]] = numbers * rank if len(numbers) == 1 and field[0] != 'g' else numbers
    groups = values['g'][0]
    return size, [kernel[0], size[1] // groups, *kernel[1:]], values['s'], values['p'], values['d'], groups


def measure(work, seconds):
    """The median of calls for about `seconds`, at least five, after two that do not count; in milliseconds."""
    work()
    work()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def prepacked(x, w, stride, padding, dilation, groups):
    """A call with the weight in mkldnn's own form, made once; None where PyTorch has none."""
    try:
        packed = torch.ops.mkldnn_prepacked.conv2d_prepack(w, None, stride, padding, dilation, groups, list(x.shape),
                                                           'none')
        torch.ops.mkldnn_prepacked.conv2d_run(x, packed)
    except (RuntimeError, AttributeError):
        return None
    return lambda: torch.ops.mkldnn_prepacked.conv2d_run(x, packed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('shape')
    parser.add_argument('--seconds', type=float, default=0.2, help='for each figure')
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    try:
        size, kernel, *geometry = parse(options.shape)
    except (ValueError, IndexError, KeyError):
        sys.exit(f'{options.shape}: not a shape such as 8x64x56x56 64x3x3 s1 p1')
    stride, padding, dilation, groups = geometry
    x, w = torch.rand(size) * 2 - 1, torch.rand(kernel) * 2 - 1
    none = [0] * len(stride)

    def forward():
        return torch.convolution(x, w, None, stride, padding, dilation, False, none, groups)

    def backward(mask):
        return torch.ops.aten.convolution_backward(grad, x, w, None, stride, padding, dilation, False, none, groups,
                                                   mask)

    with torch.no_grad():
        grad = torch.rand_like(forward())
        fresh = measure(forward, options.seconds)
        packed = prepacked(x, w, stride, padding, dilation, groups) if len(stride) == 2 else None
        if packed and not torch.allclose(packed(), forward(), rtol=1e-3, atol=1e-3):
            sys.exit(f'{options.shape}: the prepacked convolution gives something else')
        stands = min(fresh, measure(packed, options.seconds)) if packed else fresh
        data = measure(lambda: backward([True, False, False]), options.seconds)
        weights = measure(lambda: backward([False, True, False]), options.seconds)
    results = [{'problem': options.shape, 'direction': direction, 'ms_median': standing, 'ms_new_weights': new}
               for direction, standing, new in (('fwd', stands, fresh), ('bwd-data', data, data),
                                                ('bwd-weights', weights, weights))]
    json.dump({'torch': torch.__version__, 'prepacked': bool(packed), 'results': results}, sys.stdout)
    print()


main()
