"""The arithmetic of the comparison's tables, on figures that can be worked out by hand."""

import math
import pathlib
import tempfile
import unittest

from bench.peers import report

MACHINE = {"fma_peak": 200.0, "fma_peak_one_thread": 100.0, "l2": 100.0, "l3": 50.0, "dram": 10.0, "l2_bytes": 1 << 20,
           "l3_bytes": 32 << 20, "threads": 2, "target": "x86-64-linux-avx2-fma", "model": "a machine"}


def entry(name, ours, peers, family="dense", flops=2_000_000, size=1000):
    results = {"convc": {"minimum": ours, "median": ours, "note": "direct()", "origin": "default"}}
    results |= {peer: {"minimum": seconds, "median": seconds, "note": ""} for peer, seconds in peers.items()}
    return {"family": family, "name": name, "layer": name, "nominal_flops": flops, "real_flops": flops, "bytes": size,
            "machine": MACHINE, "steady_rounds": 8, "results": results}


class Report(unittest.TestCase):
    def test_the_ratio_is_that_to_the_fastest_peer(self):
        self.assertAlmostEqual(report.ratio(entry("a", 1e-3, {"x": 3e-3, "y": 2e-3})), 2)
        self.assertTrue(math.isnan(report.ratio(entry("a", 1e-3, {}))))

    def test_a_library_that_failed_is_no_peer(self):
        failed = entry("a", 1e-3, {"y": 2e-3})
        failed["results"]["x"] = {"error": "wrong: 3 times what is allowed"}
        self.assertAlmostEqual(report.ratio(failed), 2)
        self.assertEqual(report.row(failed, ["convc", "x", "y"])[2], "wrong")
        self.assertEqual(list(report.failures([failed])), ["- a, x: wrong: 3 times what is allowed"])

    def test_means_are_geometric_by_family_and_over_all(self):
        entries = [entry("a", 1e-3, {"x": 1e-3}), entry("b", 1e-3, {"x": 4e-3}), entry("c", 1e-3, {"x": 2e-3}, "1x1")]
        rows = {name: (mean, low, count) for name, mean, low, count in report.summaries(entries)}
        self.assertAlmostEqual(rows["dense"][0], 2)
        self.assertAlmostEqual(rows["dense"][1], 1)
        self.assertAlmostEqual(rows["1x1"][0], 2)
        self.assertAlmostEqual(rows["all"][0], 2)
        self.assertEqual(rows["all"][2], 3)

    def test_the_roofline_takes_the_level_that_holds_the_layer(self):
        def bound(flops, size):
            return report.attainable(entry("a", 1, {}, flops=flops, size=size))

        self.assertEqual(bound(10**9, 1000), (200, "fma"))
        self.assertEqual(bound(10**6, 10**6), (100, "l2"))
        self.assertEqual(bound(10**7, 10**7), (50, "l3"))
        self.assertEqual(bound(10**8, 10**8), (10, "dram"))

    def test_milliseconds_have_three_digits(self):
        self.assertEqual([report.milliseconds(s) for s in (0.0000123, 0.000456, 0.0123, 1.234)],
                         ["0.0123", "0.456", "12.3", "1234"])

    def test_a_loss_is_shown(self):
        lost = list(report.losses([entry("a", 2e-3, {"x": 1e-3}), entry("b", 1e-3, {"x": 0.98e-3})]))
        self.assertEqual(len(lost), 1)
        self.assertIn("a: 0.50 of x", lost[0])

    def test_it_writes_a_page_and_its_figures(self):
        entries = [entry("a", 1e-3, {"x": 2e-3})]
        context = {"date": "2026-01-01", "machine": MACHINE, "versions": {"x": "x 1.0"}, "cold": False,
                   "layouts": "channels first", "command": "./dev bench --peers"}
        with tempfile.TemporaryDirectory() as folder:
            page, figures = report.write(f"{folder}/results", entries, context)
            self.assertIn("| a | 1.00 | 2.00 | 2.00 |", pathlib.Path(page).read_text())
            self.assertIn('"convc"', pathlib.Path(figures).read_text())

    def test_cells_stand_under_their_heads(self):
        table = report.Table(["convc", "a long name"], ["a", "another"])
        self.assertEqual(len(table.head()), len(table.row(entry("a", 1e-3, {"a long name": 1e-3}))))


if __name__ == "__main__":
    unittest.main()
