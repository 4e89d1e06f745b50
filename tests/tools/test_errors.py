"""`hapgop train`: what can go wrong is told in one line, and leaves what was there."""
import pathlib
import resource
import tempfile

from support import NAMES, Case, main, run, write_data, write_idx


def setUpModule():
    global shared, data, done
    shared = tempfile.TemporaryDirectory()
    data = write_data(pathlib.Path(shared.name) / 'data')
    done = pathlib.Path(shared.name) / 'done'
    run('train', 'fashion-dnn', '--data', data, '--out', done, '--batch', 100, '--epochs', 1)


def tearDownModule():
    shared.cleanup()


class Errors(Case):
    def fails(self, *arguments, code=1, **more):
        return run('train', *arguments, code=code, **more)

    def train(self, *options, model='fashion-dnn', code=1, **more):
        return self.fails(model, '--data', data, '--out', self.folder / 'out', *options, code=code, **more)


class CommandLine(Errors):
    def test_model(self):
        self.assertSays(self.fails(code=2), 'a model is missing', 'fashion-dnn', 'fashion-cnn')
        self.assertSays(self.fails('resnet', code=2), 'unknown model resnet', 'fashion-dnn', 'fashion-cnn')
        self.assertSays(self.fails('fashion-dnn', 'fashion-cnn', code=2), 'unknown argument fashion-cnn')

    def test_unknown_option(self):
        self.assertSays(self.train('--epoch', 3, code=2), 'unknown option --epoch', 'hapgop help train')

    def test_missing_value(self):
        self.assertSays(self.train('--epochs', code=2), '--epochs needs a value')
        self.assertSays(self.train('--json=', code=2), '--json: the value is empty')

    def test_numbers(self):
        for option, values in {'--epochs': ('0', '-1', 'x', '1.5', '', '1e3', '99999999999999999999'),
                               '--batch': ('0', '1000001'), '--iterations': ('0',), '--eval-every': ('-1',),
                               '--report-every': ('-1',), '--workers': ('-1', '1025'), '--seed': ('-1', '0x'),
                               '--lr': ('-0.1', 'nan', 'inf', 'fast', '1e400')}.items():
            for value in values:
                self.assertSays(self.train(f'{option}={value}', code=2), option, value, 'is needed')

    def test_choices(self):
        self.assertSays(self.train('--rng', 'mt', code=2), '--rng mt', 'philox, torch')
        self.assertSays(self.train('--eval-mode', 'both', code=2), '--eval-mode both', 'train, eval')

    def test_fc_relu_is_not_for_the_dnn(self):
        self.assertSays(self.train('--fc-relu', code=2), '--fc-relu is for fashion-cnn')


class Machine(Errors):
    def test_unknown_device_lists_those_there_are(self):
        self.assertSays(self.train('--device', 'abacus'), 'abacus', ' / ')

    def test_no_platform_names_the_packages(self):
        self.assertSays(self.train(env={'OCL_ICD_VENDORS': '/nonexistent'}), 'pocl-opencl-icd')

    def test_too_little_device_memory(self):
        self.assertSays(self.train(model='fashion-cnn', env={'HAPGOP_MEMORY': '4M'}), 'memory', 'HAPGOP_MEMORY')

    def test_folder_that_cannot_be_written_is_found_before_training(self):
        (self.folder / 'file').write_text('')
        for place in (self.folder / 'file' / 'out', pathlib.Path('/proc/out')):
            found = self.fails('fashion-dnn', '--data', data, '--out', place)
            self.assertSays(found, place, '--out')
            self.assertEqual(found.stdout, '')

    def test_json_that_cannot_be_written_is_found_before_training(self):
        for place in (self.folder / 'nowhere' / 'run.json', self.folder):
            found = self.train('--json', place)
            self.assertSays(found, place)
            self.assertEqual(found.stdout, '')

    def test_full_disk_keeps_the_checkpoint_before(self):
        options = ['fashion-cnn', '--data', data, '--out', self.folder, '--batch', 100, '--eval-every', 0]
        run('train', *options, '--epochs', 1)
        before = (self.folder / '01.pth').read_bytes()
        for more in ([], ['--resume', self.folder / '01.pth']):
            found = self.fails(*options, '--epochs', 2, *more, preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (4 << 20, 4 << 20)))
            self.assertSays(found, f'training stops at iteration {8 if more else 4}', 'File too large',
                            f'checkpoint is {self.folder}/01.pth' if more else 'no checkpoint yet')
            self.assertEqual(sorted(p.name for p in self.folder.glob('*.pth*')), ['01.pth'])
            self.assertEqual((self.folder / '01.pth').read_bytes(), before)


class Data(Errors):
    def test_missing_folder_names_the_package_and_the_files(self):
        found = self.fails('fashion-dnn', '--out', self.folder, '--data', self.folder / 'none')
        self.assertSays(found, self.folder / 'none', 'dataset-fashion-mnist', *NAMES)

    def test_missing_file(self):
        folder = write_data(self.folder / 'data', 20, 20)
        (folder / NAMES[2]).unlink()
        self.assertSays(self.fails('fashion-dnn', '--out', self.folder, '--data', folder), f'{NAMES[2]} is not there')

    def damaged(self, name, change, *parts):
        folder = write_data(self.folder / 'data', 20, 20)
        change(folder / name)
        self.assertSays(self.fails('fashion-dnn', '--out', self.folder / 'out', '--data', folder), *parts)

    def test_damaged_files(self):
        cut = lambda p: p.write_bytes(p.read_bytes()[:-1])
        for name in NAMES:
            self.damaged(name, cut, name)
        self.damaged(NAMES[0], lambda p: p.write_bytes(b'\x89PNG' + bytes(100)), NAMES[0])
        self.damaged(NAMES[1], lambda p: p.write_bytes(b''), NAMES[1])
        self.damaged(NAMES[1], lambda p: write_idx(p, (19,), bytes(19)), NAMES[1], '19')
        self.damaged(NAMES[3], lambda p: write_idx(p, (20,), b'\x0a' * 20), NAMES[3], 'label 10')
        self.damaged(NAMES[0], lambda p: write_idx(p, (1 << 31, 1 << 31, 1 << 31), b''), NAMES[0])

    def test_pictures_of_another_size(self):
        self.damaged(NAMES[0], lambda p: write_idx(p, (20, 32, 32), bytes(20 * 1024)), '32 x 32', '28 x 28')

    def test_no_pictures(self):
        folder = write_data(self.folder / 'data', 0, 20)
        self.assertSays(self.fails('fashion-dnn', '--out', self.folder / 'out', '--data', folder), 'no images to train')


class Checkpoints(Errors):
    def test_missing(self):
        self.assertSays(self.train('--resume', self.folder / 'none.pth'), self.folder / 'none.pth', 'No such file')

    def test_truncated_anywhere(self):
        whole = (done / '01.pth').read_bytes()
        for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
            path = self.folder / 'cut.pth'
            path.write_bytes(whole[:size])
            self.assertSays(self.train('--resume', path), path)

    def test_other_model(self):
        self.assertSays(self.train('--resume', done / '01.pth', model='fashion-cnn'), 'is a checkpoint of fashion-dnn',
                        'not of fashion-cnn')

    def test_other_file(self):
        path = pathlib.Path(__file__).parent.parent / 'data/weights/state_dict.pth'
        self.assertSays(self.train('--resume', path), path, 'not saved by hapgop train')

    def test_contradiction(self):
        for option, value in {'batch': 50, 'lr': 0.1, 'seed': 3, 'rng': 'torch', 'eval-mode': 'eval',
                              'eval-every': 7}.items():
            self.assertSays(self.train(f'--{option}', value, '--resume', done / '01.pth'), f'--{option} {value}',
                            f'leave --{option} out')
        self.assertSays(self.train('--shuffle', '--resume', done / '01.pth'), '--shuffle', 'leave --shuffle out')

    def test_nothing_left_to_do(self):
        self.assertSays(self.train('--resume', done / '01.pth'), '1 of 1 epochs done', '--epochs')
        self.assertSays(self.train('--resume', done / '01.pth', '--epochs', 2, '--iterations', 3), '4 iterations done')

    def test_other_data(self):
        folder = write_data(self.folder / 'data', 100, 20)
        found = self.fails('fashion-dnn', '--out', self.folder, '--data', folder, '--epochs', 2, '--resume',
                           done / '01.pth')
        self.assertSays(found, '400 items', '100')


main()
