"""Every workload, with little work and the heap checked at its end: it ends well and says its figures."""
import os
import subprocess
import unittest

WORKLOADS, LIBRARY = os.environ["WORKLOADS"], os.environ["LIBRARY"]
# What does not scale, or takes its time for the memory that it fills.
LARGE = {"live-512m", "live-2g", "live-8g", "latency-512m", "heaps-1024", "heaps-4096", "phases-long"}
ENVIRONMENT = {**os.environ, "LD_PRELOAD": LIBRARY, "FREEHOLD_CHECK": "1", "BENCH_IDLE_S": "0"}


def listed():
    text = subprocess.run([WORKLOADS, "--list"], capture_output=True, text=True, check=True).stdout
    return [line.split(None, 3) for line in text.splitlines()]


class Workloads(unittest.TestCase):
    def test_list(self):
        names = [name for name, *_ in listed()]
        self.assertEqual(len(names), len(set(names)))
        for name, threads, kind, text in listed():
            self.assertGreater(int(threads), 0, name)
            self.assertIn(kind, ("usual", "on-demand", "idles", "latency"), name)
            self.assertLessEqual(len(text), 80, name)

    def test_each(self):
        for name, _, kind, _ in listed():
            if name in LARGE:
                continue
            with self.subTest(name):
                done = subprocess.run([WORKLOADS, name, "0.002"], capture_output=True, text=True, env=ENVIRONMENT,
                                      check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                words = done.stdout.split()
                figures = {word: float(value) for word, value in zip(words[::2], words[1::2])}
                self.assertGreater(figures["operations"], 0)
                self.assertGreater(figures["rss_end_kib"], 0)
                if kind == "latency":
                    for call in ("malloc", "free"):
                        values = [figures[f"{call}_{part}_ns"] for part in ("p50", "p99", "p999", "p9999", "max")]
                        self.assertEqual(values, sorted(values))
                        self.assertGreater(values[0], 0)

    def test_unknown_names_are_refused(self):
        done = subprocess.run([WORKLOADS, "no-such"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no workload is called no-such", done.stderr)


if __name__ == "__main__":
    unittest.main()
