#!/bin/sh
# Python with PYTHONMALLOC=malloc, so that every object is a block of the library's: dictionaries, JSON, threads,
# worker processes by fork, subprocesses, sqlite3 and zlib as C extensions.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
[ -x "$python" ] || python=python3
need "$python" python3

cat >work.py <<'PYTHON'
import hashlib, json, multiprocessing, os, queue, re, subprocess, sys, threading, zlib


def digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def records(seed, count):
    state = seed
    for _ in range(count):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield {"id": state, "name": "n" * (state % 70), "tags": [str(state >> s) for s in range(state % 6)]}


def dictionaries():
    table = {}
    for n, record in enumerate(records(1, 60000)):
        table[f"{record['id']:x}"] = record
        if n % 4 == 0:
            table.pop(f"{n:x}", None)
    for key in sorted(table)[::3]:
        del table[key]
    return len(table), digest(sorted(table.items())[:2000])


def documents():
    text = json.dumps(list(records(2, 15000)), indent=1)
    again = json.dumps(json.loads(text), indent=1)
    packed = zlib.compress(text.encode(), 6)
    names = len(re.findall(r'"n+"', text))
    return text == again, len(text), names, len(packed), zlib.decompress(packed) == text.encode()


def in_thread(number, results):
    mine = [record for record in records(number, 4000)]
    mine.sort(key=lambda r: (len(r["tags"]), r["id"]))
    results.put((number, digest(mine), mine))  # freed by the thread that takes it


def threads():
    results = queue.Queue()
    crew = [threading.Thread(target=in_thread, args=(n, results)) for n in range(8)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    return sorted(results.get()[:2] for _ in crew)


def in_worker(seed):
    return digest(list(records(seed, 3000))), "x" * (seed * 5000)


def workers():
    stop = threading.Event()

    def noise():  # allocates in a thread while the pool forks
        while not stop.is_set():
            list(records(3, 50))

    noisy = threading.Thread(target=noise)
    noisy.start()
    try:
        with multiprocessing.get_context("fork").Pool(3) as pool:
            return [(name, len(ballast)) for name, ballast in pool.map(in_worker, range(1, 13))]
    finally:
        stop.set()
        noisy.join()


def extensions():
    import sqlite3
    base = sqlite3.connect(":memory:")
    base.execute("create table t (id integer, name text)")
    base.executemany("insert into t values (?, ?)", ((r["id"], r["name"]) for r in records(4, 10000)))
    base.execute("create index i on t (name, id)")
    return base.execute("select count(distinct name), sum(id % 1000) from t").fetchone()


def commands():
    return [subprocess.run([sys.executable, "-c", f"print(sum(range({n})))"], capture_output=True, check=True).stdout
            for n in (10, 1000)]


def mapped():
    wanted = os.environ["WANTED"]
    return not wanted or any(wanted in line for line in open("/proc/self/maps"))


for part in (dictionaries, documents, threads, workers, extensions, commands, mapped):
    print(part.__name__, part(), flush=True)
PYTHON

# The account stays with the main process: children of `commands` have their messages read by it.
PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 WANTED=''
export PYTHONMALLOC PYTHONHASHSEED PYTHONDONTWRITEBYTECODE WANTED
on_system expected "$python" -I work.py
WANTED=$(basename "$(readlink -f "$lib")")
check_at_exit
on_freehold got "$python" -I work.py
same expected got "the output of python"
ran_on got.err 'python3[.0-9]*'
binds "$python" -I -c 'print("x" * 100)'
