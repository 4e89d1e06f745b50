"""`hapgop transfer` and `hapgop standin`: the usual program's lines, files, what is trained, errors."""
import csv
import json
import pathlib
import random
import signal
import struct
import subprocess
import tempfile
import time
import zlib

from support import PROGRAM, Case, main, read_checkpoint, run, write_data

SIDE = 40


def write_png(path, width, height, rows):
    """8-bit grey."""
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    raw = b''.join(b'\0' + bytes(row) for row in rows)
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)) +
                     chunk(b'IDAT', zlib.compress(raw, 1)) + chunk(b'IEND', b''))


def write_folder(root, classes=('dark', 'light'), train=12, test=6):
    """Noise, the brighter the later its class comes; `train` and `test` images of each."""
    stream = random.Random(3)
    for part, count in (('train', train), ('test', test)):
        for number, name in enumerate(classes):
            folder = root / part / name
            folder.mkdir(parents=True)
            base = 200 * number // max(1, len(classes) - 1)
            for i in range(count):
                write_png(folder / f'{i}.png', SIDE, SIDE,
                          [[base + stream.randrange(50) for _ in range(SIDE)] for _ in range(SIDE)])
    return root


def setUpModule():
    global shared, data
    shared = tempfile.TemporaryDirectory()
    data = write_folder(pathlib.Path(shared.name) / 'data')


def tearDownModule():
    shared.cleanup()


def lenet(out, *arguments, folder=None, **options):
    return run('transfer', '--arch', 'lenet5', '--data', folder or data, '--out', out, '--batch', 8, *arguments, **options)


def rows_of(path):
    with path.open() as f:
        return list(csv.reader(f))


def records_of(path):
    head, *rows = rows_of(path)
    return [dict(zip(head, row, strict=True)) for row in rows]


def changed(a, b):
    """The names of the tensors that differ between two state dicts."""
    a, b = read_checkpoint(a), read_checkpoint(b)
    assert list(a) == list(b)
    return [name for name in a if a[name] != b[name]]


class Transfer(Case):
    def test_prints_what_the_usual_program_prints(self):
        out = self.folder / "it's"
        text = lenet(out, '--epochs', 2).stdout
        self.assertRegex(text, r'^24\n\t classifier\.4\.weight\n\t classifier\.4\.bias\n'
                               r'Epoch 0/1\n----------\nLoss: \d+\.\d{4} Acc: [01]\.\d{4}\n\n'
                               r'Epoch 1/1\n----------\nLoss: \d+\.\d{4} Acc: [01]\.\d{4}\n\n'
                               r'Training complete in \d+m \d+s\nBest Acc: [01]\.\d{6}\n12\nsaved_model \[')
        self.assertIn(f'saved_model ["{out}/00.pth", "{out}/01.pth"]\n', text)
        for name in ('00.pth', '01.pth'):
            self.assertRegex(text, rf'Loading model {out}/{name}\nAcc: [01]\.\d{{4}}\n\n')
        self.assertRegex(text, r'Validation complete in \d+m \d+s\nBest Acc: [01]\.\d{6}\n')
        self.assertRegex(text, r'Of 2 tests on the same images the best is an optimistic figure: the last is ')
        self.assertRegex(text, r'class +precision +recall +F1 +images\ndark +[01]\.\d{4}')

    def test_files_agree_with_each_other(self):
        out, report = self.folder / 'out', self.folder / 'a.json'
        lenet(out, '--epochs', 3, '--mode', 'fine-tune', '--regime', 'large-low', '--lr', 0.01, '--json', report)
        result = json.loads(report.read_text())
        self.assertEqual(sorted(path.name for path in out.iterdir()),
                         ['00.pth', '01.pth', '02.pth', 'best.pth', 'classes.csv', 'confusion.csv', 'confusion.png',
                          'curves.png', 'history.csv', 'resume.pth'])
        for name in ('curves.png', 'confusion.png'):
            self.assertEqual((out / name).read_bytes()[:8], b'\x89PNG\r\n\x1a\n')
        history = records_of(out / 'history.csv')
        for row, epoch in zip(history, result['epochs'], strict=True):
            for column in ('loss', 'accuracy', 'test_accuracy', 'learning_rate'):
                self.assertEqual(float(row[column]), epoch[column])
        matrix = rows_of(out / 'confusion.csv')
        self.assertEqual(matrix[0], ['true class', 'dark', 'light'])
        counts = [[int(x) for x in row[1:]] for row in matrix[1:]]
        self.assertEqual(counts, [c['answers'] for c in result['classes']])
        self.assertEqual([sum(row) for row in counts], [6, 6])
        best = max(epoch['test_accuracy'] for epoch in result['epochs'])
        self.assertEqual((counts[0][0] + counts[1][1]) / 12, best)
        self.assertEqual(result['best_test_accuracy'], best)
        self.assertEqual(result['epochs'][result['best_epoch']]['test_accuracy'], best)
        self.assertEqual(result['last_test_accuracy'], result['epochs'][-1]['test_accuracy'])
        self.assertAlmostEqual(result['mean_test_accuracy'], sum(e['test_accuracy'] for e in result['epochs']) / 3)
        for number, row in enumerate(records_of(out / 'classes.csv')):
            right, answers = counts[number][number], counts[0][number] + counts[1][number]
            precision, recall = right / answers if answers else 0, right / 6
            self.assertEqual((float(row['precision']), float(row['recall'])), (precision, recall))
            self.assertAlmostEqual(float(row['f1']), 2 * right / (answers + 6))
        self.assertEqual(result['trained_parameters'], result['parameters'])
        self.assertGreater(best, 0.9)       # dark and light are told apart

    def test_the_best_checkpoint_says_what_it_is(self):
        out, report = self.folder / 'out', self.folder / 'a.json'
        lenet(out, '--epochs', 2, '--json', report)
        best = read_checkpoint(out / 'best.pth')
        number = json.loads(report.read_text())['best_epoch']
        self.assertEqual((best['arch'], best['classes'], best['epoch']), ('lenet5', {'0': 'dark', '1': 'light'}, number))
        self.assertEqual(best['preprocess'], {'resize': 32, 'size': 32, 'imagenet_norm': False})
        said = run('predict', '--weights', out / 'best.pth', data / 'test/dark/0.png').stdout
        self.assertIn('dark (0)', said)
        self.assertIn('light (1)', said)
        state = read_checkpoint(out / f'{number:02d}.pth')
        self.assertTrue(all(best['model_state_dict'][name] == state[name] for name in state))

    def test_feature_extraction_leaves_the_trunk_as_the_weights_have_it(self):
        first, second = self.folder / 'first', self.folder / 'second'
        lenet(first, '--epochs', 2, '--mode', 'fine-tune', '--regime', 'large-low', '--seed', 1)
        classifier = ['classifier.4.weight', 'classifier.4.bias']
        for weights in ('01.pth', 'best.pth'):
            lenet(second, '--epochs', 2, '--weights', first / weights, '--seed', 2)
            self.assertEqual(changed(second / '00.pth', second / '01.pth'), classifier)
        best = read_checkpoint(first / 'best.pth')['model_state_dict']
        after = read_checkpoint(second / '01.pth')
        self.assertEqual([name for name in best if best[name] != after[name]], classifier)
        three = write_folder(self.folder / 'three', ('a', 'b', 'c'), 4, 2)
        lenet(self.folder / 'third', '--epochs', 1, '--weights', first / '01.pth', folder=three)
        self.assertEqual(read_checkpoint(self.folder / 'third/00.pth')['classifier.4.bias'].size, (3,))

    def test_regimes_train_more_and_more(self):
        expected = {'small-high': 6, 'small-low': 8, 'large-high': 10, 'large-low': 10}     # LeNet has two blocks
        for regime, count in expected.items():
            out = self.folder / regime
            text = lenet(out, '--epochs', 2, '--mode', 'fine-tune', '--regime', regime, '--trunk-lr', 0.01).stdout
            listed = [line[2:] for line in text.splitlines() if line.startswith('\t ')]
            self.assertEqual(len(listed), count)
            self.assertEqual(changed(out / '00.pth', out / '01.pth'), listed)

    def test_frozen_batch_normalisation_drifts_unless_it_is_kept(self):
        for arguments, batches in ([], 3), (['--freeze-bn'], 0):
            out = self.folder / str(batches)
            run('transfer', '--arch', 'resnet18', '--data', data, '--out', out, '--batch', 8, '--epochs', 1, '--size', 32,
                *arguments)
            state = read_checkpoint(out / '00.pth')
            self.assertEqual(state['layer4.1.bn2.num_batches_tracked'].integers(), [batches])
            self.assertEqual(any(state['bn1.running_mean'].floats()), batches > 0)

    def test_the_same_seed_gives_the_same_bits_for_any_number_of_workers(self):
        first = lenet(self.folder / 'a', '--epochs', 1, '--workers', 0, '--seed', 4)
        lenet(self.folder / 'b', '--epochs', 1, '--workers', 3, '--seed', 4)
        lenet(self.folder / 'c', '--epochs', 1, '--workers', 0, '--seed', 5)
        bits = [(self.folder / name / '00.pth').read_bytes() for name in 'abc']
        self.assertEqual(bits[0], bits[1])
        self.assertNotEqual(bits[0], bits[2])
        self.assertIn('Epoch 0/0', first.stdout)

    def test_schedules_change_the_rate(self):
        expected = {'constant': [1, 1, 1], 'step': [1, 1, 0.1], 'cosine': [1, 0.75, 0.25], 'plateau': [1, 1, 1]}
        for name, factors in expected.items():
            lenet(self.folder / name, '--epochs', 3, '--schedule', name, '--lr', 0.002)
            rows = records_of(self.folder / name / 'history.csv')
            for row, factor in zip(rows, factors, strict=True):
                self.assertAlmostEqual(float(row['learning_rate']), 0.002 * factor, places=12)
        lenet(self.folder / 'one', '--epochs', 3, '--schedule', 'one-cycle', '--lr', 0.002)
        rows = records_of(self.folder / 'one/history.csv')
        self.assertAlmostEqual(float(rows[0]['learning_rate']), 0.002 / 25)

    def test_a_bad_image_stops_or_is_left_out(self):
        folder = write_folder(self.folder / 'data', train=4, test=2)
        bad = folder / 'train/dark/1.png'
        bad.write_bytes(b'not an image')
        done = lenet(self.folder / 'out', '--epochs', 1, folder=folder, code=1)
        self.assertSays(done, bad)
        done = lenet(self.folder / 'out', '--epochs', 1, '--on-bad-image', 'skip', '--json', self.folder / 'a.json',
                     folder=folder)
        self.assertIn('left out: ', done.stderr)
        self.assertIn(str(bad), done.stderr)
        self.assertEqual(json.loads((self.folder / 'a.json').read_text())['train_images'], 7)

    def test_what_is_wrong_is_told(self):
        one = write_folder(self.folder / 'one', ('only',), 2, 2)
        other = write_folder(self.folder / 'other', train=2, test=2)
        (other / 'test/dark').rename(other / 'test/gloomy')
        out = self.folder / 'out'
        self.assertSays(run('transfer', '--data', data, code=2), '--arch is missing', 'hapgop help transfer')
        self.assertSays(run('transfer', '--arch', 'lenet5', code=2), '--data is missing')
        self.assertSays(run('transfer', '--arch', 'alexnet', '--data', data, code=2), 'no network is called "alexnet"')
        self.assertSays(run('transfer', '--arch', 'fashion-cnn', '--data', data, code=2), 'fixed number of classes')
        self.assertSays(lenet(out, '--regime', 'small-low', code=2), '--regime is for --mode fine-tune')
        self.assertSays(lenet(out, '--imagenet-norm', code=2), '--imagenet-norm is for three channels')
        self.assertSays(lenet(out, folder=self.folder / 'none', code=1), self.folder / 'none/train')
        self.assertSays(lenet(out, folder=one, code=1), 'there is one class, only; two are needed')
        self.assertSays(lenet(out, folder=other, code=1), 'class 0 is dark', 'they have to be the same')
        self.assertSays(lenet(out, '--weights', data / 'train/dark/0.png', code=1), '0.png')
        (self.folder / 'file').write_text('')
        self.assertSays(lenet(self.folder / 'file', code=1), 'cannot write in the folder')

    def test_ctrl_c_ends_it_with_the_checkpoints_there_are(self):
        out = self.folder / 'out'
        process = subprocess.Popen([PROGRAM, 'transfer', '--arch', 'lenet5', '--data', str(data), '--out', str(out), '--epochs',
                                    '10000'], stdout=subprocess.PIPE, text=True)
        while not (out / '01.pth').exists():
            self.assertIsNone(process.poll())
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 130)
        self.assertRegex(text, r'Interrupted after \d+ of 10000 epochs; the same command with --resume goes on\n$')
        self.assertIn('features.0.weight', read_checkpoint(out / '00.pth'))

    def test_goes_on_bit_for_bit_after_the_last_whole_epoch(self):
        whole, parts = self.folder / 'whole', self.folder / 'parts'
        fine = ['--mode', 'fine-tune', '--regime', 'large-low', '--lr', 0.003, '--trunk-lr', 0.002, '--seed', 3]
        for more in (['--schedule', 'plateau'], ['--rng', 'torch', '--weight-decay', 0.01]):
            lenet(whole, '--epochs', 3, *fine, *more)
            lenet(parts, '--epochs', 1, *fine, *more)
            text = lenet(parts, '--resume', '--epochs', 3).stdout
            self.assertNotIn('Epoch 0/2', text)
            self.assertIn('Epoch 1/2', text)
            for name in ('00.pth', '01.pth', '02.pth', 'best.pth', 'curves.png', 'confusion.csv'):
                self.assertEqual((whole / name).read_bytes(), (parts / name).read_bytes(), name)
            for one, other in zip(records_of(whole / 'history.csv'), records_of(parts / 'history.csv'), strict=True):
                self.assertEqual({**one, 'seconds': 0}, {**other, 'seconds': 0})

    def test_a_schedule_goes_on_where_it_was(self):
        whole, parts = self.folder / 'whole', self.folder / 'parts'
        for schedule in ('one-cycle', 'cosine'):
            lenet(whole, '--epochs', 3, '--schedule', schedule)
            process = self.stop_after(parts, 1, '--epochs', '3', '--schedule', schedule)
            if process.returncode:      # else it was done before the signal came
                lenet(parts, '--resume')
            self.assertEqual((whole / '02.pth').read_bytes(), (parts / '02.pth').read_bytes(), schedule)
        self.assertSays(lenet(parts, '--resume', '--epochs', 4, code=1), 'cannot go on', 'resume.pth')

    def stop_after(self, out, epochs, *arguments):
        process = subprocess.Popen([PROGRAM, 'transfer', '--arch', 'lenet5', '--data', str(data), '--out', str(out),
                                    '--batch', '8', *arguments], stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            if line.startswith(f'Epoch {epochs}/'):
                process.send_signal(signal.SIGINT)
        process.wait(60)
        return process

    def test_tests_alone_are_done_again(self):
        out = self.folder / 'out'
        lenet(out, '--epochs', 2)
        for name in ('best.pth', 'history.csv'):
            (out / name).unlink()
        text = lenet(out, '--resume').stdout
        self.assertNotIn('Epoch', text)
        self.assertTrue((out / 'best.pth').exists())

    def test_what_cannot_go_on_is_told(self):
        out = self.folder / 'out'
        self.assertSays(lenet(out, '--resume', code=1), 'nothing to go on with', 'resume.pth')
        lenet(out, '--epochs', 2, '--lr', 0.01)
        self.assertSays(lenet(out, '--resume', '--lr', 0.02, code=1), '--lr 0.02', 'leave --lr out')
        self.assertSays(lenet(out, '--resume', '--epochs', 1, code=1), '2 epochs are done')
        self.assertSays(run('transfer', '--arch', 'vgg11', '--data', data, '--out', out, '--resume', code=1),
                        'is of lenet5, not of vgg11')
        (out / '01.pth').rename(out / 'away.pth')
        self.assertSays(lenet(out, '--resume', code=1), 'cannot go on', '01.pth')
        lenet(out, '--regime', 'small-low', code=2)
        self.assertTrue((out / 'resume.pth').exists())
        lenet(out, folder=self.folder / 'none', code=1)     # a run from the start forgets the old one
        self.assertFalse((out / 'resume.pth').exists())


class StandIn(Case):
    def test_the_experiment_on_made_up_data(self):
        out = self.folder / 'out'
        source = write_data(self.folder / 'source', train=4200, test=1100)
        text = run('standin', '--arch', 'lenet5', '--size', 32, '--data', source, '--out', out, '--pretrain-images', 160,
                   '--pretrain-epochs', 1, '--epochs', 1, '--json', self.folder / 'a.json').stdout
        for part, count in (('train', (193, 192)), ('test', (49, 49))):
            self.assertEqual([len(list((out / 'data' / part / name).glob('*.png'))) for name in ('Shirt', 'T-shirt')],
                             list(count))
        runs = json.loads((self.folder / 'a.json').read_text())['runs']
        names = ['pretrained', 'frozen-random', 'frozen-pretrained', 'small-low', 'large-high', 'large-low']
        self.assertEqual([r['run'] for r in runs], names)
        self.assertEqual([r['trained_tensors'] for r in runs], [10, 2, 2, 8, 10, 10])
        table = (out / 'table.md').read_text()
        self.assertEqual(len(table.splitlines()), 2 + len(names))
        self.assertTrue(text.startswith(table))
        eight, two = read_checkpoint(out / 'pretrained/best.pth'), read_checkpoint(out / 'frozen-pretrained/00.pth')
        self.assertEqual(eight['classes']['0'], 'Trouser')
        self.assertEqual(two['features.0.weight'], eight['model_state_dict']['features.0.weight'])
        self.assertNotEqual(read_checkpoint(out / 'frozen-random/00.pth')['features.0.weight'], two['features.0.weight'])

    def test_what_is_wrong_is_told(self):
        self.assertSays(run('standin', 'x', code=2), 'unknown argument x')
        self.assertSays(run('standin', '--arch', 'fashion-cnn', code=2), 'fixed number of classes')
        few = write_data(self.folder / 'few', train=100, test=100)
        self.assertSays(run('standin', '--data', few, '--out', self.folder / 'out', code=1), '385 images of 28 x 28')


main()
