"""Figures that a compiler gave before, in $XDG_CACHE_HOME/hapgop/gpu-check: one small file a program and target, named
after all that they depend on. A file that does not read is a miss; what was not used for 30 days goes."""
import hashlib
import json
import os
import pathlib
import re
import time

FOLDER = pathlib.Path(os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache') / 'hapgop' / 'gpu-check'
DAYS = 30


def text_of(path):
    """A file with the headers that it includes in their places."""
    return re.sub(rb'#include "(\w+\.clh)"', lambda match: text_of(path.with_name(match[1].decode())), path.read_bytes())


class Cache:
    def __init__(self):
        """Of this version of the tool."""
        self.tools = b''.join(pathlib.Path(__file__).with_name(name).read_bytes() for name in ('amd.py', 'compilers.py'))
        try:
            FOLDER.mkdir(parents=True, exist_ok=True)
            for path in FOLDER.iterdir():
                if path.stat().st_mtime < time.time() - DAYS * 86400:
                    path.unlink()
        except OSError:
            pass        # without a cache everything is compiled

    def path(self, source, options, target):
        name = hashlib.sha256()
        for part in [self.tools, text_of(source), ' '.join(options).encode(), target.name.encode(),
                     target.version().encode()]:
            name.update(len(part).to_bytes(8, 'little') + part)
        return FOLDER / name.hexdigest()[:32]

    def compile(self, source, options, target, folder):
        """target.compile(), or what it gave before."""
        path = self.path(source, options, target)
        try:
            found = json.loads(path.read_text())
            path.touch()
            return found
        except (OSError, ValueError):
            pass
        found = target.compile(source, options, folder)
        try:
            fresh = path.with_suffix(f'.{os.getpid()}')
            fresh.write_text(json.dumps(found))
            fresh.rename(path)
        except OSError:
            pass
        return found
