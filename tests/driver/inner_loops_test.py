"""The assembly of the public suite's default schedules: in the loops over a kernel's sums, accumulators stay in registers
and nothing is called. Such a loop is known by Halide's name for it, that of the reduction; loops with a mask or a select
are left out, for they are borders and the way of layers with NaN or infinite weights."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

CONVC = os.environ["CONVC"]
SUITES = pathlib.Path(os.environ["SUITES"])
TARGETS = ["x86-64-linux-avx2-fma", "x86-64-linux-avx512"]

# Accumulators that LLVM stores and loads again in each turn, of so many multiply-adds. Measured, they cost nothing: the
# stores go beside the multiply-adds, and a sum waits for its own once in a turn.
KNOWN_SPILLS = {
    ("convnext_t_s1_dw7", "x86-64-linux-avx2-fma"): 1,  # of 50
    ("espcn_conv1_5x5", "x86-64-linux-avx2-fma"): 3,  # of 37; 0.78 ms as with one
    ("mnv1_dw112s2", "x86-64-linux-avx2-fma"): 1,  # of 23
    ("replk31_b_s1", "x86-64-linux-avx2-fma"): 2,  # of 248; 7 columns, which need none, take 1.1 of the time
    ("resnet50v1_5_res3a_s2", "x86-64-linux-avx512"): 2,  # of 28
}

LABEL = re.compile(r"(\.L\w+):(.*)")
NAME_OF_SUM = re.compile(r"\.s1\.r")
MULTIPLY_ADD = re.compile(r"\s+vfn?m(add|sub)\d+ps\s.*%[yz]mm")
SELECT = re.compile(r"\{%k[1-7]\}|vblendv|vandn?ps|vpternlog|vcmp|vmaskmov")
STORE_TO_STACK = re.compile(r"\s+vmov\w+\s+%[xyz]mm\d+,\s*-?\d*\(%r[sb]p")
FEWEST_MULTIPLY_ADDS = 8


def innermost_loops(lines):
    """Name and instructions of each."""
    for start, line in enumerate(lines):
        label = LABEL.match(line)
        if not label:
            continue
        first = start + 1
        while first < len(lines) and lines[first].lstrip().startswith("#"):
            first += 1
        if "Inner Loop Header" not in "".join(lines[start:first]):
            continue
        jump = re.compile(r"\s+j\w+\s+" + re.escape(label[1]) + r"\b")
        last = None
        for i in range(first, len(lines)):
            if lines[i].startswith(".Lfunc_end"):
                break
            if jump.match(lines[i]):
                last = i
        if last is not None:
            yield label[2], lines[first:last + 1]


def loops_over_sums(lines):
    for name, body in innermost_loops(lines):
        count = sum(bool(MULTIPLY_ADD.match(line)) for line in body)
        if NAME_OF_SUM.search(name) and count >= FEWEST_MULTIPLY_ADDS and not any(map(SELECT.search, body)):
            yield name, body


class InnerLoops(unittest.TestCase):
    def compiled(self, target):
        """The assembly of every layer of the suite: name, lines."""
        with tempfile.TemporaryDirectory(prefix="convc-asm-") as folder:
            for suite in sorted(SUITES.glob("*.conv")):
                subprocess.run([CONVC, "compile", suite, "--target", target, "--emit", "asm", "-o", folder], check=True,
                               env=os.environ | {"CONVC_CACHE_DIR": folder}, stdout=subprocess.DEVNULL)
            for path in sorted(pathlib.Path(folder).glob("*.s")):
                yield path.stem, path.read_text().splitlines()

    def check(self, target):
        loops = 0
        for layer, lines in self.compiled(target):
            for name, body in loops_over_sums(lines):
                loops += 1
                with self.subTest(layer=layer, target=target, loop=name):
                    self.assertFalse([line for line in body if line.strip().startswith("call")])
                    spills = [line for line in body if STORE_TO_STACK.match(line)]
                    self.assertLessEqual(len(spills), KNOWN_SPILLS.get((layer, target), 0), "\n".join(spills))
        self.assertGreater(loops, 50)

    def test_accumulators_stay_in_registers(self):
        for target in TARGETS:
            self.check(target)

    def test_a_spill_is_seen(self):
        loop = [".LBB0_1: # %\"for sum.s1.r\"", "  # =>This Inner Loop Header: Depth=1"]
        sums = ["\tvfmadd231ps (%rsi), %zmm0, %zmm1"] * FEWEST_MULTIPLY_ADDS
        spill = ["\tvmovups %zmm1, -64(%rsp)", "\tjne .LBB0_1"]
        (_, body), = loops_over_sums(loop + sums + spill)
        self.assertEqual(sum(bool(STORE_TO_STACK.match(line)) for line in body), 1)


if __name__ == "__main__":
    unittest.main()
