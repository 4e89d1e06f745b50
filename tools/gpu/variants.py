"""Reads kernels/variants: which files are compiled for GPUs, with which options."""
import collections
import itertools
import sys

# options: compiler options; shape: those of its `shape` axes, by which figures are kept; quick: whether --quick takes it
Variant = collections.namedtuple('Variant', 'options shape quick')


def read(kernels):
    """{file: [Variant, ...]} in the list's order; exits if a file is missing in the list, or unknown."""
    path = kernels / 'variants'
    axes, variants, exempt = {'-': ('axis', [[]])}, {}, set()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        word, _, rest = line.partition('#')[0].strip().partition(' ')
        name, _, choices = rest.strip().partition(' ')
        if word in ('axis', 'data', 'shape'):
            if name in axes:
                sys.exit(f'{path}:{number}: axis {name} is there already')
            axes[name] = word, [[] if c.strip() == '-' else c.split() for c in choices.split('|')]
        elif word == 'exempt':
            exempt.add(name)
        elif word:
            unknown = set(rest.split()) - set(axes)
            if unknown:
                sys.exit(f'{path}:{number}: no axis {" ".join(sorted(unknown))}')
            add(variants.setdefault(word, []), [axes[name] for name in rest.split()])
    listed, there = set(variants) | exempt, {file.stem for file in kernels.glob('*.cl')}
    if listed != there or set(variants) & exempt:
        sys.exit(f'{path}: not in the list {sorted(there - listed)}, not in kernels/ {sorted(listed - there)}, '
                 f'both compiled and exempt {sorted(set(variants) & exempt)}')
    return variants


def add(variants, axes):
    """Every combination of the axes' choices that is not there yet."""
    there = [v.options for v in variants]
    for choice in itertools.product(*(choices for _, choices in axes)):
        options = list(dict.fromkeys(sum(choice, [])))
        if options in there:
            continue
        there.append(options)
        shape = sum((c for c, (kind, _) in zip(choice, axes) if kind == 'shape'), [])
        quick = all(kind != 'data' or c == choices[0] for c, (kind, choices) in zip(choice, axes))
        variants.append(Variant(options, shape, quick))


def key(file, kernel, shape):
    """The name under which figures are kept: "winograd_gpu.gpu_input TILE_W=4"."""
    return ' '.join([f'{file}.{kernel}'] + [option.removeprefix('-D') for option in shape])
