"""Running things and reading off what they used: one run is one process of its own, started by bench-launch."""
import os
import subprocess
import sys

from results import PROGRAM


def note(text):
    print("bench: " + text, file=sys.stderr)


class Allocator:
    """A malloc to preload (path None: the system's own) and the environment that goes with it."""

    def __init__(self, name, path, settings=()):
        self.name, self.path, self.settings = name, path, list(settings)

    def environment(self):
        return (["LD_PRELOAD=" + self.path] if self.path else []) + self.settings


class Workload:
    """What is run: one of bench-workloads, which prints its figures, or a real program. `prepare` makes its inputs."""

    def __init__(self, name, kind, text, argv, settings=(), prepare=None):
        self.name, self.kind, self.text, self.argv, self.settings = name, kind, text, argv, list(settings)
        self.prepare = prepare


def own_figures(output):
    """A program that is more than what is to be measured (a server has clients) prints what replaces the figures."""
    return next((line.split()[1:] for line in output.splitlines() if line.startswith("figures ")), [])


class Runner:
    """Runs pairs of workload and allocator, each for at most `limit_s`."""

    def __init__(self, launch, limit_s):
        self.launch, self.limit_s = launch, limit_s
        self.runs, self.failed = {}, set()

    def start(self, workload, allocator, counted):
        """Runs it; (what bench-launch wrote, standard output, standard error), all empty if it had to be killed."""
        read, write = os.pipe()
        idle = ["BENCH_IDLE_S=0"] if counted and workload.kind != PROGRAM else []
        command = [self.launch, *(["-c"] if counted else []), "-t", str(self.limit_s), *idle,
                   *allocator.environment(), *workload.settings, "--", *workload.argv]
        done = None
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=(write,),
                                  stdin=subprocess.DEVNULL, timeout=self.limit_s + 30, check=False,
                                  env={**os.environ, "BENCH_RESULT_FD": str(write)})
        except subprocess.TimeoutExpired:
            pass
        finally:
            os.close(write)
            with os.fdopen(read) as pipe:
                result = pipe.read()
        texts = [text.decode(errors="replace") for text in (done.stdout, done.stderr)] if done else ["", ""]
        return result, *texts

    def once(self, workload, allocator, counted=False):
        """The figures of one run as {name: number}, or None if it failed, which is told."""
        result, out, errors = self.start(workload, allocator, counted)
        words = result.split()
        more = own_figures(out) if workload.kind == PROGRAM else out.split()
        figures = {name: float(value) for name, value in zip(words[::2] + more[::2], words[1::2] + more[1::2])}
        if workload.kind == PROGRAM and more:  # what was counted is not the server's alone
            figures = {f: v for f, v in figures.items() if not f.endswith("_calls") and f != "exact_peak_kib"}
        status = figures.pop("status", None)
        if status == 0 and (workload.kind == PROGRAM or "operations" in figures):
            return complete(figures, workload)
        lines = errors.strip().splitlines()
        if status is None or (status == 137 and figures["wall_s"] >= self.limit_s):
            lines = [f"stopped after {self.limit_s} s"]
        note(f"{workload.name} with {allocator.name} failed{' in the counting run' if counted else ''}, "
             f"status {status}: {lines[-1] if lines else 'no message'}")
        return None

    def count(self, workloads, allocators):
        """One run of each pair, every system call announced. What fails there may work without."""
        for number, workload in enumerate(workloads, 1):
            progress("counting calls", number, len(workloads), workload.name)
            for allocator in allocators:
                figures = self.once(workload, allocator, counted=True)
                if figures is not None:
                    wanted = [f for f in figures if f.endswith("_calls") or f == "exact_peak_kib"]
                    self.runs.setdefault((workload.name, allocator.name), []).append({f: figures[f] for f in wanted})

    def round(self, turn, title, workloads, allocators):
        """One run of each pair. Allocators take turns within a workload, so that a disturbance hits all of them."""
        shift = turn % len(allocators)
        for number, workload in enumerate(workloads, 1):
            progress(title, number, len(workloads), workload.name)
            for allocator in allocators[shift:] + allocators[:shift]:
                key = workload.name, allocator.name
                if key not in self.failed:
                    figures = self.once(workload, allocator)
                    if figures:
                        self.runs.setdefault(key, []).append(figures)
                    else:
                        self.failed.add(key)

    def fill(self, results, error_kib):
        """Puts what has been measured until now into a result; a pair that failed once has no figures."""
        results.table.clear()
        for key in [(w, a) for w in results.workloads for a in results.allocators]:
            runs = self.runs.get(key, [])
            if key not in self.failed and any("wall_s" in run for run in runs):
                results.add_runs(*key, runs, error_kib)


def complete(figures, workload):
    figures["cpu_s"] = figures["user_s"] + figures["sys_s"]
    if workload.kind == PROGRAM:
        figures["ns_per_operation"] = figures["cpu_s"] * 1e9
    # The kernel's running peak lags behind; the figure at the end is exact.
    figures["peak_rss_kib"] = max(figures["peak_rss_kib"], figures.get("rss_end_kib", 0))
    return figures


def progress(title, number, count, name):
    if sys.stderr.isatty():
        print(f"\r{title}  {number}/{count}  {name:<20}", end="", file=sys.stderr)
    elif number == 1:
        note(title)


def end_progress():
    if sys.stderr.isatty():
        print("\r" + " " * 70 + "\r", end="", file=sys.stderr)
