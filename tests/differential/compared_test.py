"""What test processes count comes out of compared.py as one sum: `compared_test.py DIFFERENTIAL_TEST`."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import compared  # noqa: E402

PROGRAM = None


def line(layers, outputs, oracle="oneDNN", refused="{}"):
    """One process's line: these layers, each by one kernel of `direct`."""
    names = ", ".join(f'"{layer}"' for layer in layers)
    return (f'{{"compared": {{"{oracle}": {{"layers": [{names}], "kernels": [{names}], "algorithms": ["direct"], '
            f'"targets": ["t"], "layouts": ["nhwc"], "outputs": {outputs}}}}}, "refused": {refused}}}')


class Summed(unittest.TestCase):
    def test_what_is_distinct_is_distinct_over_all_processes(self):
        rows, _ = compared.summed([line(["a", "b"], 3), line(["b", "c"], 4)])
        self.assertEqual(rows["oneDNN"]["layers"], {"a", "b", "c"})
        self.assertEqual(rows["oneDNN"]["algorithms"], {"direct"})
        self.assertEqual(rows["oneDNN"]["outputs"], 7)

    def test_each_oracle_has_a_line_of_its_own(self):
        printed = compared.report([line(["a"], 1), line(["a", "b"], 2, "the fp64 reference")])
        self.assertEqual(len([text for text in printed if text.startswith(("oneDNN", "the fp64"))]), 2)
        self.assertIn("layouts: nhwc", printed)

    def test_refusals_add_up(self):
        printed = compared.report([line([], 0, refused='{"shuffle": 2}'), line([], 0, refused='{"shuffle": 3}')])
        self.assertIn("5 shuffle", printed[-1])

    def test_nothing_compared_is_nothing_printed(self):
        self.assertEqual(compared.report([]), [])


class Processes(unittest.TestCase):
    def run_tests(self, tally, tests):
        subprocess.run([PROGRAM, f"--gtest_filter={tests}"], check=True, stdout=subprocess.DEVNULL,
                       env=os.environ | {"CONVC_TEST_TALLY": str(tally)})

    def test_each_appends_what_it_compared(self):
        with tempfile.TemporaryDirectory() as folder:
            tally = pathlib.Path(folder) / "tally"
            self.run_tests(tally, "CheckLayer.AgreesOnARightKernel")
            self.run_tests(tally, "CheckLayer.AgreesOnARightKernel")
            self.run_tests(tally, "ShrinkLayer.StopsWhenItsAttemptsAreUsedUp")  # compares nothing
            lines = tally.read_text().splitlines()
            self.assertEqual(len(lines), 2)
            rows, refused = compared.summed(lines)
            self.assertEqual(set(rows), {"the fp64 reference", "oneDNN"})
            self.assertEqual(refused, {})
            for row in rows.values():
                self.assertEqual(len(row["layers"]), 1)
                self.assertEqual(row["layouts"], {"nhwc"})
                self.assertTrue(row["algorithms"])
                self.assertEqual(row["outputs"], 4)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
