"""Whether memory that comes back by itself costs more than it is worth: `bench/tides --help`.

A heap fills and empties (bench-tides), with periods from 10 us to 1 s and sizes from 64 KiB to 256 MiB, once with the
return of memory and once without it (FREEHOLD_RETURN=0), in turn. Prints a table, and writes a picture: period
across, size downwards; CPU time as a ratio of the two, page faults for each tide, and memory that is left.
"""
import argparse
import os
import statistics
import subprocess
import sys

from picture import Canvas, colour

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = [64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20, 256 << 20]
PERIODS_US = [10, 100, 1000, 10000, 100000, 1000000]
CELL_WIDTH, CELL_HEIGHT, LEFT, TOP = 76, 24, 90, 92


def short(number, units):
    """4096, ("B", "KiB", "MiB"): 4 KiB"""
    step = 1024 if units[0] == "B" else 1000
    for unit in units:
        if number < step or unit == units[-1]:
            return f"{number:.0f} {unit}"
        number /= step


def tides_for(size, period_us, seconds):
    """Enough for the time given, if filling a MiB takes some 2 ms; 3 at least, so that there is a second time."""
    return max(3, min(20000, int(seconds * 1e6 / max(period_us, size / (1 << 20) * 2000, 50))))


def run(options, size, period_us, returning):
    environment = dict(os.environ, LD_PRELOAD=options.library, FREEHOLD_RETURN="1" if returning else "0")
    command = [options.program, str(size), str(period_us), str(tides_for(size, period_us, options.seconds))]
    words = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def measure(options):
    cells = {}
    for size in SIZES:
        for period_us in PERIODS_US:
            rounds = {True: [], False: []}
            for _ in range(options.rounds):
                for returning in (True, False):
                    rounds[returning].append(run(options, size, period_us, returning))
            median = {how: {key: statistics.median(one[key] for one in all_) for key in all_[0]}
                      for how, all_ in rounds.items()}
            tides = tides_for(size, period_us, options.seconds)
            cells[size, period_us] = {
                "ratio": median[True]["cpu_ms"] / median[False]["cpu_ms"],
                "faults": median[True]["faults"] / tides, "faults_off": median[False]["faults"] / tides,
                "left": (median[True]["rss_end_kib"] - median[True]["own_kib"]) / 1024,
                "left_off": (median[False]["rss_end_kib"] - median[False]["own_kib"]) / 1024}
            cell = cells[size, period_us]
            print(f"{short(size, ('B', 'KiB', 'MiB')):>8} {short(period_us, ('us', 'ms', 's')):>7} {tides:>6} tides"
                  f"  time x {cell['ratio']:5.2f}  faults a tide {cell['faults']:9.1f} ({cell['faults_off']:9.1f})"
                  f"  MiB left {cell['left']:6.1f} ({cell['left_off']:6.1f})", flush=True)
    return cells


def picture(cells):
    panels = [("CPU time, with return / without", "ratio", lambda c: f"{c['ratio']:.2f}", lambda c: c["ratio"]),
              ("page faults for each tide, with return", "faults", lambda c: f"{c['faults']:.1f}",
               lambda c: (c["faults"] + 1) / (c["faults_off"] + 1)),
              ("MiB resident after the last, with return", "left", lambda c: f"{c['left']:.1f}",
               lambda c: c["left"] / c["left_off"])]
    width = LEFT + len(PERIODS_US) * CELL_WIDTH + 20
    height = TOP + (len(SIZES) * CELL_HEIGHT + 60) * len(panels)
    canvas = Canvas(width, height)
    canvas.text(20, 28, "A heap that fills and empties: period against time, faults and memory", 15, bold=True)
    canvas.text(20, 46, "colour: against the same program with FREEHOLD_RETURN=0; blue is less, red is more")
    for panel, (title, _, text, ratio) in enumerate(panels):
        y = TOP + panel * (len(SIZES) * CELL_HEIGHT + 60)
        canvas.text(20, y - 20, title, 12, bold=True)
        for column, period_us in enumerate(PERIODS_US):
            canvas.text(LEFT + (column + 0.5) * CELL_WIDTH, y - 5, short(period_us, ("us", "ms", "s")), anchor="middle")
        for row, size in enumerate(SIZES):
            middle = y + (row + 0.65) * CELL_HEIGHT
            canvas.text(LEFT - 8, middle, short(size, ("B", "KiB", "MiB")), anchor="end")
            for column, period_us in enumerate(PERIODS_US):
                cell = cells[size, period_us]
                fill, ink = colour(max(ratio(cell), 0.01))
                tip = (f"{short(size, ('B', 'KiB', 'MiB'))} every {short(period_us, ('us', 'ms', 's'))}: "
                       f"time x {cell['ratio']:.2f}; faults a tide {cell['faults']:.1f}, without return "
                       f"{cell['faults_off']:.1f}; MiB left {cell['left']:.1f}, without {cell['left_off']:.1f}")
                canvas.box(LEFT + column * CELL_WIDTH, y + row * CELL_HEIGHT, CELL_WIDTH - 2, CELL_HEIGHT - 2, fill,
                           tip)
                canvas.text(LEFT + (column + 0.5) * CELL_WIDTH, middle, text(cell), anchor="middle", colour=ink)
    return canvas.document()


def main():
    build = os.environ.get("BUILD", os.path.join(HERE, "..", "build"))
    parser = argparse.ArgumentParser(prog="bench/tides", description=__doc__.split("\n\n")[1])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, of which the median counts (3)")
    parser.add_argument("--seconds", type=float, default=0.5, help="about how long a run takes (0.5)")
    parser.add_argument("--svg", default=os.path.join(build, "bench", "tides.svg"), help="where the picture goes")
    options = parser.parse_args()
    options.program = os.path.join(build, "bench", "bench-tides")
    options.library = os.path.abspath(os.path.join(build, "libfreehold.so.0"))
    for path in (options.program, options.library):
        if not os.path.exists(path):
            sys.exit(f"bench/tides: there is no {path}: build first (./dev build)")
    cells = measure(options)
    with open(options.svg, "w", encoding="utf-8") as file:
        file.write(picture(cells))
    worst = max(cells, key=lambda key: cells[key]["ratio"])
    above = sum(cell["ratio"] > 1.1 for cell in cells.values())
    print(f"worst time: {cells[worst]['ratio']:.2f}, {short(worst[0], ('B', 'KiB', 'MiB'))} every "
          f"{short(worst[1], ('us', 'ms', 's'))}; {above} of {len(cells)} above 1.10; "
          f"picture: {os.path.relpath(options.svg)}")


if __name__ == "__main__":
    main()
