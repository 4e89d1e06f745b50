"""What the tests of the hapgop program share: running it, data to train on, and reading what it writes.

A test file calls main(); its first argument is the program. Exit code 77 if every test was skipped."""
import collections
import gzip
import os
import pathlib
import pickle
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

os.environ.setdefault('HAPGOP_TUNE', '0')     # what the user has measured changes no test
PROGRAM = os.path.abspath(sys.argv[1])
DEBIAN = pathlib.Path(os.environ.get('FASHION_MNIST_DIR') or '/usr/share/datasets/fashion-mnist')
# A report line: iteration, loss, accuracy or None.
LINE = re.compile(r'Iteration: (\d+), Loss: (\d+\.\d+(?:e-\d+)?)(?:, Accuracy: (\d+\.\d+)%)?')
NAMES = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte', 't10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte']


def run(*arguments, env=None, code=0, timeout=300, **options):
    """Runs the program, requires its exit code, returns it with stdout and stderr as text."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, **options)
    if done.returncode != code:
        raise AssertionError(f'{arguments}: exit code {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}')
    return done


def write_idx(path, sizes, data):
    path.write_bytes(struct.pack(f'>HBB{len(sizes)}I', 0, 8, len(sizes), *sizes) + data)


def write_data(folder, train=400, test=60):
    """Made-up pictures: each class has a bright square in a place of its own, and noise."""
    folder.mkdir(parents=True, exist_ok=True)
    stream = random.Random(5)
    for names, count in ((NAMES[:2], train), (NAMES[2:], test)):
        labels = bytes(stream.randrange(10) for _ in range(count))
        images = bytearray(stream.randbytes(count * 784))
        for i, label in enumerate(labels):
            for row in range(10):
                start = i * 784 + (row + 14 * (label % 2)) * 28 + 4 * (label // 2)
                images[start:start + 8] = b'\xff' * 8
        write_idx(folder / names[0], (count, 28, 28), bytes(images))
        write_idx(folder / names[1], (count,), labels)
    return folder


def write_real_data(folder, train=600, test=100):
    """The first pictures of the real data set; skips the test where it is not installed."""
    if not (DEBIAN / (NAMES[0] + '.gz')).exists():
        raise unittest.SkipTest('needs the Debian package dataset-fashion-mnist')
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in zip(NAMES, (train, train, test, test)):
        sizes = (count, 28, 28) if 'images' in name else (count,)
        with gzip.open(DEBIAN / (name + '.gz')) as f:
            f.read(4 + 4 * len(sizes))
            write_idx(folder / name, sizes, f.read(count * (784 if 'images' in name else 1)))
    return folder


class Tensor:
    def __init__(self, data, size):
        self.data, self.size = data, size

    def floats(self):
        return list(struct.unpack(f'<{len(self.data) // 4}f', self.data))

    def integers(self):
        return list(struct.unpack(f'<{len(self.data) // 8}q', self.data))

    def __eq__(self, other):
        return self.data == other.data and self.size == other.size


def read_checkpoint(path):
    """What torch.load would give, with a Tensor (bytes and size) for each tensor."""
    archive = zipfile.ZipFile(path)
    prefix = archive.namelist()[0].split('/')[0]

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ('collections', 'OrderedDict'):
                return collections.OrderedDict
            if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
                return lambda storage, offset, size, *rest: Tensor(storage, size)
            return f'{module}.{name}'

        def persistent_load(self, key):
            return archive.read(f'{prefix}/data/{key[2]}')

    return Reader(archive.open(f'{prefix}/data.pkl')).load()


class Case(unittest.TestCase):
    """A test with a folder of its own."""
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name)

    def run(self, result=None):
        start = time.monotonic()
        super().run(result)
        print(f'{time.monotonic() - start:.1f} s', file=sys.stderr)

    def assertSays(self, done, *parts):
        """One line of error, with these parts in it."""
        lines = [line for line in done.stderr.splitlines() if 'warning' not in line]
        self.assertEqual(len(lines), 1, done.stderr)
        for part in parts:
            self.assertIn(str(part), lines[0])


def main():
    result = unittest.main(argv=[sys.argv[0], *sys.argv[2:]], exit=False, verbosity=2).result
    if not result.wasSuccessful() or not result.testsRun:
        sys.exit(1)
    sys.exit(77 if len(result.skipped) == result.testsRun else 0)
