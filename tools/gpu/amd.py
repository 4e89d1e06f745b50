"""Reads AMD's assembly: what the hottest loop of a product issues.

Static counts of one pass of the innermost loop with the most multiply-adds: nothing of caches, conflicts, stalls or how
often it runs."""
import re

BRANCH = re.compile(r's_c?branch')
FMA = re.compile(r'v_(?:dual_)?(?:fma|fmac|mac|mad|fmaak|fmamk|madak|madmk|fma_mix|mad_mix|pk_fma|dot\d\w*)_')
WIDTHS = [(r'b128|dwordx4', 16), (r'b96|dwordx3', 12), (r'b64|dwordx2', 8), (r'b16|short|d16', 2), (r'b8\b|[iu]8|byte', 1)]
PRODUCT = 16        # multiply-adds of a lane in the loop, from which on it is taken for a product's


def kernels(text):
    """{kernel: [(label, None) or (opcode, operands)]}"""
    names, found, code = set(re.findall(r'\.amdhsa_kernel (\w+)', text)), {}, None
    for line in text.splitlines():
        label = re.match(r'(\.?\w+):', line)
        if label and label[1] in names:
            code = found[label[1]] = []
        elif code is None:
            continue
        elif label and label[1].startswith('.Lfunc_end'):
            code = None
        elif label:
            code.append((label[1], None))
        else:
            instruction = re.match(r'\s+((?:[vs]|ds|global|flat|buffer|scratch)_\w+)\s*([^;]*)', line)
            if instruction:
                code.append((instruction[1], instruction[2].strip()))
    return found


def innermost_loops(code):
    """(first, last) of each backward branch that has none inside."""
    where = {name: i for i, (name, operands) in enumerate(code) if operands is None}
    loops = set()
    for i, (opcode, operands) in enumerate(code):
        if operands is not None and BRANCH.match(opcode):
            target = where.get(operands.split(',')[0].strip(), i + 1)
            if target <= i:
                loops.add((target, i))
    return [a for a in loops if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in loops)]


def width(opcode):
    """Bytes of a lane that an access to local memory moves."""
    pair = 2 if re.search(r'read2|write2|load_2addr|store_2addr', opcode) else 1
    for pattern, size in WIDTHS:
        if re.search(pattern, opcode):
            return pair * size
    return pair * 4


def count(code):
    """What a pass of this code issues; `fmas` counts those of a lane, two in a packed instruction."""
    c = {'fma': 0, 'packed': 0, 'fmas': 0, 'valu': 0, 'lds': 0, 'lds_read': 0}
    for opcode, operands in code:
        if operands is None:
            continue
        if opcode.startswith('v_'):
            parts = [opcode] + re.findall(r'::\s*(v_\w+)', operands)
            fmas = sum(1 for part in parts if FMA.match(part))
            c['valu'] += 1
            c['fma'] += fmas == len(parts)
            c['packed'] += opcode.startswith('v_pk_fma')
            c['fmas'] += 2 * fmas if opcode.startswith('v_pk_fma') else fmas
        elif re.match(r'ds_(read|load|write|store)', opcode):
            c['lds'] += 1
            if re.match(r'ds_(read|load)', opcode):
                c['lds_read'] += width(opcode)
    return c


def hot_loops(text):
    """{kernel: figures} of kernels whose hot loop is a product's: `fma` and `packed`, its multiply-adds and the packed of
    them in percent of the instructions for the vector unit; `lds_bytes` read from local memory and `lds` instructions
    for it, for each multiply-add of a lane."""
    found = {}
    for name, code in kernels(text).items():
        counts = [count(code[first:last + 1]) for first, last in sorted(innermost_loops(code))]
        best = max(counts, key=lambda c: c['fmas'], default=None)
        if best and best['fmas'] >= PRODUCT and best['lds_read']:
            found[name] = {'fma': round(100 * best['fma'] / best['valu'], 1),
                           'packed': round(100 * best['packed'] / best['valu'], 1),
                           'lds_bytes': round(best['lds_read'] / best['fmas'], 3),
                           'lds': round(best['lds'] / best['fmas'], 3)}
    return found
