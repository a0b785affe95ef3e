"""What the bench prints: one table with every figure, freehold beside the best peer, the headline."""
import math

from results import LATENCY, PEAK, PROGRAM, SUBJECT, TIMES

PERCENTILES = [("p50", "p50"), ("p99", "p99"), ("p99.9", "p999"), ("p99.99", "p9999"), ("max", "max")]
# Above this a single workload is marked: what the project wants to keep below.
TIME_LIMIT, PEAK_LIMIT = 1.10, 1.15

# Figures that are more telling than a workload's time and peak: title, workload, figure, factor, format.
SPECIAL = [
    ("start-up: faults a start", "start-up", "faults_a_start", 1, ".0f"),
    ("start-up: CPU ms a start", "start-up", "ns_per_operation", 1e-6, ".2f"),
    ("trim-thrash: faults", "trim-thrash", "minor_faults", 1, ".0f"),
    ("buffer: peak MB", "buffer", PEAK, 1 / 1024, ".0f"),
    ("idle-1000: MB after idling", "idle-1000", "rss_end_kib", 1 / 1024, ".1f"),
    ("pin-50: MB after idling", "pin-50", "rss_end_kib", 1 / 1024, ".1f"),
    ("ebb: MB after idling", "ebb", "rss_end_kib", 1 / 1024, ".1f"),
    ("idle-threads: KiB a thread", "idle-threads", "idle_thread_kib", 1, ".1f"),
    *((f"{name}: {call} {title} us", name, f"{call}_{figure}_ns", 1e-3, ".2f")
      for name in ("latency", "latency-2t", "latency-512m", "latency-large") for call in ("malloc", "free")
      for title, figure in (("p99.99", "p9999"), ("max", "max"))),
    *((f"{name}: ns/op", name, "ns_per_operation", 1, ".1f")
      for name in ("live-1m", "live-8m", "live-64m", "live-512m", "live-2g", "live-8g", "heaps-1", "heaps-4",
                   "heaps-16", "heaps-64", "heaps-256", "heaps-1024", "heaps-4096")),
]


def show(number, form):
    return "-" if math.isnan(number) else format(number, form)


def special_rows(results):
    """The entries of SPECIAL that somebody has a figure for."""
    return [row for row in SPECIAL if any(results.has(row[1], a, row[2]) for a in results.allocators)]


def print_about(results):
    for key, text in results.about.items():
        print(f"{key}: {text}")
    width = max(map(len, results.allocators)) + 2
    for name, text in results.allocators.items():
        print(f"  {name:<{width}}{text}")


def table_line(results, workload, allocator, time_figure):
    def median(figure, factor=1.0):
        return results.median(workload, allocator, figure) * factor
    time = results.value(workload, allocator, time_figure)
    spread = 100 * time.mad / max(time.median, 1e-9)
    is_program = results.workloads[workload][0] == PROGRAM
    end, each = ("-", "-") if is_program else (show(median("rss_end_kib", 1 / 1024), ".2f"),
                                              show(median("ns_per_operation"), ".1f"))
    return (f"{median('cpu_s', 1e3):>9.1f}{spread:>5.1f}{median('wall_s', 1e3):>9.1f}{median('user_s', 1e3):>7.0f}"
            f"{median('sys_s', 1e3):>7.0f}{median(PEAK, 1 / 1024):>9.2f}{end:>9}{median('minor_faults'):>9.0f}"
            f"{show(median('all_calls'), '.0f'):>8}{each:>11}"
            f"{show(results.ratio(workload, allocator, time_figure), '.2f'):>8}"
            f"{show(results.ratio(workload, allocator, PEAK), '.2f'):>7}")


def print_table(results, time):
    width = max(10, *map(len, results.allocators)) + 3
    print(f"\n{'':<{width}}{'cpu ms':>9}{'+-%':>5}{'wall ms':>9}{'user':>7}{'sys':>7}{'peak MB':>9}{'end MB':>9}"
          f"{'faults':>9}{'calls':>8}{'ns/op':>11}{'time x':>8}{'RSS x':>7}")
    for workload, (_, text) in results.workloads.items():
        print(f"{workload}: {text}")
        for a in results.allocators:
            if (workload, a) not in results.table:
                print(f"  {a:<{width - 2}}no figures")
                continue
            print(f"  {a:<{width - 2}}" + table_line(results, workload, a, TIMES[time]))
            for call in [c for c in ("malloc", "free") if results.has(workload, a, f"{c}_p50_ns")]:
                print(f"      {call} ns: " + "  ".join(
                    f"{title} {results.median(workload, a, f'{call}_{figure}_ns'):.0f}"
                    for title, figure in PERCENTILES))


def print_special(results):
    rows = special_rows(results)
    if not rows:
        return
    width = max(len(title) for title, *_ in rows)
    columns = [max(9, len(a) + 1) for a in results.allocators]
    print("\n" + " " * width + "".join(f"{a:>{c}}" for a, c in zip(results.allocators, columns)))
    for title, workload, figure, factor, form in rows:
        cells = [show(results.median(workload, a, figure) * factor, form) for a in results.allocators]
        print(f"{title:<{width}}" + "".join(f"{cell:>{c}}" for cell, c in zip(cells, columns)))


def beside_best(results, workload, figure, factor, limit):
    best = results.best_other(workload, SUBJECT, figure)
    if not best or not results.has(workload, SUBJECT, figure):
        return f"{'-':>9}{'-':>9} {'-':<12}{'-':>6} "
    ratio = results.ratio(workload, SUBJECT, figure)
    return (f"{results.median(workload, SUBJECT, figure) * factor:>9.2f}{best[0] * factor:>9.2f} {best[1][:12]:<12}"
            f"{ratio:>6.2f}{'!' if ratio > limit else ' '}")


def print_beside_best(results, time):
    figure = TIMES[time]
    factor, unit = (1, "ns/op") if time == "inner" else (1e3, "ms")
    print(f"\n{SUBJECT} beside the best peer of each workload (! above {TIME_LIMIT:.2f} in time, {PEAK_LIMIT:.2f} in "
          f"memory)\n{'':<15}{time + ' ' + unit:>9}{'best peer':>22}{'x':>6} {'peak MB':>9}{'best peer':>22}{'x':>6}")
    for workload in results.workloads:
        line = f"{workload:<15}" + beside_best(results, workload, figure, factor, TIME_LIMIT)
        print((line + beside_best(results, workload, PEAK, 1 / 1024, PEAK_LIMIT)).rstrip())


def headline_text(results, figure, title, limit):
    """The headline of freehold, or None."""
    found = results.headline(SUBJECT, figure, limit)
    if not found:
        return None
    return (f"{SUBJECT} / best peer, {title}: {found.mean:.3f} over {found.count} workloads; worst {found.worst}, "
            f"{found.worst_ratio:.2f}; {found.above} above {limit:.2f}")


def headlines(results, time):
    """The two headline figures as text."""
    wanted = ((TIMES[time], f"time ({time})", TIME_LIMIT), (PEAK, "peak RSS", PEAK_LIMIT))
    return [text for text in (headline_text(results, *one) for one in wanted) if text]


def print_summary(results, time):
    figures = ((f"time ({time})", TIMES[time]), ("peak RSS", PEAK))
    width = max(10, *map(len, results.allocators)) + 2
    print("\ngeometric mean over workloads of value / best of the other allocators, and the worst workload")
    print(f"{'':<{width}}{figures[0][0]:<38}{figures[1][0]:<38}".rstrip())
    for a in results.allocators:
        line = f"{a:<{width}}"
        for _, figure in figures:
            found = results.headline(a, figure)
            line += f"{found.mean:>6.3f}  worst {found.worst_ratio:>7.2f} {found.worst:<16}" if found else f"{'-':<38}"
        print(line.rstrip())
    if any(kind == LATENCY for kind, _ in results.workloads.values()):
        print("(latency workloads count in memory, not in time: theirs is mostly the clock's)")
    lost = [w for w in results.workloads if (w, SUBJECT) not in results.table]
    if SUBJECT in results.allocators and lost:
        print(f"\n{SUBJECT} has no figures for: {', '.join(lost)}")
    texts = headlines(results, time)
    if texts:
        print("\n" + "\n".join(texts))


def print_all(results, time):
    print_about(results)
    print_table(results, time)
    print_special(results)
    if SUBJECT in results.allocators and len(results.allocators) > 1:
        print_beside_best(results, time)
    print_summary(results, time)
