"""hapgop-bench: what it writes, what it calls wrong, and how it ends. Usage: test_bench.py PROGRAM"""
import csv
import html.parser
import json
import math
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.abspath(sys.argv.pop(1))
SUITES = ['chapter', 'conv1d', 'conv3d', 'depthwise', 'googlenet', 'lenet', 'resnet18', 'vgg16']
QUICK = ['--seconds', '0.001']
NO_PEAK = [*QUICK, '--peak', '100']
PLAIN, STRIDED = '2x8x9x9 8x3x3 p1', '1x4x9x7 6x3x3 s2x1 p1x0 d1x2 g2'
SOLVERS = {'direct', 'im2col-gemm', 'implicit-gemm', 'winograd-f4x4'}
DIRECTIONS = ['fwd', 'bwd-data', 'bwd-weights']


def run(*arguments, code=0, **environment):
    """Runs the program, requires its exit code, returns it with stdout and stderr as text."""
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False,
                          env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
    if done.returncode != code:
        raise AssertionError(f'{arguments}: exit code {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}')
    return done


def read(path):
    return json.loads(pathlib.Path(path).read_text(encoding='utf-8'))


def setUpModule():
    """One run that many tests look at: two problems on the first of two devices, in every form."""
    global shared, folder
    shared = tempfile.TemporaryDirectory()
    folder = pathlib.Path(shared.name)
    run('conv', '--shape', PLAIN, '--shape', STRIDED, *QUICK, '--json', folder / 'a.json', '--csv', folder / 'a.csv',
        '--html', folder / 'a.html')


def tearDownModule():
    shared.cleanup()


class Case(unittest.TestCase):
    def assertSays(self, done, *parts):
        """One line of error, with these parts in it."""
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        for part in parts:
            self.assertIn(str(part), done.stderr)


class Convolutions(Case):
    def test_json_has_the_device_and_a_row_for_each_algorithm_and_direction(self):
        report = read(folder / 'a.json')
        self.assertEqual(set(report), {'device', 'results'})
        for key in 'name', 'class', 'platform', 'driver', 'units', 'peak_gflops', 'peak_gbps':
            self.assertTrue(report['device'][key], key)
        rows = report['results']
        for problem in '2x8x9x9 8x3x3 s1x1 p1x1', '1x4x9x7 6x3x3 s2x1 p1x0 d1x2 g2':
            for direction in DIRECTIONS:
                found = [r['algorithm'] for r in rows if (r['problem'], r['direction']) == (problem, direction)]
                self.assertEqual(len(found), len(set(found)))
                self.assertLessEqual(SOLVERS, set(found))

    def test_what_was_measured_has_all_its_figures_and_they_fit_each_other(self):
        report = read(folder / 'a.json')
        good = [r for r in report['results'] if r['status'] == 'ok']
        self.assertGreaterEqual(len(good), 15)
        for row in good:
            for key in 'first_ms', 'ms_median', 'ms_min', 'ms_new_weights', 'device_ms', 'gflops', 'percent_of_peak':
                self.assertGreater(row[key], 0, key)
            self.assertLessEqual(row['ms_min'], row['ms_p25'])
            self.assertLessEqual(row['ms_p25'], row['ms_median'])
            self.assertLessEqual(row['ms_median'], row['ms_p75'])
            self.assertGreaterEqual(row['runs'], 5)
            self.assertLess(row['rms_error'], 1e-6)
            self.assertGreaterEqual(row['workspace_bytes'], 0)
            self.assertEqual(row['reason'], '')
            self.assertAlmostEqual(row['percent_of_peak'] / (100 * row['gflops'] / report['device']['peak_gflops']), 1,
                                   places=4)
        row = next(r for r in good if r['problem'].startswith('2x8x9x9'))
        flops = 2 * (2 * 8 * 9 * 9) * (8 * 3 * 3)
        self.assertAlmostEqual(row['gflops'] * row['ms_median'] * 1e6 / flops, 1, places=4)

    def test_what_cannot_be_done_says_why_and_has_no_figures(self):
        rows = [r for r in read(folder / 'a.json')['results'] if r['status'] == 'unsupported']
        self.assertIn('winograd-f4x4', {r['algorithm'] for r in rows})
        for row in rows:
            self.assertTrue(row['reason'])
            self.assertIsNone(row['ms_median'])
            self.assertIsNone(row['rms_error'])

    def test_one_algorithm_of_each_problem_and_direction_is_the_chosen_one(self):
        chosen = [(r['problem'], r['direction']) for r in read(folder / 'a.json')['results'] if r['chosen']]
        self.assertEqual((len(chosen), len(set(chosen))), (6, 6))

    def test_csv_has_the_same_rows_and_figures(self):
        rows = read(folder / 'a.json')['results']
        with open(folder / 'a.csv', newline='', encoding='utf-8') as file:
            table = list(csv.DictReader(file))
        self.assertEqual(len(table), len(rows))
        for line, row in zip(table, rows):
            for key in 'problem', 'direction', 'algorithm', 'status', 'reason':
                self.assertEqual(line[key], row[key])
            self.assertEqual(line['ms_median'] == '', row['ms_median'] is None)
            if row['ms_median']:
                self.assertAlmostEqual(float(line['ms_median']) / row['ms_median'], 1, places=5)

    def test_the_page_needs_nothing_else_and_is_well_formed(self):
        page = (folder / 'a.html').read_text(encoding='utf-8')
        for part in 'http', 'src=', '<link', '@import', 'url(':
            self.assertNotIn(part, page)
        stack, seen = [], []

        class Reader(html.parser.HTMLParser):
            def handle_starttag(self, tag, attrs):
                seen.append(tag)
                if tag != 'meta':
                    stack.append(tag)

            def handle_startendtag(self, tag, attrs):
                seen.append(tag)

            def handle_endtag(self, tag):
                assert stack.pop() == tag, tag
        Reader().feed(page)
        self.assertEqual((stack, seen.count('svg')), ([], 3))
        rows = read(folder / 'a.json')['results']
        self.assertEqual(page.count('<tr'), 1 + len(rows))
        self.assertEqual(seen.count('path'), len([r for r in rows if r['status'] == 'ok']))
        for row in rows:
            self.assertIn(row['problem'], page)

    def test_a_wrong_result_fails(self):
        done = run('conv', '--shape', PLAIN, '--algorithm', 'direct,winograd-f4x4', '--tolerance', '1e-6',
                   '--direction', 'fwd', *NO_PEAK, '--json', folder / 'wrong.json', code=1)
        self.assertSays(done, '2 failed')
        rows = read(folder / 'wrong.json')['results']
        self.assertEqual([r['status'] for r in rows], ['failed'] * 2)
        for row in rows:
            self.assertIn('wrong result', row['reason'])
            self.assertGreater(row['rms_error'], 0)
            self.assertIsNone(row['ms_median'])
        self.assertIn('failed: wrong result', done.stdout)

    def test_a_problem_that_memory_does_not_suffice_for_fails_and_the_next_goes_on(self):
        run('conv', '--shape', '64x64x99x99 8x3x3', '--shape', PLAIN, '--algorithm', 'direct', '--direction', 'fwd',
            *NO_PEAK, '--json', folder / 'm.json', code=1, HAPGOP_MEMORY='30M')
        self.assertEqual([r['status'] for r in read(folder / 'm.json')['results']], ['failed', 'ok'])

    def test_auto_is_what_the_library_runs(self):
        run('conv', '--shape', PLAIN, '--algorithm', 'auto', '--direction', 'bwd-data', *NO_PEAK, '--json',
            folder / 'auto.json')
        row, = read(folder / 'auto.json')['results']
        chosen, = [r for r in read(folder / 'a.json')['results'] if r['chosen'] and r['direction'] == 'bwd-data' and
                   r['problem'] == row['problem']]
        self.assertEqual((row['algorithm'], row['solver']), ('auto', chosen['solver']))

    def test_problems_of_one_and_three_dimensions_and_another_batch(self):
        run('conv', '--shape', '1x3x20 4x5 s2 p2', '--shape', '9x3x20 4x5 s2 p2', '--shape', '1x2x4x5x6 3x3x2x1 p1x0x0',
            '--batch', 3, '--algorithm', 'direct', *NO_PEAK, '--json', folder / 'dims.json')
        rows = read(folder / 'dims.json')['results']
        self.assertEqual([r['problem'] for r in rows[::3]], ['3x3x20 4x5 s2 p2', '3x2x4x5x6 3x3x2x1 s1x1x1 p1x0x0'])
        self.assertEqual({r['status'] for r in rows}, {'ok'})

    def test_several_devices_come_one_after_the_other(self):
        run('conv', '--shape', PLAIN, '--algorithm', 'direct', '--direction', 'fwd', '--device', 'pocl:0,pocl:1',
            *NO_PEAK, '--json', folder / 'two.json', '--html', folder / 'two.html', POCL_DEVICES='pthread pthread')
        report = read(folder / 'two.json')
        self.assertEqual(set(report), {'devices'})
        for device in report['devices']:
            self.assertEqual(set(device), {'device', 'results'})
            self.assertEqual(len(device['results']), 1)
        self.assertEqual(len(report['devices']), 2)
        self.assertIn('One device against another', (folder / 'two.html').read_text(encoding='utf-8'))
        done = run('compare', folder / 'two.json', folder / 'two.json')
        self.assertIn('device 2: fwd', done.stdout)

    def test_the_heuristic_is_compared_with_the_best_and_a_seed_gives_the_same_problems(self):
        problems = []
        for seed in 3, 3, 4:
            done = run('conv', '--random', 2, '--seed', seed, '--batch', 1, '--direction', 'fwd', '--heuristic', *NO_PEAK,
                       '--json', folder / 'h.json')
            report = read(folder / 'h.json')
            self.assertIn(f'seed {seed}', done.stdout)
            self.assertIn('geometric mean of 2', done.stdout)
            picks = report['heuristic']['picks']
            mean = math.exp(sum(math.log(p['ratio']) for p in picks) / 2)
            self.assertAlmostEqual(report['heuristic']['geometric_mean'] / mean, 1, places=4)
            self.assertTrue(all(p['ratio'] >= 1 for p in picks))
            problems.append([p['problem'] for p in picks])
        self.assertEqual(problems[0], problems[1])
        self.assertNotEqual(problems[0], problems[2])

    def test_ctrl_c_writes_what_was_measured(self):
        with subprocess.Popen([PROGRAM, 'conv', '--shape', PLAIN, '--suite', 'vgg16', '--peak', '100', '--json',
                               folder / 'c.json'],
                              stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.startswith('bwd-weights'):
                    process.send_signal(signal.SIGINT)
                    break
            process.stdout.read()
            self.assertEqual(process.wait(60), 130)
        rows = read(folder / 'c.json')['results']
        self.assertGreater(len(rows), 10)
        self.assertEqual(rows[0]['problem'], '2x8x9x9 8x3x3 s1x1 p1x1')


class CommandLine(Case):
    def test_help_and_version(self):
        self.assertIn('conv', run('help').stdout)
        self.assertEqual(run('--help').stdout, run('-h').stdout)
        self.assertRegex(run('--version').stdout, r'^hapgop-bench \d+\.\d+\.\d+\n$')
        for part in 'compare', 'conv', 'device', 'gemm', 'images', 'model':
            self.assertEqual(run('help', part).stdout, run(part, '--help').stdout)
            self.assertIn(f'usage: hapgop-bench {part}', run('help', part).stdout)

    def test_unknown_things(self):
        self.assertSays(run(code=2), 'a part is missing')
        self.assertSays(run('fly', code=2), 'unknown part fly', 'conv, device, gemm')
        for part in 'conv', 'device', 'gemm', 'images', 'model', 'compare':
            self.assertSays(run(part, '--fast', code=2), 'unknown option --fast', f'help {part}')
        for part in 'conv', 'device', 'gemm':
            self.assertSays(run(part, 'x', code=2), 'unknown argument x')
        self.assertSays(run('conv', '--device', 'abacus', code=1), 'abacus')

    def test_values(self):
        for values in (['--batch', '0'], ['--seconds', 'long'], ['--direction', 'up'], ['--random', '0'],
                       ['--tolerance', '-1'], ['--json=']):
            self.assertSays(run('conv', *values, code=2), values[0].rstrip('='))
        self.assertSays(run('conv', '--algorithm', 'magic', code=2), '"magic"', 'direct', 'auto')
        self.assertSays(run('conv', '--heuristic', '--algorithm', 'direct', code=2), '--heuristic')
        for shape in '1x2', '0x1x1', '1x2x3x', '16777217x1x1':
            self.assertSays(run('gemm', '--shape', shape, code=2), shape)

    def test_shapes_that_are_none(self):
        for shape in ('', 'x', '1x3x8x8', '1x3x8x8 4x3', '1x3x8x8 4x3x3 q1', '1x3x8x8 4x3x3 s1x1x1', '1x3 4',
                      '0x3x8x8 4x3x3', '1x3x8x8 4x9x9', '1x3x8x8 4x3x3 g2', '1x3x8x8 4x3x3 s0', '1x3x8x8 4x3x3 f64',
                      '1x3x8x8 4x3x3 relu', '1x3x8x99999999999999999999 4x3x3', '1x3x8x8 4x3x3 ' + 'p1 ' * 200):
            self.assertSays(run('conv', '--shape', shape, code=2), 'hapgop-bench conv: ')

    def test_a_suite_that_is_none(self):
        for text, line in (('1x3x8x8 4x3x3\n\n# fine\n1x3x8x8 4x3x3 s\n', 4), ('1x3x8x8\n', 1), ('\n' + 'x' * 600, 2),
                           ('1x3x8x8 4x3x3\n\0\n', 2), ('1x3x8x8 4x9x9', 1)):
            path = folder / 'bad.txt'
            path.write_text(text, encoding='utf-8')
            self.assertSays(run('conv', '--suite', path, code=2), f'bad.txt:{line}: ')
        path.write_text('# nothing\n', encoding='utf-8')
        self.assertSays(run('conv', '--suite', path, code=2), 'no problem')
        self.assertSays(run('conv', '--suite', 'vgg17', code=2), '"vgg17"', *SUITES)
        self.assertSays(run('conv', '--suite', folder / 'no.txt', code=2), 'no.txt')

    def test_every_suite_can_be_read_and_a_file_too(self):
        (folder / 'own.txt').write_text('1x3x8x8 4x3x3 # a comment\r\n\t1x3x8x8 4x3x3 p1', encoding='utf-8')
        for suite in [*SUITES, folder / 'own.txt']:     # read before the output is looked at
            self.assertSays(run('conv', '--suite', suite, '--json', folder / 'none' / 'x', code=1), 'none')

    def test_output_that_cannot_be_written_is_found_first(self):
        for option in '--json', '--csv', '--html':
            for place in folder / 'none' / 'x', folder:
                done = run('conv', option, place, code=1)
                self.assertSays(done, place)
                self.assertEqual(done.stdout, '')


class Comparing(Case):
    def rows(self, name, *rows, **more):
        """A file of results: direction, milliseconds, status."""
        results = [{'problem': '1x1x1 1x1', 'direction': direction, 'algorithm': 'direct', 'ms_median': ms,
                    'ms_min': 1.0, 'status': status} for direction, ms, status in rows]
        path = folder / name
        path.write_text(json.dumps({'device': {'name': name}, 'results': results, **more}), encoding='utf-8')
        return path

    def test_ratios_and_their_mean(self):
        a = self.rows('x.json', ('fwd', 1.0, 'ok'), ('bwd-data', 4.0, 'ok'))
        b = self.rows('y.json', ('bwd-data', 2.0, 'ok'), ('fwd', 8.0, 'ok'))
        done = run('compare', a, b)
        self.assertRegex(done.stdout, r'fwd 1x1x1 1x1 direct +1\.0000 +8\.0000 +8\.000')
        self.assertRegex(done.stdout, r'all +2\.000 +geometric mean of 2')
        self.assertRegex(run('compare', a, b, '--measure', 'ms_min').stdout, r'all +1\.000')

    def test_a_slowdown_beyond_the_limit_ends_with_1(self):
        a, b = self.rows('x.json', ('fwd', 1.0, 'ok')), self.rows('y.json', ('fwd', 1.2, 'ok'))
        run('compare', a, b)
        run('compare', a, b, '--max-slowdown', '1.25')
        run('compare', b, a, '--max-slowdown', '1.1')
        self.assertSays(run('compare', a, b, '--max-slowdown', '1.1', code=1), '1 above --max-slowdown 1.1')

    def test_rows_of_one_side_are_listed_and_a_lost_one_counts(self):
        a = self.rows('x.json', ('fwd', 1.0, 'ok'), ('bwd-data', 1.0, 'ok'))
        b = self.rows('y.json', ('fwd', 1.0, 'ok'), ('bwd-weights', 1.0, 'ok'))
        done = run('compare', a, b)
        self.assertIn('only in A: bwd-data', done.stdout)
        self.assertIn('only in B: bwd-weights', done.stdout)
        run('compare', a, b, '--max-slowdown', '2', code=1)
        broken = self.rows('z.json', ('fwd', 1.0, 'ok'), ('bwd-data', None, 'failed'))
        self.assertIn('only in B: bwd-data 1x1x1 1x1 direct (no time)', run('compare', a, broken).stdout)
        run('compare', a, broken, '--max-slowdown', '2', code=1)
        run('compare', broken, a, '--max-slowdown', '2')

    def test_nothing_in_common(self):
        done = run('compare', self.rows('x.json', ('fwd', 1.0, 'ok')), self.rows('y.json', ('bwd-data', 1.0, 'ok')),
                   code=1)
        self.assertSays(done, 'no result in common')

    def test_files_that_are_no_results(self):
        good = self.rows('x.json', ('fwd', 1.0, 'ok'))
        for text in '', '{', '[]', '{"results": 1}', '{"results": [{}]}', '{"results": [3]}', '{"devices": [1]}':
            path = folder / 'bad.json'
            path.write_text(text, encoding='utf-8')
            self.assertSays(run('compare', path, good, code=2), path)
            self.assertSays(run('compare', good, path, code=2), path)
        self.assertSays(run('compare', good, folder / 'none.json', code=2), 'none.json')
        self.assertSays(run('compare', good, code=2), 'two files')

    def test_real_results(self):
        done = run('compare', folder / 'a.json', folder / 'a.json', '--max-slowdown', '1.01')
        self.assertRegex(done.stdout, r'all +1\.000')
        self.assertNotIn('only in', done.stdout)


class Others(Case):
    def test_device_has_peaks(self):
        done = run('device', '--device', 'pocl', '--json', folder / 'd.json')
        device, = read(folder / 'd.json')['devices']
        self.assertGreater(device['peak_gflops'], 0.1)
        self.assertGreater(device['peak_gbps'], 0.1)
        self.assertGreaterEqual(device['peak_gflops'], max(device['gflops_vectors'], device['gflops_lanes']))
        self.assertIn(device['name'], done.stdout)

    def test_gemm_has_its_fields(self):
        run('gemm', '--shape', '8x9x10', '--trans', 'nt', *QUICK, '--json', folder / 'g.json')
        report = read(folder / 'g.json')
        row, = report['results']
        self.assertEqual((row['problem'], row['trans']), ('8x9x10', 'nt'))
        self.assertGreater(row['ms_median'], 0)
        self.assertIn('nt', run('compare', folder / 'g.json', folder / 'g.json').stdout)

    def test_a_network_answers_and_trains(self):
        first = {}
        for mode in 'infer', 'train':
            path = folder / f'{mode}.json'
            done = run('model', 'fashion-dnn', '--mode', mode, '--batch', 5, *QUICK, '--json', path)
            row, = read(path)['results']
            self.assertEqual((row['network'], row['mode'], row['batch']), ('fashion-dnn', mode, 5))
            self.assertGreater(row['first_ms'], row['ms_min'])
            self.assertGreaterEqual(row['ms_median'], row['ms_min'])
            first[mode] = row['peak_device_bytes']
            self.assertRegex(done.stdout, re.escape(f'fashion-dnn, {mode}, batch 5'))
        parameters = 4 * (784 * 256 + 256 + 256 * 128 + 128 + 128 * 10 + 10)
        self.assertGreater(first['infer'], parameters)
        self.assertGreater(first['train'], 4 * parameters)      # gradients and Adam's two moments too
        self.assertIn('fashion-dnn train batch 5', run('compare', folder / 'train.json', folder / 'train.json').stdout)

    def test_a_network_answers_compiled_or_plain(self):
        for more in [], ['--plain']:
            run('model', 'fashion-cnn', '--batch', 2, *QUICK, *more, '--json', folder / 'p.json')
            row, = read(folder / 'p.json')['results']
            self.assertEqual((row['network'], row['mode'], row['status']), ('fashion-cnn', 'infer', 'ok'))

    def test_networks_that_are_none(self):
        self.assertSays(run('model', 'lenet6', code=2), 'lenet6', 'resnet18')
        self.assertSays(run('model', code=2), 'a network is missing')
        self.assertSays(run('model', 'fashion-dnn', 'lenet5', code=2), 'lenet5')

    def test_images_are_loaded_alone_and_in_a_training(self):
        for name in 'a', 'b':
            (folder / 'images' / name).mkdir(parents=True)
            for i in range(3):
                (folder / 'images' / name / f'{i}.ppm').write_bytes(b'P6 5 4 255\n' + bytes(range(60)))
        for more in ['--workers', 0], ['--workers', 2, '--on-device']:
            done = run('images', folder / 'images', '--batch', 2, '--size', 34, '--train', 'xai', *more, *QUICK, '--json',
                       folder / 'i.json')
            self.assertRegex(done.stdout, r'^loading +[\d.]+ images a second.*\nxai +[\d.]+ images a second')
            report = read(folder / 'i.json')
            for row in report['loading'], report['training']['figures']:
                self.assertGreater(row['images_per_second'], 0)
                self.assertTrue(0 <= row['wait_share'] <= 1)

    def test_images_that_are_none(self):
        self.assertSays(run('images', code=2), 'a folder is missing')
        self.assertSays(run('images', folder, '--train', 'lenet6', code=2), 'lenet6')
        self.assertSays(run('images', folder / 'nothing', code=1), 'cannot read folder')


unittest.main(verbosity=2)
