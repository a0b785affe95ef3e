"""The picture of a result, as SVG written by hand: where each allocator stands, and two maps of every workload.

Above, each allocator is a point, its geometric mean in time across and in peak RSS upwards; the lower left corner is
where one wants to be. Below, a cell for each workload and allocator: value / best of the other allocators, blue below
1, red above. A cell's tooltip has the value itself.
"""
import math
from xml.sax.saxutils import escape

import report
from results import PEAK, SUBJECT, TIMES

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
ROW, CELL, LABELS, GAP, MARGIN = 16, 46, 190, 28, 20
HEAD = 74  # room for the slanted names above a map
PLOT_WIDTH, PLOT_HEIGHT = 560, 320
BLUE, WHITE, RED = (33, 102, 172), (247, 247, 247), (178, 24, 43)
# Ratios at which the colours are full.
BEST, WORST = 0.5, 4.0


class Canvas:
    def __init__(self, width, height):
        self.width, self.height, self.parts = width, height, []

    def text(self, x, y, text, size=11, anchor="start", colour="#222", bold=False, turn=0):
        attributes = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
                          f'fill="{colour}"{weight}{attributes}>{escape(text)}</text>')

    def box(self, x, y, width, height, fill, tip=None, stroke=None):
        line = f' stroke="{stroke}"' if stroke else ""
        inside = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                          f'fill="{fill}"{line}>{inside}</rect>')

    def line(self, x1, y1, x2, y2, colour="#999", dash=None):
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}"{dashes}/>')

    def dot(self, x, y, radius, fill, tip):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{fill}">'
                          f'<title>{escape(tip)}</title></circle>')

    def document(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:.0f}" height="{self.height:.0f}" '
                f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" font-family="{FONT}">\n'
                f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(self.parts) + "\n</svg>\n")


def colour(ratio):
    """(fill, text) of a cell."""
    if ratio <= 1:
        part, end = min(1, math.log(ratio) / math.log(BEST)), BLUE
    else:
        part, end = min(1, math.log(ratio) / math.log(WORST)), RED
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(WHITE, end))
    return f"#{red:02x}{green:02x}{blue:02x}", "#fff" if part > 0.55 else "#222"


def short(ratio):
    return f"{ratio:.2f}" if ratio < 9.95 else f"{ratio:.0f}"


def map_width(results):
    return CELL * len(results.allocators)


def draw_cell(canvas, x, y, ratio, text, tip, bold=False):
    fill, ink = colour(ratio) if not math.isnan(ratio) else ("#e4e4e4", "#888")
    canvas.box(x, y, CELL - 1, ROW - 1, fill, tip)
    canvas.text(x + CELL / 2 - 0.5, y + ROW - 4.5, text, 10, "middle", ink, bold)


def draw_names(canvas, x, y, results):
    for column, name in enumerate(results.allocators):
        canvas.text(x + column * CELL + CELL / 2, y - 5, name, 11, turn=-40, bold=name == SUBJECT)


def draw_map(canvas, x, y, title, results, figure, factor, unit):
    """One column for each allocator, the geometric mean first. Row labels are the caller's."""
    canvas.text(x, y, title, 14, bold=True)
    y += HEAD
    draw_names(canvas, x, y, results)
    for column, name in enumerate(results.allocators):
        found = results.headline(name, figure)
        mean = found.mean if found else math.nan
        tip = f"{name}: worst {found.worst}, {found.worst_ratio:.2f}" if found else name
        draw_cell(canvas, x + column * CELL, y, mean, short(mean) if found else "-", tip, True)
    for row, workload in enumerate(results.workloads):
        top = y + ROW * 1.5 + row * ROW
        for column, name in enumerate(results.allocators):
            ratio = results.ratio(workload, name, figure)
            tip = f"{workload}, {name}: {report.show(results.median(workload, name, figure) * factor, '.2f')} {unit}"
            draw_cell(canvas, x + column * CELL, top, ratio, "-" if math.isnan(ratio) else short(ratio), tip)


def draw_special(canvas, x, y, results):
    """The figures of report.SPECIAL as they are, coloured by their ratio to the best of the others."""
    canvas.text(MARGIN, y, "Figures of their own (less is better)", 14, bold=True)
    y += HEAD
    draw_names(canvas, x, y, results)
    for row, (title, workload, figure, factor, form) in enumerate(report.special_rows(results)):
        top = y + row * ROW
        canvas.text(x - 8, top + ROW - 4.5, title, 11, "end")
        for column, name in enumerate(results.allocators):
            value, ratio = results.median(workload, name, figure) * factor, results.ratio(workload, name, figure)
            text = report.show(value, form if value < 1000 else ".0f")
            draw_cell(canvas, x + column * CELL, top, ratio, text, f"{title}, {name}: {report.show(value, '.4g')}")


def spread_labels(points, least_gap):
    """Vertical places for labels so that none covers another: [(x, y, label_y, name)]"""
    placed = []
    for x, y, name in sorted(points, key=lambda p: p[1]):
        label = y
        for other_x, _, other_label, other_name in placed:
            wide = 7 * max(len(name), len(other_name)) + 12
            if abs(other_x - x) < wide and label - other_label < least_gap:
                label = other_label + least_gap
        placed.append((x, y, label, name))
    return placed


def axis(values):
    """(low, high, step) of a logarithmic axis that has all values and 1 on it, and steps for its labels."""
    low, high = min(0.9, *values) * 0.95, max(1.2, *values) * 1.08
    step = next(s for s in (0.1, 0.25, 0.5, 1, 2, 5, 10, 50, 1000) if (high - low) / s <= 8)
    return low, high, step


def draw_plot(canvas, x, y, results, time):
    """Each allocator at (time, memory)."""
    means = [(results.headline(a, TIMES[time]), results.headline(a, PEAK), a) for a in results.allocators]
    means = [(t.mean, m.mean, a) for t, m, a in means if t and m]
    if not means:
        return
    low_x, high_x, step_x = axis([t for t, _, _ in means])
    low_y, high_y, step_y = axis([m for _, m, _ in means])

    def place_x(value):
        return x + PLOT_WIDTH * math.log(value / low_x) / math.log(high_x / low_x)

    def place_y(value):
        return y + PLOT_HEIGHT - PLOT_HEIGHT * math.log(value / low_y) / math.log(high_y / low_y)
    canvas.box(x, y, PLOT_WIDTH, PLOT_HEIGHT, "#fafafa", stroke="#ccc")
    for number in range(1, 1000):
        if low_x < number * step_x < high_x:
            canvas.text(place_x(number * step_x), y + PLOT_HEIGHT + 14, f"{number * step_x:g}", 10, "middle")
            canvas.line(place_x(number * step_x), y, place_x(number * step_x), y + PLOT_HEIGHT, "#eee")
        if low_y < number * step_y < high_y:
            canvas.text(x - 6, place_y(number * step_y) + 3.5, f"{number * step_y:g}", 10, "end")
            canvas.line(x, place_y(number * step_y), x + PLOT_WIDTH, place_y(number * step_y), "#eee")
    canvas.line(place_x(1), y, place_x(1), y + PLOT_HEIGHT, "#999", "4 3")
    canvas.line(x, place_y(1), x + PLOT_WIDTH, place_y(1), "#999", "4 3")
    canvas.text(x + PLOT_WIDTH / 2, y + PLOT_HEIGHT + 32, f"time ({time}) / best of the others, geometric mean", 11,
                "middle")
    canvas.text(x - 44, y + PLOT_HEIGHT / 2, "peak RSS / best of the others, geometric mean", 11, "middle", turn=-90)
    tips = {a: f"{a}: time {t:.3f}, peak RSS {m:.3f}" for t, m, a in means}
    for px, py, label, name in spread_labels([(place_x(t), place_y(m), a) for t, m, a in means], 14):
        ours = name == SUBJECT
        canvas.dot(px, py, 6 if ours else 4.5, "#b2182b" if ours else "#444", tips[name])
        left = px > x + PLOT_WIDTH - 7 * len(name) - 14
        canvas.text(px - 9 if left else px + 9, label + 4, name, 12 if ours else 11, "end" if left else "start",
                    "#b2182b" if ours else "#222", ours)


def draw_beside_plot(canvas, x, y, results, time):
    """The headline, and what was measured on what."""
    for text in report.headlines(results, time):
        first, _, rest = text.partition(": ")
        figures, _, worst = rest.partition("; ")
        canvas.text(x, y, first, 12)
        canvas.text(x, y + 26, figures.split()[0], 24, bold=True)
        canvas.text(x + 80, y + 26, f"{figures.partition(' ')[2]}; {worst}", 11)
        y += 58
    lines = [f"{key}: {text}" for key, text in results.about.items()]
    lines += [f"{name}: {text}" for name, text in results.allocators.items()]
    for line in lines:
        canvas.text(x, y, line if len(line) < 110 else line[:107] + "...", 9.5, colour="#555")
        y += 14
    return y


def draw(results, time):
    """The whole picture as text."""
    wide = map_width(results)
    beside = MARGIN + 60 + PLOT_WIDTH + GAP
    top = 50
    texts = len(results.about) + len(results.allocators)
    maps_top = top + max(PLOT_HEIGHT + 80, 58 * 2 + 14 * texts + 50)
    special_top = maps_top + HEAD + ROW * (len(results.workloads) + 2) + 50
    special = report.special_rows(results)
    width = max(beside + 620, MARGIN + LABELS + 2 * wide + GAP + MARGIN + 40)
    canvas = Canvas(width, special_top + (HEAD + ROW * len(special) if special else 0) + MARGIN)
    canvas.text(MARGIN, 28, "Freehold beside other allocators", 18, bold=True)
    draw_plot(canvas, MARGIN + 60, top, results, time)
    draw_beside_plot(canvas, beside, top + 16, results, time)
    left = MARGIN + LABELS
    canvas.text(left - 8, maps_top + HEAD + ROW - 4.5, "geometric mean", 11, "end", bold=True)
    for row, workload in enumerate(results.workloads):
        canvas.text(left - 8, maps_top + HEAD + ROW * 2.5 + row * ROW - 4.5, workload, 11, "end")
    factor, unit = (1, "ns") if time == "inner" else (1e3, "ms")
    draw_map(canvas, left, maps_top, f"Time ({time}) / best of the others", results, TIMES[time], factor, unit)
    draw_map(canvas, left + wide + GAP, maps_top, "Peak RSS / best of the others", results, PEAK, 1 / 1024, "MB")
    if special:
        draw_special(canvas, left, special_top, results)
    return canvas.document()


def write(path, results, time):
    with open(path, "w", encoding="utf-8") as file:
        file.write(draw(results, time))
