"""How long the tool takes to read a large heap, and how much memory: `bench/reading --help`.

A program (bench-reading) makes 100 million blocks, 10 GB, of which it frees a tenth; then each verb that walks over all
of a heap reads it, first the process and then a snapshot of it. No verb is to take more than 30 seconds or 500 MB; exit
status 1 if one does. Needs 12 GB of memory and some minutes. Below 15 MB or so the peak is this program's own: Linux
counts what a process was before it became another program.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS_MOST, MEGABYTES_MOST = 30, 500
# Of each verb: what is told of it, whether it reads snapshots too, and its arguments.
VERBS = [
    ("explain", True, ["explain", "{heap}"]),
    ("map", True, ["map", "{heap}"]),
    ("map, as a page", True, ["map", "{heap}", "-o", "{folder}/map.html"]),
    ("pins", True, ["pins", "{heap}"]),
    ("top --once", True, ["top", "--once", "{heap}"]),
    ("report", True, ["report", "{heap}", "-o", "{folder}/report.html"]),
    ("check", True, ["check", "{heap}"]),
    ("snapshot --stop", False, ["snapshot", "--stop", "{heap}", "-o", "{folder}/heap.snap"]),
]


def run(command):
    """Seconds, megabytes at the peak, and exit status."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, used.ru_maxrss * 1024 / 1e6, process.returncode


def read(options, heap, folder, verbs):
    """A line for each verb; whether all was well."""
    well = True
    for name, _, arguments in verbs:
        seconds, megabytes, status = run([options.tool] + [a.format(heap=heap, folder=folder) for a in arguments])
        bad = status != 0 or seconds > SECONDS_MOST or megabytes > MEGABYTES_MOST
        print(f"  {name:16} {seconds:7.1f} s {megabytes:7.0f} MB" + (f"  exit status {status}" if status else "") +
              ("  too much" if bad and not status else ""), flush=True)
        well &= not bad
    return well


def main():
    parser = argparse.ArgumentParser(prog="bench/reading", description=__doc__.split("\n\n")[0])
    parser.add_argument("--blocks", type=int, default=100_000_000, help="how many (100,000,000)")
    parser.add_argument("--run", default="", metavar="OPTIONS", help="options of 'freehold run', such as --sites")
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build"), metavar="DIR", help="where the build is")
    options = parser.parse_args()
    options.tool = os.path.join(options.build, "freehold")
    heap = subprocess.Popen([options.tool, "run", *options.run.split(), "--",
                             os.path.join(options.build, "bench", "bench-reading"), str(options.blocks)],
                            stdout=subprocess.PIPE, text=True)
    try:
        if heap.stdout.readline() != "ready\n":
            sys.exit("bench/reading: the heap could not be made; 100 million blocks need 12 GB")
        with open(f"/proc/{heap.pid}/statm", encoding="ascii") as statm:
            resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        print(f"{options.blocks:,} blocks, {resident / 1e9:.1f} GB in memory")
        with tempfile.TemporaryDirectory(prefix="freehold-") as folder:
            well = read(options, str(heap.pid), folder, VERBS)
            snapshot = os.path.join(folder, "heap.snap")
            if os.path.exists(snapshot):
                print(f"its snapshot, {os.path.getsize(snapshot) / 1e6:.0f} MB")
                well &= read(options, snapshot, folder, [verb for verb in VERBS if verb[1]])
    finally:
        heap.kill()
        heap.wait()
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
