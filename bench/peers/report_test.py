"""The arithmetic of the comparison's tables, on figures that can be worked out by hand."""

import json
import math
import tempfile
import unittest

from bench.peers import network, report

MACHINE = {"fma_peak": 200.0, "fma_peak_one_thread": 100.0, "l2": 100.0, "l3": 50.0, "dram": 10.0, "l2_bytes": 1 << 20,
           "l3_bytes": 32 << 20, "threads": 2, "target": "x86-64-linux-avx2-fma", "model": "a machine"}


def entry(name, ours, peers, family="dense", flops=2_000_000, size=1000):
    results = {"convc": {"minimum": ours, "median": ours, "note": "direct()", "origin": "default",
                         "workspace_bytes": 1_250_000}}
    results |= {peer: {"minimum": seconds, "median": seconds, "note": ""} for peer, seconds in peers.items()}
    return {"family": family, "name": name, "layer": name, "nominal_flops": flops, "real_flops": flops, "bytes": size,
            "machine": MACHINE, "steady_rounds": 8, "round_trips": [60.0, 70.0], "results": results}


def written(entries, sizes):
    """The page, and the figures beside it, of a run in which `sizes` has the networks."""
    context = {"date": "2026-01-01", "machine": MACHINE, "versions": {"x": "x 1.0"}, "cold": False,
               "layouts": "channels first", "command": "./dev bench --peers", "networks": sizes}
    with tempfile.TemporaryDirectory() as folder:
        page, figures = report.write(f"{folder}/results", entries, context)
        return page.read_text(), json.loads(figures.read_text())


class Report(unittest.TestCase):
    def test_the_ratio_is_that_to_the_fastest_peer(self):
        self.assertAlmostEqual(report.ratio(entry("a", 1e-3, {"x": 3e-3, "y": 2e-3})), 2)
        self.assertTrue(math.isnan(report.ratio(entry("a", 1e-3, {}))))

    def test_the_ratio_by_rounds_is_of_times_within_a_round(self):
        raced = entry("a", 1e-3, {"x": 1.1e-3, "y": 2e-3, "slow": 1e-3})
        # Rounds 1 and 2 fell into a slow minute; x had its best moment in a round of its own.
        raced["results"]["convc"]["rounds"] = {"0": 1.0, "1": 2.0, "2": 2.2, "4": 1.0}
        raced["results"]["x"]["rounds"] = {"0": 1.3, "1": 2.8, "2": 2.86, "3": 0.9}
        raced["results"]["y"]["rounds"] = {"0": 2.0, "1": 4.0, "2": 4.4, "4": 2.0}
        raced["results"]["slow"]["rounds"] = {"0": 1.0}
        self.assertAlmostEqual(report.ratio_by_rounds(raced), 1.3)
        self.assertTrue(math.isnan(report.ratio_by_rounds(entry("a", 1e-3, {"x": 2e-3}))))

    def test_a_library_that_failed_is_no_peer(self):
        failed = entry("a", 1e-3, {"y": 2e-3})
        failed["results"]["x"] = {"error": "wrong: 3 times what is allowed"}
        self.assertAlmostEqual(report.ratio(failed), 2)
        self.assertEqual(report.row(failed, ["convc", "x", "y"])[2], "wrong")
        self.assertEqual(list(report.failures([failed])), ["- dense/a, x: wrong: 3 times what is allowed"])

    def test_a_row_ends_in_the_memory_and_the_schedule(self):
        self.assertEqual(report.row(entry("a", 1e-3, {}), ["convc"])[-2:], ["1.25", "default"])
        failed = entry("a", 1e-3, {})
        failed["results"]["convc"] = {"error": "a reason"}
        self.assertEqual(len(report.row(failed, ["convc"])), len(report.head(["convc"])))

    def test_means_are_geometric_by_family_and_over_all(self):
        entries = [entry("a", 1e-3, {"x": 1e-3}), entry("b", 1e-3, {"x": 4e-3}), entry("c", 1e-3, {"x": 2e-3}, "1x1")]
        entries[1]["results"]["default"] = {"minimum": 2e-3, "median": 2e-3, "note": ""}
        rows = {name: (mean, low, count) for name, mean, _, _, low, count in report.summaries(entries)}
        self.assertAlmostEqual(rows["dense"][0], 2)
        self.assertAlmostEqual(rows["dense"][1], 1)
        self.assertAlmostEqual(rows["1x1"][0], 2)
        self.assertAlmostEqual(rows["all"][0], 2)
        self.assertEqual(rows["all"][2], 3)
        self.assertAlmostEqual(next(iter(report.summaries(entries)))[3], 2)

    def test_convc_with_default_schedules_is_no_peer(self):
        tuned = entry("a", 1e-3, {"x": 2e-3}, "net")
        tuned["results"]["default"] = {"minimum": 1.5e-3, "median": 1.5e-3, "note": ""}
        self.assertEqual(report.best_peer(tuned), ("x", 2e-3))
        self.assertAlmostEqual(report.network_totals([tuned], {"net": 1})[0]["ratio"], 2)

    def test_a_loss_has_its_reason_where_that_is_known(self):
        self.assertEqual(list(report.losses([entry("a", 2e-3, {"x": 1e-3})])), ["- dense/a: 0.50 of x ()"])
        known, reason = next(iter(report.known_reasons().items()))
        family, name = known.split("/")
        lost = list(report.losses([entry(name, 2e-3, {"x": 1e-3}, family)]))
        self.assertEqual(lost, [f"- {known}: 0.50 of x (): {reason}"])

    def test_the_way_between_the_cores_is_a_range_where_it_changed(self):
        entries = [entry("a", 1e-3, {}), entry("b", 1e-3, {})]
        self.assertEqual(report.round_trips(entries), "60")
        entries[1]["round_trips"] = [65.0, 350.0]
        self.assertEqual(report.round_trips(entries), "60 to 350")

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
        page, figures = written(entries, {})
        self.assertIn("| a | 1.00 | 2.00 | 2.00 |  |", page)
        self.assertNotIn("Networks", page)
        self.assertEqual(figures["layers"][0]["results"]["convc"]["minimum"], 1e-3)

    def test_a_layer_of_a_network_counts_as_often_as_its_name_says(self):
        self.assertEqual([network.multiplicity(name) for name in ("res2_3x3_x3", "res2_3x3", "stage3_x12", "x2", "a_x2_b")],
                         [3, 1, 12, 1, 1])

    def test_networks_are_added_up(self):
        # x runs both layers, y is the faster one in a but does not run b.
        entries = [entry("a_x3", 1e-3, {"x": 2e-3, "y": 1e-3}, "net"), entry("b", 2e-3, {"x": 6e-3}, "net"),
                   entry("c_x2", 1e-3, {"x": 1e-3}, "suite"), entry("d_x2", 1e-3, {"x": 1e-3}, "part")]
        entries[0]["nominal_flops"] *= 2
        entries[1]["results"]["y"] = {"error": "a reason"}
        net, part = report.network_totals(entries, {"net": 4, "part": 5, "not measured": 7})
        self.assertEqual((net["layers"], net["real_flops"], net["nominal_flops"]), (4, 8_000_000, 14_000_000))
        self.assertAlmostEqual(net["seconds"]["convc"], 5e-3)
        self.assertAlmostEqual(net["seconds"]["x"], 12e-3)
        self.assertIsNone(net["seconds"]["y"])
        self.assertAlmostEqual(net["ratio"], 2.4)
        self.assertEqual((part["layers"], part["all_layers"]), (2, 5))

    def test_networks_have_a_table(self):
        entries = [entry("a_x3", 1e-3, {"x": 2e-3}, "net"), entry("b_x2", 1e-3, {"y": 2e-3}, "part")]
        sizes = {"net": 3, "part": 5}
        page, figures = written(entries, sizes)
        self.assertIn("| network | convc | x | y | ratio | layers | GFLOP |", page)
        self.assertIn("| net | 3.00 | 6.00 | - | 2.00 | 3 | 0.006 |", page)
        self.assertIn("| part | 2.00 | - | 4.00 | 2.00 | 2 of 5 | 0.004 |", page)
        self.assertEqual([total["network"] for total in figures["networks"]], ["net", "part"])
        _, *lines = report.networks_text(report.network_totals(entries, sizes)).splitlines()
        self.assertEqual(lines[1].split(), ["net", "3.00", "6.00", "-", "2.00", "3", "0.006"])
        self.assertEqual(len(set(map(len, lines))), 1)

    def test_a_network_that_convc_does_not_run_has_no_ratio(self):
        failed = entry("a", 1e-3, {"x": 2e-3}, "net")
        failed["results"]["convc"] = {"error": "wrong: 3 times what is allowed"}
        totals = report.network_totals([failed], {"net": 1})
        self.assertEqual(report.network_table(totals)[1][:4], ["net", "-", "2.00", ""])

    def test_cells_stand_under_their_heads(self):
        table = report.Table(["convc", "a long name"], ["a", "another"])
        self.assertEqual(len(table.head()), len(table.row(entry("a", 1e-3, {"a long name": 1e-3}))))


if __name__ == "__main__":
    unittest.main()
