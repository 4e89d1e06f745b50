"""`hapgop train`: its numbers, its files, stopping and going on."""
import csv
import json
import os
import pathlib
import shlex
import signal
import struct
import subprocess
import tempfile
import unittest
import zipfile

from support import LINE, PROGRAM, Case, main, read_checkpoint, run, write_data, write_real_data

# The losses of PyTorch 1.13.1's program after torch.manual_seed(0), iterations 1 to 5 (chapter 0.6).
GOLDEN = {
    'fashion-dnn': (2e-5, [2.31189227104187, 2.2723984718322754, 2.2220864295959473, 2.1730337142944336,
                           2.1062426567077637]),
    'fashion-cnn': (2e-4, [2.2738656997680664, 2.336759567260742, 1.7423373460769653, 1.4490106105804443,
                           1.4644041061401367]),
}
PRINTED = {  # chapter 50 and 78
    'fashion-dnn': '''FashionDNN(
  (fc1): Linear(in_features=784, out_features=256, bias=True)
  (drop): Dropout2d(p=0.25, inplace=False)
  (fc2): Linear(in_features=256, out_features=128, bias=True)
  (fc3): Linear(in_features=128, out_features=10, bias=True)
)
''',
    'fashion-cnn': '''FashionCNN(
  (layer1): Sequential(
    (0): Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    (1): BatchNorm2d(32, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
    (2): ReLU()
    (3): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
  )
  (layer2): Sequential(
    (0): Conv2d(32, 64, kernel_size=(3, 3), stride=(1, 1))
    (1): BatchNorm2d(64, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
    (2): ReLU()
    (3): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
  )
  (fc1): Linear(in_features=2304, out_features=600, bias=True)
  (drop): Dropout2d(p=0.25, inplace=False)
  (fc2): Linear(in_features=600, out_features=120, bias=True)
  (fc3): Linear(in_features=120, out_features=10, bias=True)
)
''',
}


def setUpModule():
    global shared, data
    shared = tempfile.TemporaryDirectory()
    data = write_data(pathlib.Path(shared.name) / 'data')


def tearDownModule():
    shared.cleanup()


def f32(x):
    return struct.unpack('<f', struct.pack('<f', x))[0]


def accuracy(correct, total):
    """100 * correct / total as CUDA computes it (chapter 61)."""
    return f32(f32(100 * correct) * f32(1 / f32(total)))


def rewrite(path, old, new):
    """The checkpoint with a text of the pickle replaced by one as long."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    (name,) = [name for name in files if name.endswith('/data.pkl')]
    assert files[name].count(old.encode()) == 1
    files[name] = files[name].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in files.items():
            archive.writestr(name, content)


class Train(Case):
    def train(self, model, *options, **more):
        """Trains on the made-up data, 40 batches an epoch."""
        return run('train', model, '--data', data, '--batch', 10, *options, **more)

    def lines(self, text):
        """(iteration, loss, accuracy or None) of each report line."""
        found = [LINE.fullmatch(line) for line in text.splitlines() if line.startswith('Iteration')]
        self.assertTrue(all(found), text)
        return [(int(m[1]), m[2], m[3]) for m in found]


class Numbers(Train):
    def golden(self, model):
        real = write_real_data(self.folder / 'data')
        done = run('train', model, '--data', real, '--out', self.folder / 'out', '--seed', 0, '--rng', 'torch',
                   '--iterations', 5, '--report-every', 1, '--eval-every', 0)
        self.assertTrue(done.stdout.startswith(PRINTED[model]), done.stdout)
        tolerance, expected = GOLDEN[model]
        lines = self.lines(done.stdout)
        self.assertEqual([n for n, _, _ in lines], [1, 2, 3, 4, 5])
        for (n, loss, percent), right in zip(lines, expected):
            self.assertAlmostEqual(float(loss), right, delta=tolerance, msg=f'iteration {n}')
            self.assertIsNone(percent)

    def test_first_losses_of_the_dnn_are_those_of_pytorch(self):
        self.golden('fashion-dnn')

    def test_first_losses_of_the_cnn_are_those_of_pytorch(self):
        self.golden('fashion-cnn')

    def test_it_learns_and_tests_absorb_the_test_set(self):
        report = self.folder / 'run.json'
        self.train('fashion-cnn', '--out', self.folder, '--epochs', 3, '--eval-every', 30, '--report-every', 30,
                   '--json', report)
        result = json.loads(report.read_text())
        self.assertEqual(result['num_batches_tracked'], 120 + 4 * 6)    # chapter 58
        self.assertGreater(result['eval_mode_accuracy'], 90)
        self.assertGreater(result['train_mode_accuracy'], 80)

    def test_tests_in_eval_mode_do_not_absorb_the_test_set(self):
        self.train('fashion-cnn', '--out', self.folder, '--iterations', 20, '--eval-every', 7, '--eval-mode', 'eval')
        state = read_checkpoint(self.folder / 'stopped.pth')['model_state_dict']
        self.assertEqual(state['layer1.1.num_batches_tracked'].integers(), [20])

    def test_a_last_batch_that_is_smaller(self):
        done = self.train('fashion-cnn', '--out', self.folder, '--batch', 64, '--epochs', 1, '--report-every', 7)
        self.assertEqual(len(self.lines(done.stdout)), 1)       # 400 = 6 * 64 + 16
        self.assertEqual(read_checkpoint(self.folder / '01.pth')['iteration'], 7)

    def test_shuffle_seed_and_generator_matter_and_quiet_prints_report_lines_alone(self):
        losses = set()
        for more in ([], ['--shuffle'], ['--seed', 1], ['--rng', 'torch']):
            done = self.train('fashion-dnn', '--out', self.folder, '--iterations', 3, '--report-every', 3, '--quiet',
                              *more)
            self.assertEqual(done.stderr, '')
            (line,) = done.stdout.splitlines()
            losses.add(LINE.fullmatch(line)[2])
        self.assertEqual(len(losses), 4, losses)

    def test_workers_do_not_matter(self):
        for workers in (0, 2):
            self.train('fashion-dnn', '--out', self.folder / str(workers), '--iterations', 50, '--shuffle', '--workers',
                       workers)
        self.assertEqual((self.folder / '0/stopped.pth').read_bytes(), (self.folder / '2/stopped.pth').read_bytes())

    def test_fc_relu_is_another_network(self):
        losses = [self.lines(self.train('fashion-cnn', '--out', self.folder, '--iterations', 1, '--report-every', 1,
                                        *more).stdout)[0][1] for more in ([], ['--fc-relu'])]
        self.assertNotEqual(*losses)


class Output(Train):
    def test_report_lines(self):
        done = self.train('fashion-dnn', '--out', self.folder, '--iterations', 30, '--report-every', 5,
                          '--eval-every', 10)
        lines = self.lines(done.stdout)
        self.assertEqual([n for n, _, _ in lines], [5, 10, 15, 20, 25, 30])
        for n, loss, percent in lines:
            self.assertEqual(repr(f32(float(loss))), loss)
            self.assertEqual(percent is None, n % 10 != 0)
            if percent:
                self.assertIn(percent, [repr(accuracy(k, 60)) for k in range(61)])
        self.assertEqual(done.stderr.replace('\n', ' ').count('\r'), 0)     # no progress line without a terminal

    def test_the_end_tells_both_accuracies_and_the_files(self):
        done = self.train('fashion-dnn', '--out', self.folder, '--epochs', 1, '--eval-every', 20)
        self.assertRegex(done.stdout, r'after iteration 40: \d+\.\d\d% in train mode, \d+\.\d\d% in eval mode\.\n')
        self.assertIn('In train mode dropout', done.stdout)
        self.assertIn('In eval mode', done.stdout)
        for name in ('history.csv', 'curves.png', '01.pth'):
            self.assertIn(str(self.folder / name), done.stdout)
            self.assertTrue((self.folder / name).exists())
        self.assertEqual((self.folder / 'curves.png').read_bytes()[:4], b'\x89PNG')

    def test_history_has_every_loss_and_every_test(self):
        self.train('fashion-dnn', '--out', self.folder, '--iterations', 25, '--eval-every', 10)
        rows = list(csv.DictReader((self.folder / 'history.csv').read_text().splitlines()))
        self.assertEqual([int(row['iteration']) for row in rows], list(range(1, 26)))
        self.assertEqual([n + 1 for n, row in enumerate(rows) if row['accuracy']], [10, 20])
        saved = read_checkpoint(self.folder / 'stopped.pth')['history']
        self.assertEqual(saved['loss'].floats(), [float(row['loss']) for row in rows])
        tests = saved['evaluations'].integers()
        self.assertEqual([tests[0], tests[2], tests[3], tests[5]], [10, 60, 20, 60])
        self.assertEqual(float(rows[9]['accuracy']), accuracy(tests[1], 60))

    def test_json(self):
        path = self.folder / 'run.json'
        done = self.train('fashion-cnn', '--out', self.folder, '--iterations', 30, '--report-every', 4, '--eval-every',
                          10, '--json', path)
        result = json.loads(path.read_text())
        self.assertEqual(result['model'], 'fashion-cnn')
        self.assertEqual(result['end'], 'stopped')
        self.assertTrue(result['device']['name'])
        self.assertEqual([(h['iteration'], repr(h['loss']), h['accuracy'] and repr(h['accuracy']))
                          for h in result['history']], self.lines(done.stdout))
        self.assertEqual(result['num_batches_tracked'], 30 + 3 * 6)
        for key in ('first_step_ms', 'step_ms_median', 'step_ms_min', 'eval_ms', 'peak_device_bytes',
                    'memory_bytes_step10', 'memory_bytes_end'):
            self.assertGreater(result[key], 0, key)
        self.assertLessEqual(result['step_ms_min'], result['step_ms_median'])
        self.assertGreater(result['first_step_ms'], result['step_ms_min'])
        self.assertGreaterEqual(result['peak_device_bytes'], result['memory_bytes_end'])
        self.assertLessEqual(result['memory_bytes_end'], result['memory_bytes_step10'])
        for mode in ('train', 'eval'):
            self.assertTrue(0 <= result[mode + '_mode_accuracy'] < 100.001)    # 60 * float(1 / 60) > 1

    def test_json_of_a_dnn_has_no_batch_normalisation(self):
        path = self.folder / 'run.json'
        self.train('fashion-dnn', '--out', self.folder, '--iterations', 2, '--json', path)
        result = json.loads(path.read_text())
        self.assertIsNone(result['num_batches_tracked'])
        self.assertIsNone(result['step_ms_median'])     # no step after the warm-up
        self.assertEqual(result['history'], [])

    def test_checkpoint_is_laid_out_as_pytorchs(self):
        self.train('fashion-cnn', '--out', self.folder, '--epochs', 1)
        c = read_checkpoint(self.folder / '01.pth')
        self.assertEqual((c['model'], c['epoch'], c['iteration']), ('fashion-cnn', 1, 40))
        names = list(c['model_state_dict'])
        self.assertEqual(len(names), 20)
        self.assertEqual(names[:4], ['layer1.0.weight', 'layer1.0.bias', 'layer1.1.weight', 'layer1.1.bias'])
        self.assertEqual(tuple(c['model_state_dict']['fc1.weight'].size), (600, 2304))
        optimizer = c['optimizer_state_dict']
        self.assertEqual(sorted(optimizer), ['param_groups', 'state'])
        self.assertEqual(optimizer['param_groups'][0]['lr'], 0.001)
        self.assertEqual(sorted(optimizer['state'][0]), ['exp_avg', 'exp_avg_sq', 'step'])
        self.assertEqual(c['options']['batch'], 10)


class StopAndGoOn(Train):
    def same(self, one, other):
        self.assertEqual(read_checkpoint(one), read_checkpoint(other))
        self.assertEqual(one.read_bytes(), other.read_bytes())

    def resumed(self, model, *options):
        """60 iterations at once, twice, and 30 and then 30, which ends in the second epoch."""
        for name in ('whole', 'again', 'parts'):
            self.train(model, '--out', self.folder / name, '--iterations', 30 if name == 'parts' else 60,
                       '--eval-every', 18, *options)
        run('train', model, '--data', data, '--out', self.folder / 'parts', '--iterations', 60, '--resume',
            self.folder / 'parts/stopped.pth')
        for name in ('01.pth', 'stopped.pth', 'history.csv', 'curves.png'):
            whole = (self.folder / 'whole' / name).read_bytes()
            self.assertEqual(whole, (self.folder / 'again' / name).read_bytes(), f'{name} of two runs')
            self.assertEqual(whole, (self.folder / 'parts' / name).read_bytes(), f'{name} after going on')

    def test_dnn_goes_on_bit_for_bit_in_pytorchs_stream_shuffled(self):
        self.resumed('fashion-dnn', '--rng', 'torch', '--shuffle')

    def test_cnn_goes_on_bit_for_bit(self):
        self.resumed('fashion-cnn', '--shuffle')

    def test_goes_on_from_the_end_of_an_epoch(self):
        self.train('fashion-dnn', '--out', self.folder / 'whole', '--epochs', 2)
        self.train('fashion-dnn', '--out', self.folder / 'parts', '--epochs', 2, '--iterations', 40)
        self.assertFalse((self.folder / 'parts/stopped.pth').exists())
        run('train', 'fashion-dnn', '--data', data, '--out', self.folder / 'parts', '--resume',
            self.folder / 'parts/01.pth')
        self.same(self.folder / 'whole/02.pth', self.folder / 'parts/02.pth')

    def interrupt(self, number):
        """The printed command that goes on after a signal in the middle of training."""
        out = self.folder / "it's here"
        with subprocess.Popen([PROGRAM, 'train', 'fashion-dnn', '--data', data, '--batch', '10', '--out', out,
                               '--epochs', '1000', '--report-every', '25', '--json', self.folder / 'run.json'],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            for line in child.stdout:
                if line.startswith('Iteration: 25,'):
                    break
            child.send_signal(number)
            text = child.stdout.read()
            self.assertEqual(child.wait(60), 130, text)
        self.assertEqual(json.loads((self.folder / 'run.json').read_text())['end'], 'interrupted')
        return out / 'interrupted.pth', shlex.split(text.splitlines()[-1])

    def test_interrupted_training_goes_on_with_the_printed_command(self):
        checkpoint, command = self.interrupt(signal.SIGINT)
        done = read_checkpoint(checkpoint)['iteration']
        self.assertGreaterEqual(done, 25)
        self.assertEqual(command[:4], [PROGRAM, 'train', 'fashion-dnn', '--resume'])
        subprocess.run([*command, '--iterations', str(done + 30)], check=True, capture_output=True)
        self.train('fashion-dnn', '--out', self.folder / 'whole', '--epochs', 1000, '--report-every', 25,
                   '--iterations', done + 30)
        name = 'stopped.pth' if (done + 30) % 40 else f'{(done + 30) // 40:02}.pth'
        self.same(self.folder / 'whole' / name, checkpoint.parent / name)

    def test_sigterm_is_like_an_interrupt(self):
        checkpoint, _ = self.interrupt(signal.SIGTERM)
        self.assertTrue(checkpoint.exists())

    def test_other_plans_are_told_and_no_error(self):
        self.train('fashion-cnn', '--out', self.folder, '--iterations', 2)
        saved = read_checkpoint(self.folder / 'stopped.pth')
        self.assertRegex(saved['plans'], '^[0-9a-f]{16}$')
        self.assertTrue(saved['driver'])
        go_on = ['train', 'fashion-cnn', '--data', data, '--out', self.folder, '--resume', self.folder / 'stopped.pth',
                 '--iterations', 3]
        self.assertNotIn('plans', run(*go_on).stderr)
        self.train('fashion-cnn', '--out', self.folder, '--iterations', 2)
        done = run(*go_on, env={'HAPGOP_CONV': 'direct'})
        self.assertSays(done, 'other convolution plans', saved['plans'], 'differ by rounding')
        self.train('fashion-cnn', '--out', self.folder, '--iterations', 2)
        self.assertEqual(run(*go_on, '--quiet', env={'HAPGOP_CONV': 'direct'}).stderr, '')

    def test_another_driver_is_told(self):
        path = self.folder / 'stopped.pth'
        self.train('fashion-dnn', '--out', self.folder, '--iterations', 2)
        driver = read_checkpoint(path)['driver']
        rewrite(path, driver, 'x' * len(driver))
        done = run('train', 'fashion-dnn', '--data', data, '--out', self.folder, '--resume', path, '--iterations', 3)
        self.assertSays(done, f'driver {"x" * len(driver)}', driver)

    def test_saved_options_hold_unless_given_anew(self):
        self.train('fashion-dnn', '--out', self.folder, '--iterations', 5, '--epochs', 7, '--lr', 0.002)
        done = run('train', 'fashion-dnn', '--data', data, '--out', self.folder, '--epochs', 1, '--report-every', 20,
                   '--lr', 0.002, '--resume', self.folder / 'stopped.pth')
        self.assertEqual([n for n, _, _ in self.lines(done.stdout)], [20, 40])
        options = read_checkpoint(self.folder / '01.pth')['options']
        self.assertEqual((options['epochs'], options['lr']), (1, 0.002))


main()
