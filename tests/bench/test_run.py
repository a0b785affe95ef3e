"""bench/run as a whole, with very little work: it measures, saves, draws, and shows the same again from the file."""
import os
import subprocess
import sys
import unittest
import xml.etree.ElementTree

BENCH, BUILD, SCRATCH = os.environ["BENCH"], os.environ["BUILD"], os.environ["SCRATCH"]
CSV = os.path.join(SCRATCH, "run.csv")
SMALL = ["--scale", "0.0005", "--rounds", "2", "--idle", "0", "--build", BUILD]


def run(*words, status=0):
    done = subprocess.run([sys.executable, os.path.join(BENCH, "bench.py"), *words], capture_output=True, text=True,
                          check=False)
    if done.returncode != status:
        raise AssertionError(f"{words}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(SCRATCH, exist_ok=True)
        cls.done = run(*SMALL, "--only", "pair64|larson-2t|idle-1000|start-up|latency",
                       "--allocators", "freehold,glibc,again", "--csv", CSV,
                       "--with", f"again={os.environ['LIBRARY']},SOME_VARIABLE=/some/where/value")

    def test_it_says_what_it_does(self):
        self.assertIn("5 workloads x 3 allocators (freehold, glibc, again), 2 rounds", self.done.stderr)
        self.assertIn(CSV, self.done.stderr)

    def test_every_pair_has_figures(self):
        self.assertNotIn("no figures", self.done.stdout)
        self.assertNotIn("failed", self.done.stderr)
        for figure in ("time (cpu)", "peak RSS"):
            self.assertIn(f"freehold / best peer, {figure}: ", self.done.stdout)

    def test_no_paths_of_this_machine(self):
        with open(CSV, encoding="utf-8") as file:
            text = file.read()
        self.assertIn("SOME_VARIABLE=value", text)
        for path in (BUILD, "/some/where", os.uname().nodename + " "):
            self.assertNotIn(path, text)

    def test_shown_again_without_running(self):
        again = run("--from", CSV, "--svg", os.path.join(SCRATCH, "again.svg"))
        self.assertEqual(again.stdout, self.done.stdout)
        with open(os.path.join(SCRATCH, "again.svg"), encoding="utf-8") as one, \
                open(CSV.replace(".csv", ".svg"), encoding="utf-8") as other:
            text = one.read()
            self.assertEqual(text, other.read())
        xml.etree.ElementTree.fromstring(text)

    def test_refusals(self):
        self.assertIn("there is no /no/such.so", run(*SMALL, "--with", "x=/no/such.so", status=2).stderr)
        self.assertIn("expected NAME=PATH.so", run(*SMALL, "--with", "x", status=2).stderr)
        self.assertIn("no workload is left", run(*SMALL, "--only", "nothing", status=2).stderr)
        self.assertIn("no allocator is called nobody", run(*SMALL, "--allocators", "nobody", status=2).stderr)
        self.assertIn("must be positive", run("--rounds", "0", status=2).stderr)
        self.assertIn("not a result", run("--from", __file__, status=2).stderr)
        # A file that is no library: the loader only warns, and would measure the system's malloc.
        self.assertIn("malloc is", run(*SMALL, "--with", f"x={__file__}", "--only", "pair64", status=2).stderr)


if __name__ == "__main__":
    unittest.main()
