"""Results of the bench: what is computed from figures made up here, saved, read again, joined, printed and drawn."""
import contextlib
import io
import os
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.environ["BENCH"])
import picture  # noqa: E402
import report  # noqa: E402
import results  # noqa: E402

SCRATCH = os.environ["SCRATCH"]
SVG = "{http://www.w3.org/2000/svg}"
# cpu_s and peak_kib of alpha, beta and the latency workload gamma. By hand, freehold / best peer: time 2, 0.5 (gamma
# does not count); peak 0.5, 2, 1.728, the cube root of whose product is 1.2.
FIGURES = {
    ("alpha", "freehold"): (0.2, 1024), ("alpha", "one"): (0.1, 2048), ("alpha", "two<&>"): (0.4, 4096),
    ("beta", "freehold"): (0.1, 4096), ("beta", "one"): (0.4, 2048), ("beta", "two<&>"): (0.2, 8192),
    ("gamma", "freehold"): (9.0, 1728), ("gamma", "one"): (1.0, 1000),
}


def made_up():
    made = results.Results()
    made.about = {"date": "2000-01-01 00:00", "machine": "an abacus, 10 beads"}
    made.allocators = {"freehold": "0", "one": "1, with a: colon", "two<&>": "2"}
    made.workloads = {"alpha": ("usual", "first"), "beta": ("program", "second"), "gamma": ("latency", "third")}
    for key, (cpu, peak) in FIGURES.items():
        row = {"cpu_s": cpu, "wall_s": cpu, "user_s": cpu, "sys_s": 0, results.PEAK: peak, "rss_end_kib": 512,
               "minor_faults": 7, "ns_per_operation": 3.5, "all_calls": 11}
        made.table[key] = {figure: results.Value(3, v, v, v, v / 100) for figure, v in row.items()}
    for call in ("malloc", "free"):
        for number, (_, figure) in enumerate(report.PERCENTILES):
            made.table["gamma", "one"][f"{call}_{figure}_ns"] = results.Value(3, 10.0 ** number, 0, 0, 0)
    return made


def printed(function, *args):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        function(*args)
    return out.getvalue()


def scratch(name):
    os.makedirs(SCRATCH, exist_ok=True)
    return os.path.join(SCRATCH, name)


class Computed(unittest.TestCase):
    def test_medians_and_spread(self):
        made = made_up()
        made.add_runs("alpha", "one", [{"all_calls": 5, "exact_peak_kib": 1000},
                                       *({"cpu_s": c, "peak_rss_kib": p} for c, p in
                                         ((1, 990), (9, 900), (2, 1010), (3, 1090), (4, 1000)))], 50)
        row = made.table["alpha", "one"]
        self.assertEqual(row["cpu_s"], (5, 3, 1, 9, 1))
        self.assertEqual(row["all_calls"], (1, 5, 5, 5, 0))
        self.assertEqual(row["peak_rss_kib"].median, 1000)
        self.assertNotIn("exact_peak_kib", row)

    def test_peak_is_the_exact_one_only_within_the_kernels_error(self):
        measured = results.value_of([1000, 1040, 1080])
        self.assertEqual(results.true_peak(measured, 1100, 60).median, 1100)
        self.assertEqual(results.true_peak(measured, 1101, 60), measured)
        self.assertEqual(results.true_peak(measured, 0, 60), measured)
        self.assertEqual(results.peak_error_kib(2), 2 * 2 * 32 * 4)
        self.assertEqual(results.peak_error_kib(64), 2 * 64 * 128 * 4)

    def test_ratio_is_to_the_best_of_the_others(self):
        made = made_up()
        self.assertAlmostEqual(made.ratio("alpha", "freehold", "cpu_s"), 2)
        self.assertAlmostEqual(made.ratio("alpha", "one", "cpu_s"), 0.5)
        self.assertAlmostEqual(made.ratio("alpha", "two<&>", "cpu_s"), 4)
        self.assertEqual(made.best_other("beta", "freehold", results.PEAK), (2048, "one"))
        self.assertNotEqual(made.ratio("gamma", "two<&>", "cpu_s"), made.ratio("gamma", "two<&>", "cpu_s"))  # NaN

    def test_headline(self):
        made = made_up()
        time = made.headline("freehold", "cpu_s", 1.1)
        self.assertAlmostEqual(time.mean, 1)
        self.assertEqual((time.count, time.worst, time.above), (2, "alpha", 1))
        peak = made.headline("freehold", results.PEAK, 1.15)
        self.assertAlmostEqual(peak.mean, 1.2)
        self.assertEqual((peak.count, peak.worst, peak.worst_ratio, peak.above), (3, "beta", 2, 2))
        self.assertIsNone(made.headline("freehold", "no such figure"))


class Saved(unittest.TestCase):
    def test_what_is_written_is_read(self):
        made, path = made_up(), scratch("made.csv")
        made.write(path)
        again = results.read(path)
        self.assertEqual((again.about, again.allocators, again.workloads, again.table),
                         (made.about, made.allocators, made.workloads, made.table))
        self.assertEqual(list(again.allocators), list(made.allocators))
        self.assertEqual([printed(report.print_all, r, "cpu") for r in (again,)],
                         [printed(report.print_all, r, "cpu") for r in (made,)])

    def test_join_replaces_whole_workloads(self):
        made, later = made_up(), made_up()
        del later.workloads["beta"], later.workloads["gamma"]
        later.table = {("alpha", "freehold"): {"cpu_s": results.Value(1, 7, 7, 7, 0)}}
        later.about["date"] = "2000-01-02 00:00"
        made.join(later)
        self.assertEqual(made.median("alpha", "freehold", "cpu_s"), 7)
        self.assertFalse(made.has("alpha", "one", "cpu_s"))
        self.assertTrue(made.has("beta", "one", "cpu_s"))
        self.assertEqual(made.about["date"], "2000-01-01 00:00; 2000-01-02 00:00")
        later.allocators["one"] = "another"
        self.assertRaisesRegex(results.Bad, "one is two different things", made.join, later)

    def refused(self, change, words):
        made, path = made_up(), scratch("damaged.csv")
        made.write(path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertNotEqual(change(text), text)
        with open(path, "w", encoding="utf-8") as file:
            file.write(change(text))
        self.assertRaisesRegex(results.Bad, words, results.read, path)

    def test_damaged_files_are_refused(self):
        self.refused(lambda t: t.replace(results.TITLE, "# something"), "not a result of this bench")
        self.refused(lambda t: t.replace("workload,allocator,", "workload,"), "the header is not")
        self.refused(lambda t: t.replace("alpha,one,cpu_s,3,0.1,", "alpha,one,cpu_s,3,fast,"), "row 10 .* damaged")
        self.refused(lambda t: t.replace("alpha,one,cpu_s,3,0.1,", "alpha,one,cpu_s,3,"), "row 10 .* damaged")
        self.refused(lambda t: t.replace("alpha,one,cpu_s,3,0.1,", "alpha,one,cpu_s,3,nan,"), "damaged")
        self.refused(lambda t: t.replace("alpha,one,cpu_s", "alpha,nobody,cpu_s"), "damaged")
        self.refused(lambda t: t.replace("# date: ", "# date "), "is not '# key: value'")
        self.assertRaisesRegex(results.Bad, "No such file", results.read, scratch("nothing.csv"))


class Shown(unittest.TestCase):
    def test_table(self):
        lines = printed(report.print_table, made_up(), "cpu").splitlines()
        at = lines.index("alpha: first")
        self.assertEqual(lines[at + 1].split(), ["freehold", "200.0", "1.0", "200.0", "200", "0", "1.00", "0.50", "7",
                                                 "11", "3.5", "2.00", "0.50"])
        self.assertEqual(len(lines[at + 1]), len(lines[1]))
        at = lines.index("beta: second")
        self.assertEqual(lines[at + 2].split(), ["one", "400.0", "1.0", "400.0", "400", "0", "2.00", "-", "7", "11",
                                                 "-", "4.00", "0.50"])
        at = lines.index("gamma: third")
        self.assertIn("malloc ns: p50 1  p99 10  p99.9 100  p99.99 1000  max 10000", lines[at + 3])
        self.assertEqual(lines[at + 5].split(), ["two<&>", "no", "figures"])

    def test_beside_the_best(self):
        lines = printed(report.print_beside_best, made_up(), "cpu").splitlines()
        self.assertEqual(lines[3].split(), ["alpha", "200.00", "100.00", "one", "2.00!", "1.00", "2.00", "one", "0.50"])
        self.assertEqual(lines[4].split(), ["beta", "100.00", "200.00", "two<&>", "0.50", "4.00", "2.00", "one",
                                            "2.00!"])

    def test_headlines(self):
        text = printed(report.print_summary, made_up(), "cpu")
        self.assertIn("freehold / best peer, time (cpu): 1.000 over 2 workloads; worst alpha, 2.00; 1 above 1.10\n"
                      "freehold / best peer, peak RSS: 1.200 over 3 workloads; worst beta, 2.00; 2 above 1.15\n", text)
        made = made_up()
        del made.table["gamma", "freehold"]
        self.assertIn("freehold has no figures for: gamma\n", printed(report.print_summary, made, "cpu"))

    def test_special_figures(self):
        made = made_up()
        made.workloads["start-up"] = ("usual", "an empty program")
        made.table["start-up", "one"] = {"faults_a_start": results.Value(3, 51.4, 51, 52, 0)}
        lines = printed(report.print_special, made).splitlines()
        self.assertEqual([line.split() for line in lines[1:]],
                         [["freehold", "one", "two<&>"], ["start-up:", "faults", "a", "start", "-", "51", "-"]])


class Drawn(unittest.TestCase):
    def test_every_pair_has_a_cell_in_both_maps(self):
        tree = xml.etree.ElementTree.fromstring(picture.draw(made_up(), "cpu"))
        tips = [title.text for title in tree.iter(SVG + "title")]
        for workload in ("alpha", "beta", "gamma"):
            for allocator in ("freehold", "one", "two<&>"):
                self.assertEqual(sum(tip.startswith(f"{workload}, {allocator}: ") for tip in tips), 2)
        self.assertIn("alpha, one: 100.00 ms", tips)
        self.assertIn("gamma, one: 0.98 MB", tips)
        self.assertIn("gamma, two<&>: - ms", tips)
        self.assertIn("freehold: time 1.000, peak RSS 1.200", tips)
        texts = [text.text for text in tree.iter(SVG + "text")]
        self.assertEqual(texts.count("alpha"), 1)
        self.assertIn("1.000", texts)
        self.assertIn("1.200", texts)

    def test_nothing_is_outside(self):
        tree = xml.etree.ElementTree.fromstring(picture.draw(made_up(), "cpu"))
        width, height = (float(tree.get(name)) for name in ("width", "height"))
        for box in tree.iter(SVG + "rect"):
            if box.get("width") != "100%":
                self.assertLessEqual(float(box.get("x")) + float(box.get("width")), width)
                self.assertLessEqual(float(box.get("y")) + float(box.get("height")), height)
        for text in tree.iter(SVG + "text"):
            self.assertTrue(0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height, text.text)

    def test_colours(self):
        self.assertEqual(picture.colour(1.0)[0], "#f7f7f7")
        self.assertEqual(picture.colour(0.01)[0], "#2166ac")
        self.assertEqual(picture.colour(100)[0], "#b2182b")

    def test_labels_do_not_cover_each_other(self):
        placed = picture.spread_labels([(10, 10, "aaaa"), (12, 11, "bbbb"), (11, 12, "cccc"), (500, 10, "dddd")], 14)
        near = sorted(label for _, _, label, name in placed if name != "dddd")
        self.assertTrue(all(b - a >= 14 for a, b in zip(near, near[1:])), placed)
        self.assertEqual([label for _, _, label, name in placed if name == "dddd"], [10])


if __name__ == "__main__":
    unittest.main()
