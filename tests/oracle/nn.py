"""Writes tests/data/nn: texts, first values, outputs and losses of PyTorch's modules, which tests/nn compares with.

Run with a Python that has PyTorch (made with 1.13): python3 tests/oracle/nn.py
Inputs come from a formula that the test repeats.
"""
import os
import warnings

import numpy
import torch
import torch.nn.functional as F
from torch import nn

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "nn")


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
        x = self.fc1(x.view(x.size(0), -1))
        return self.fc3(self.fc2(self.drop(x)))


def layers():
    return nn.Sequential(
        nn.Linear(3, 4), nn.Linear(2, 1, bias=False),
        nn.Conv1d(4, 6, 3, padding=1), nn.Conv1d(4, 6, 1, stride=2, dilation=3, groups=2, bias=False),
        nn.Conv2d(3, 8, 3), nn.Conv2d(4, 8, (3, 5), stride=(1, 2), padding=(3, 0), dilation=2, groups=4, bias=False),
        nn.Conv2d(1, 2, 3, padding="same"),
        nn.BatchNorm1d(5), nn.BatchNorm2d(7, eps=0.001, momentum=None, affine=False),
        nn.BatchNorm2d(1, momentum=0.25, track_running_stats=False),
        nn.ReLU(), nn.ReLU(inplace=True),
        nn.MaxPool2d(2), nn.MaxPool2d((3, 2), stride=(2, 1), padding=1, dilation=(1, 2), ceil_mode=True),
        nn.AvgPool2d(3, stride=1, padding=1), nn.AvgPool2d((2, 3)),
        nn.AdaptiveAvgPool2d((1, 1)), nn.AdaptiveAvgPool2d((None, 7)),
        nn.Dropout(0.5), nn.Dropout2d(0.25), nn.Flatten(), nn.Flatten(0, -2),
        nn.Sequential(nn.Sequential(nn.ReLU())), nn.Sequential(),
        nn.Conv3d(4, 6, 3), nn.Conv3d(4, 8, (1, 2, 3), padding=(0, 1, 0), padding_mode="replicate", groups=2),
        nn.Conv2d(4, 6, 3, padding="same", padding_mode="circular", bias=False), nn.ConvTranspose1d(4, 6, 3),
        nn.ConvTranspose2d(4, 6, (3, 2), stride=2, padding=1, output_padding=1, groups=2, bias=False, dilation=(1, 2)),
        nn.ConvTranspose3d(4, 6, 3, output_padding=(1, 0, 0), stride=2))


def numbers(shape, salt):
    """floats in [0, 1]"""
    i = numpy.arange(numpy.prod(shape), dtype=numpy.int64)
    return torch.from_numpy((((i * 7919 + salt * 104729) % 2001) / 2000.0).astype(numpy.float32).reshape(shape))


def save(name, rows):
    numpy.save(os.path.join(HERE, name + ".npy"), numpy.asarray(rows, dtype=numpy.float32))


def first_values(name, make):
    """the first three values of each parameter, as manual_seed(0) gives them"""
    torch.manual_seed(0)
    flat = [torch.cat([p.detach().flatten(), torch.zeros(3)])[:3].tolist() for p in make().parameters()]
    save(name, flat)


def training(name, make, batch, steps):
    """losses of Adam's steps in training mode, then the logits of two images in evaluation mode"""
    torch.manual_seed(0)
    net = make()
    optimizer = torch.optim.Adam(net.parameters())
    losses = []
    for step in range(steps):
        loss = F.cross_entropy(net(numbers((batch, 1, 28, 28), step)), torch.arange(batch) * 3 % 10)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    save(name + "_losses", losses)
    torch.manual_seed(0)
    save(name + "_logits", make().eval()(numbers((2, 1, 28, 28), 9)).tolist())


def cumulative():
    """mean and variance of a BatchNorm1d without momentum after 1, 2 and 3 batches"""
    norm = nn.BatchNorm1d(2, momentum=None)
    rows = []
    for step in range(3):
        norm(numbers((5, 2), step))
        rows.append(norm.running_mean.tolist() + norm.running_var.tolist())
    save("cumulative", rows)


def main():
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    os.makedirs(HERE, exist_ok=True)
    with open(os.path.join(HERE, "repr.txt"), "w") as f:
        for net in FashionDNN(), FashionCNN(), layers():
            f.write(repr(net) + "\n")
    first_values("first_dnn", FashionDNN)
    first_values("first_cnn", FashionCNN)
    first_values("first_layers", layers)
    training("dnn", FashionDNN, 100, 5)
    training("cnn", FashionCNN, 20, 3)
    cumulative()


if __name__ == "__main__":
    main()
