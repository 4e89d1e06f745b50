"""PyTorch goes on from a checkpoint of `hapgop train`. Exits 77 without PyTorch."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from torch_python import need  # noqa: E402

need('torch')
import torch  # noqa: E402

from torch import nn
from torch.nn import functional as F

from support import LINE, Case, main, run, write_data


class FashionDNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 256)
        self.drop = nn.Dropout(0.25)
        self.fc2 = nn.Linear(256, 128)
        self.fc3 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc3(F.relu(self.fc2(self.drop(F.relu(self.fc1(x.view(-1, 784)))))))


class Torch(Case):
    def test_pytorch_goes_on_with_the_same_losses(self):
        data = write_data(self.folder / 'data')
        options = ['train', 'fashion-dnn', '--data', data, '--batch', 10, '--rng', 'torch']
        run(*options, '--iterations', 20, '--out', self.folder / 'a')
        done = run(*options, '--iterations', 25, '--report-every', 1, '--out', self.folder / 'b', '--resume',
                   self.folder / 'a/stopped.pth')
        saved = torch.load(self.folder / 'a/stopped.pth')
        torch.set_num_threads(1)
        model = FashionDNN()
        model.load_state_dict(saved['model_state_dict'])
        optimizer = torch.optim.Adam(model.parameters(), lr=0.5)
        optimizer.load_state_dict(saved['optimizer_state_dict'])
        self.assertEqual(optimizer.param_groups[0]['lr'], 0.001)
        # The generator has drawn for the weights, the epoch and 20 steps of dropout so far.
        torch.manual_seed(0)
        FashionDNN()
        torch.empty((), dtype=torch.int64).random_()
        for _ in range(20):
            F.dropout(torch.ones(10, 256), 0.25)
        images = torch.frombuffer(bytearray((data / 'train-images-idx3-ubyte').read_bytes()[16:]), dtype=torch.uint8)
        labels = torch.frombuffer(bytearray((data / 'train-labels-idx1-ubyte').read_bytes()[8:]), dtype=torch.uint8)
        lines = [line for line in done.stdout.splitlines() if line.startswith('Iteration')]
        for i in range(20, 25):
            x = images.view(-1, 784)[10 * i:10 * i + 10].float().div(255)
            loss = F.cross_entropy(model(x), labels[10 * i:10 * i + 10].long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            self.assertAlmostEqual(float(LINE.fullmatch(lines[i - 20])[2]), loss.item(), delta=2e-4)


main()
