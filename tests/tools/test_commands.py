"""The command line: help, version, options, and what is wrong with them."""
import json
import subprocess

from support import PROGRAM, Case, main, run


class Commands(Case):
    def test_version(self):
        self.assertRegex(run('--version').stdout, r'^hapgop \d+\.\d+\.\d+\n$')

    def test_help_lists_the_commands(self):
        for arguments in (['help'], ['--help'], ['-h']):
            self.assertIn('devices', run(*arguments).stdout)

    def test_help_of_a_command_is_the_same_in_three_ways(self):
        text = run('help', 'devices').stdout
        self.assertIn('--json', text)
        self.assertEqual(text, run('devices', '--help').stdout)
        self.assertEqual(text, run('devices', '-h').stdout)

    def test_no_command(self):
        self.assertSays(run(code=2), 'a command is missing')

    def test_unknown_command_lists_the_commands(self):
        self.assertSays(run('trian', code=2), 'unknown command trian', 'devices')
        self.assertSays(run('help', 'trian', code=2), 'unknown command trian', 'devices')

    def test_unknown_option(self):
        self.assertSays(run('--fast', code=2), 'unknown option --fast')
        self.assertSays(run('devices', '--fast', code=2), 'unknown option --fast', 'hapgop help devices')

    def test_a_flag_takes_no_value(self):
        self.assertSays(run('devices', '--json=yes', code=2), '--json takes no value')

    def test_devices(self):
        self.assertIn('default: ', run('devices').stdout)
        listed = json.loads(run('devices', '--json').stdout)['devices']
        self.assertIn('class', listed[0])

    def test_model_prints_the_network_and_its_layers(self):
        out = run('model', 'lenet5', '--input', '2x1x32x32').stdout
        self.assertTrue(out.startswith('LeNet5(\n  (features): Sequential(\n    (0): Conv2d(1, 6, kernel_size=(5, 5)'), out)
        # 2 * 2 * 6 * 28 * 28 * 25 operations, 2 * 6 * 28 * 28 floats
        self.assertRegex(out, r'features\.0 +Conv2d +2x6x28x28 +156 +0\.470 +0\.038\n')
        self.assertRegex(out, r'classifier\.4 +Linear +2x10 +850 +0\.003 +0\.000\n')
        self.assertIn('parameters 61706, 0.2 MB with buffers', out)

    def test_model_lists_and_refuses(self):
        self.assertIn('googlenet    3x224x224, 1000 classes', run('model', '--list').stdout)
        self.assertSays(run('model', code=2), "the network's name is missing", 'hapgop help model')
        self.assertSays(run('model', 'resnet19', code=2), 'no network is called "resnet19"', 'resnet18')
        self.assertSays(run('model', 'lenet5', 'x', code=2), 'unknown argument x')
        self.assertSays(run('model', 'lenet5', '--input', '1x', code=2), '--input 1x is no shape')
        self.assertSays(run('model', 'lenet5', '--input', '1x3x32x32', code=1), 'expected input[1, 3, 32, 32]')
        self.assertSays(run('model', 'vgg11', '--aux-logits', code=1), 'for googlenet')

    def test_full_standard_output_is_an_error(self):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([PROGRAM, '--version'], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('standard output: No space left', done.stderr)


main()
