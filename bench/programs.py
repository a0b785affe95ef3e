"""Real programs as workloads: what is installed of them, with inputs that are made here and never change."""
import glob
import os
import shutil
import subprocess
import sys

REPACK = ["-c", "pack.threads=1", "-c", "repack.writeBitmaps=false"]  # what git repack is run with, but for the folder
INPUTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def _found(*names, folders="/usr/bin:/bin"):
    """The first of these programs that is there. The system's comes first: what else is in PATH may be a script."""
    return next((p for n in names for p in (shutil.which(n, path=folders), shutil.which(n)) if p), None)


def _input(name):
    return os.path.join(INPUTS, name)


def _make_c_source(path):
    """A C file of some size, for the compiler: functions with loops, switches and structures."""
    with open(path, "w", encoding="ascii") as file:
        file.write("struct item { int key; long value[4]; struct item *next; };\n")
        for i in range(120):
            cases = "".join(f"    case {k}: s += p->value[{k % 4}] * {i + k}; break;\n" for k in range(12))
            file.write(f"long work_{i}(struct item *p, int n) {{\n  long s = {i};\n"
                       f"  for (int k = 0; k < n; k++, p = p->next) switch (p->key + k % {i % 7 + 2}) {{\n{cases}"
                       f"    default: s ^= (s << {i % 13 + 1}) + {i};\n  }}\n  return s;\n}}\n")


def _make_formula(path):
    """Products of bit vectors and a puzzle of integers and arrays: small to state, much to simplify and to search."""
    count = 9
    with open(path, "w", encoding="ascii") as file:
        file.write("(declare-const a (Array Int Int))\n")
        for i in range(count):
            file.write(f"(declare-const x{i} Int)\n(declare-const b{i} (_ BitVec 32))\n")
        file.write("(push)\n")
        for i in range(count):
            factor, term = (i + 1) % count, (i + 2) % count
            file.write(f"(assert (= (bvmul b{i} b{factor}) (bvadd b{term} #x{i * 7919 + 40503:08x})))\n"
                       f"(assert (bvugt b{i} #x{i + 17:08x}))\n")
        file.write("(check-sat)\n(pop)\n")
        for i in range(count):
            file.write(f"(assert (and (<= 0 x{i}) (< x{i} {count - 1})))\n(assert (= (select a x{i}) (+ {i} x{i})))\n")
        file.write(f"(assert (distinct {' '.join(f'x{i}' for i in range(count))}))\n(check-sat)\n")


def _make_repository(git, path):
    """A repository of 4,000 commits to 300 files in one pack: what repacking it leaves is what the next run finds."""
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": path, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run([git, "init", "-q", "--bare", path], check=True, env=environment)
    stream, seed = [], 12345
    files = [[f"line {k} of file {i}" for k in range(150)] for i in range(300)]
    for commit in range(4000):
        stream.append(f"commit refs/heads/main\ncommitter A <a@example.org> {1500000000 + commit * 60} +0000\n"
                      f"data 8\ncommit {commit % 10}\n")
        for _ in range(3):
            seed = (seed * 1103515245 + 12345) % 2147483648
            number, line = seed % 300, seed // 300 % 150
            files[number][line] = f"line {line} of file {number} as of commit {commit}, {seed:x}"
            text = "\n".join(files[number]) + "\n"
            stream.append(f"M 100644 inline folder{number % 17}/file{number}.txt\ndata {len(text)}\n{text}\n")
    subprocess.run([git, "-C", path, "fast-import", "--quiet", "--depth=0"], input="".join(stream).encode("ascii"),
                   check=True, env=environment)
    subprocess.run([git, *REPACK, "-C", path, "repack", "-adfq"], check=True, env=environment)


def _interpreters():
    """(name, text, binary, arguments, environment, prepare) each; binary None: not installed."""
    yield ("prog-lua", "lua: binary trees and strings", _found("lua5.4", "lua"), [_input("trees.lua")], [], None)
    yield ("prog-python", "python3 with PYTHONMALLOC=malloc: objects, dictionaries, JSON", _found("python3"),
           [_input("objects.py")], ["PYTHONMALLOC=malloc", "PYTHONHASHSEED=0"], None)
    yield ("prog-perl", "perl: hashes, strings, a sort", _found("perl"), [_input("hashes.pl")],
           ["PERL_HASH_SEED=0", "PERL_PERTURB_KEYS=0"], None)
    yield ("prog-node", "node: objects, JSON, buffers, zlib", _found("node"), [_input("records.js")], [], None)


def _tools(folder):
    source, formula, repository = (os.path.join(folder, name) for name in ("source.c", "formula.smt2", "repository"))
    git = _found("git")
    yield ("prog-sqlite", "sqlite3: a database in memory", _found("sqlite3"),
           [":memory:", f".read {_input('rows.sql')}"], [], None)
    yield ("prog-gcc", "gcc -O2 -S of 120 functions (cc1's peak)", _found("gcc"),
           ["-O2", "-S", "-o", "/dev/null", source], [], lambda: _make_c_source(source))
    yield ("prog-git", "git repack of 4,000 commits, one thread", git,
           [*REPACK, "-C", repository, "repack", "-adfq"],
           ["GIT_CONFIG_NOSYSTEM=1", "HOME=" + folder], lambda: _make_repository(git, repository))
    yield ("prog-z3", "z3: arithmetic, arrays and bit vectors", _found("z3"),
           ["rlimit=3000000", formula], [],
           lambda: _make_formula(formula))
    yield ("prog-gs", "ghostscript: pages of text and curves to a bitmap", _found("gs"),
           ["-q", "-dNOPAUSE", "-dBATCH", "-dNOSAFER", "-sDEVICE=png16m", "-r120", "-sOutputFile=/dev/null",
            _input("drawing.ps")], [], None)


def _servers(folder):
    """Run by programs/server.py, whose figures are the server's own."""
    script, data = _input("server.py"), os.path.join(folder, "postgres")
    redis, redis_client = _found("redis-server"), _found("redis-benchmark")
    yield ("prog-redis", "redis-server under redis-benchmark: the server's CPU and peak", redis and redis_client and
           sys.executable, [script, "redis", folder, redis, redis_client], [], None)
    versions = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: float(p.split("/")[4]))
    postgres, pgbench = _found("postgres", folders=":".join(versions[-1:])), _found("pgbench")
    arguments = [data, os.path.dirname(postgres or ""), pgbench]

    def prepare():
        os.chmod(folder, 0o755)  # PostgreSQL runs as another user than root
        subprocess.run([sys.executable, script, "prepare-postgres", *arguments], check=True)

    yield ("prog-postgres", "PostgreSQL under pgbench: CPU and anonymous peak of all its processes",
           postgres and pgbench and sys.executable, [script, "postgres", *arguments], [], prepare)


def programs(folder):
    """[(name, text, argv, environment, prepare)] for what is there, and the names of what is not.

    `folder` is for inputs. prepare, where it is not None, makes them: to be called once before the first run.
    """
    result, missing = [], []
    for entries in (_interpreters(), _tools(folder), _servers(folder)):
        for name, text, binary, arguments, environment, prepare in entries:
            if binary:
                result.append((name, text, [binary, *arguments], environment, prepare))
            else:
                missing.append(name)
    return result, missing
