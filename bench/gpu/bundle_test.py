"""A bundle, made without a GPU: it has the kernels that it names, they need nothing but libc, its program starts."""

import ctypes
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from bench.gpu.measuring import kernels

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONV = """# three kernels, one layer with a `?`
layer one(x: f32 nhwc[1, 8, 8, 8]) = conv(16, 3x3, pad=1) + bias + relu
layer body[c in {8}](x: f32 nhwc[1, 6, 6, c]) = depthwise(3x3, pad=1) + bias
layer chain(x: f32 nhwc[1, 6, 6, 8]) = conv(8, 1x1, groups=2) -> shuffle(2) -> conv(8, 1x1) + bias + add(x)
layer any_batch(x: f32 nhwc[?, 6, 6, 8]) = conv(8, 1x1)
"""


def has_driver():
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.conv = cls.folder / "mine.conv"
        cls.conv.write_text(CONV)
        cls.bundle = cls.folder / "bundle"
        cls.made = cls.make(cls.bundle, cls.conv)

    @staticmethod
    def make(*arguments):
        return subprocess.run([sys.executable, "-m", "bench.gpu.make_bundle", *map(str, arguments), "--convc",
                               os.environ["CONVC"]], capture_output=True, text=True, cwd=ROOT)

    def layers(self, bundle=None):
        return json.loads(((bundle or self.bundle) / "layers.json").read_text())["layers"]

    def test_it_names_what_it_has(self):
        self.assertEqual(self.made.returncode, 0, self.made.stderr)
        self.assertIn("any_batch has run-time extents: left out", self.made.stderr)
        self.assertEqual([(layer["family"], layer["name"], layer["c_name"]) for layer in self.layers()],
                         [("mine", "one", "one"), ("mine", "body[8]", "body_8"), ("mine", "chain", "chain")])
        self.assertTrue((self.bundle / "README.md").exists())

    def test_its_kernels_are_those_layers(self):
        library = kernels.Library(self.bundle / "kernels" / "mine.so")
        for layer in self.layers():
            kernel = library.kernel(layer["c_name"])
            self.assertEqual(kernel.info.layer.decode(), layer["explained"]["layer"])
            self.assertEqual(kernel.target, "cuda-sm_80")
            self.assertIn("gpu", kernel.schedule)
        self.assertEqual(library.kernel("one").parameters(), [("0.weight", [16, 8, 3, 3]), ("0.bias", [16])])

    def test_its_kernels_need_nothing_but_libc(self):
        text = subprocess.run(["readelf", "-d", self.bundle / "kernels" / "mine.so"], capture_output=True, text=True,
                              check=True).stdout
        needed = [line.rpartition("[")[2].rstrip("]") for line in text.splitlines() if "(NEEDED)" in line]
        self.assertEqual([name for name in needed if not name.startswith(("libc.", "ld-linux"))], [])

    def test_only_the_layers_asked_for(self):
        bundle = self.folder / "some"
        made = self.make(bundle, self.conv, "--only", "one|chain")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual([layer["name"] for layer in self.layers(bundle)], ["one", "chain"])
        self.assertEqual(self.make(bundle, self.conv, "--only", "nobody").returncode, 1)

    def test_it_replaces_a_bundle_and_nothing_else(self):
        other = self.folder / "other"
        other.mkdir()
        (other / "file").write_text("mine")
        made = self.make(other, self.conv)
        self.assertEqual(made.returncode, 1)
        self.assertIn("is no bundle", made.stderr)
        self.assertTrue((other / "file").exists())

    def test_its_program_starts(self):
        command = [sys.executable, self.bundle / "measure.py", "--seconds", "0.05", "--output", self.folder]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
        if has_driver():
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        else:
            self.assertEqual(done.returncode, 1)
            self.assertIn("there is no NVIDIA driver", done.stderr)


if __name__ == "__main__":
    unittest.main()
