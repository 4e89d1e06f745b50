"""Runs one fuzz target from its seeds. Usage: run.py PROGRAM NAME

FUZZ_SECONDS (60) says how long. FUZZ_CORPUS names a folder that keeps what was found from run to run; without it a new
one is used and removed. An input that fails is kept in the current folder, and its name printed."""
import os
import pathlib
import subprocess
import sys
import tempfile

import seeds


def main():
    program, name = sys.argv[1:]
    seconds = int(os.environ.get('FUZZ_SECONDS', '60'))
    with tempfile.TemporaryDirectory() as folder:
        start = pathlib.Path(folder) / 'seeds'
        kept = pathlib.Path(os.environ.get('FUZZ_CORPUS', folder)) / name
        start.mkdir()
        kept.mkdir(parents=True, exist_ok=True)
        for index, seed in enumerate(seeds.of(name)):
            (start / str(index)).write_bytes(seed)
        environment = {**os.environ, 'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1',
                       'ASAN_OPTIONS': 'allocator_may_return_null=1'}
        return subprocess.run([os.path.abspath(program), f'-max_total_time={seconds}', '-timeout=20',
                               '-rss_limit_mb=2048', '-malloc_limit_mb=2048', '-print_final_stats=1',
                               f'-artifact_prefix={name}-', kept, start], env=environment, check=False).returncode


sys.exit(main())
