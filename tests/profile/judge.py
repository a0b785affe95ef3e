"""judge.py - judges what `freehold profile --json` says of the program known.c, and of profiles decoded by protoc.

  judge.py exact FILE.json TIMES      with an interval of 1 byte all is known: TIMES what known_all allocates
  judge.py unbiased FILE.json...      many seeds: the mean is right, within four times its standard error
  judge.py same A.json B.json         two profiles have the same values for each stack
  judge.py proto FILE.text BUILD_ID   a profile as protoc prints it: whole, referring rightly, with the build id
"""
import json
import re
import sys

# Usable bytes: 208 and 1,024 of the classes; a mapping is rounded up to pages.
KNOWN = {'known_come_and_go': (50000, 50000 * 208, 0), 'known_stay_small': (5000, 5000 * 1024, 5000 * 1024),
         'known_stay_large': (6, 6 * 1000000, 6 * 1000000)}
VALUES = ('alloc_objects', 'alloc_space', 'inuse_objects', 'inuse_space')


def fail(text):
    print(text)
    sys.exit(1)


def by_function(path):
    """Of each function of known.c that allocates: its four values."""
    sums = {name: [0] * 4 for name in KNOWN}
    for stack in json.load(open(path))['stacks']:
        names = [frame['function'] for frame in stack['frames']]
        for name in KNOWN:
            if name in names:
                if names[0] != name or names[names.index(name) + 1] != 'known_all':
                    fail(f'{path}: the call stack is {names}')
                sums[name] = [a + stack[v] for a, v in zip(sums[name], VALUES)]
    return sums


def exact(path, times):
    for name, got in by_function(path).items():
        objects, space, held = KNOWN[name]
        if got[0] != objects * times or not space * times <= got[1] <= space * times * 1.02:
            fail(f'{path}: {name} allocated {got[0]} objects, {got[1]} bytes, not {objects * times}, {space * times}')
        if (got[2] != 0) != (held != 0) or got[2] not in (0, got[0]) or got[3] not in (0, got[1]):
            fail(f'{path}: {name} holds {got[2]} objects, {got[3]} bytes')


def unbiased(*paths):
    runs = [by_function(path) for path in paths]
    for name, (objects, space, held) in KNOWN.items():
        for value, truth in ((0, objects), (1, space), (3, held)):
            values = [run[name][value] for run in runs]
            mean = sum(values) / len(values)
            error = (sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values)) ** 0.5
            # The rounding to usable bytes is at most 1 in 60 of these sizes.
            if not truth - 4 * error <= mean <= truth * 1.017 + 4 * error:
                fail(f'{name}: {VALUES[value]} is {mean:.0f} on average of {len(values)} runs, +- {error:.0f}, '
                     f'but {truth} in truth')
            if truth and error > truth / 5:
                fail(f'{name}: {VALUES[value]} varies too much to judge: +- {error:.0f} of {truth}')


def same(one, other):
    sides = []
    for path in one, other:
        sides.append(sorted((tuple(frame['address'] for frame in stack['frames']), *(stack[v] for v in VALUES))
                            for stack in json.load(open(path))['stacks']))
    if sides[0] != sides[1] or not sides[0]:
        fail(f'{one} and {other} differ, or are empty: {set(sides[0]) ^ set(sides[1])}')


def messages(lines):
    """protoc's text as a list of (name, value), where a value is a text or such a list."""
    result = []
    for line in lines:
        line = line.strip()
        if line == '}':
            return result
        if line.endswith(' {'):
            result.append((line[:-2], messages(lines)))
        else:
            result.append(tuple(line.split(': ', 1)))
    return result


def proto(path, build_id):
    profile = messages(iter(open(path, encoding='utf-8')))
    every = lambda name: [value for key, value in profile if key == name]
    number = lambda message, name: next((int(v) for k, v in message if k == name), 0)
    strings = [text[1:-1] for text in every('string_table')]
    if strings[0] != '' or len(set(strings)) < 10:
        fail('the table of strings does not begin with the empty one')
    types = [(strings[number(t, 'type')], strings[number(t, 'unit')]) for t in every('sample_type')]
    if types != [(v, 'bytes' if v.endswith('space') else 'count') for v in VALUES]:
        fail(f'sample types are {types}')
    single = {name: strings[int(every(name)[0])] for name in ('default_sample_type', 'drop_frames')}
    if single['default_sample_type'] != 'inuse_space' or not re.fullmatch(single['drop_frames'], 'malloc') or \
            re.fullmatch(single['drop_frames'], 'known_malloc'):
        fail(f'{single}')
    locations = {number(l, 'id'): l for l in every('location')}
    mappings = {number(m, 'id'): m for m in every('mapping')}
    if not locations or 0 in locations or sorted(mappings) != list(range(1, len(mappings) + 1)):
        fail('ids of locations or mappings')
    used = set()
    for sample in every('sample'):
        ids = [int(v) for k, v in sample if k == 'location_id']
        if len([v for k, v in sample if k == 'value']) != 4 or not ids or not set(ids) <= locations.keys():
            fail(f'sample {sample}')
        used |= set(ids)
    if used != locations.keys():
        fail('locations that no sample has')
    for location in locations.values():
        mapping = mappings.get(number(location, 'mapping_id'))
        address = number(location, 'address')
        if mapping and not number(mapping, 'memory_start') <= address < number(mapping, 'memory_limit'):
            fail(f'location {location} is not in its mapping')
    ids = {strings[number(m, 'filename')].split('/')[-1]: strings[number(m, 'build_id')] for m in mappings.values()}
    if ids.get('known') != build_id:
        fail(f'the build id of known is {build_id}, the profile says {ids}')
    if number(profile, 'period') <= 0 or number(profile, 'time_nanos') < 1.6e18:
        fail('period or time')


if sys.argv[1] == 'exact':
    exact(sys.argv[2], int(sys.argv[3]))
else:
    {'unbiased': unbiased, 'same': same, 'proto': proto}[sys.argv[1]](*sys.argv[2:])
