"""Files of torch.save and NumPy go through `hapgop weights convert` and come back equal: keys, order, types, bits.
Exits 77 without PyTorch."""
import collections
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'support'))
from torch_python import need  # noqa: E402

need('numpy', 'torch')
import numpy  # noqa: E402
import torch  # noqa: E402

from support import Case, main, run

TYPES = [torch.float32, torch.float64, torch.int32, torch.int64, torch.uint8, torch.bool, torch.int8, torch.int16,
         torch.float16, torch.bfloat16]
SAFETENSORS = {'F32': '<f4', 'F64': '<f8', 'I32': '<i4', 'I64': '<i8', 'U8': 'u1', 'BOOL': 'u1', 'I8': 'i1',
               'I16': '<i2', 'F16': '<f2', 'BF16': '<u2'}


def bits(t):
    """The bytes of a tensor, row-major."""
    t = t.contiguous()
    return (t.view(torch.int16) if t.dtype == torch.bfloat16 else t).numpy().tobytes()


def state(types):
    """Every type, odd shapes, views of shared storages, special values, names with anything in them."""
    torch.manual_seed(1)
    s = collections.OrderedDict()
    for i, t in enumerate(reversed(types)):
        s[f'layer{i}.weight'] = (torch.randn(3, i + 1, 2) * 50).abs().to(t)
    base = torch.randn(6, 5)
    s.update({'z.shared': base, 'a.transposed': base.t(), 'part': base[1:4, ::2], 'column': base[:, 2], 'row': base[3]})
    s['expanded'] = torch.randn(1, 4).expand(3, 4)
    s['scalar'], s['empty'] = torch.tensor(7), torch.zeros(0, 3)
    s['channels_last'] = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    s['special'] = torch.tensor([float('nan'), float('inf'), -float('inf'), -0.0, 1e-42])
    s['parameter'] = torch.nn.Parameter(torch.randn(2))
    s['Gr\u00fc\u00dfe "quoted"'] = torch.ones(1)
    return s


class Torch(Case):
    def same(self, back, expected):
        self.assertEqual(list(back), list(expected))
        for name, t in expected.items():
            self.assertEqual((back[name].dtype, back[name].shape), (t.dtype, t.shape), name)
            self.assertEqual(bits(back[name]), bits(t.detach()), name)

    def save(self, value, legacy, **more):
        path = self.folder / 'from.pth'
        torch.save(value, path, _use_new_zipfile_serialization=not legacy, **more)
        return path

    def test_pth_to_pth(self):
        for legacy in (False, True):
            for protocol in (2, 4):
                path = self.save(state(TYPES), legacy, pickle_protocol=protocol)
                run('weights', 'convert', path, self.folder / 'to.pth')
                self.same(torch.load(self.folder / 'to.pth'), state(TYPES))
                self.same(torch.load(self.folder / 'to.pth', weights_only=True), state(TYPES))
                run('weights', 'diff', path, self.folder / 'to.pth')

    def test_a_module_takes_it_back_strictly(self):
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
        run('weights', 'convert', self.save(torch.nn.DataParallel(net).state_dict(), False), self.folder / 'to.pth',
            '--strip', 'module.')
        back = torch.load(self.folder / 'to.pth')
        self.assertEqual(dict(back._metadata), dict(net.state_dict()._metadata))
        self.assertEqual(str(net.load_state_dict(back, strict=True)), '<All keys matched successfully>')

    def test_through_safetensors(self):
        for legacy in (False, True):
            run('weights', 'convert', self.save(state(TYPES), legacy), self.folder / 'a.safetensors')
            run('weights', 'convert', self.folder / 'a.safetensors', self.folder / 'to.pth')
            self.same(torch.load(self.folder / 'to.pth'), state(TYPES))

    def test_safetensors_as_the_format_says(self):
        """Read by the text of the format: this machine need not have the package."""
        run('weights', 'convert', self.save(state(TYPES), False), self.folder / 'a.safetensors')
        data = (self.folder / 'a.safetensors').read_bytes()
        length = struct.unpack('<Q', data[:8])[0]
        header = json.loads(data[8:8 + length])
        self.assertEqual(header.pop('__metadata__'), {'format': 'pt'})
        self.assertEqual(list(header), list(state(TYPES)))
        end = 0
        for name, entry in sorted(header.items(), key=lambda item: item[1]['data_offsets']):
            begin, stop = entry['data_offsets']
            self.assertEqual((begin, begin % numpy.dtype(SAFETENSORS[entry['dtype']]).itemsize), (end, 0), name)
            self.assertEqual(entry['shape'], list(state(TYPES)[name].shape))
            self.assertEqual(data[8 + length + begin:8 + length + stop], bits(state(TYPES)[name].detach()), name)
            end = stop
        self.assertEqual(len(data), 8 + length + end)

    def test_numpy(self):
        numbers = state(TYPES[:-1])
        run('weights', 'convert', self.save(numbers, False), self.folder / 'a.npz')
        with numpy.load(self.folder / 'a.npz') as arrays:
            self.assertEqual(arrays.files, list(numbers))
            self.same({name: torch.from_numpy(arrays[name]) for name in arrays.files}, numbers)
            numpy.savez_compressed(self.folder / 'b.npz', **{name: numpy.array(arrays[name], order='F') if i % 2 else
                                                            arrays[name] for i, name in enumerate(arrays.files)})
        run('weights', 'convert', self.folder / 'b.npz', self.folder / 'to.pth')
        self.same(torch.load(self.folder / 'to.pth'), numbers)
        numpy.save(self.folder / 'one.npy', numpy.arange(6, dtype='>f8').reshape(2, 3).T)
        run('weights', 'convert', self.folder / 'one.npy', self.folder / 'two.npy')
        two = numpy.load(self.folder / 'two.npy')
        self.assertEqual((two.dtype, two.tolist()), (numpy.dtype('<f8'), [[0, 3], [1, 4], [2, 5]]))

    def test_a_checkpoint(self):
        net = torch.nn.Linear(3, 2)
        optimizer = torch.optim.Adam(net.parameters())
        net(torch.ones(3)).sum().backward()
        optimizer.step()
        for legacy in (False, True):
            path = self.save({'net': net.state_dict(), 'optimizer': optimizer.state_dict(), 'epoch': 3, 'best': 0.75,
                              'names': ['a', ('b', None, True)]}, legacy)
            run('weights', 'convert', path, self.folder / 'to.pth')
            back = torch.load(self.folder / 'to.pth')
            self.same(back['net'], net.state_dict())
            self.assertEqual((back['epoch'], back['best'], back['names']), (3, 0.75, ['a', ('b', None, True)]))
            optimizer.load_state_dict(back['optimizer'])
            self.assertEqual(list(back), ['net', 'optimizer', 'epoch', 'best', 'names'])


main()
