"""`hapgop weights`: what it lists, checks, converts, compares and refuses."""
import json
import math
import pathlib
import struct

from support import Case, main, read_checkpoint, run

DATA = pathlib.Path(__file__).resolve().parent.parent / 'data/weights'
STATE = DATA / 'state_dict.pth'
EQUAL = 'equal: 7 tensors\n'


def write_safetensors(path, tensors):
    """name -> (type, shape, bytes)"""
    header, data = {}, b''
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {'dtype': dtype, 'shape': shape, 'data_offsets': [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + data)
    return path


def floats(*values):
    return struct.pack(f'<{len(values)}f', *values)


class List(Case):
    def test_every_tensor_in_order(self):
        lines = run('weights', 'list', STATE).stdout.splitlines()
        self.assertEqual(lines[0].split(), ['name', 'type', 'shape', 'bytes'])
        self.assertEqual(lines[1].split(), ['conv.weight', 'float32', '2x1x3x3', '72'])
        self.assertEqual(lines[7].split(), ['norm.num_batches_tracked', 'int64', 'scalar', '8'])
        self.assertEqual(lines[8:], ['7 tensors, 29 elements, 0.0 MB, pth'])

    def test_formats_are_told_by_their_content(self):
        for name, form in (('legacy.pth', 'pth from before PyTorch 1.6'), ('compressed.npz', 'npz')):
            other = self.folder / 'weights.bin'
            other.write_bytes((DATA / name).read_bytes())
            self.assertTrue(run('weights', 'list', other).stdout.endswith(f', {form}\n'))

    def test_json(self):
        root = json.loads(run('weights', 'list', STATE, '--json').stdout)
        self.assertEqual((root['format'], root['elements'], root['bytes']), ('pth', 29, 120))
        self.assertEqual(root['tensors'][0], {'name': 'conv.weight', 'dtype': 'float32', 'shape': [2, 1, 3, 3],
                                              'elements': 18, 'bytes': 72})
        self.assertEqual(root['tensors'][6]['shape'], [])

    def test_a_checkpoint_and_a_part_of_it(self):
        out = run('weights', 'list', DATA / 'checkpoint.pth').stdout
        self.assertIn('model/conv.weight ', out)
        self.assertIn('optimizer/state/0/exp_avg ', out)
        out = run('weights', 'list', DATA / 'checkpoint.pth', '--key', 'optimizer/state').stdout
        self.assertIn('\n0/exp_avg ', out)
        self.assertSays(run('weights', 'list', STATE, '--key', 'model', code=1), "key 'model' is missing")

    def test_names_are_harmless_to_a_terminal(self):
        bad = write_safetensors(self.folder / 'a', {'a\x1b[2J\x07': ('F32', [1], floats(1))})
        self.assertIn('\na?[2J? ', run('weights', 'list', bad).stdout)


class Check(Case):
    def network(self, shapes):
        tensors = {}
        for name, shape in shapes.items():
            tensors[name] = ('F16', shape, bytes(2 * math.prod(shape)))
        return write_safetensors(self.folder / 'net.safetensors', tensors)

    LENET5 = {'features.0.weight': [6, 1, 5, 5], 'features.0.bias': [6], 'features.3.weight': [16, 6, 5, 5],
              'features.3.bias': [16], 'classifier.0.weight': [120, 400], 'classifier.0.bias': [120],
              'classifier.2.weight': [84, 120], 'classifier.2.bias': [84], 'classifier.4.weight': [10, 84],
              'classifier.4.bias': [10]}

    def test_what_fits(self):
        net = self.network(self.LENET5)
        self.assertEqual(run('weights', 'check', net, '--arch', 'lenet5').stdout, '<All keys matched successfully>\n')
        self.assertTrue(json.loads(run('weights', 'check', net, '--arch', 'lenet5', '--json').stdout)['fits'])

    def test_every_offender_is_listed_in_pytorchs_words(self):
        shapes = {('conv1' + name[10:] if name.startswith('features.0') else name): size
                  for name, size in self.LENET5.items()}
        shapes['classifier.4.weight'], shapes['classifier.4.bias'] = [2, 84], [2]
        net = self.network(shapes)
        self.assertEqual(run('weights', 'check', net, '--arch', 'lenet5', code=1).stdout, (
            'Error(s) in loading state_dict for LeNet5:\n'
            '\tMissing key(s) in state_dict: "features.0.weight", "features.0.bias". \n'
            '\tUnexpected key(s) in state_dict: "conv1.weight", "conv1.bias". \n'
            '\tsize mismatch for classifier.4.weight: copying a param with shape torch.Size([2, 84]) from checkpoint, '
            'the shape in current model is torch.Size([10, 84]).\n'
            '\tsize mismatch for classifier.4.bias: copying a param with shape torch.Size([2]) from checkpoint, '
            'the shape in current model is torch.Size([10]).\n'))
        root = json.loads(run('weights', 'check', net, '--arch', 'lenet5', '--json', code=1).stdout)
        self.assertEqual((root['fits'], root['missing']), (False, ['features.0.weight', 'features.0.bias']))
        self.assertEqual(root['unexpected'], ['conv1.weight', 'conv1.bias'])
        self.assertEqual(root['mismatched'], ['classifier.4.weight', 'classifier.4.bias'])
        self.assertIn('size mismatch for classifier.4.bias', root['message'])
        done = run('weights', 'check', net, '--arch', 'lenet5', '--rename', 'conv1=features.0', code=1)
        self.assertNotIn('Missing', done.stdout)
        self.assertIn('size mismatch for classifier.4.bias', done.stdout)

    def test_names_can_be_made_to_fit(self):
        net = self.network({f'module.net.{name}'.replace('weight', 'gamma'): size for name, size in self.LENET5.items()})
        run('weights', 'check', net, '--arch', 'lenet5', code=1)
        run('weights', 'check', net, '--arch', 'lenet5', '--strip', 'module.', '--rename', 'net.=', '--rename',
            '*.gamma=*.weight')

    def test_classes(self):
        self.assertSays(run('weights', 'check', self.network(self.LENET5), '--arch', 'fashion-cnn', '--classes', 3, code=1),
                        'fashion-cnn has 10 classes, 3 cannot be had')

    def test_damage_is_found(self):
        data = bytearray(STATE.read_bytes())
        at = data.find(floats(1, 2, 3))
        self.assertGreater(at, 0)
        data[at] ^= 1
        (self.folder / 'a.pth').write_bytes(data)
        done = run('weights', 'check', self.folder / 'a.pth', '--arch', 'lenet5', code=1)
        self.assertIn('its checksum is wrong', done.stderr)

    def test_a_checkpoint_names_its_parts(self):
        self.assertSays(run('weights', 'check', DATA / 'checkpoint.pth', '--arch', 'lenet5', code=1), 'by its key: model')


class Convert(Case):
    def test_there_and_back(self):
        last = STATE
        for name in ('a.safetensors', 'a.npz', 'a.pt', 'b.safetensors', 'b.pth'):
            out = run('weights', 'convert', last, self.folder / name).stdout
            self.assertEqual(out, f'{self.folder / name}: 7 tensors, 29 elements, 0.0 MB\n')
            last = self.folder / name
            self.assertEqual(run('weights', 'diff', STATE, last).stdout, EQUAL)
        self.assertEqual(list(read_checkpoint(last)), list(read_checkpoint(STATE)))
        self.assertEqual(read_checkpoint(last), read_checkpoint(STATE))

    def test_a_checkpoint_stays_whole_and_a_part_can_be_taken(self):
        run('weights', 'convert', DATA / 'checkpoint.pth', self.folder / 'a.pth')
        whole = read_checkpoint(self.folder / 'a.pth')
        self.assertEqual((whole['epoch'], whole['best'], whole['none']), (3, 0.75, None))
        done = run('weights', 'convert', DATA / 'checkpoint.pth', self.folder / 'a.npz', code=1)
        self.assertSays(done, "'model' is a dict", 'by its key')
        self.assertFalse((self.folder / 'a.npz').exists())
        run('weights', 'convert', DATA / 'checkpoint.pth', self.folder / 'a.npz', '--key', 'model')
        self.assertEqual(run('weights', 'diff', self.folder / 'a.npz', STATE).stdout, EQUAL)

    def test_names(self):
        run('weights', 'convert', STATE, self.folder / 'a.pth', '--rename', 'norm=bn1', '--rename', 'conv.*=net.*.x')
        names = list(read_checkpoint(self.folder / 'a.pth'))
        self.assertEqual(names[:3], ['net.weight.x', 'net.bias.x', 'bn1.weight'])
        done = run('weights', 'convert', STATE, self.folder / 'b.pth', '--rename', 'norm=conv', code=1)
        self.assertSays(done, "two names become 'conv.bias'")

    def test_what_cannot_be(self):
        self.assertSays(run('weights', 'convert', STATE, self.folder / 'a.onnx', code=1), 'the extension tells the format')
        self.assertSays(run('weights', 'convert', STATE, self.folder / 'a.npy', code=1), 'one tensor, there are 7')
        self.assertSays(run('weights', 'convert', DATA / 'whole_model.pth', self.folder / 'a.npz', code=1),
                        'torch.nn.modules.container.Sequential', 'save model.state_dict()')

    def test_json(self):
        root = json.loads(run('weights', 'convert', STATE, self.folder / 'a.npz', '--json').stdout)
        self.assertEqual((root['tensors'], root['elements'], root['bytes']), (7, 29, 120))


class Diff(Case):
    def test_differences_of_every_kind(self):
        a = write_safetensors(self.folder / 'a', {'w': ('F32', [4], floats(1, 2, 3, 4)), 'x': ('F32', [1], floats(1)),
                                                  's': ('F32', [2], floats(1, 1)), 't': ('F32', [1], floats(1)),
                                                  'q': ('F32', [1], floats(1))})
        b = write_safetensors(self.folder / 'b', {'w': ('F32', [4], floats(1, 2.5, 3, 2)), 'y': ('F32', [1], floats(1)),
                                                  'q': ('F32', [1], floats(1)), 's': ('F32', [1, 2], floats(1, 1)),
                                                  't': ('I32', [1], floats(1))})
        self.assertEqual(run('weights', 'diff', a, b, code=1).stdout.splitlines(), [
            'w differs in 2 of 4 values, at most by 2', 'x is only in A: float32 1',
            's is float32 2 in A, float32 1x2 in B', 't is float32 1 in A, int32 1 in B', 'y is only in B: float32 1',
            'the names that are in both have another order in B', '6 differences'])
        root = json.loads(run('weights', 'diff', a, b, '--json', code=1).stdout)
        self.assertFalse(root['equal'])
        self.assertEqual([d['kind'] for d in root['differences']],
                         ['values', 'only_a', 'shape', 'dtype', 'only_b', 'order'])
        self.assertEqual((root['differences'][0]['differ'], root['differences'][0]['largest']), (2, 2.0))
        self.assertTrue(json.loads(run('weights', 'diff', a, a, '--json').stdout)['equal'])

    def test_bits_count(self):
        nan = struct.pack('<I', 0x7fc00001)
        a = write_safetensors(self.folder / 'a', {'w': ('F32', [2], nan + floats(0))})
        b = write_safetensors(self.folder / 'b', {'w': ('F32', [2], nan + floats(-0.0))})
        self.assertEqual(run('weights', 'diff', a, a).stdout, 'equal: 1 tensors\n')
        self.assertIn('w differs in 1 of 2 values, at most by 0', run('weights', 'diff', a, b, code=1).stdout)

    def test_names_of_a_are_renamed(self):
        run('weights', 'convert', STATE, self.folder / 'b.npz', '--rename', 'norm=bn')
        run('weights', 'diff', STATE, self.folder / 'b.npz', code=1)
        run('weights', 'diff', STATE, self.folder / 'b.npz', '--rename', 'norm=bn')

    def test_a_file_that_cannot_be_read_is_exit_code_2(self):
        self.assertSays(run('weights', 'diff', STATE, self.folder / 'none.pth', code=2), 'none.pth')


class CommandLine(Case):
    def test_what_is_wrong_is_said(self):
        for arguments, part in (([], 'say what to do'), (['show'], 'unknown action show'), (['list'], 'takes one file'),
                                (['diff', 'a'], 'takes two files'), (['list', 'a', 'b'], 'takes one file'),
                                (['check', 'a'], 'check needs --arch'), (['list', 'a', '--arch', 'x'], 'not for list'),
                                (['list', 'a', '--rename', 'x'], 'FROM=TO is needed'),
                                (['list', 'a', '--rename', '=x'], 'FROM=TO is needed')):
            self.assertSays(run('weights', *arguments, code=2), part, 'hapgop help weights')
        self.assertSays(run('weights', 'check', STATE, '--arch', 'resnet19', code=2), 'no network is called "resnet19"')
        self.assertSays(run('weights', 'list', STATE, '--rename', 'a=*', code=1), "'*' has more '*' than 'a'")

    def test_help(self):
        self.assertIn('--strip PREFIX', run('help', 'weights').stdout)


main()
