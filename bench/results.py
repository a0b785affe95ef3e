"""What the bench measured: figures of every workload x allocator, with what they were measured on; saved as CSV.

A result knows nothing of how it was measured or will be shown. The file is ordinary CSV behind lines that begin with
'#': `# key: value`, and one for each allocator and workload, in their order.
"""
import collections
import csv
import math
import os
import statistics

SUBJECT = "freehold"
# What may count as time, by the names that --time takes.
TIMES = {"cpu": "cpu_s", "wall": "wall_s", "user": "user_s", "inner": "ns_per_operation"}
PEAK = "peak_kib"
TITLE = "# freehold bench 1"
HEADER = ["workload", "allocator", "figure", "runs", "median", "min", "max", "mad"]
# Kinds of workload, as bench-workloads names them; a program is none of its own.
LATENCY, PROGRAM = "latency", "program"

Value = collections.namedtuple("Value", "runs median least most mad")
Headline = collections.namedtuple("Headline", "mean count worst worst_ratio above")


class Bad(Exception):
    """A file that is no result, or not one that can be joined to others."""


def saved(number):
    """As it is once it has been saved: a result that is shown at once and one that is read look the same."""
    return float(f"{number:.9g}")


def value_of(numbers):
    middle = statistics.median(numbers)
    deviation = statistics.median(abs(n - middle) for n in numbers)
    return Value(len(numbers), *map(saved, (middle, min(numbers), max(numbers), deviation)))


def peak_error_kib(cpus, page_kib=4):
    """By how much the kernel's running peak may be wrong: two counters, each by one batch of pages for each CPU."""
    return 2 * cpus * max(32, 2 * cpus) * page_kib


def true_peak(measured, exact, error_kib):
    """The peak: what the kernel says, in every round, unless the exact figure of the counting run explains it."""
    if exact and abs(exact - measured.median) <= error_kib:
        return Value(1, exact, exact, exact, 0)
    return measured


class Results:
    def __init__(self):
        self.about = {}       # key -> text: date, machine, system, rounds, ...
        self.allocators = {}  # name -> what it is
        self.workloads = {}   # name -> (kind, text)
        self.table = {}       # (workload, allocator) -> {figure: Value}

    def add_runs(self, workload, allocator, runs, error_kib):
        """`runs` is a list of {figure: number}; a figure need not be in each of them."""
        figures = dict.fromkeys(figure for run in runs for figure in run)
        row = {figure: value_of([run[figure] for run in runs if figure in run]) for figure in figures}
        exact = row.pop("exact_peak_kib", None)
        row[PEAK] = true_peak(row["peak_rss_kib"], exact.median if exact else 0, error_kib)
        self.table[workload, allocator] = row

    def has(self, workload, allocator, figure):
        return figure in self.table.get((workload, allocator), {})

    def value(self, workload, allocator, figure):
        """The Value, or None."""
        return self.table.get((workload, allocator), {}).get(figure)

    def median(self, workload, allocator, figure):
        """NaN where there is none."""
        value = self.value(workload, allocator, figure)
        return value.median if value else math.nan

    def best_other(self, workload, allocator, figure):
        """(median, name) of the best of the other allocators, or None."""
        others = [(self.median(workload, a, figure), a) for a in self.allocators
                  if a != allocator and self.has(workload, a, figure)]
        return min(others) if others else None

    def ratio(self, workload, allocator, figure):
        """Value / best of the other allocators; NaN where there is none."""
        best = self.best_other(workload, allocator, figure)
        if not best or not self.has(workload, allocator, figure):
            return math.nan
        # Nothing at all is measured as zero by both, or is too short for the clock.
        return max(self.median(workload, allocator, figure), 1e-9) / max(best[0], 1e-9)

    def headline(self, allocator, figure, limit=math.inf):
        """Geometric mean of the ratios over workloads, the worst of them, and how many are above `limit`; or None.

        What a latency workload takes is mostly the clock's time: it counts in memory, not in time.
        """
        is_time = figure in TIMES.values()
        ratios = {w: self.ratio(w, allocator, figure) for w, (kind, _) in self.workloads.items()
                  if not (is_time and kind == LATENCY)}
        ratios = {w: r for w, r in ratios.items() if not math.isnan(r)}
        if not ratios:
            return None
        mean = math.exp(statistics.fmean(math.log(r) for r in ratios.values()))
        worst = max(ratios, key=ratios.get)
        return Headline(mean, len(ratios), worst, ratios[worst], sum(r > limit for r in ratios.values()))

    def join(self, later):
        """Takes over whole workloads of a later result: what is compared was always measured in the same run."""
        for name in later.workloads:
            for key in [k for k in self.table if k[0] == name]:
                del self.table[key]
        self.workloads.update(later.workloads)
        for name, text in later.allocators.items():
            if self.allocators.setdefault(name, text) != text:
                raise Bad(f"{name} is two different things: '{self.allocators[name]}' and '{text}'")
        self.table.update(later.table)
        for key, text in later.about.items():
            known = self.about.setdefault(key, text)
            if text not in known.split("; "):
                self.about[key] = known + "; " + text

    def write(self, path):
        """Whole or not at all: a reader never sees half a file."""
        with open(path + ".new", "w", newline="", encoding="utf-8") as file:
            print(TITLE, file=file)
            for key, text in self.about.items():
                print(f"# {key}: {text}", file=file)
            for name, text in self.allocators.items():
                print(f"# allocator {name}: {text}", file=file)
            for name, (kind, text) in self.workloads.items():
                print(f"# workload {name} {kind}: {text}", file=file)
            out = csv.writer(file, lineterminator="\n")
            out.writerow(HEADER)
            for (workload, allocator), row in self.table.items():
                for figure, value in row.items():
                    out.writerow([workload, allocator, figure, value.runs, *(f"{v:.9g}" for v in value[1:])])
        os.replace(path + ".new", path)

    def _read_comment(self, line):
        key, found, text = line[1:].strip().partition(": ")
        words = key.split()
        if not found:
            raise Bad(f"'{line}' is not '# key: value'")
        if words[0] == "allocator" and len(words) == 2:
            self.allocators[words[1]] = text
        elif words[0] == "workload" and len(words) == 3:
            self.workloads[words[1]] = (words[2], text)
        else:
            self.about[key] = text


def read(path):
    found = Results()
    try:
        with open(path, newline="", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Bad(f"{path}: {error}") from error
    comments = [line for line in lines if line.startswith("#")]
    if not comments or comments[0] != TITLE:
        raise Bad(f"{path}: not a result of this bench; its first line is '{TITLE}'")
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    number = 0
    try:
        for line in comments[1:]:
            found._read_comment(line)
        if next(rows, None) != HEADER:
            raise Bad(f"the header is not {','.join(HEADER)}")
        for number, (workload, allocator, figure, runs, *numbers) in enumerate(rows, 1):
            value = Value(int(runs), *(float(n) for n in numbers))
            if not all(math.isfinite(v) for v in value) or allocator not in found.allocators or \
                    workload not in found.workloads:
                raise ValueError
            found.table.setdefault((workload, allocator), {})[figure] = value
    except (ValueError, TypeError, csv.Error) as error:
        raise Bad(f"{path}: row {number} of the figures is damaged") from error
    except Bad as error:
        raise Bad(f"{path}: {error}") from error
    return found
