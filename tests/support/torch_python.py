"""Tests against PyTorch run by whatever Python has it."""
import importlib
import os
import sys

SYSTEM = '/usr/bin/python3'


def need(*modules):
    """Where a module is missing, the system's Python runs the program instead; where that lacks it too, the program ends
    with 77: a skipped test."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            if sys.executable != SYSTEM and os.path.exists(SYSTEM):
                os.execv(SYSTEM, [SYSTEM] + sys.argv)
            print(f'{name} is not installed')
            sys.exit(77)
