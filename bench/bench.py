"""The measuring bench: workloads x allocators, interleaved, each run in a process of its own.

`./dev bench` builds and, through bench/run, starts this. It needs Python's standard library, build/libfreehold.so,
build/bench/bench-workloads (what runs) and build/bench/bench-launch (what starts and measures a run). Peers that are
not installed are skipped by name. `bench/run --help` lists the options; bench/README.md says how to read the figures.
"""
import argparse
import csv
import datetime
import glob
import math
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile

import programs

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SUBJECT = "freehold"
LIBRARY_DIRS = ["/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
# Name, what to look for, in that order, and the Debian package that has it.
PEERS = [
    ("jemalloc", ["libjemalloc.so.2"], "libjemalloc2"),
    ("mimalloc", ["libmimalloc.so.2.0", "libmimalloc.so.2"], "libmimalloc2.0"),
    ("tcmalloc", ["libtcmalloc_minimal.so.4"], "libtcmalloc-minimal4"),
    ("tbb", ["libtbbmalloc_proxy.so.2"], "libtbbmalloc2"),
]
TIMES = {"cpu": "cpu_s", "wall": "wall_s", "user": "user_s", "inner": "ns_per_operation"}
MEMORY_CALLS = ["brk_calls", "mmap_calls", "munmap_calls", "madvise_calls", "mremap_calls", "mprotect_calls"]

PERCENTILES = [("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"), ("p99.99", "p9999"), ("max", "max")]


class Allocator:
    """A malloc to preload (path None: the system's own) and the environment that goes with it."""

    def __init__(self, name, path, settings=()):
        self.name, self.path, self.settings = name, path, list(settings)

    def environment(self):
        return (["LD_PRELOAD=" + self.path] if self.path else []) + self.settings


def note(text):
    print("bench: " + text, file=sys.stderr)


def fail(text):
    note(text)
    sys.exit(2)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description="Freehold beside other allocators.")
    parser.add_argument("--only", metavar="REGEX", help="only the workloads whose whole name matches")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each pair (5); medians are shown")
    parser.add_argument("--scale", type=float, default=1, metavar="X", help="amount of work (1)")
    parser.add_argument("--allocators", metavar="A,B", help="only these; default all that are there")
    parser.add_argument("--with", dest="extra", action="append", default=[], metavar="NAME=PATH.so[,VAR=VALUE]",
                        help="one more peer, with variables to set for it")
    parser.add_argument("--time", choices=TIMES, default="cpu",
                        help="what counts as time: cpu (user+system, the default), wall, user, or the CPU time of the "
                             "timed part alone, per operation (inner)")
    parser.add_argument("--calls", action="store_true", help="one more run each, to count memory system calls")
    parser.add_argument("--idle", type=float, default=1, metavar="S", help="seconds that idle workloads wait (1)")
    parser.add_argument("--csv", metavar="FILE", help="write every figure there too")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), metavar="DIR", help="where the build is")
    parser.add_argument("--list", action="store_true", help="list workloads and allocators, run nothing")
    return parser.parse_args()


class Workload:
    """What is run: one of bench-workloads, which prints figures of its own, or a real program, which does not."""

    def __init__(self, name, text, argv, settings=(), prepare=None, is_program=False):
        self.name, self.text, self.argv, self.settings, self.is_program = name, text, argv, list(settings), is_program
        self.prepare = prepare


def all_workloads(tools, args, folder):
    lines = subprocess.run([tools.workloads, "--list"], capture_output=True, text=True, check=True).stdout.splitlines()
    found = []
    for name, _threads, text in (line.split(None, 2) for line in lines):
        found.append(Workload(name, text, [tools.workloads, name, str(args.scale)], [f"BENCH_IDLE_S={args.idle}"]))
    real, missing = programs.programs(folder)
    found += [Workload(*entry, is_program=True) for entry in real]
    if missing:
        note("left out, since the program is not installed: " + ", ".join(missing))
    if args.only:
        try:
            wanted = re.compile(args.only)
        except re.error as error:
            fail(f"--only {args.only}: {error}")
        found = [w for w in found if wanted.fullmatch(w.name)]
        if not found:
            fail(f"--only {args.only}: no workload matches (--list shows them)")
    return found


def find_library(names):
    for name in names:
        for folder in LIBRARY_DIRS:
            for path in sorted(glob.glob(os.path.join(folder, name))):
                return path
    return None


def extra_allocator(text):
    name, _, rest = text.partition("=")
    path, *settings = rest.split(",")
    if not name or not path or any("=" not in setting for setting in settings):
        fail(f"--with {text}: expected NAME=PATH.so or NAME=PATH.so,VARIABLE=VALUE")
    if not os.path.exists(path):
        fail(f"--with {text}: there is no {path}")
    return Allocator(name, os.path.abspath(path), settings)


def all_allocators(args):
    found = []
    library = os.path.join(args.build, "libfreehold.so")
    if os.path.exists(library):
        found.append(Allocator(SUBJECT, library))
    else:
        note(f"there is no {library}: peers only")
    found.append(Allocator("glibc", None))
    for name, files, package in PEERS:
        path = find_library(files)
        if path:
            found.append(Allocator(name, path))
        else:
            note(f"{name} is not installed (Debian: {package}): left out")
    found += [extra_allocator(text) for text in args.extra]
    if args.allocators:
        wanted = args.allocators.split(",")
        unknown = [name for name in wanted if name not in [a.name for a in found]]
        if unknown:
            fail("no allocator is called " + ", ".join(unknown) + " (--list shows them)")
        found = [a for a in found if a.name in wanted]
    return found


def check_preload(tools, allocator):
    """A preload that fails is only a warning to the loader, and would measure the system's malloc."""
    out = subprocess.run([tools.launch, *allocator.environment(), "--", tools.workloads, "--which"],
                         capture_output=True, text=True, env={**os.environ, "BENCH_RESULT_FD": "2"}, check=False)
    path = out.stdout.strip()
    if allocator.path and os.path.realpath(path) != os.path.realpath(allocator.path):
        fail(f"{allocator.name}: malloc is {path or 'unknown'}, not {allocator.path}")


class Tools:
    """The built programs."""

    def __init__(self, build):
        self.workloads = os.path.join(build, "bench", "bench-workloads")
        self.launch = os.path.join(build, "bench", "bench-launch")
        for path in (self.workloads, self.launch):
            if not os.path.exists(path):
                fail(f"there is no {path}: build first (./dev build)")


def own_figures(output):
    """A program that is more than what is to be measured (a server has clients) prints what replaces the figures."""
    return next((line.split()[1:] for line in output.splitlines() if line.startswith("figures ")), [])


def run_once(tools, workload, allocator, counted=False):
    """The figures of one run as {name: number}, or None if the workload failed."""
    read, write = os.pipe()
    command = [tools.launch, *(["-c"] if counted else []), *allocator.environment(), *workload.settings, "--",
               *workload.argv]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=(write,),
                          env={**os.environ, "BENCH_RESULT_FD": str(write)}, check=False)
    os.close(write)
    with os.fdopen(read) as pipe:
        words = pipe.read().split() + (own_figures(done.stdout) if workload.is_program else done.stdout.split())
    figures = {name: float(value) for name, value in zip(words[::2], words[1::2])}
    if figures.get("status") != 0 or not (workload.is_program or "operations" in figures):
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        note(f"{workload.name} with {allocator.name} failed, status {figures.get('status', '?')}: {said}")
        return None
    figures["cpu_s"] = figures["user_s"] + figures["sys_s"]
    # The kernel's running peak lags behind by some pages for each CPU; the figure at the end is exact.
    figures["peak_rss_kib"] = max(figures["peak_rss_kib"], figures.get("rss_end_kib", 0))
    if workload.is_program:
        figures["ns_per_operation"] = figures["cpu_s"] * 1e9
    return figures


def measure(tools, workloads, allocators, args):
    """{(workload, allocator): [figures, ...]}; a pair that failed is absent. Allocators take turns.

    An interrupt ends the measuring; what is there by then is shown.
    """
    runs, failed = {}, set()
    try:
        take_turns(tools, workloads, allocators, args, runs, failed)
    except KeyboardInterrupt:
        note("interrupted: these are the runs until now")
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return {key: value for key, value in runs.items() if key not in failed}, failed


def take_turns(tools, workloads, allocators, args, runs, failed):
    for turn in range(args.rounds):
        for number, workload in enumerate(workloads):
            name = workload.name
            if sys.stderr.isatty():
                print(f"\rround {turn + 1}/{args.rounds}  {number + 1}/{len(workloads)}  {name:<20}", end="",
                      file=sys.stderr)
            shift = turn % len(allocators)
            for allocator in allocators[shift:] + allocators[:shift]:
                if (name, allocator.name) in failed:
                    continue
                figures = run_once(tools, workload, allocator)
                if figures is None:
                    failed.add((name, allocator.name))
                else:
                    runs.setdefault((name, allocator.name), []).append(figures)
    if args.calls:
        for workload, allocator in [(w, a) for w in workloads for a in allocators if (w.name, a.name) in runs]:
            figures = run_once(tools, workload, allocator, counted=True)
            if figures:
                runs[workload.name, allocator.name][0].update({call: figures[call] for call in MEMORY_CALLS})


def summarise(runs):
    """{(workload, allocator): {figure: (median, min, max, MAD)}}"""
    table = {}
    for key, rounds in runs.items():
        table[key] = {}
        for figure in rounds[0]:
            values = [r[figure] for r in rounds if figure in r]
            middle = statistics.median(values)
            mad = statistics.median(abs(v - middle) for v in values)
            table[key][figure] = (middle, min(values), max(values), mad)
    return table


def ratios(table, figure, names, allocators, name_of_one):
    """{workload: value of one allocator / best of all the others}"""
    result = {}
    for workload in names:
        own = table.get((workload, name_of_one))
        others = [table[workload, a.name][figure][0] for a in allocators
                  if a.name != name_of_one and (workload, a.name) in table]
        if own and others:
            result[workload] = max(own[figure][0], 1e-9) / max(min(others), 1e-9)
    return result


def print_machine(allocators, args):
    model = "?"
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    print(f"{datetime.datetime.now():%Y-%m-%d %H:%M}  {model}, {os.cpu_count()} CPUs, {platform.machine()}, "
          f"page {os.sysconf('SC_PAGE_SIZE') // 1024} KiB")
    print(f"Linux {platform.release()}, {' '.join(platform.libc_ver())}, load {os.getloadavg()[0]:.2f}; "
          f"{args.rounds} rounds, scale {args.scale:g}")
    for a in allocators:
        if a.path:
            print(f"  {a.name:<10} {os.path.basename(os.path.realpath(a.path))} {' '.join(a.settings)}")
    print("x columns: value / best of the other allocators, 1.00 or below is first\n")


def print_table(table, workloads, allocators, args):
    time_figure = TIMES[args.time]
    print(f"{'':<12}{'cpu ms':>8} {'+-%':>4}{'wall ms':>8}{'user':>7}{'sys':>6}{'peak MB':>9}{'end MB':>8}"
          f"{'faults':>9}{'ns/op':>10}{'time x':>8}{'RSS x':>7}")
    for workload in workloads:
        name = workload.name
        print(f"{name}: {workload.text}"[:100])
        for a in allocators:
            if (name, a.name) not in table:
                print(f"  {a.name:<10} no figures")
                continue
            row = table[name, a.name]
            value = {figure: row[figure][0] for figure in row}
            end, each = "-", "-"
            if not workload.is_program:
                end, each = f"{value['rss_end_kib'] / 1024:.2f}", f"{value['ns_per_operation']:.1f}"
            spread = 100 * row[time_figure][3] / max(row[time_figure][0], 1e-9)
            time_x = ratios(table, time_figure, [name], allocators, a.name).get(name, math.nan)
            rss_x = ratios(table, "peak_rss_kib", [name], allocators, a.name).get(name, math.nan)
            print(f"  {a.name:<10}{value['cpu_s'] * 1e3:>8.1f} {spread:>4.1f}{value['wall_s'] * 1e3:>8.1f}"
                  f"{value['user_s'] * 1e3:>7.0f}{value['sys_s'] * 1e3:>6.0f}{value['peak_rss_kib'] / 1024:>9.2f}"
                  f"{end:>8}{value['minor_faults']:>9.0f}"
                  f"{each:>10}{time_x:>8.2f}{rss_x:>7.2f}")
            if MEMORY_CALLS[0] in value:
                print("      " + "  ".join(f"{c.removesuffix('_calls')} {value[c]:.0f}" for c in MEMORY_CALLS))
            for call in [c for c in ("malloc", "free") if f"{c}_p50_ns" in value]:
                print(f"      {call} ns: " + "  ".join(f"{title} {value[f'{call}_{figure}_ns']:.0f}"
                                                       for title, figure in PERCENTILES))


def headline(values):
    if not values:
        return None
    mean = math.exp(statistics.fmean(math.log(v) for v in values.values()))
    worst = max(values, key=values.get)
    return mean, worst, values[worst]


def print_summary(table, names, allocators, args):
    figures = ((f"time ({args.time})", TIMES[args.time]), ("peak RSS", "peak_rss_kib"))
    print("\ngeometric mean over workloads of value / best of the other allocators, and the worst workload")
    print(f"{'':<12}{figures[0][0]:<38}{figures[1][0]:<38}")
    for a in allocators:
        line = f"  {a.name:<10}"
        for _, figure in figures:
            found = headline(ratios(table, figure, names, allocators, a.name))
            line += f"{found[0]:>6.3f}  worst {found[2]:>6.2f} {found[1]:<16}" if found else f"{'-':<38}"
        print(line.rstrip())
    if SUBJECT not in [a.name for a in allocators] or len(allocators) < 2:
        return
    print()
    for title, figure in figures:
        found = headline(ratios(table, figure, names, allocators, SUBJECT))
        if found:
            print(f"{SUBJECT} / best peer, {title}: {found[0]:.3f} over {len(names)} workloads; "
                  f"worst {found[1]}, {found[2]:.2f}")


def write_csv(path, table):
    with open(path, "w", newline="", encoding="ascii") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["workload", "allocator", "figure", "median", "min", "max", "mad"])
        for (workload, allocator), row in table.items():
            for figure, values in row.items():
                if figure != "status":
                    out.writerow([workload, allocator, figure, *(f"{v:.9g}" for v in values)])


def main():
    args = parse_arguments()
    if args.rounds < 1 or args.scale <= 0:
        fail("--rounds and --scale must be positive")
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    tools = Tools(args.build)
    allocators = all_allocators(args)
    with tempfile.TemporaryDirectory() as folder:
        return bench(args, tools, allocators, all_workloads(tools, args, folder))


def bench(args, tools, allocators, workloads):
    if args.list:
        print("\n".join(f"{w.name:<16}{w.text}" for w in workloads) + "\n")
        print("\n".join(f"{a.name:<16}{a.path or 'no preload'} {' '.join(a.settings)}" for a in allocators))
        return 0
    for allocator in allocators:
        check_preload(tools, allocator)
    for workload in workloads:
        if workload.prepare:
            workload.prepare()
    print_machine(allocators, args)
    names = [w.name for w in workloads]
    runs, failed = measure(tools, workloads, allocators, args)
    table = summarise(runs)
    print_table(table, workloads, allocators, args)
    print_summary(table, names, allocators, args)
    if args.csv:
        write_csv(args.csv, table)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
