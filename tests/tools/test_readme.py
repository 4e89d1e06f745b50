#!/usr/bin/env python3
"""README's C program compiles without a warning against the library just built, and runs.
Arguments: compiler, header folder, library folder, README."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

compiler, headers, library, readme = sys.argv[1:5]
program = re.search(r'^```c\n(.*?)^```', pathlib.Path(readme).read_text(), re.M | re.S).group(1)
with tempfile.TemporaryDirectory() as folder:
    source, binary = pathlib.Path(folder, 'example.c'), pathlib.Path(folder, 'example')
    source.write_text(program)
    subprocess.run([compiler, '-Wall', '-Wextra', '-Werror', '-I', headers, str(source), '-L', library, '-lhapgop',
                    '-Wl,-rpath,' + os.path.abspath(library), '-o', str(binary)], check=True)
    result = subprocess.run([str(binary)], capture_output=True, text=True, check=True)
    print(result.stdout, result.stderr, sep='')
    shape_of_w = result.stdout.startswith('tensor([[[[') and result.stdout.count('[[[') == 1 + 16 - 1
    sys.exit(0 if shape_of_w else 'the program did not print the gradient of a 16 x 3 x 3 x 3 weight')
