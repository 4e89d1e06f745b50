#!/usr/bin/env python3
"""Writes tests/data/zoo: texts, names and shapes, first values, logits and a training step's gradients of the networks, by
torchvision (made with 0.14) and by the chapter's module. tests/nn/test_zoo.c compares with them; inputs come from
tests/oracle/nn.py's formula."""
import pathlib
import warnings

import numpy
import torch
import torch.nn.functional as functional
import torchvision
from nn import numbers
from torch import nn

OUT = pathlib.Path(__file__).resolve().parent.parent / 'data' / 'zoo'


class XAI(nn.Module):
    def __init__(self, num_classes=2):
        super().__init__()
        layers, channels = [], 3
        for out, dropout in [(64, .3), (64, 0), (128, .4), (128, 0), (256, .4), (256, .4), (256, 0), (512, .4), (512, .4),
                             (512, 0), (512, .4), (512, .4), (512, 0)]:
            layers += [nn.Conv2d(channels, out, kernel_size=3, padding=1 if layers else 0, bias=False),
                       nn.BatchNorm2d(out), nn.ReLU(inplace=True),
                       nn.Dropout(dropout) if dropout else nn.MaxPool2d(kernel_size=2, stride=2)]
            channels = out
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(512, 512, bias=False), nn.Dropout(0.5), nn.BatchNorm1d(512),
                                        nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(512, num_classes))

    def forward(self, x):
        return functional.log_softmax(self.classifier(self.features(x).view(-1, 512)), 1)


class LeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                                      nn.MaxPool2d(2))
        self.classifier = nn.Sequential(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


models = torchvision.models
# name, constructor, channels, size of the image
SEEDED = [('lenet5', LeNet5, 1, 32), ('xai', XAI, 3, 70), ('resnet18', models.resnet18, 3, 64),
          ('resnet50', models.resnet50, 3, 40), ('vgg11_bn', models.vgg11_bn, 3, 32),
          ('googlenet', lambda: models.googlenet(aux_logits=True, init_weights=False), 3, 64)]
OTHERS = [('resnet34', models.resnet34), ('vgg11', models.vgg11), ('vgg16', models.vgg16), ('vgg16_bn', models.vgg16_bn)]


def save(name, values):
    numpy.save(OUT / f'{name}.npy', numpy.asarray(values, dtype=numpy.float32))


def keys(net):
    return ''.join(f'{name} {list(t.shape)}\n' for name, t in net.state_dict().items())


class Dropout(nn.Module):
    """nn.Dropout with the random numbers of float32, whatever the type of its input"""
    def __init__(self, p):
        super().__init__()
        self.p = p

    def forward(self, x):
        return x * torch.empty(x.shape, dtype=torch.float32).bernoulli_(1 - self.p).to(x.dtype).div(1 - self.p)


def replace_dropout(net):
    for name, child in net.named_children():
        if isinstance(child, nn.Dropout):
            setattr(net, name, Dropout(child.p))
        replace_dropout(child)


def train(name, make, mean, variance):
    """logits, running statistics and gradients of one step on two images, in training mode; in double, since a ReLU
    that float32 rounds to the other side moves PyTorch's own gradients by a thousandth"""
    torch.manual_seed(0)
    net = make().double()
    replace_dropout(net)
    torch.manual_seed(5)
    logits = net(numbers((2, 3, 64, 64), 3).double())
    logits = logits if torch.is_tensor(logits) else logits.logits
    functional.cross_entropy(logits, torch.tensor([3, 500])).backward()
    state = net.state_dict()
    save(f'{name}_train_logits', logits.tolist())
    save(f'{name}_train_stats', torch.cat([state[mean], state[variance]]).tolist())
    save(f'{name}_train_grads', [p.grad.norm().item() if p.grad is not None else 0 for p in net.parameters()])
    first = next(net.parameters())
    save(f'{name}_train_conv1', first.grad[:2].flatten().tolist())


def main():
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    OUT.mkdir(exist_ok=True)
    texts, names = '', ''
    for name, make, channels, size in SEEDED:
        torch.manual_seed(0)
        net = make()
        texts += repr(net) + '\n'
        names += f'== {name}\n' + keys(net)
        save(f'{name}_first', [torch.cat([p.detach().flatten(), torch.zeros(3)])[:3].tolist() for p in net.parameters()])
        with torch.no_grad():
            save(f'{name}_logits', net.eval()(numbers((2, channels, size, size), 5)).tolist())
    for name, make in OTHERS:
        names += f'== {name}\n' + keys(make())
    (OUT / 'repr.txt').write_text(texts)
    (OUT / 'keys.txt').write_text(names)
    train('resnet18', models.resnet18, 'bn1.running_mean', 'layer4.1.bn2.running_var')
    train('googlenet', SEEDED[-1][1], 'conv1.bn.running_mean', 'inception5b.branch4.1.bn.running_var')


if __name__ == '__main__':
    main()
