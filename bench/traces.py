"""Recorded real programs as workloads: records them, and tells bench.py which there are.

    python3 bench/traces.py [--build DIR] [NAME...]

records the programs (all that are installed, or those named) and makes each trace ready for freehold-replay, in
build/bench/traces. After that bench/run has a workload trace-NAME for each. The traces are some MB in size and are not
kept with the sources: the programs and their inputs, which are those of programs.py, never change.
"""
import argparse
import glob
import os
import subprocess
import sys
import tempfile

import programs

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECORDED = ["lua", "python", "perl", "node", "sqlite", "gcc", "git", "z3"]


def folder_of(build):
    return os.path.join(build, "bench", "traces")


def workloads(build):
    """[(name, text, argv)] of what has been recorded."""
    found = []
    for plan in sorted(glob.glob(os.path.join(folder_of(build), "*.plan"))):
        name = os.path.basename(plan).removesuffix(".plan")
        found.append((f"trace-{name}", f"the calls of {name} alone, recorded and replayed",
                      [os.path.join(build, "freehold-replay"), "--bench", plan]))
    return found


def _worker(name, argv):
    """gcc and git repack only start what does the work, and one process is recorded: so that one."""
    if name == "gcc":
        found = subprocess.run([argv[0], "-print-prog-name=cc1"], capture_output=True, text=True, check=True)
        return [found.stdout.strip(), "-quiet", "-O2", argv[-1], "-o", "/dev/null"]
    if name == "git":
        return [*argv[:argv.index("repack")], "pack-objects", "--all", "--no-reuse-delta", "--stdout", "-q"]
    return argv


def record(freehold, folder, name, argv, environment):
    trace, plan = (os.path.join(folder, name + end) for end in (".trace", ".plan"))
    settings = dict(setting.split("=", 1) for setting in environment)
    subprocess.run([freehold, "record", "-o", trace, "--", *argv], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, env={**os.environ, **settings})
    subprocess.run([freehold, "replay", "--plan", plan, trace], check=True)
    print(f"trace-{name}: {os.path.getsize(trace) / 1e6:.1f} MB, plan {os.path.getsize(plan) / 1e6:.1f} MB")


def main():
    parser = argparse.ArgumentParser(prog="bench/traces.py", description="Records programs as workloads of the bench.")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), metavar="DIR", help="where the build is")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of " + ", ".join(RECORDED) + "; default all")
    args = parser.parse_args()
    unknown = [name for name in args.names if name not in RECORDED]
    freehold = os.path.join(args.build, "freehold")
    if unknown:
        parser.error("no program is called " + ", ".join(unknown))
    if not os.path.exists(freehold):
        parser.error(f"there is no {freehold}: build first (./dev build)")
    os.makedirs(folder_of(args.build), exist_ok=True)
    failed = 0
    with tempfile.TemporaryDirectory() as inputs:
        known, _ = programs.programs(inputs)
        found = {name.removeprefix("prog-"): entry for name, *entry in known}
        for name in args.names or RECORDED:
            if name not in found:
                print(f"bench: {name} is not installed: left out", file=sys.stderr)
                continue
            _, argv, environment, prepare = found[name]
            if prepare:
                prepare()
            try:
                record(freehold, folder_of(args.build), name, _worker(name, argv), environment)
            except subprocess.CalledProcessError as error:
                print(f"bench: {name}: {error}", file=sys.stderr)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
