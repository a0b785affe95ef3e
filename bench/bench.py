"""The measuring bench: workloads x allocators, interleaved, each run in a process of its own.

`./dev bench` builds and, through bench/run, starts this. It needs Python's standard library, build/libfreehold.so,
build/bench/bench-workloads (what runs) and build/bench/bench-launch (what starts and measures a run). Peers that are
not installed are skipped by name. `bench/run --help` lists the options; bench/README.md says how to read the figures.
"""
import argparse
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile

import machine
import picture
import programs
import report
import results
import traces
from measure import Allocator, Runner, Workload, end_progress, note
from results import PROGRAM, SUBJECT, TIMES

ROOT = machine.ROOT
LIBRARY_DIRS = ["/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"]
# Name, what to look for, in that order, and the Debian package that has it.
PEERS = [
    ("jemalloc", ["libjemalloc.so.2"], "libjemalloc2"),
    ("mimalloc", ["libmimalloc.so.2.0", "libmimalloc.so.2"], "libmimalloc2.0"),
    ("tcmalloc", ["libtcmalloc_minimal.so.4"], "libtcmalloc-minimal4"),
    ("tbb", ["libtbbmalloc_proxy.so.2"], "libtbbmalloc2"),
]
# Mean length of a run, for the estimate that is printed first: measured on two cores at 2.6 GHz.
RUN_S, PROGRAM_S = 0.35, 1.2
IDLING = "idles"
ON_DEMAND = "on-demand"


def fail(text):
    note(text)
    sys.exit(2)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description="Freehold beside other allocators.")
    choose = parser.add_argument_group("what to run")
    choose.add_argument("--list", action="store_true", help="list workloads and allocators, run nothing")
    choose.add_argument("--only", metavar="REGEX", help="only the workloads whose whole name matches")
    choose.add_argument("--skip", metavar="REGEX", help="not those")
    choose.add_argument("--all", action="store_true", help="also the workloads that take much time or memory (12 GiB)")
    choose.add_argument("--allocators", metavar="A,B",
                        help="only these of those that are there, and those of --with; default all")
    choose.add_argument("--with", dest="extra", action="append", default=[], metavar="NAME=PATH.so[,VAR=VALUE]",
                        help="one more peer, with variables to set for it")
    how = parser.add_argument_group("how")
    how.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each pair (3); medians are shown")
    how.add_argument("--scale", type=float, default=1, metavar="X", help="amount of work (1)")
    how.add_argument("--idle", type=float, default=2, metavar="S", help="seconds that idle workloads wait (2)")
    how.add_argument("--limit", type=int, default=120, metavar="S", help="seconds after which a run has failed (120)")
    how.add_argument("--no-calls", action="store_true",
                     help="spare the one more run of each pair that counts system calls and finds the exact peak")
    how.add_argument("--build", default=os.path.join(ROOT, "build"), metavar="DIR", help="where the build is")
    out = parser.add_argument_group("what to show")
    out.add_argument("--time", choices=TIMES, default="cpu",
                     help="what counts as time: cpu (user+system, the default), wall, user, or the CPU time of the "
                          "timed part alone, per operation (inner)")
    out.add_argument("--csv", metavar="FILE", help="where the figures go (bench/result.csv in the build)")
    out.add_argument("--svg", metavar="FILE", help="where the picture goes (beside the figures)")
    out.add_argument("--from", dest="saved", action="append", default=[], metavar="FILE.csv",
                     help="show a saved result, run nothing; a later file replaces whole workloads of an earlier one")
    args = parser.parse_args()
    if args.rounds < 1 or not args.scale > 0 or not args.idle >= 0 or args.limit < 1:
        fail("--rounds, --scale and --limit must be positive, --idle not negative")
    return args


class Tools:
    """The built programs."""

    def __init__(self, build):
        self.workloads = os.path.join(build, "bench", "bench-workloads")
        self.launch = os.path.join(build, "bench", "bench-launch")
        for path in (self.workloads, self.launch):
            if not os.path.exists(path):
                fail(f"there is no {path}: build first (./dev build)")


def matcher(option, pattern):
    try:
        return re.compile(pattern).fullmatch
    except re.error as error:
        fail(f"{option} {pattern}: {error}")


def all_workloads(tools, args, folder):
    lines = subprocess.run([tools.workloads, "--list"], capture_output=True, text=True, check=True).stdout.splitlines()
    found = []
    for name, _threads, kind, text in (line.split(None, 3) for line in lines):
        found.append(Workload(name, kind, text, [tools.workloads, name, str(args.scale)]))
    real, missing = programs.programs(folder)
    found += [Workload(name, PROGRAM, text, argv, settings, prepare) for name, text, argv, settings, prepare in real]
    found += [Workload(name, "trace", text, argv) for name, text, argv in traces.workloads(args.build)]
    if missing:
        note("left out, since the program is not installed: " + ", ".join(missing))
    if args.only:
        wanted = matcher("--only", args.only)
        found = [w for w in found if wanted(w.name)]
    if args.skip:
        unwanted = matcher("--skip", args.skip)
        found = [w for w in found if not unwanted(w.name)]
    if not args.all and not args.list:
        left_out = [w.name for w in found if w.kind == ON_DEMAND]
        found = [w for w in found if w.kind != ON_DEMAND]
        if left_out:
            note("left out, since they need much memory (--all runs them): " + ", ".join(left_out))
    if not found:
        fail("no workload is left to run (--list shows them)")
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
    if not re.fullmatch(r"[\w.+-]+", name) or not path or any("=" not in setting for setting in settings):
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
    named = [extra_allocator(text) for text in args.extra]
    names = [a.name for a in found + named]
    if len(set(names)) < len(names):
        fail("two allocators have the same name: " + ", ".join(names))
    if args.allocators:
        wanted = args.allocators.split(",")
        unknown = [name for name in wanted if name not in names]
        if unknown:
            fail("no allocator is called " + ", ".join(unknown) + " (--list shows them)")
        found = [a for a in found if a.name in wanted]
    return found + named


def check_preload(tools, allocator):
    """What the library says of its version. A preload that fails is only a warning to the loader: here it ends all."""
    out = subprocess.run([tools.launch, *allocator.environment(), "--", tools.workloads, "--which"],
                         capture_output=True, text=True, env={**os.environ, "BENCH_RESULT_FD": "2"}, check=False)
    path, _, version = out.stdout.strip().partition("\n")
    if allocator.path and os.path.realpath(path) != os.path.realpath(allocator.path):
        fail(f"{allocator.name}: malloc is {path or 'unknown'}, not {allocator.path}")
    return version


def list_all(workloads, allocators):
    for w in workloads:
        print(f"{w.name:<16}{w.text}{' (--all)' if w.kind == ON_DEMAND else ''}")
    print()
    for a in allocators:
        print(f"{a.name:<16}{a.path or 'no preload'} {' '.join(a.settings)}")


def tell_plan(workloads, allocators, args, csv_path):
    passes = args.rounds + (0 if args.no_calls else 1)
    idling = sum(w.kind == IDLING for w in workloads)
    real = sum(w.kind == PROGRAM for w in workloads)
    work_s = (len(workloads) - real) * RUN_S * args.scale + real * PROGRAM_S
    seconds = len(allocators) * (work_s * passes + idling * args.idle * args.rounds)
    note(f"{len(workloads)} workloads x {len(allocators)} allocators ({', '.join(a.name for a in allocators)}), "
         f"{args.rounds} rounds{'' if args.no_calls else ' and one to count calls'}: about {seconds / 60:.0f} minutes "
         "on two cores that do nothing else")
    note(f"every round is saved in {csv_path}; an interrupt (Ctrl-C) shows what is there")


def measure(tools, workloads, allocators, args, csv_path):
    """Runs everything; returns the result and whether all went well. An interrupt ends it early."""
    found = results.Results()
    versions = {a.name: check_preload(tools, a) for a in allocators}
    found.about = machine.describe(f"{args.rounds} rounds, scale {args.scale:g}, idle workloads wait {args.idle:g} s")
    found.allocators = {a.name: machine.describe_allocator(a, versions[a.name], a.name == SUBJECT) for a in allocators}
    found.workloads = {w.name: (w.kind, w.text) for w in workloads}
    error_kib = results.peak_error_kib(os.cpu_count() or 1, os.sysconf("SC_PAGE_SIZE") // 1024)
    runner = Runner(tools.launch, args.limit)
    tell_plan(workloads, allocators, args, csv_path)
    try:
        for workload in workloads:
            if workload.prepare:
                workload.prepare()
        if not args.no_calls:
            runner.count(workloads, allocators)
        for turn in range(args.rounds):
            runner.round(turn, f"round {turn + 1}/{args.rounds}", workloads, allocators)
            runner.fill(found, error_kib)
            found.write(csv_path)
    except KeyboardInterrupt:
        note("interrupted: these are the runs until now")
    end_progress()
    runner.fill(found, error_kib)
    found.write(csv_path)
    return found, not runner.failed


def run(args):
    tools = Tools(args.build)
    allocators = all_allocators(args)
    csv_path = args.csv or os.path.join(args.build, "bench", "result.csv")
    svg_path = args.svg or os.path.splitext(csv_path)[0] + ".svg"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENCH_IDLE_S"] = str(args.idle)
        workloads = all_workloads(tools, args, folder)
        if args.list:
            list_all(workloads, allocators)
            return 0
        found, well = measure(tools, workloads, allocators, args, csv_path)
    if not found.table:
        fail("nothing was measured")
    report.print_all(found, args.time)
    picture.write(svg_path, found, args.time)
    note(f"figures: {csv_path}; picture: {svg_path}")
    return 0 if well else 1


def show_saved(args):
    found = results.read(args.saved[0])
    for path in args.saved[1:]:
        found.join(results.read(path))
    report.print_all(found, args.time)
    if args.csv:
        found.write(args.csv)
    if args.svg:
        picture.write(args.svg, found, args.time)
    return 0


def main():
    args = parse_arguments()
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    try:
        return show_saved(args) if args.saved else run(args)
    except (results.Bad, OSError) as error:
        fail(str(error))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
