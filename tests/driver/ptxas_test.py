"""Default schedules for CUDA leave their accumulators in registers: `ptxas_test.py`, with CONVC, EXAMPLES and SUITES.

The PTX of every layer of the public suite and of examples/variants.conv (of every eighth of these without --long) is assembled
by ptxas, as a driver would, for the capability it is compiled for and for newer ones. ptxas says what a kernel spills: nothing.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

CONVC = os.environ["CONVC"]
SUITES = sorted(pathlib.Path(os.environ["SUITES"]).glob("*.conv"))
VARIANTS = pathlib.Path(os.environ["EXAMPLES"]) / "variants.conv"
PTXAS = os.environ.get("CONVC_PTXAS") or shutil.which("ptxas") or shutil.which("/usr/local/cuda/bin/ptxas")
COMPILED_FOR = "cuda-sm_70"
ASSEMBLED_FOR = ["sm_70", "sm_80", "sm_90"]
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores")


def assemble(file, capability):
    done = subprocess.run([PTXAS, f"-arch={capability}", "-v", file, "-o", "/dev/null"], capture_output=True, text=True)
    return file.name, done.returncode, done.stderr


def as_layers(lines):
    """What `layer NAME` stands before: "(x: f32 nwc[1, 8, 2]) = conv(2, 3)" of a canonical line."""
    for line in lines.splitlines():
        tensors, _, stages = line.partition(" -> ")
        yield f"{tensors if tensors.startswith('(') else f'(x: {tensors})'} = {stages}"


def known(capability):
    """ptxas of CUDA 13 knows no sm_70 any more."""
    with tempfile.NamedTemporaryFile(suffix=".ptx") as empty:
        empty.write(b".version 7.0\n.target sm_70\n.address_size 64\n")
        empty.flush()
        return assemble(pathlib.Path(empty.name), capability)[1] == 0


@unittest.skipUnless(PTXAS, "there is no ptxas: neither CUDA's toolkit nor NVIDIA's wheel is installed")
class Ptxas(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_no_default_schedule_spills(self):
        lines = subprocess.run([CONVC, "fmt", "--one-line", VARIANTS], check=True, capture_output=True, text=True).stdout
        every = 1 if os.environ.get("CONVC_LONG_TESTS") == "1" else 8
        sample = self.folder / "variants.conv"
        sample.write_text("".join(f"layer v{i}{line}\n" for i, line in enumerate(as_layers(lines)) if i % every == 0))
        for file in [*SUITES, sample]:
            subprocess.run([CONVC, "compile", file, "--target", COMPILED_FOR, "--emit", "ptx", "-o", self.folder / file.stem],
                           check=True)
        kernels = sorted(self.folder.glob("*/*.ptx"))
        self.assertGreater(len(kernels), 100)
        counts = []
        for capability in filter(known, ASSEMBLED_FOR):
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
                for name, status, said in threads.map(lambda kernel, to=capability: assemble(kernel, to), kernels):
                    with self.subTest(kernel=name, capability=capability):
                        self.assertEqual(status, 0, said)
                        for stack, spilled in SPILLS.findall(said):
                            self.assertEqual((stack, spilled), ("0", "0"), said)
            counts.append(f"{len(kernels)} files of PTX for {capability}")
        print("assembled without a spill:", ", ".join(counts))


if __name__ == "__main__":
    unittest.main()
