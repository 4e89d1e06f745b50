#!/usr/bin/env python3
"""Tests of tools/gpu-check: kernels that it has to refuse, each for its reason, and limits that only tighten.

Usage: test_gpu_check.py GPU_CHECK BAD_PROBE [unittest's arguments]. Exits 77 if neither compilers nor Oclgrind are here:
the class Limits needs nothing but Python."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
GPU_CHECK, PROBE = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
BAD = pathlib.Path(__file__).resolve().parent / 'bad'
sys.path.insert(0, str(GPU_CHECK.parent))
from gpu import amd, compilers, limits, simulate  # noqa: E402

CLANG = compilers.TARGETS[0].missing() is None
INTEL = next(target for target in compilers.TARGETS if target.name == 'dg2').missing() is None


def check(*arguments, root=BAD, env=None):
    """(exit status, output)"""
    done = subprocess.run([str(GPU_CHECK), '--root', str(root), '--probe', str(PROBE), *arguments], capture_output=True,
                          text=True, env=env)
    return done.returncode, done.stdout + done.stderr


class Static(unittest.TestCase):
    """One run of all of tests/gpu/bad/kernels for all targets."""
    @classmethod
    def setUpClass(cls):
        if not CLANG:
            raise unittest.SkipTest('clang-15 is not installed')
        cls.status, cls.output = check('--static')

    def refused(self, targets, kernel, reason):
        for target in targets:
            line = next((line for line in self.output.splitlines()
                         if line.startswith(f'FAIL {target} ') and kernel in line and reason in line), None)
            self.assertIsNotNone(line, f'{target} {kernel}: "{reason}" is not in\n{self.output}')

    def targets(self, assembled=True):
        found = ['gfx90a', 'gfx1030', 'gfx1100']
        if assembled:
            found += [t.name for t in compilers.TARGETS if t.vendor == 'NVIDIA' and t.assembles()]
        return found + (['dg2'] if INTEL else [])

    def test_the_verdict_is_the_last_line(self):
        self.assertEqual(self.status, 1, self.output)
        self.assertRegex(self.output.splitlines()[-1], r'^gpu-check: FAIL: \d+ kernels, \d+ programs')

    def test_an_array_indexed_at_run_time(self):
        targets = [target for target in self.targets() if target != 'dg2']      # Intel's has registers to index
        self.refused(targets, 'scratch.scratch', 'bytes of scratch memory')

    def test_spilled_registers(self):
        self.refused(self.targets(), 'spill.spill', 'bytes of scratch memory')

    def test_too_much_local_memory(self):
        self.refused(self.targets(), 'local.local_memory', '36864 bytes of local memory, over 32768')

    def test_a_warning_and_an_error(self):
        self.refused(['gfx90a', 'sm_75'], 'warning.cl', 'unused')
        self.refused(self.targets(), 'error.cl', 'undeclared identifier')

    def test_a_product_with_small_tiles(self):
        self.refused(['gfx1030'], 'product.product', 'lds_bytes 4; for a large GPU it has to be 1 or better')

    def test_good_kernels_pass(self):
        self.assertNotIn('memory.good', '\n'.join(l for l in self.output.splitlines() if l.startswith('FAIL')))


class Simulated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not CLANG or simulate.missing():
            raise unittest.SkipTest('clang-15, Oclgrind or its headers are not installed')
        cls.status, cls.output = check('--simulated', '--lines', 'memory')

    def test_what_is_refused(self):
        for kernel, reason in (('one_bank', 'conflicts 32;'), ('row_a_lane', 'coalescing 12.5;'), ('read_again', 'bytes ')):
            self.assertIn(f'FAIL warps memory.{kernel}: {reason}', self.output)
        self.assertEqual(self.status, 1)

    def test_what_is_not(self):
        failed = '\n'.join(line for line in self.output.splitlines() if line.startswith('FAIL'))
        for text in ('memory.good', 'one_bank: coalescing', 'read_again: coalescing', 'row_a_lane: conflicts'):
            self.assertNotIn(text, failed)
        self.assertRegex(self.output, r'memory\.good\n.*\n  warps +coalescing 100  bytes 1\n')

    def test_lines_name_their_place(self):
        line = 1 + (BAD / 'kernels/memory.cl').read_text().splitlines().index('    tile[lane * 32] = (float)lane;')
        self.assertRegex(self.output, rf':{line} +local  store +4 B x .*conflicts 32\.00')

    def test_a_wrong_result_fails(self):
        status, output = check('--simulated', 'memory', env={**os.environ, 'BAD_RESULT': '1'})
        self.assertEqual(status, 1)
        self.assertIn('FAIL probe memory', output)


class Limits(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / 'limits.toml'
        self.path.write_text('[rules]\nproducts = ["gemm"]\nstrict = ["unary"]\nlarge = ["gemm.tiles"]\n\n[exceptions]\n'
                             '"sort.merge coalescing" = "40.5: each lane has a run of its own"\n'
                             '"unary.relu bytes" = "2: none may be here"\n')

    def tearDown(self):
        self.folder.cleanup()

    def recorded(self, **figures):
        own = limits.Limits(self.path)
        limits.record(own, {'copy.copy': {'clang 1': {'gfx1030': figures}}}, {'copy.copy'}, [])
        return limits.Limits(self.path)

    def test_only_better_figures_are_recorded(self):
        self.recorded(registers=20, groups=4)
        own = self.recorded(registers=24, groups=5)
        self.assertEqual(own.recorded('copy.copy', 'clang 1', 'gfx1030'), {'registers': 20, 'groups': 5})
        self.assertIn('none may be here', self.path.read_text())

    def test_accepting_names_the_kernel(self):
        own = self.recorded(registers=20)
        now = {'copy.copy': {'clang 1': {'gfx1030': {'registers': 24}}}}
        limits.record(own, now, {'copy.copy'}, ['copy.*'])
        self.assertEqual(limits.Limits(self.path).recorded('copy.copy', 'clang 1', 'gfx1030'), {'registers': 24})

    def test_worse_than_recorded(self):
        own = self.recorded(registers=20, groups=4)
        found = list(limits.compare(own, 'copy.copy', 'clang 1', 'gfx1030', {'registers': 21, 'groups': 3}))
        self.assertEqual(found, ['registers 21, worse than the 20 recorded', 'groups 3, worse than the 4 recorded'])
        self.assertEqual(list(limits.compare(own, 'copy.copy', 'clang 1', 'gfx1030', {'registers': 19, 'groups': 4})), [])

    def test_another_version_has_no_record(self):
        own = self.recorded(registers=20)
        self.assertEqual(list(limits.compare(own, 'copy.copy', 'clang 2', 'gfx1030', {'registers': 99})), [])
        self.assertIn('no figures recorded', list(limits.compare(own, 'fill.fill', 'clang 1', 'gfx1030', {'registers': 9}))[0])

    def test_kernels_that_are_gone_go(self):
        own = self.recorded(registers=20)
        limits.record(own, {}, set(), [])
        self.assertEqual(limits.Limits(self.path).records, {})

    def test_exceptions(self):
        own = limits.Limits(self.path)

        def judged(key, **figures):
            return list(limits.judge(own, key, 'warps', figures))
        self.assertEqual(judged('sort.merge', coalescing=41), [])
        self.assertEqual(judged('sort.merge', coalescing=40), ['coalescing 40 is worse than its exception, 40.5'])
        self.assertEqual(judged('sort.merge', coalescing=95), ['coalescing 95 needs no exception: take its line out'])
        self.assertEqual(judged('unary.relu', bytes=1.5), ['bytes: this kernel may have no exception'])
        self.assertEqual(judged('copy.copy', bytes=1.5), ['bytes 1.5; it has to be 1.2 or better'])
        self.assertEqual(judged('gemm.tiles', bytes=9, conflicts=1.05), [])

    def test_scratch_is_excepted_by_target(self):
        self.path.write_text(self.path.read_text() + '"pvc fill.* scratch" = "64: spilled there"\n')
        own = limits.Limits(self.path)

        def judged(target, key, scratch):
            return [text[:20] for text in limits.judge_variant(own, key, target, {'scratch': scratch})]
        self.assertEqual(judged('pvc', 'fill.fill', 64), [])
        self.assertEqual(judged('pvc', 'fill.fill', 65), ['65 bytes of scratch '])
        self.assertEqual(judged('dg2', 'fill.fill', 1), ['1 bytes of scratch m'])
        self.assertEqual(judged('pvc', 'copy.copy', 1), ['1 bytes of scratch m'])

    def test_large_products(self):
        own = limits.Limits(self.path)
        good = {'fma': 98, 'packed': 0, 'lds_bytes': 1, 'groups': 2, 'scratch': 0}
        self.assertEqual(list(limits.judge(own, 'gemm.tiles', 'gfx1030', good)), [])
        self.assertEqual(list(limits.judge(own, 'gemm.tiles', 'gfx1030', {**good, 'groups': 1})),
                         ['groups 1; for a large GPU it has to be 2 or better'])
        self.assertEqual(list(limits.judge(own, 'gemm.tiles', 'gfx90a', good)),
                         ['packed 0; for a large GPU it has to be 90 or better'])

    def test_the_table(self):
        own = self.recorded(registers=20, groups=4)
        text = limits.table(own)
        self.assertIn('| copy.copy | - / 20 / - |', text)
        self.assertIn('clang 1', text.splitlines()[0])
        readme = 'a\n<!-- gpu-check --table -->\nold\n<!-- end -->\nb\n'
        self.assertEqual(limits.in_readme(readme), 'old\n')
        self.assertEqual(limits.in_readme(limits.with_table(readme, text)), text)


class Assembly(unittest.TestCase):
    def test_the_hot_loop(self):
        text = '\n'.join(['product:', '.LBB0_1:', '\tv_mov_b32_e32 v1, 0', '.LBB0_2:', '\tds_read_b128 v[0:3], v9']
                         + ['\tv_pk_fma_f32 v[4:5], v[0:1], v[2:3], v[4:5]'] * 9 + ['\tds_read2_b32 v[0:1], v9']
                         + ['\tv_add_u32_e32 v1, 1, v1', '\ts_cbranch_scc1 .LBB0_2', '\ts_cbranch_scc1 .LBB0_1',
                            '.Lfunc_end0:', '\t.amdhsa_kernel product'])
        self.assertEqual(amd.hot_loops(text), {'product': {'fma': 90, 'packed': 90, 'lds_bytes': 1.333, 'lds': 0.111}})

    def test_a_pair_in_one_instruction(self):
        counts = amd.count([('v_dual_fmac_f32', 'v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6'),
                            ('v_dual_fmac_f32', 'v1, v2, v3 :: v_dual_mov_b32 v4, v5')])
        self.assertEqual((counts['fma'], counts['fmas'], counts['valu']), (1, 3, 2))


if __name__ == '__main__':
    if not CLANG and not shutil.which('oclgrind') and 'Limits' not in sys.argv:
        print('SKIP: neither clang-15 nor Oclgrind is installed')
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
