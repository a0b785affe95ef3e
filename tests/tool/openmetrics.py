"""openmetrics.py - judges what `freehold metrics` and `freehold stats` write.

  openmetrics.py rules FILE                 the text keeps to the rules of OpenMetrics 1.0
  openmetrics.py parser FILE                prometheus_client's strict parser takes it; 77 when that is not installed
  openmetrics.py same INSIDE OUTSIDE        two texts say the same, but for what is not to be known from outside
  openmetrics.py same_json INSIDE OUTSIDE   two JSON objects do
  openmetrics.py agree TEXT JSON            a text and a JSON object do
"""
import json
import re
import sys

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9.e+]+|[+-]Inf|NaN)')
LABELS = re.compile(r'(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:,(?!$)|$))*')
# Which pages of the page map are in memory is a matter of metadata or untouched; the rest is of the moment.
ONLY_FROM_INSIDE = ('metadata_bytes', 'untouched_bytes', 'resident_bytes')


def fail(text):
    print(text)
    sys.exit(1)


def families(path):
    """Name of each family to (type, unit, samples); a breach of the rules ends the program."""
    text = open(path, encoding='utf-8').read()
    if not text.endswith('\n# EOF\n'):
        fail(f'{path}: does not end with # EOF and a newline')
    result, name, seen = {}, None, set()
    for number, line in enumerate(text[:-len('# EOF\n')].split('\n')[:-1], 1):
        where = f'{path}:{number}: '
        if line.startswith('# '):
            _, kind, family, value = line.split(' ', 3)
            if kind == 'TYPE':
                if family in result:
                    fail(where + f'family {family} comes twice, or in pieces')
                name, result[family] = family, {'type': value, 'unit': '', 'help': '', 'samples': {}}
            elif family != name or result[name]['samples']:
                fail(where + f'{kind} of {family} does not follow its TYPE')
            else:
                result[name][kind.lower()] = value
            continue
        match = SAMPLE.fullmatch(line)
        if not match or not LABELS.fullmatch(match[2] or ''):
            fail(where + f'is no sample: {line}')
        suffix = {'counter': '_total', 'info': '_info', 'gauge': ''}[result[name]['type']]
        if match[1] != name + suffix:
            fail(where + f'{match[1]} is no sample of {name}')
        if line.rsplit(' ', 1)[0] in seen:
            fail(where + 'the same sample once more')
        seen.add(line.rsplit(' ', 1)[0])
        if result[name]['type'] == 'counter' and float(match[3]) < 0:
            fail(where + 'a negative counter')
        result[name]['samples'][match[2] or ''] = match[3]
    for name, family in result.items():
        if not family['help'] or not family['samples']:
            fail(f'{path}: {name} has no HELP or no sample')
        if (name.endswith('_bytes')) != (family['unit'] == 'bytes'):
            fail(f'{path}: {name} has the unit "{family["unit"]}"')
        if family['type'] == 'counter' and name.endswith('_total'):
            fail(f'{path}: {name}: a family is named without _total')
    return result


def compare(inside, outside, what):
    if inside.keys() != outside.keys():
        fail(f'{what}: not the same names: {inside.keys() ^ outside.keys()}')
    for name, value in inside.items():
        if value != outside[name] and not name.endswith(ONLY_FROM_INSIDE):
            fail(f'{what}: {name} is {value} from inside, {outside[name]} from outside')


def flat(value, name=''):
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in flat(part, f'{name}.{key}').items()}
    if isinstance(value, list):
        return {k: v for i, part in enumerate(value) for k, v in flat(part, f'{name}[{i}]').items()}
    return {name: value}


def agree(text, values):
    """Every number of the JSON is in the text and the other way round."""
    wanted = {}
    for key, value in values.items():
        if key in ('heap', 'class'):
            for part in value:
                label, of = ('size_bytes', part['size_bytes']) if key == 'class' else ('heap', part['number'])
                wanted.update({(f'freehold_{key}_{k}', f'{label}="{of}"'): v for k, v in part.items()
                               if k not in ('size_bytes', 'number')})
        elif key not in ('version', 'pid', 'process'):
            wanted[f'freehold_{key}', ''] = value
    got = {(name, label): int(value) for name, family in text.items() if family['type'] != 'info'
           for label, value in family['samples'].items()}
    if got.keys() != wanted.keys():
        fail(f'text and JSON have not the same names: {got.keys() ^ wanted.keys()}')
    for name, value in got.items():
        if value != wanted[name] and not name[0].endswith(ONLY_FROM_INSIDE):
            fail(f'{name} is {value} as text, {wanted[name]} as JSON')


def main(what, *files):
    if what == 'rules':
        families(*files)
    elif what == 'parser':
        try:
            from prometheus_client.openmetrics import parser
        except ImportError:
            sys.exit(77)
        if len(list(parser.text_string_to_metric_families(open(files[0], encoding='utf-8').read()))) < 30:
            fail('too few families')
    elif what == 'same':
        inside, outside = families(files[0]), families(files[1])
        compare({k + n: s for k, f in inside.items() for n, s in {**f['samples'], 'type': f['type']}.items()
                 if not k.endswith(ONLY_FROM_INSIDE)},
                {k + n: s for k, f in outside.items() for n, s in {**f['samples'], 'type': f['type']}.items()
                 if not k.endswith(ONLY_FROM_INSIDE)}, 'OpenMetrics')
    elif what == 'same_json':
        compare(flat(json.load(open(files[0]))), flat(json.load(open(files[1]))), 'JSON')
    elif what == 'agree':
        agree(families(files[0]), json.load(open(files[1])))
    else:
        fail(__doc__)


main(*sys.argv[1:])
