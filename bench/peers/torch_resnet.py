#!/usr/bin/python3
"""ResNet-18 in PyTorch, timed on 224 x 224 images. --mode infer: the answer to a batch in eval mode, without gradients;
"ms_median" is the least of the medians of the plain module, of the scripted one frozen, and of that one optimised for
inference. --mode train: a training step (forward, cross entropy, backward, Adam). Prints one JSON object. bench/peers/run
starts this with the environment that suits PyTorch best; see bench/NOTES.md."""
import argparse
import copy
import json
import statistics
import sys
import time

import numpy as np
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = nn.Identity() if stride == 1 and inputs == outputs else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.downsample(x))


def resnet18():
    blocks = [Block(a, b, s) for a, b, s in ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2),
                                             (256, 256, 1), (256, 512, 2), (512, 512, 1))]
    return nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
                         nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def measure(work, seconds):
    for _ in range(3):
        work()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def export(net, path):
    """As ONNX, batch free, and in PATH.npz an image with its answer."""
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        np.savez(path + '.npz', images=image.numpy(), logits=net(image).numpy())
    torch.onnx.export(net, image, path, input_names=['images'], output_names=['logits'], opset_version=13,
                      dynamic_axes={'images': {0: 'batch'}, 'logits': {0: 'batch'}})


def answers(net, images, seconds):
    """Of each form of the network its median."""
    net.eval()
    with torch.no_grad():
        expected = net(images)
        frozen = torch.jit.freeze(torch.jit.script(net))
        forms = {'module': net, 'frozen': frozen, 'optimised': torch.jit.optimize_for_inference(
            torch.jit.freeze(torch.jit.script(net)))}
        for name, form in forms.items():
            if not torch.allclose(form(images), expected, rtol=1e-2, atol=1e-3):
                sys.exit(f'{name}: another answer')
        return {name: measure(lambda form=form: form(images), seconds) for name, form in forms.items()}


def training(net, images, seconds):
    """Of the two memory formats their medians: oneDNN may like the images' channels last."""
    labels, times = torch.arange(len(images)) * 37 % 1000, {}
    for name, layout in (('module', torch.contiguous_format), ('channels last', torch.channels_last)):
        form, batch = copy.deepcopy(net).to(memory_format=layout).train(), images.to(memory_format=layout)
        optimizer, losses = torch.optim.Adam(form.parameters()), []

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(form(batch), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())

        times[name] = measure(step, seconds)
        if not losses[-1] < losses[0]:
            sys.exit(f'{name}: the loss went from {losses[0]:.3f} to {losses[-1]:.3f}: it does not learn')
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--mode', choices=['infer', 'train'], default='infer')
    parser.add_argument('--export', metavar='FILE', help='write the network as ONNX instead of timing it')
    parser.add_argument('--seconds', type=float, default=2, help='for each form of the network')
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    net, images = resnet18(), torch.randn(options.batch, 3, 224, 224)
    parameters = sum(p.numel() for p in net.parameters())
    if parameters != 11689512:
        sys.exit(f'{parameters} parameters: this is not ResNet-18')
    if options.export:
        export(net.eval(), options.export)
        return
    times = (training if options.mode == 'train' else answers)(net, images, options.seconds)
    json.dump({'torch': torch.__version__, 'batch': options.batch, 'mode': options.mode, 'forms': times,
               'ms_median': min(times.values())}, sys.stdout)
    print()


main()
