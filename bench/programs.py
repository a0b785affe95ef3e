"""Real programs as workloads: what is installed of them, with inputs that are made here and never change."""
import os
import shutil

INPUTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def _c_source(folder):
    """A C file of some size, for the compiler: functions with loops, switches and structures."""
    path = os.path.join(folder, "source.c")
    with open(path, "w", encoding="ascii") as file:
        file.write("struct item { int key; long value[4]; struct item *next; };\n")
        for i in range(120):
            cases = "".join(f"    case {k}: s += p->value[{k % 4}] * {i + k}; break;\n" for k in range(12))
            file.write(f"long work_{i}(struct item *p, int n) {{\n  long s = {i};\n"
                       f"  for (int k = 0; k < n; k++, p = p->next) switch (p->key + k % {i % 7 + 2}) {{\n{cases}"
                       f"    default: s ^= (s << {i % 13 + 1}) + {i};\n  }}\n  return s;\n}}\n")
    return path


def _found(*names):
    """The first of these programs that is there. The system's comes first: what else is in PATH may be a script."""
    system = "/usr/bin:/bin"
    return next((p for n in names for p in (shutil.which(n, path=system), shutil.which(n)) if p), None)


def programs(folder):
    """[(name, text, argv, environment)] for what is there, and the names of what is not. `folder` is for inputs."""
    table = [
        ("prog-lua", "lua: binary trees and strings", _found("lua5.4", "lua"), ["trees.lua"], []),
        ("prog-python", "python3 with PYTHONMALLOC=malloc: objects, dictionaries, JSON", _found("python3"),
         ["objects.py"], ["PYTHONMALLOC=malloc", "PYTHONHASHSEED=0"]),
        ("prog-perl", "perl: hashes, strings, a sort", _found("perl"), ["hashes.pl"],
         ["PERL_HASH_SEED=0", "PERL_PERTURB_KEYS=0"]),
    ]
    result, missing = [], []
    for name, text, binary, inputs, environment in table:
        if binary:
            result.append((name, text, [binary, *(os.path.join(INPUTS, i) for i in inputs)], environment))
        else:
            missing.append(name)
    sqlite, gcc = _found("sqlite3"), _found("gcc")
    if sqlite:
        rows = os.path.join(INPUTS, "rows.sql")
        result.append(("prog-sqlite", "sqlite3: a database in memory", [sqlite, ":memory:", f".read {rows}"], []))
    else:
        missing.append("prog-sqlite")
    if gcc:
        result.append(("prog-gcc", "gcc -O2 -S of 120 functions (cc1's peak)",
                       [gcc, "-O2", "-S", "-o", "/dev/null", _c_source(folder)], []))
    else:
        missing.append("prog-gcc")
    return result, missing
