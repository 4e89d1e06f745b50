#!/usr/bin/env python3
"""Every Python program in tools/ and bench/ explains itself: --help prints what it is for and exits 0.

Usage: test_help.py SOURCE_FOLDER. A program whose packages are missing here is skipped."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()


def programs():
    for folder in ('tools', 'bench'):
        for path in sorted((ROOT / folder).rglob('*')):
            if path.is_file() and path.read_bytes().partition(b'\n')[0].rstrip().endswith(b'python3'):
                yield path


class Help(unittest.TestCase):
    def test_there_are_programs(self):
        names = {str(path.relative_to(ROOT)) for path in programs()}
        self.assertLessEqual({'tools/gpu-check', 'tools/summary', 'tools/embed', 'bench/embed', 'bench/peers/run'}, names)

    def test_each_explains_itself(self):
        for path in programs():
            with self.subTest(str(path.relative_to(ROOT))), tempfile.TemporaryDirectory() as folder:
                done = subprocess.run([str(path), '--help'], capture_output=True, text=True, cwd=folder, timeout=60)
                if 'ModuleNotFoundError' in done.stderr:
                    self.skipTest(done.stderr.strip().splitlines()[-1])
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn('usage', done.stdout.lower())
                self.assertEqual(list(pathlib.Path(folder).iterdir()), [])


if __name__ == '__main__':
    unittest.main()
