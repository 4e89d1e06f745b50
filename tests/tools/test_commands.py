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

    def test_full_standard_output_is_an_error(self):
        with open('/dev/full', 'w') as full:
            done = subprocess.run([PROGRAM, '--version'], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn('standard output: No space left', done.stderr)


main()
