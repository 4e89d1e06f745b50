"""kernels/limits.toml: rules and exceptions written by hand, and each kernel's recorded figures.

Results and records are {kernel's key: {compiler's version: {target: {figure: number}}}}; the simulation's target is
`warps`."""
import datetime
import fnmatch
import re
import tomllib

MARK = '# ---- Recorded by gpu-check --record; only ever better. ----\n'
HIGHER = {'groups', 'simd', 'fma', 'packed', 'coalescing'}      # is better; of others lower is
MAX_LOCAL = 32 << 10
COALESCING, CONFLICTS, BYTES = 90, 1.1, 1.2


class Limits:
    def __init__(self, path):
        self.path = path
        text = path.read_text() if path.exists() else ''
        self.head, _, figures = text.partition(MARK)
        self.date = None
        head = tomllib.loads(self.head)
        self.records = tomllib.loads(figures)
        self.date = self.records.pop('date', None)
        rules = head.get('rules', {})
        self.products, self.strict, self.large = (rules.get(name, []) for name in ('products', 'strict', 'large'))
        self.exceptions = {}        # (key, figure): (limit, reason)
        for name, text in head.get('exceptions', {}).items():
            key, _, figure = name.rpartition(' ')
            number, _, reason = text.partition(': ')
            self.exceptions[key, figure] = float(number), reason

    def recorded(self, key, version, target):
        return self.records.get(key, {}).get(version, {}).get(target)

    def knows(self, version):
        return any(version in versions for versions in self.records.values())

    def write(self):
        lines = [self.head, MARK, f'date = "{self.date}"\n']
        for key in sorted(self.records):
            lines.append(f'\n["{key}"]\n')
            for version, targets in sorted(self.records[key].items()):
                cells = ', '.join(f'{name} = {{{", ".join(f"{k} = {v:g}" for k, v in figures.items())}}}'
                                  for name, figures in targets.items())
                lines.append(f'"{version}" = {{{cells}}}\n')
        self.path.write_text(''.join(lines))


def is_worse(figure, now, before):
    return now < before if figure in HIGHER else now > before


def worst(a, b):
    """Of two variants or launches of a kernel: the worse of each figure."""
    both = {**a, **b}
    return {name: (min if name in HIGHER else max)(a.get(name, both[name]), b.get(name, both[name])) for name in both}


def judge_variant(limits, key, target, figures):
    """What no variant of a kernel may have. Exceptions name target and kernel, with * for any: "pvc fill.* scratch"."""
    allowed = max((limit for (name, figure), (limit, _) in limits.exceptions.items()
                   if figure == 'scratch' and fnmatch.fnmatchcase(f'{target} {key}', name)), default=0)
    if figures.get('scratch', 0) > allowed:
        yield f'{figures["scratch"]} bytes of scratch memory (arrays indexed at run time, or spilled registers)'
    if figures.get('local', 0) > MAX_LOCAL:
        yield f'{figures["local"]} bytes of local memory, over {MAX_LOCAL}'


def judge(limits, key, target, figures):
    """What is wrong with a kernel's figures, the worst of its variants, by the rules."""
    file = key.partition('.')[0]
    if target == 'warps':
        goals = {'coalescing': COALESCING, 'conflicts': CONFLICTS}
        if file not in limits.products:
            goals['bytes'] = BYTES
        for figure, goal in goals.items():
            if figure in figures:
                yield from judge_goal(limits, key, figure, goal, figures[figure])
    if key in limits.large:
        goals = {'gfx90a': {'packed': 90, 'lds_bytes': 1}, 'gfx1030': {'fma': 90, 'lds_bytes': 1, 'groups': 2},
                 'sm_86': {'groups': 2}}
        for figure, goal in goals.get(target, {}).items():
            if figure not in figures:
                yield f'no figure {figure}: its loop is not a product\'s'
            elif is_worse(figure, figures[figure], goal):
                yield f'{figure} {figures[figure]:g}; for a large GPU it has to be {goal:g} or better'


def judge_goal(limits, key, figure, goal, now):
    exception = limits.exceptions.get((key, figure))
    if exception and key.partition('.')[0] in limits.strict:
        yield f'{figure}: this kernel may have no exception'
    elif exception and not is_worse(figure, now, goal):
        yield f'{figure} {now:g} needs no exception: take its line out'
    elif exception and is_worse(figure, now, exception[0]):
        yield f'{figure} {now:g} is worse than its exception, {exception[0]:g}'
    elif not exception and is_worse(figure, now, goal):
        yield f'{figure} {now:g}; it has to be {goal:g} or better'


def compare(limits, key, version, target, figures):
    """What is worse than recorded; a kernel without a record is wrong where the version has records."""
    before = limits.recorded(key, version, target)
    if before is None:
        if limits.knows(version) and figures:
            yield f'no figures recorded for {version}: run tools/gpu-check --record'
        return
    for figure, now in figures.items():
        if figure in before and is_worse(figure, now, before[figure]):
            yield f'{figure} {now:g}, worse than the {before[figure]:g} recorded'


def accepted(key, patterns):
    return any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)


def record(limits, results, keys, accept):
    """Takes better figures into the limits, and any of kernels that a pattern of `accept` names; drops kernels that are
    not in `keys`. Returns how many figures changed."""
    changed = len(set(limits.records) - keys)
    limits.records = {key: versions for key, versions in limits.records.items() if key in keys}
    for key, versions in results.items():
        for version, targets in versions.items():
            for target, figures in targets.items():
                own = limits.records.setdefault(key, {}).setdefault(version, {}).setdefault(target, {})
                free = accepted(key, accept)
                if free and set(own) - set(figures):
                    own.clear()
                for figure, now in figures.items():
                    if figure not in own or (now != own[figure] and (free or is_worse(figure, own[figure], now))):
                        own[figure] = now
                        changed += 1
    if changed:
        limits.date = datetime.date.today().isoformat()
    limits.write()
    return changed


# ---- the table of kernels/README.md ----

PRODUCT = 50    # per cent of a hot loop's instructions that are multiply-adds: less is a transform's, or a sum's


def table(limits):
    """Markdown: a row a kernel."""
    versions = sorted({version for r in limits.records.values() for version in r})
    rows = [f'Recorded {limits.date} with {"; ".join(versions)}.\n',
            '| kernel | registers gfx90a / gfx1030 / gfx1100 | registers sm_75 / sm_86 / sm_90 | SIMD tgllp / dg2 / pvc '
            '| local memory | groups gfx1030 / sm_86 | coalescing % | conflicts | bytes / least |',
            '|---|---|---|---|---|---|---|---|---|']
    products = ['\n| product | FMA % gfx90a (packed) | FMA % gfx1030 | FMA % gfx1100 | local bytes read / FMA | '
                'local instructions / FMA |', '|---|---|---|---|---|---|']
    for key in sorted(limits.records):
        targets = {name: f for version in limits.records[key].values() for name, f in version.items()}

        def cell(figure, *names):
            found = (targets.get(name, {}).get(figure) for name in names)
            return ' / '.join('-' if value is None else f'{value:g}' for value in found)
        local = max((f.get('local', 0) for f in targets.values()), default=0)
        rows.append(f'| {key} | {cell("registers", "gfx90a", "gfx1030", "gfx1100")} | '
                    f'{cell("registers", "sm_75", "sm_86", "sm_90")} | {cell("simd", "tgllp", "dg2", "pvc")} | {local} | '
                    f'{cell("groups", "gfx1030", "sm_86")} | {cell("coalescing", "warps")} | {cell("conflicts", "warps")} | '
                    f'{cell("bytes", "warps")} |')
        if targets.get('gfx1030', {}).get('fma', 0) >= PRODUCT:
            products.append(f'| {key} | {cell("fma", "gfx90a")} ({cell("packed", "gfx90a")}) | {cell("fma", "gfx1030")} | '
                            f'{cell("fma", "gfx1100")} | {cell("lds_bytes", "gfx1030")} | {cell("lds", "gfx1030")} |')
    return '\n'.join(rows + (products if len(products) > 2 else [])) + '\n'


TABLE = re.compile(r'(?<=<!-- gpu-check --table -->\n).*(?=<!-- end -->)', re.S)


def in_readme(text):
    """The table that kernels/README.md has, between its two comments."""
    match = TABLE.search(text)
    return match[0] if match else None


def with_table(text, new):
    """The text with another table."""
    return TABLE.sub(lambda match: new, text)
