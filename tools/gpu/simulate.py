"""Runs the program tests/gpu/probe under Oclgrind with the plugin warps.cpp: what each kernel's warps ask of memory.

The probe runs each operation on a small shape and compares what comes out with what the kernels for CPUs made of the
same data, on PoCL. Figures of a kernel, the worst of its launches and of warps of 32 and 64 lanes: `coalescing`, the
least 32-byte sectors that could hold what warps ask for in percent of those they touch; `conflicts`, cycles of local
memory's banks against those without a conflict; `bytes`, moved between a work-group and memory against the least
possible: each 4-byte word that the launch reads, and each that it writes, once."""
import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess

from gpu import compilers

TINY = 1024         # bytes: a launch that touches fewer says nothing of bytes, and little of the rest
PLUGIN = pathlib.Path(__file__).with_name('warps.cpp')


def missing():
    for command in ('oclgrind', 'llvm-config-14', 'g++'):
        if not shutil.which(command):
            return f'{command} is not installed'
    test = subprocess.run(['g++', '-E', '-x', 'c++', '-'], input='#include <oclgrind/Plugin.h>\n#include <llvm/IR/DebugLoc.h>\n',
                          capture_output=True, text=True)
    if 'oclgrind/Plugin.h:' in test.stderr:
        return 'liboclgrind-dev is not installed'
    return None


def version():
    return 'oclgrind ' + compilers.run(['oclgrind', '--version'], quiet=False).split('Oclgrind')[1].split()[0]


def build_plugin(folder):
    flags = compilers.run(['llvm-config-14', '--cppflags'], quiet=False).replace('-I', '-isystem').split()
    out = folder / 'warps.so'
    compilers.run(['g++', '-O2', '-std=c++17', '-fPIC', '-shared', '-fno-rtti', '-Wall', '-Wextra', *flags, str(PLUGIN),
                   '-o', str(out)])
    return out


def simulate(probe, folder, jobs, named):
    """(launches, failures): a dict from the plugin for each launch and warp size; texts of what went wrong. `named`:
    parts of the probe, None for all."""
    plugin, parts = build_plugin(folder), named or compilers.run([str(probe), '--list'], quiet=False).split()
    plain = {k: v for k, v in os.environ.items() if k not in ('HAPGOP_CONV', 'HAPGOP_DEVICE_LIMITS')}
    plain.update(HAPGOP_CACHE='0', PROBE_FOLDER=str(folder), HAPGOP_TEST_SEED='1')

    def run_part(part):
        out = folder / f'{part}.json'
        out.touch()
        expected = subprocess.run([str(probe)], capture_output=True, text=True, errors='replace', env={
            **plain, 'CK_RUN_SUITE': part, 'HAPGOP_DEVICE': 'pocl', 'HAPGOP_DEVICE_CLASS': 'CPU', 'PROBE_WRITES': '1'})
        if expected.returncode:
            return out, f'probe {part} on PoCL: {expected.stdout[-1500:]}{expected.stderr[-500:]}'
        # Without optimisation each access is one of the source's: clang would split vectors. See tests/oclgrind/check
        # for -Drestrict=.
        done = subprocess.run(
            ['oclgrind', '--plugins', str(plugin), '--local-mem-size', '32768', '--build-options',
             '-Drestrict= -cl-opt-disable', str(probe)], capture_output=True, text=True, errors='replace', env={
                 **plain, 'CK_RUN_SUITE': part, 'HAPGOP_DEVICE': 'oclgrind', 'HAPGOP_DEVICE_CLASS': 'GPU',
                 'WARPS_OUT': str(out)})
        wrong = done.returncode or 'Oclgrind - ' in done.stderr
        return out, f'probe {part} under Oclgrind: {done.stdout[-1500:]}{done.stderr[-500:]}' if wrong else None

    launches, failures = [], []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for out, failure in pool.map(run_part, parts):
            failures += [failure] if failure else []
            launches += [json.loads(line) for line in out.read_text().splitlines()]
    return launches, failures


def figures(launch):
    """Of one launch and warp size."""
    memory = [line for line in launch['lines'] if not line['local']]
    local = [line for line in launch['lines'] if line['local']]
    found = {}
    if memory:
        ideal, sectors = (sum(line[what] for line in memory) for what in ('ideal', 'sectors'))
        found['coalescing'] = round(100 * ideal / sectors, 1)
        if launch['least'] >= TINY:
            found['bytes'] = round(sum(line['moved'] for line in memory) / launch['least'], 2)
    if local:
        cycles, parts = (sum(line[what] for line in local) for what in ('cycles', 'parts'))
        found['conflicts'] = round(cycles / parts, 2)
    return found


def where(line):
    """A source line's own figures, as text."""
    what = f'{"store" if line["store"] else "load"} {line["size"]:2} B'
    place = f'{line["file"].rpartition("/")[2]}:{line["line"]}'
    if line['local']:
        return f'{place:24} local  {what} x {line["accesses"]:<7} conflicts {line["cycles"] / line["parts"]:.2f}'
    return (f'{place:24} global {what} x {line["accesses"]:<7} lanes {line["lanes"] / line["accesses"]:4.1f} '
            f'coalescing {100 * line["ideal"] / line["sectors"]:5.1f} % moved {line["moved"]}')


def by_kernel(launches, variants, files):
    """{(file, kernel, shape): [launches]} of the kernels for GPUs; `files` is {kernel name: files}."""
    found = collections.defaultdict(list)
    for launch in launches:
        options = launch['options'].split()
        if '-DHG_CPU=0' not in options or '-DHG_F64=1' in options or '-DHG_WIDE=1' in options:
            continue
        for file in files.get(launch['kernel'], []):
            shapes = [v.shape for v in variants[file] if set(v.shape) <= set(options)]
            if shapes:
                found[file, launch['kernel'], tuple(max(shapes, key=len))].append(launch)
    return found


def of_kernel(launches):
    """The figures of each launch that touches enough to say something; of all where none does."""
    large = [launch for launch in launches if launch['least'] >= TINY]
    for launch in large or launches:
        yield figures(launch)


def lines_of(launches):
    """Text for each source line, warp size by warp size, of the launch that moves most for what is least."""
    for warp in sorted({launch['warp'] for launch in launches}):
        own = [launch for launch in launches if launch['warp'] == warp]
        large = [launch for launch in own if launch['least'] >= TINY] or own
        worst = max(large, key=lambda launch: sum(line['moved'] for line in launch['lines']) / max(launch['least'], 1))
        yield f'warps of {warp}, global {worst["global"]}, local {worst["local"]}, least {worst["least"]} B'
        yield from ('  ' + where(line) for line in worst['lines'])
