"""`hapgop predict`: its numbers, its files, and what it says of bad ones.

Arguments: the program; make_weights, which writes weights and knows what the answers must be; a folder of images."""
import json
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

from support import PROGRAM, Case, main, run

MAKER, IMAGES = sys.argv.pop(2), pathlib.Path(sys.argv.pop(2))
PHOTO = IMAGES / 'jpeg_420.jpg'


def setUpModule():
    global shared, state, checkpoint, preset, small
    shared = tempfile.TemporaryDirectory()
    weights = pathlib.Path(shared.name) / 'w'
    done = subprocess.run([MAKER, 'resnet18', '3', weights, PHOTO], capture_output=True, text=True, check=True)
    preset, small = ([float(x) for x in line.split()] for line in done.stdout.splitlines())
    state, checkpoint = weights.with_suffix('.state'), weights.with_suffix('.checkpoint')


def tearDownModule():
    shared.cleanup()


def write_safetensors(path, tensors):
    """Each tensor is (sizes, values)."""
    header, body = {}, b''
    for name, (sizes, values) in tensors.items():
        data = struct.pack(f'<{len(values)}f', *values)
        header[name] = {'dtype': 'F32', 'shape': sizes, 'data_offsets': [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + body)


class Predict(Case):
    def predict(self, *arguments, **more):
        """The images of the JSON that it writes."""
        path = self.folder / 'p.json'
        self.done = run('predict', *arguments, '--json', path, **more)
        report = json.loads(path.read_text(encoding='utf-8'))
        self.assertEqual(set(report), {'images'})
        return report['images']

    def assertAnswers(self, image, expected, names=None):
        top = image['top']
        order = sorted(range(len(expected)), key=lambda i: -expected[i])
        self.assertEqual([t['index'] for t in top], order)
        for t in top:
            self.assertAlmostEqual(t['probability'], expected[t['index']], delta=2e-5)
            self.assertEqual(t['class'], names[t['index']] if names else str(t['index']))

    def fails(self, *arguments, code=1):
        return run('predict', *arguments, code=code)


class Answers(Predict):
    def test_imagenets_preset_without_options(self):
        image, = self.predict('--arch', 'resnet18', '--weights', state, PHOTO)
        self.assertEqual(image['file'], str(PHOTO))
        self.assertAnswers(image, preset)
        lines = self.done.stdout.splitlines()
        self.assertEqual(lines[0], str(PHOTO))
        self.assertEqual(lines[1].split(), [f'{max(preset):.4f}', str(preset.index(max(preset)))])
        self.assertEqual(len(lines), 4)

    def test_a_checkpoint_tells_network_names_and_sizes(self):
        names = [f'class {i}' for i in range(3)]
        image, = self.predict('--weights', checkpoint, PHOTO)
        self.assertAnswers(image, small, names)
        self.assertIn(f'class {small.index(max(small))} (', self.done.stdout)
        image, = self.predict('--arch', 'resnet18', '--weights', checkpoint, '--size', 224, '--resize', 256, '--norm',
                              'imagenet', PHOTO)
        self.assertAnswers(image, preset, names)

    def test_options_as_the_checkpoint_has_them(self):
        image, = self.predict('--arch', 'resnet18', '--weights', state, '--size', 40, '--resize', 48, '--norm', 'none',
                              PHOTO)
        self.assertAnswers(image, small)

    def test_names_from_a_file(self):
        names = ['cat', 'a dog', 'été']
        (self.folder / 'names').write_text('cat\r\na dog\nété', encoding='utf-8')
        for weights in state, checkpoint:
            image, = self.predict('--arch', 'resnet18', '--weights', weights, '--classes', self.folder / 'names',
                                  '--size', 40, '--resize', 48, '--norm', 'none', '--top', 2, PHOTO)
            self.assertEqual(len(image['top']), 2)
            self.assertEqual({t['class'] for t in image['top']} - set(names), set())
            self.assertEqual(image['top'][0]['class'], names[small.index(max(small))])

    def test_every_kind_of_image(self):
        """The answer to a picture does not depend on what was looked at before it."""
        files = sorted(IMAGES.glob('*.png')) + sorted(IMAGES.glob('*.p?m')) + sorted(IMAGES.glob('jpeg_*.jpg'))
        images = self.predict('--weights', checkpoint, *files)
        self.assertEqual([image['file'] for image in images], [str(f) for f in files])
        at = files.index(PHOTO)
        self.assertAnswers(images[at], small, [f'class {i}' for i in range(3)])
        self.assertGreater(len({image['top'][0]['probability'] for image in images}), 10)

    def test_a_network_for_small_grey_images(self):
        stream = random.Random(2)
        sizes = {'fc1.weight': [256, 784], 'fc1.bias': [256], 'fc2.weight': [128, 256], 'fc2.bias': [128],
                 'fc3.weight': [10, 128], 'fc3.bias': [10]}
        tensors = {name: (size, [stream.uniform(-.1, .1) for _ in range(math.prod(size))])
                   for name, size in sizes.items()}
        write_safetensors(self.folder / 'dnn.safetensors', tensors)
        pixels = stream.randbytes(784)
        (self.folder / 'a.pgm').write_bytes(b'P5 28 28 255\n' + pixels)
        x = [p / 255 for p in pixels]
        for layer in 'fc1', 'fc2', 'fc3':
            bias, weight = tensors[layer + '.bias'][1], tensors[layer + '.weight'][1]
            x = [b + sum(w * v for w, v in zip(weight[i * len(x):], x)) for i, b in enumerate(bias)]
            if layer != 'fc3':
                x = [max(v, 0) for v in x]
        total = sum(math.exp(v) for v in x)
        image, = self.predict('--arch', 'fashion-dnn', '--weights', self.folder / 'dnn.safetensors', '--top', 100,
                              self.folder / 'a.pgm')
        self.assertAnswers(image, [math.exp(v) / total for v in x])
        self.assertSays(self.fails('--arch', 'fashion-dnn', '--weights', self.folder / 'dnn.safetensors', '--norm',
                                   'imagenet', self.folder / 'a.pgm'), 'for three channels; fashion-dnn has 1')
        tensors['fc3.bias'] = [10], [math.nan] * 10
        write_safetensors(self.folder / 'nan.safetensors', tensors)
        self.assertSays(self.fails('--arch', 'fashion-dnn', '--weights', self.folder / 'nan.safetensors',
                                   self.folder / 'a.pgm'), 'not finite')


class BadImages(Predict):
    def setUp(self):
        super().setUp()
        photo = PHOTO.read_bytes()
        self.bad = {'empty.jpg': b'', 'cut.jpg': photo[:len(photo) // 2], 'text.png': b'hello',
                    'huge.ppm': b'P6 100000 100000 255\n', 'old.bmp': b'BM....'}
        for name, data in self.bad.items():
            (self.folder / name).write_bytes(data)

    def test_stop(self):
        for name in [*self.bad, 'missing.jpg', '.']:
            path = self.folder / name
            done = self.fails('--weights', checkpoint, path, PHOTO, '--json', self.folder / 'none.json')
            self.assertSays(done, path)
            self.assertEqual(done.stdout, '')
        self.assertFalse((self.folder / 'none.json').exists())

    def test_skip(self):
        images = self.predict('--weights', checkpoint, '--on-bad-image', 'skip', PHOTO,
                              *(self.folder / name for name in self.bad), IMAGES / 'png_L.png')
        self.assertEqual([image['file'] for image in images], [str(PHOTO), str(IMAGES / 'png_L.png')])
        lines = self.done.stderr.splitlines()
        self.assertEqual(len(lines), len(self.bad))
        for line, name in zip(lines, self.bad):
            self.assertIn('left out: ', line)
            self.assertIn(name, line)

    def test_skipping_all_is_a_failure(self):
        done = self.fails('--weights', checkpoint, '--on-bad-image', 'skip', self.folder / 'empty.jpg')
        self.assertIn('no image could be read', done.stderr.splitlines()[-1])


class BadWeights(Predict):
    def test_files_that_are_no_weights(self):
        weights = self.folder / 'w.pth'
        self.assertSays(self.fails('--arch', 'resnet18', '--weights', weights, PHOTO), weights, 'No such file')
        for data in b'', b'hello', checkpoint.read_bytes()[:100000]:
            weights.write_bytes(data)
            self.assertSays(self.fails('--arch', 'resnet18', '--weights', weights, PHOTO), weights)

    def test_weights_of_another_network(self):
        self.assertSays(self.fails('--weights', state, PHOTO), 'does not say which network', '--arch')
        self.assertSays(self.fails('--arch', 'vgg11', '--weights', checkpoint, PHOTO), 'is for resnet18, not for vgg11')
        self.assertIn('conv1.weight', self.fails('--arch', 'resnet34', '--weights', state, PHOTO).stderr +
                      self.fails('--arch', 'lenet5', '--weights', state, PHOTO).stderr)

    def test_names_that_do_not_fit(self):
        names = self.folder / 'names'
        arguments = '--weights', checkpoint, '--classes', names, PHOTO
        self.assertSays(self.fails(*arguments), names, 'No such file')
        for text, count in ('cat\n', 1), ('a\nb\nc\nd\n', 4), ('', 0):
            names.write_text(text)
            self.assertSays(self.fails(*arguments), f'has {count} names, the network has 3 classes')
        names.write_bytes(b'a\n\xff\xfe\nc\n')
        self.assertSays(self.fails(*arguments), names, 'line 2 is not UTF-8')


class CommandLine(Predict):
    def test_what_is_missing_or_wrong(self):
        self.assertSays(self.fails(PHOTO, code=2), '--weights FILE is missing', 'hapgop help predict')
        self.assertSays(self.fails('--weights', state, code=2), 'an image is missing')
        self.assertSays(self.fails('--arch', 'resnet19', '--weights', state, PHOTO, code=2), 'resnet19', 'resnet18')
        for option, value in (('--size', 0), ('--top', 0), ('--resize', 65536), ('--norm', 'l2'),
                              ('--on-bad-image', 'x')):
            self.assertSays(self.fails('--weights', state, PHOTO, option, value, code=2), option, 'is needed')

    def test_json_that_cannot_be_written(self):
        self.assertSays(self.fails('--weights', checkpoint, '--json', self.folder / 'no' / 'p.json', PHOTO), 'p.json')
        odd = os.fsencode(self.folder) + b'/\xff.jpg'
        pathlib.Path(os.fsdecode(odd)).write_bytes(PHOTO.read_bytes())
        done = subprocess.run([PROGRAM, 'predict', '--weights', checkpoint, '--json', self.folder / 'p.json', odd],
                              capture_output=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'its name is not UTF-8', done.stderr)
        self.assertFalse((self.folder / 'p.json').exists())


main()
