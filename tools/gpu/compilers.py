"""Three vendors' compilers, and what each says of a kernel.

A target's compile() gives {kernel: figures}. Figures: `registers`; `scratch` bytes (private arrays indexed at run time,
spilled registers, stack frame); `local` bytes of local memory; `groups`, the work-groups that one processor holds at a
time by its registers and local memory; `simd`, Intel's work-items an instruction; of products (see amd.py) `fma`,
`packed`, `lds_bytes`, `lds`. Raises Failed for errors and warnings."""
import functools
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

from gpu import amd

CLC = pathlib.Path('/usr/lib/clc')
ALWAYS = ['-DHG_CPU=0', '-DHG_LANES=256']       # as lib/cl/program.c gives them
GROUP = 256                                     # work-items, unless the kernel says


class Failed(Exception):
    pass


def run(command, quiet=True, env=None):
    """The output; Failed if the command fails or, if `quiet`, says anything."""
    done = subprocess.run(command, capture_output=True, text=True, errors='replace', env=env)
    output = (done.stdout + done.stderr).strip()
    if done.returncode or (quiet and output):
        raise Failed(output or f'{command[0]} exits with {done.returncode}')
    return output


def group_size(source_kernel):
    """Work-items of a group by reqd_work_group_size in PTX or Intel's metadata; 256 if it is not there."""
    match = re.search(r'(?:reqntid|required_work_group_size:)\s*\[?\s*(\d+),\s*(\d+),\s*(\d+)', source_kernel)
    return int(match[1]) * int(match[2]) * int(match[3]) if match else GROUP


def round_up(n, unit):
    return -(-n // unit) * unit


def clang(source, target, options, library, out):
    run(['clang-15', '-Wall', '-Wno-linker-warnings', '-x', 'cl', '-cl-std=CL1.2', *target,
         '-Xclang', '-finclude-default-header', '-Xclang', '-fdeclare-opencl-builtins', *ALWAYS, *options, '-O3', '-S',
         str(source), '-Xclang', '-mlink-builtin-bitcode', '-Xclang', str(CLC / library), '-o', str(out)])


@functools.lru_cache
def clang_version():
    return 'clang ' + re.search(r'version (\S+)', run(['clang-15', '--version'], quiet=False))[1]


class Amd:
    """One of AMD's GPUs. A compute unit: its SIMDs, lanes of a wave, registers of a lane in a SIMD and the unit that
    they are given out in, waves of a SIMD; 64 KiB of local memory."""
    vendor = 'AMD'

    def __init__(self, name, quick, simds, wave, registers, unit, waves):
        self.name, self.quick = name, quick
        self.simds, self.wave, self.registers, self.unit, self.waves = simds, wave, registers, unit, waves

    def missing(self):
        if not shutil.which('clang-15') or not (CLC / 'nvptx64--nvidiacl.bc').exists():
            return 'clang-15 and libclc-15 are not installed'
        return None

    def version(self):
        return clang_version()

    def groups(self, registers, local, size):
        waves = min(self.waves, self.registers // round_up(max(registers, 1), self.unit)) * self.simds
        return min(waves // (round_up(size, self.wave) // self.wave), (64 << 10) // max(local, 1), 32)

    def compile(self, source, options, folder):
        out = folder / 'k.s'
        clang(source, ['-target', 'amdgcn-amd-amdhsa', '-nogpulib', f'-mcpu={self.name}'], options,
              'gfx906-amdgcn-mesa-mesa3d.bc', out)
        text, found = out.read_text(), {}
        loops = amd.hot_loops(text)
        metadata = text.partition('amdhsa.kernels:')[2].partition('\namdhsa.')[0]
        for kernel in metadata.split('\n  - ')[1:]:
            def number(key):
                return int(re.search(rf'\.{key}:\s+(\d+)', kernel)[1])
            name = re.search(r'\n    \.name:\s+(\w+)', kernel)[1]
            size = re.search(r'\.reqd_workgroup_size:\s+- (\d+)\s+- (\d+)\s+- (\d+)', kernel)
            size = int(size[1]) * int(size[2]) * int(size[3]) if size else GROUP
            # Scalar registers, which hold arguments, may spill: into lanes of a vector register, not into memory.
            registers, local = number('vgpr_count'), number('group_segment_fixed_size')
            found[name] = {'registers': registers, 'local': local, 'groups': self.groups(registers, local, size),
                           'scratch': number('private_segment_fixed_size') + number('vgpr_spill_count'),
                           **loops.get(name, {})}
        return found


class Nvidia:
    """NVIDIA's GPUs. clang makes PTX for sm_75, ptxas assembles it for each: {name: (warps of a multiprocessor, KiB of
    local memory, groups at most)}; 65,536 registers, given out by 8 a lane."""
    vendor = 'NVIDIA'
    chips = {'sm_75': (32, 64, 16), 'sm_86': (48, 100, 16), 'sm_90': (64, 228, 32)}
    missing = Amd.missing

    def __init__(self, name, quick):
        self.name, self.quick = name, quick

    @functools.lru_cache
    def assembles(self):
        """Whether a ptxas is here that knows the chip."""
        if not shutil.which('ptxas'):
            return False
        return re.search(rf'\b{self.name}\b', run(['ptxas', '--help'], quiet=False)) is not None

    @functools.lru_cache
    def version(self):
        if not self.assembles():
            return clang_version()
        return clang_version() + ', ptxas ' + re.search(r', V(\S+)', run(['ptxas', '--version'], quiet=False))[1]

    def groups(self, registers, local, size):
        warps, kib, most = self.chips[self.name]
        own = round_up(size, 32) // 32
        by_registers = 65536 // (round_up(max(registers, 1), 8) * 32) // own
        return min(most, warps // own, by_registers, (kib << 10) // (local + 1024))    # 1 KiB a group is the driver's

    @staticmethod
    @functools.lru_cache(maxsize=None)
    def ptx(source, options):
        """The same for all chips."""
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder, 'k.ptx')
            clang(source, ['-target', 'nvptx64--nvidiacl', '-Xclang', '-target-cpu', '-Xclang', 'sm_75'], options,
                  'nvptx64--nvidiacl.bc', out)
            return out.read_text()

    def compile(self, source, options, folder):
        out = folder / 'k.ptx'
        out.write_text(self.ptx(source, tuple(options)))
        entries = {text.split('(')[0].strip(): text for text in out.read_text().split('.entry ')[1:]}
        if not self.assembles():
            return {name: {} for name in entries}
        log = run(['ptxas', '-v', f'-arch={self.name}', str(out), '-o', os.devnull], quiet=False)
        if 'warning' in log:
            raise Failed(log)
        found = {}
        for text in log.split('Compiling entry function ')[1:]:
            name, frame = re.match(r"'(\w+)'", text)[1], re.search(
                r'(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads', text)
            smem, registers = re.search(r'(\d+) bytes smem', text), int(re.search(r'Used (\d+) registers', text)[1])
            local = int(smem[1]) if smem else 0
            found[name] = {'registers': registers, 'local': local, 'scratch': sum(map(int, frame.groups())),
                           'groups': self.groups(registers, local, group_size(entries[name]))}
        return found


def ze_info(blob):
    """The text that Intel's compiler keeps with a program: section .ze_info of an ELF file."""
    offset, = struct.unpack_from('<Q', blob, 40)
    count, names = struct.unpack_from('<HH', blob, 60)
    sections = [struct.unpack_from('<IIQQQQ', blob, offset + 64 * i) for i in range(count)]
    for name, _, _, _, start, size in sections:
        if blob[sections[names][4] + name:].startswith(b'.ze_info\0'):
            return blob[start:start + size].decode(errors='replace')
    raise Failed('no .ze_info in what ocloc made')


class Intel:
    """One of Intel's GPUs, by ocloc's name. `fp64`: what it lacks it does not compile."""
    vendor = 'Intel'

    def __init__(self, name, quick, fp64):
        self.name, self.quick, self.fp64 = name, quick, fp64

    def missing(self):
        if not shutil.which('ocloc'):
            return 'ocloc (package intel-opencl-icd) is not installed'
        known = subprocess.run(['ocloc', 'compile', '--help'], capture_output=True, text=True).stdout
        return None if re.search(rf'\b{self.name}\b', known) else f'this ocloc does not know {self.name}'

    @functools.lru_cache
    def version(self):
        if shutil.which('dpkg-query'):
            done = subprocess.run(['dpkg-query', '-W', '-f', '${Version}', 'libigc1'], capture_output=True, text=True)
            if done.returncode == 0:
                return 'igc ' + done.stdout.partition('-')[0]
        return 'igc of unknown version'

    def compile(self, source, options, folder):
        log = run(['ocloc', 'compile', '-file', str(source), '-device', self.name, '-out_dir', str(folder),
                   '-options', ' '.join(['-cl-std=CL1.2', f'-I{source.parent}', *ALWAYS, *options]),
                   '-internal_options', '-cl-intel-allow-zebin'], quiet=False)
        made = list(folder.glob('*.bin'))
        # What spills is a warning of ocloc's; its bytes are among the figures.
        if re.search(r'warning: (?!kernel \S+ +compiled SIMD\d+ allocated)', log) or not made:
            raise Failed(log)
        found = {}
        text = re.search(r'\nkernels:.*?(?=\n\w|\Z)', '\n' + ze_info(made[0].read_bytes()), re.S)[0]
        for kernel in text.split('\n  - name:')[1:]:
            def number(key):
                match = re.search(rf'{key}:\s+(\d+)', kernel)
                return int(match[1]) if match else 0
            name = kernel.split()[0]
            if name == 'Intel_Symbol_Table_Void_Program':   # what is made beside functions not inlined
                continue
            buffers = re.search(r'per_thread_memory_buffers:.*?(?=\n    \w)', kernel + '\n    x', re.S)
            scratch = sum(map(int, re.findall(r'\bsize:\s+(\d+)', buffers.group()))) if buffers else 0
            found[name] = {'simd': number('simd_size'), 'local': number('slm_size'), 'scratch': scratch}
        return found


TARGETS = [
    Amd('gfx90a', False, simds=4, wave=64, registers=512, unit=8, waves=8),
    Amd('gfx1030', True, simds=2, wave=32, registers=1024, unit=16, waves=16),
    Amd('gfx1100', False, simds=2, wave=32, registers=1536, unit=24, waves=16),
    Nvidia('sm_75', True), Nvidia('sm_86', False), Nvidia('sm_90', False),
    Intel('tgllp', False, fp64=False), Intel('dg2', True, fp64=False), Intel('pvc', False, fp64=True),
]
