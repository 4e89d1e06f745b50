"""The inputs that each fuzz target starts from: of(NAME) lists their bytes."""
import gzip
import io
import json
import math
import pathlib
import pickle
import struct
import zipfile

DATA = pathlib.Path(__file__).resolve().parent.parent / 'data'


def files(*patterns):
    """What is in tests/data under these names, if it is small."""
    found = sorted(path for pattern in patterns for path in DATA.glob(pattern))
    return [path.read_bytes() for path in found if path.stat().st_size < 8192]


def pickles():
    """Those in the zips of torch.save, and plain ones in every protocol."""
    for data in files('weights/*.pth'):
        if data.startswith(b'PK'):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                yield from (archive.read(name) for name in archive.namelist() if name.endswith('data.pkl'))
    shared = [1, 2]
    for protocol in range(2, 6):
        yield pickle.dumps({'a': [1, -2, 2**40, 0.5, None, True, 'text'], 3: (shared, shared, {})}, protocol)


def safetensors():
    tensors = {'__metadata__': {'format': 'pt'}, 'a': {'dtype': 'F32', 'shape': [2, 3], 'data_offsets': [0, 24]},
               'b': {'dtype': 'BF16', 'shape': [], 'data_offsets': [24, 26]}}
    for header, size in (({}, 0), (tensors, 26)):
        text = json.dumps(header).encode()
        yield struct.pack('<Q', len(text)) + text + bytes(size)


def idx():
    """Labels and images as MNIST has them, plain and compressed."""
    for sizes in ((3,), (2, 2, 3)):
        plain = struct.pack(f'>HBB{len(sizes)}I', 0, 8, len(sizes), *sizes) + bytes(range(math.prod(sizes)))
        yield from (plain, gzip.compress(plain), gzip.compress(plain[:6]) + gzip.compress(plain[6:]))


def npz():
    """Those of NumPy, and the .npy files in them."""
    for data in files('weights/*.npz'):
        yield data
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield from (archive.read(name) for name in archive.namelist())


SEEDS = {
    'idx': idx,
    'jpeg': lambda: files('image/*.jpg'),
    'npz': npz,
    'pickle': pickles,
    'png': lambda: files('image/*.png'),
    'pnm': lambda: files('image/*.p?m'),
    'pth': lambda: files('weights/*.pth'),
    'safetensors': safetensors,
}


def of(name):
    return list(SEEDS[name]())
