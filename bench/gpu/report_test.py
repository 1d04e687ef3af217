"""The arithmetic of the GPU tables, on figures that can be worked out by hand, and how files become one page."""

import json
import math
import tempfile
import unittest

from bench.gpu import merge
from bench.gpu.measuring import report


def time(microseconds, note=""):
    return {"minimum": microseconds * 1e-6, "median": microseconds * 1.1e-6, "note": note}


def entry(name, ours, contiguous=None, last=None, tf32=None, family="dense"):
    times = {report.OURS: ours, "contiguous": contiguous, "channels last": last, report.TF32: tf32}
    return {"family": family, "name": name, "layer": name, "nominal_flops": 4_000_000, "real_flops": 2_000_000,
            "bytes": 1000, "schedule": "gpu_direct()",
            "results": {column: time(value) for column, value in times.items() if value is not None}}


def context(name="a GPU", **other):
    return {"date": "2026-01-01", "device": {"name": name, "capability": "9.0"}, "driver": "1.2", "clocks": "",
            "versions": {"PyTorch": "2.0"}, "verified": True, "target": "cuda-sm_80", "seconds": 1} | other


class Report(unittest.TestCase):
    def test_the_ratio_is_that_to_the_better_layout_without_tf32(self):
        self.assertAlmostEqual(report.ratio(entry("a", 10, 30, 20, 5)), 2)
        self.assertAlmostEqual(report.ratio(entry("a", 10, 30, 20, 5), [report.TF32]), 0.5)
        self.assertTrue(math.isnan(report.ratio(entry("a", 10))))
        self.assertTrue(math.isnan(report.ratio(entry("a", None, 30))))

    def test_a_row_has_every_column(self):
        row = report.row(entry("a", 10, 30, 20, 5))
        self.assertEqual(row, ["a", "10.0", "30.0", "20.0", "2.00", "5.00", "0.50", "200", "gpu_direct()"])
        self.assertEqual(len(row), len(report.HEAD))
        self.assertEqual(report.row(entry("a", None)), ["a", "-", "-", "-", "", "-", "", "", "gpu_direct()"])

    def test_microseconds_have_three_digits(self):
        self.assertEqual([report.microseconds(value * 1e-6) for value in (0.123, 1.234, 12.34, 123.4, 1234)],
                         ["0.12", "1.23", "12.3", "123", "1234"])

    def test_a_wrong_kernel_is_shown_and_counts_in_no_mean(self):
        wrong = entry("a", None, 30, 20)
        wrong["results"][report.OURS] = {"error": "wrong: relative error 1"}
        self.assertEqual(report.row(wrong)[1], "wrong")
        self.assertEqual(report.failed_layers([wrong, entry("b", 1)]), [wrong])
        self.assertEqual(list(report.failures([wrong])), ["dense/a, convc: wrong: relative error 1"])
        self.assertEqual(report.summaries([wrong]), [])
        self.assertIn("- dense/a, convc: wrong", report.markdown([([wrong], context())]))

    def test_cudnn_that_failed_is_no_failure_of_convc(self):
        failed = entry("a", 10, 30)
        failed["results"]["channels last"] = {"error": "no such convolution"}
        self.assertAlmostEqual(report.ratio(failed), 3)
        self.assertEqual(report.failed_layers([failed]), [])

    def test_means_are_geometric_by_family_and_over_all(self):
        entries = [entry("a", 10, 10), entry("b", 10, 40), entry("c", 10, 20, tf32=10, family="fused"), entry("d", 10)]
        dense, fused, whole = report.summaries(entries)
        self.assertAlmostEqual(dense["mean"], 2)
        self.assertAlmostEqual(dense["lowest"], 1)
        self.assertEqual((dense["layers"], whole["layers"]), (2, 3))
        self.assertTrue(math.isnan(dense["tf32"]))
        self.assertAlmostEqual(fused["tf32"], 1)
        self.assertAlmostEqual(whole["mean"], 2)

    def test_a_family_reaches_its_mark_or_misses_it(self):
        entries = [entry("a", 10, 8), entry("b", 10, 12, family="depthwise"), entry("c", 10, 1, family="three_axes"),
                   entry("d", 10, 1, family="a file of one's own")]
        marks = {row[0]: row[2] for row in report.summary_rows(entries)[1:]}
        self.assertEqual(marks, {"dense": "0.8 reached", "depthwise": "1.3 missed", "three_axes": "",
                                 "a file of one's own": "", "all": ""})

    def test_every_suite_has_a_mark_or_is_told_only(self):
        suites = (merge.PAGE.parents[1] / "bench" / "suites").glob("*.conv")
        self.assertEqual(sorted(report.MARKS), sorted(path.stem for path in suites))

    def test_stages_are_added_up_where_all_are_there(self):
        results = {report.OURS: time(10), "stage 0": time(3, "fused"), "stage 1": time(4)}
        summed = report.with_sum_of_stages(results, 2)
        self.assertEqual(list(summed), [report.OURS, report.STAGES])
        self.assertAlmostEqual(summed[report.STAGES]["minimum"], 7e-6)
        self.assertEqual(summed[report.STAGES]["each"]["stage 0"]["note"], "fused")
        self.assertEqual(list(report.with_sum_of_stages(results, 3)), [report.OURS])
        chain = entry("a", 10, 30) | {"results": summed}
        self.assertIn("added up (us; no part of the ratio): a 7.00.", report.markdown([([chain], context())]))

    def test_a_line_of_the_terminal_stands_under_its_head(self):
        table = report.Table(["a", "a longer name"])
        one = entry("a", 10, 30, 20, 5)
        self.assertEqual(table.head().index("schedule"), table.row(one).index("gpu_direct"))

    def test_what_a_machine_does_not_tell_is_left_out(self):
        text = report.machine_text(context(driver="", versions={}, verified=False))
        self.assertEqual(text, "a GPU, compute capability 9.0, without PyTorch: nothing is verified")


class Merge(unittest.TestCase):
    def test_a_page_of_one_machine(self):
        page = report.markdown(merge.merged([{"context": context(), "layers": [entry("a", 10, 30)]}]))
        self.assertTrue(page.startswith("# Results on a GPU\n"))
        self.assertIn("\n## dense\n", page)
        self.assertIn("| a | 10.0 | 30.0 | - | 3.00 | - |  | 200 | gpu_direct() |", page)

    def test_of_a_layer_measured_twice_the_later_counts(self):
        figures = [{"context": context(), "layers": [entry("a", 10, 30), entry("b", 10, 30)]},
                   {"context": context(date="2026-01-02"), "layers": [entry("a", 5, 30)]}]
        ((entries, last),) = merge.merged(figures)
        self.assertEqual([report.row(one)[:2] for one in entries], [["a", "5.00"], ["b", "10.0"]])
        self.assertEqual(last["date"], "2026-01-02")

    def test_machines_have_a_section_each(self):
        figures = [{"context": context(name), "layers": [entry("a", 10, 30)]} for name in ("one", "another")]
        page = report.markdown(merge.merged(figures))
        self.assertTrue(page.startswith("# Results on GPUs\n"))
        self.assertLess(page.index("\n## one\n"), page.index("\n### dense\n"))
        self.assertIn("\n## another\n", page)

    def test_what_is_written_can_be_merged(self):
        with tempfile.TemporaryDirectory() as folder:
            page, figures = report.write(folder, [entry("a", 10, 30)], context())
            runs = merge.merged([json.loads(figures.read_text(encoding="utf-8"))])
            self.assertEqual(report.markdown(runs), page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
