#!/usr/bin/python3
"""FashionCNN and FashionDNN in PyTorch, timed: training steps at batch 100 on Fashion-MNIST, and an evaluation of its
10,000 test images. Prints one JSON object with times in milliseconds.

A step takes 100 images as bytes in memory to updated weights: scaling to 0..1, forward, loss, zero_grad, backward,
Adam. The loss is not read in a step. Evaluation is eval mode, no gradients, batch 100. The seed is 0 and the order is
the data set's, so that the loss of the fifth step is known: another one means that other work was measured, and is an
error. bench/peers/run starts this with the environment that suits PyTorch best; see bench/NOTES.md."""
import argparse
import gzip
import json
import os
import statistics
import sys
import time
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BATCH = 100
FIFTH_LOSS = {'fashion-cnn': 1.4644041061401367, 'fashion-dnn': 2.1062426567077637}
LOSS_TOLERANCE = 1e-3


class FashionDNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.drop = nn.Dropout2d(0.25)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.drop(F.relu(self.fc1(x.view(-1, 784))))
        return self.fc3(F.relu(self.fc2(x)))


class FashionCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2, 2))
        self.layer2 = nn.Sequential(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2))
        self.fc1 = nn.Linear(64 * 6 * 6, 600)
        self.drop = nn.Dropout2d(0.25)
        self.fc2 = nn.Linear(600, 120)
        self.fc3 = nn.Linear(120, 10)

    def forward(self, x):
        x = self.layer2(self.layer1(x))
        return self.fc3(self.fc2(self.drop(self.fc1(x.view(x.size(0), -1)))))


NETWORKS = {'fashion-cnn': FashionCNN, 'fashion-dnn': FashionDNN}


def read_idx(folder, name):
    with gzip.open(os.path.join(folder, name + '.gz')) as file:
        blob = file.read()
    shape = [int.from_bytes(blob[4 + 4 * i:8 + 4 * i], 'big') for i in range(blob[3])]
    return torch.from_numpy(np.frombuffer(blob, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy())


def blas_in_use():
    """The matrix product library this process has loaded, as its file is named."""
    with open('/proc/self/maps', encoding='utf-8') as file:
        names = {os.path.basename(line.split()[-1]) for line in file if 'blas' in line or 'mkl' in line}
    return ' '.join(sorted(names)) or 'unknown'


def batch_of(images, labels, index):
    part = slice(index * BATCH, (index + 1) * BATCH)
    return images[part].float().div(255).view(BATCH, 1, 28, 28), labels[part]


def train(net, images, labels, steps, warm_up):
    """Times of `steps` steps after `warm_up` others, and the loss of the fifth step."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    batches = len(images) // BATCH
    times, fifth = [], None
    for i in range(warm_up + steps):
        if i % batches == 0:
            torch.empty((), dtype=torch.int64).random_()    # DataLoader draws a seed at the start of each epoch
        start = time.perf_counter()
        x, y = batch_of(images, labels, i % batches)
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append((time.perf_counter() - start) * 1e3)
        if i == 4:
            fifth = loss
    return times, fifth.item()


def evaluate(net, images, labels):
    """Milliseconds, and how many images were labelled right."""
    net.eval()
    start = time.perf_counter()
    right = torch.zeros((), dtype=torch.int64)
    with torch.no_grad():
        for i in range(len(images) // BATCH):
            x, y = batch_of(images, labels, i)
            right += (net(x).max(1)[1] == y).sum()
    right = right.item()
    elapsed = (time.perf_counter() - start) * 1e3
    net.train()
    return elapsed, right


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('network', choices=sorted(NETWORKS))
    parser.add_argument('--steps', type=int, default=60, help='training steps to time')
    parser.add_argument('--warm-up', type=int, default=20, help='training steps before, at least 5')
    parser.add_argument('--evaluations', type=int, default=1, help='evaluations to time, after one that is not')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--data', default='/usr/share/datasets/fashion-mnist')
    options = parser.parse_args()
    if options.warm_up < 5 or options.steps < 1 or options.evaluations < 0 or options.threads < 1:
        parser.error('--warm-up is at least 5, --steps and --threads at least 1, --evaluations at least 0')

    warnings.filterwarnings('ignore', message='dropout2d')
    torch.set_num_threads(options.threads)
    images = read_idx(options.data, 'train-images-idx3-ubyte')
    labels = read_idx(options.data, 'train-labels-idx1-ubyte').long()
    torch.manual_seed(0)
    net = NETWORKS[options.network]()
    times, fifth = train(net, images, labels, options.steps, options.warm_up)
    expected = FIFTH_LOSS[options.network]
    if not abs(fifth - expected) < LOSS_TOLERANCE:
        sys.exit(f'{options.network}: the loss of the fifth step is {fifth}, expected {expected}: '
                 'this is not the work that is to be measured')
    timed = times[options.warm_up:]
    result = {'network': options.network, 'torch': torch.__version__, 'blas': blas_in_use(),
              'threads': torch.get_num_threads(), 'steps': options.steps, 'first_step_ms': times[0],
              'step_ms_median': statistics.median(timed), 'step_ms_min': min(timed), 'fifth_loss': fifth}
    if options.evaluations:
        images = read_idx(options.data, 't10k-images-idx3-ubyte')
        labels = read_idx(options.data, 't10k-labels-idx1-ubyte').long()
        runs = [evaluate(net, images, labels) for _ in range(options.evaluations + 1)][1:]
        result['eval_ms'] = statistics.median(ms for ms, _ in runs)
        result['eval_ms_min'] = min(ms for ms, _ in runs)
        result['eval_right'] = runs[0][1]
    json.dump(result, sys.stdout)
    print()


main()
