"""Whether memory that comes back by itself costs more than it is worth: `bench/tides --help`.

A heap fills and empties (bench-tides), with periods from 10 us to 1 s and sizes from 64 KiB to 256 MiB, with the
return of memory and without it (FREEHOLD_RETURN=0). Rounds are interleaved: each goes through all cells and runs both
in each, so that what disturbs the machine for a while disturbs no cell's median; Ctrl-C ends after a whole round.
Prints a table, and writes the figures as CSV and a picture: period across, size downwards; CPU time as a ratio of the
two, page faults for each tide, and memory that is left. Times and faults are those from the third tide on: what goes
after the first is faulted in again in the second, which is what closes the gate. The whole runs are in the table too.

With FREEHOLD_RETURN=0 the top of a heap is trimmed all the same, as glibc's is: the rest is what is measured.
"""
import argparse
import csv
import datetime
import os
import statistics
import subprocess
import sys

import machine
from picture import Canvas, colour

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20]
PERIODS_US = [10, 100, 1000, 10000, 100000, 1000000]
SHORT_SIZES, SHORT_PERIODS_US = [64 << 10, 1 << 20, 16 << 20], [10, 1000, 100000]
CELL_WIDTH, CELL_HEIGHT, LEFT, TOP = 76, 24, 90, 108
# Of the values that bench-tides prints; a cell keeps the median of each.
FIGURES = ["cpu_ms", "cpu_first_ms", "faults", "faults_first", "seconds", "rss_end_kib", "own_kib"]
FIRST = 2  # tides that bench-tides counts apart

BYTES, TIMES = ("B", "KiB", "MiB"), ("us", "ms", "s")


def short(number, units):
    """4096, BYTES: 4 KiB"""
    step = 1024 if units[0] == "B" else 1000
    for unit in units:
        if number < step or unit == units[-1]:
            return f"{number:.0f} {unit}"
        number /= step


def number(value):
    """In three digits or so."""
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}" if value < 9999.5 else f"{value / 1000:.0f}k"


def tides_for(size, period_us, seconds):
    """Enough for the time given, if filling a MiB takes a ms; some at least, so that there is more than the first."""
    return max(6, min(20000, int(seconds * 1e6 / max(period_us, size / (1 << 20) * 1000, 50))))


def run(options, size, period_us, returning):
    environment = dict(os.environ, LD_PRELOAD=options.library, FREEHOLD_RETURN="1" if returning else "0")
    command = [options.program, str(size), str(period_us), str(tides_for(size, period_us, options.seconds))]
    words = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def measure_round(options, runs):
    """One run of each cell with the return of memory and without, in turn; adds to {(size, period, how): [figures]}."""
    for size in options.sizes:
        for period_us in options.periods_us:
            for returning in (True, False):
                runs.setdefault((size, period_us, returning), []).append(run(options, size, period_us, returning))
            if sys.stderr.isatty():
                print(f"\r{len(runs[size, period_us, True])}/{options.rounds} {short(size, BYTES):>8} "
                      f"{short(period_us, TIMES):>7}", end="\r", file=sys.stderr)


def measure(options):
    """{(size, period, how): [figures of each round]}, whole rounds only."""
    runs = {}
    for done in range(options.rounds):
        before = {key: list(value) for key, value in runs.items()}
        try:
            measure_round(options, runs)
        except KeyboardInterrupt:
            print(f"ended after {done} rounds", file=sys.stderr)
            return before
    return runs


def cells_of(options, runs):
    cells = {}
    for size in options.sizes:
        for period_us in options.periods_us:
            with_, without = ({figure: statistics.median(one[figure] for one in runs[size, period_us, how])
                               for figure in FIGURES} for how in (True, False))
            tides = tides_for(size, period_us, options.seconds)
            cells[size, period_us] = {
                "tides": tides, "ratio_all": with_["cpu_ms"] / without["cpu_ms"],
                "ratio": (with_["cpu_ms"] - with_["cpu_first_ms"]) / (without["cpu_ms"] - without["cpu_first_ms"]),
                "faults": (with_["faults"] - with_["faults_first"]) / (tides - FIRST),
                "faults_off": (without["faults"] - without["faults_first"]) / (tides - FIRST),
                "left": (with_["rss_end_kib"] - with_["own_kib"]) / 1024,
                "left_off": (without["rss_end_kib"] - without["own_kib"]) / 1024}
    return cells


def table(cells):
    yield f"{'size':>8} {'period':>7} {'tides':>6} {'time x':>7} {'in all':>7} {'faults a tide':>14} " \
          f"{'without':>9} {'MiB left':>9} {'without':>8}"
    for (size, period_us), cell in cells.items():
        yield f"{short(size, BYTES):>8} {short(period_us, TIMES):>7} {cell['tides']:>6} {cell['ratio']:>7.2f} " \
              f"{cell['ratio_all']:>7.2f} {cell['faults']:>14.1f} {cell['faults_off']:>9.1f} {cell['left']:>9.1f} " \
              f"{cell['left_off']:>8.1f}"


def write_csv(path, about, runs):
    """A line for each round, so that the spread can be seen."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        for key, text in about.items():
            file.write(f"# {key}: {text}\n")
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["bytes", "period_us", "returning", "round"] + FIGURES)
        for (size, period_us, returning), rounds in runs.items():
            for number, one in enumerate(rounds):
                out.writerow([size, period_us, int(returning), number + 1] + [f"{one[f]:g}" for f in FIGURES])


def draw_cell(canvas, x, y, size, period_us, cell, text, ratio):
    fill, ink = colour(max(ratio, 0.01))
    tip = (f"{short(size, BYTES)} every {short(period_us, TIMES)}: time x {cell['ratio']:.2f}, "
           f"in all {cell['ratio_all']:.2f}; faults a tide "
           f"{cell['faults']:.1f}, without return {cell['faults_off']:.1f}; MiB left {cell['left']:.1f}, without "
           f"{cell['left_off']:.1f}")
    canvas.box(x, y, CELL_WIDTH - 2, CELL_HEIGHT - 2, fill, tip)
    canvas.text(x + CELL_WIDTH / 2 - 1, y + 0.65 * CELL_HEIGHT, text, anchor="middle", colour=ink)


def picture(cells, about):
    panels = [("CPU time from the third tide on, with return / without",
               lambda c: f"{c['ratio']:.2f}", lambda c: c["ratio"]),
              ("page faults for each tide, with return (without)",
               lambda c: f"{number(c['faults'])} ({number(c['faults_off'])})",
               lambda c: (c["faults"] + 1) / (c["faults_off"] + 1)),
              ("MiB resident a tenth of a second after the last, with return (without)",
               lambda c: f"{number(c['left'])} ({number(c['left_off'])})", lambda c: c["left"] / c["left_off"])]
    sizes, periods_us = sorted({size for size, _ in cells}), sorted({period for _, period in cells})
    panel_height = len(sizes) * CELL_HEIGHT + 60
    canvas = Canvas(max(LEFT + len(periods_us) * CELL_WIDTH + 20, 560), TOP + panel_height * len(panels) - 30)
    canvas.text(20, 28, "A heap that fills and empties: size and period", 15, bold=True)
    canvas.text(20, 46, "colour: against the same program with FREEHOLD_RETURN=0; blue is less, red is more")
    canvas.text(20, 60, f"{about['date']}, {about['run']}", 9.5, colour="#555")
    for panel, (title, text, ratio) in enumerate(panels):
        y = TOP + panel * panel_height
        canvas.text(20, y - 20, title, 12, bold=True)
        for column, period_us in enumerate(periods_us):
            canvas.text(LEFT + (column + 0.5) * CELL_WIDTH, y - 5, short(period_us, TIMES), anchor="middle")
        for row, size in enumerate(sizes):
            canvas.text(LEFT - 8, y + (row + 0.65) * CELL_HEIGHT, short(size, BYTES), anchor="end")
            for column, period_us in enumerate(periods_us):
                cell = cells[size, period_us]
                draw_cell(canvas, LEFT + column * CELL_WIDTH, y + row * CELL_HEIGHT, size, period_us, cell, text(cell),
                          ratio(cell))
    return canvas.document()


def options_of(build):
    parser = argparse.ArgumentParser(prog="bench/tides", description=__doc__.split("\n\n")[1])
    parser.add_argument("--short", action="store_true", help="a few cells and one round: under a minute, to try it")
    parser.add_argument("--rounds", type=int, help="of each cell, of which the median counts (3)")
    parser.add_argument("--seconds", type=float, help="about how long a run takes (0.4)")
    parser.add_argument("--csv", metavar="FILE", help="where the figures go (bench/results/DATE-tides.csv; of --short "
                        "bench/tides.csv in the build)")
    parser.add_argument("--svg", metavar="FILE", help="where the picture goes (beside the figures)")
    options = parser.parse_args()
    options.sizes, options.periods_us = (SHORT_SIZES, SHORT_PERIODS_US) if options.short else (SIZES, PERIODS_US)
    options.rounds = options.rounds or (1 if options.short else 3)
    options.seconds = options.seconds or (0.2 if options.short else 0.4)
    kept = os.path.join(HERE, "results", f"{datetime.date.today()}-tides.csv")
    options.csv = options.csv or (os.path.join(build, "bench", "tides.csv") if options.short else kept)
    options.svg = options.svg or os.path.splitext(options.csv)[0] + ".svg"
    options.program = os.path.join(build, "bench", "bench-tides")
    options.library = os.path.abspath(os.path.join(build, "libfreehold.so.0"))
    return options


def main():
    options = options_of(os.environ.get("BUILD", os.path.join(HERE, "..", "build")))
    for path in (options.program, options.library):
        if not os.path.exists(path):
            sys.exit(f"bench/tides: there is no {path}: build first (./dev build)")
    about = machine.describe(f"median of {options.rounds}, runs of about {options.seconds:g} s")
    about["freehold"] = machine.output("git", "-C", machine.ROOT, "describe", "--always", "--dirty", "--abbrev=10")
    runs = measure(options)
    if not runs:
        sys.exit("bench/tides: no round was finished")
    cells = cells_of(options, runs)
    print("\n".join(table(cells)))
    write_csv(options.csv, about, runs)
    with open(options.svg, "w", encoding="utf-8") as file:
        file.write(picture(cells, about))
    worst = max(cells, key=lambda key: cells[key]["ratio"])
    above = sum(cell["ratio"] > 1.1 for cell in cells.values())
    print(f"worst time: {cells[worst]['ratio']:.2f}, {short(worst[0], BYTES)} every {short(worst[1], TIMES)}; "
          f"{above} of {len(cells)} above 1.10")
    print(f"figures: {os.path.relpath(options.csv)}; picture: {os.path.relpath(options.svg)}")


if __name__ == "__main__":
    main()
