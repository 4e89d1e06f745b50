"""`hapgop tune`: what it measures, keeps, prints and refuses. Its database is in a folder of the test's own."""
import json
import os
import pathlib

from support import Case, main, run, write_data

SHAPE = '2x8x12x12 8x3x3 p1x1'
KEY = '2x8x12x12 8x3x3 s1x1 p1x1 f32'


class Tune(Case):
    def setUp(self):
        super().setUp()
        old = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
        self.env = {'XDG_CACHE_HOME': str(self.folder), 'HAPGOP_TUNE': '',
                    'POCL_CACHE_DIR': os.environ.get('POCL_CACHE_DIR') or f'{old}/pocl'}
        self.database = self.folder / 'hapgop/tuning.sqlite'

    def tune(self, *arguments, **more):
        return run('tune', *arguments, env={**self.env, **more.pop('env', {})}, **more)

    def rows(self):
        return int(self.tune('--list').stdout.splitlines()[-1].split()[0])


class Measuring(Tune):
    def test_a_shape_is_measured_in_three_directions_and_remembered(self):
        report = self.folder / 'tune.json'
        lines = self.tune(SHAPE, '--json', report).stdout.splitlines()
        self.assertEqual([line.split('  ')[0] for line in lines], ['problem', f'fwd {KEY}', f'bwd-data {KEY}',
                                                                    f'bwd-weights {KEY}'])
        results = json.loads(report.read_text())['results']
        for result, line in zip(results, lines[1:]):
            timed = [c for c in result['candidates'] if c['state'] == 'ok']
            self.assertGreaterEqual(len(timed), 3)
            best = min(timed, key=lambda c: c['ms'])
            self.assertTrue(best['chosen'])
            self.assertIn(f'{best["solver"]} ', line)
            self.assertEqual(sum(c['heuristic'] for c in result['candidates']), 1)
            for c in result['candidates']:
                self.assertEqual(c['state'] == 'skipped', bool(c['why']), c)
        self.assertEqual(self.rows(), sum(c['state'] == 'ok' for r in results for c in r['candidates']))

    def test_batch_and_direction(self):
        lines = self.tune(SHAPE, '--batch', 3, '--direction', 'bwd-data').stdout.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertTrue(lines[1].startswith('bwd-data 3x8x12x12 8x3x3 s1x1 p1x1 f32 '))

    def test_a_whole_problem_and_a_limit_of_workspace(self):
        lines = self.tune(f'fwd {SHAPE} bias relu w1').stdout.splitlines()
        self.assertRegex(lines[1], r'^fwd .* f32 bias relu w1 +(direct|depthwise) ')

    def test_a_network_is_measured_by_its_convolutions(self):
        out = self.tune('fashion-cnn', '--batch', 4, '--direction', 'fwd').stdout
        self.assertIn('\nfwd 4x1x28x28 32x3x3 s1x1 p1x1 f32 bias ', out)
        self.assertIn('\nfwd 4x32x14x14 64x3x3 s1x1 p0x0 f32 bias ', out)
        self.assertEqual(len(out.splitlines()), 3)

    def test_tuning_while_training_and_what_the_next_run_chooses(self):
        data = write_data(self.folder / 'data', 40, 20)

        def train(out, *options, **env):
            return run('train', 'fashion-cnn', '--data', data, '--out', self.folder / out, '--batch', 10, *options,
                       env={**self.env, **env, 'HAPGOP_LOG': 'conv'})
        train('first', '--iterations', 2, HAPGOP_TUNE='1')
        self.assertGreater(self.rows(), 10)
        again = train('second', '--iterations', 2)
        self.assertIn('(measured)', again.stderr)
        self.assertNotIn('(measured now)', again.stderr)


class Keeping(Tune):
    def test_export_clear_and_import(self):
        self.tune(SHAPE, '--direction', 'fwd')
        count = self.rows()
        path = self.folder / 'rows.txt'
        self.tune('--export', path)
        text = path.read_text()
        self.assertTrue(text.startswith('hapgop tuning 1\n'))
        self.assertEqual(len(text.splitlines()), 2 + count)
        self.assertEqual(self.tune('--clear', '--list').stdout, '0 rows\n')
        self.tune('--import', path)
        self.assertEqual(self.rows(), count)
        self.tune('--export', self.folder / 'again.txt')
        self.assertEqual((self.folder / 'again.txt').read_text(), text)

    def test_a_bad_file_is_told_by_its_line(self):
        path = self.folder / 'rows.txt'
        path.write_text('hapgop tuning 1\nwhat is this\n')
        self.assertSays(self.tune('--import', path, code=1), f'{path}:2: 1 fields', 'nothing was taken')
        self.assertFalse(self.database.exists())

    def test_a_damaged_database_is_begun_afresh(self):
        self.database.parent.mkdir()
        self.database.write_text('no database at all\n' * 99)
        self.assertSays(self.tune('--list', code=1), 'damaged', self.database)
        self.tune(SHAPE, '--direction', 'fwd')
        self.assertGreater(self.rows(), 2)

    def test_results_that_cannot_be_kept_are_printed_and_told(self):
        (self.folder / 'file').write_text('')
        done = self.tune(SHAPE, '--direction', 'fwd', env={'XDG_CACHE_HOME': str(self.folder / 'file')}, code=1)
        self.assertIn(f'fwd {KEY}', done.stdout)
        self.assertSays(done, 'could not be kept', 'tuning.sqlite')


class CommandLine(Tune):
    def test_nothing_to_do(self):
        self.assertSays(self.tune(code=2), 'nothing to do', 'hapgop help tune')

    def test_unknown_model_lists_those_there_are(self):
        self.assertSays(self.tune('resnet19', code=2), 'resnet19', 'resnet18', 'a shape is one argument')

    def test_bad_shapes_are_found_before_anything_is_measured(self):
        for shape, part in {'8x64x56x56': 'cut short', '8x64 64x3x3': '"8x64"', '8x64x56x56 64x3': '"64x3"',
                            '8x64x56x56 64x3x3 s1': '"s1"', '8x64x56x56 64x3x3 f16': '"f16"',
                            '8x64x2x2 64x3x3': 'does not fit', '8x64x56x56 64x3x3 g3': 'groups must divide both',
                            'bwd-data 8x64x56x56 64x3x3 relu': 'only the forward direction',
                            '8' * 300: 'is no shape'}.items():
            done = self.tune(SHAPE, shape, code=2)
            self.assertSays(done, part)
            self.assertEqual(done.stdout, '')
        self.assertFalse(self.database.exists())

    def test_a_problem_names_its_direction(self):
        self.assertSays(self.tune(f'fwd {SHAPE}', '--direction', 'bwd-data', code=2), 'names its direction')

    def test_options(self):
        self.assertSays(self.tune(SHAPE, '--batch', 0, code=2), '--batch 0')
        self.assertSays(self.tune(SHAPE, '--direction', 'up', code=2), 'all, fwd, bwd-data, bwd-weights')
        self.assertSays(self.tune('--list', '--device', 'abacus', code=1), 'abacus')

    def test_files_that_cannot_be_written_are_found_before_anything_is_measured(self):
        for option in ('--json', '--export'):
            done = self.tune(SHAPE, option, self.folder / 'nowhere' / 'file', code=1)
            self.assertSays(done, 'nowhere/file')
            self.assertEqual(done.stdout, '')


main()
