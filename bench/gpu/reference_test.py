"""The float64 reference that kernels on a GPU are held to, and the ways in which cuDNN computes a layer, on the CPU:
both agree with convc's own CPU kernels. Skipped where Python has no PyTorch."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from bench.gpu import make_bundle
from bench.gpu.measuring import layers

try:
    import numpy
    import torch

    from bench.gpu.measuring import data, peer, reference
except ImportError:
    torch = None

LINES = """
f32 nhwc[2, 9, 11, 8] -> conv(12, 3x3, pad=1) + bias + relu
f32 nhwc[1, 9, 11, 8] -> conv(12, 3x3, stride=2, pad=[1:2, 0:1], groups=4) + scale + bias + relu6
f32 nchw[1, 8, 9, 11] -> conv(12, 3x5, dilation=2, pad=[3:2, 0:7]) + bias + leaky_relu(0.01)
f32 nhwc[1, 9, 11, 8] -> conv(12, 3x3, pad=1, pad_mode=reflect) + clip(-1, 0.5)
f32 nhwc[1, 9, 11, 8] -> conv(12, 3x3, pad=[2:1, 0:3], pad_mode=replicate, flip) + bias + sigmoid
f32 nhwc[1, 9, 11, 8] -> conv(12, 3x3, pad=2, pad_mode=circular) + tanh
f32 nhwc[1, 9, 11, 8] -> conv(12, 3x3, pad=1, pad_mode=-0.5) + silu
f32 nhwc[1, 9, 11, 8] -> depthwise(3x3, multiplier=3, pad=1) + bias + gelu
f32 nwc[1, 50, 8] -> conv(16, 5, stride=2, pad=same) + bias + hardswish
f32 ncw[1, 8, 50] -> conv(16, 5, stride=2, pad=2) + bias + hardsigmoid
f32 ndhwc[1, 5, 6, 7, 8] -> conv(12, 3x3x3, pad=1) + bias + relu
f32 ncdhw[1, 8, 5, 6, 7] -> depthwise(3x3x3, pad=[1:0, 2:1, 0:1]) + bias + relu
f32 nhwc[1, 5, 6, 8] -> transposed(12, 4x4, stride=2, pad=1) + bias + relu
f32 nhwc[1, 5, 6, 8] -> transposed(12, 3x3, stride=2, pad=1, output_padding=1, groups=2) + bias
f32 nhwc[1, 5, 6, 8] -> transposed(12, 3x4, stride=3x2, pad=[0:2, 1:0], output_padding=2x1, dilation=1x2, flip) + bias
f32 nchw[1, 8, 5, 6] -> transposed(12, 2x2, stride=3, output_padding=2)
f32 nwc[1, 20, 8] -> transposed(4, 5, stride=2, pad=2, output_padding=1) + bias
f32 ndhwc[1, 3, 4, 5, 8] -> transposed(4, 2x2x2, stride=2) + bias
f32 nhwc[1, 8, 8, 24] -> conv(12, 1x1, groups=3) + bias -> shuffle(3) + relu -> conv(24, 1x1) + bias + add(x) + relu
(x: f32 nhwc[1, 8, 8, 4], g: f32 nhwc[1, 1, 1, 4], s: f32 nhwc[1, 8, 1, 4]) -> depthwise(3x3, pad=1) + mul(g) + add(s)
f32 nhwc[1, 9, 9, 3] -> depthwise(3x3, pad=1, weights=[[0, 1/4, 0], [1/4, -1, 1/4], [0, 1/2, 0.3]], flip)
f32 nhwc[1, 9, 9, 1] -> conv(1, 5x1, pad=same, pad_mode=replicate, weights=[1/16, 4/16, 6/16, 4/16, 1/16]) + relu
"""


def explained(line):
    done = subprocess.run([os.environ["CONVC"], "explain", "--json", line], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def layer_of(entry):
    return layers.layer_of({"family": "a family", "name": "layer", "c_name": "layer", "library": "",
                            "explained": make_bundle.shortened(entry)})


def parameter_shapes(entry, layer):
    """As a kernel's info has them."""
    shapes = []
    for stage, described in zip(layer.stages, entry["stages"], strict=True):
        channels = layers.tensor_of(described["input"]).channels_first_extents[1]
        out = stage.output.channels_first_extents[1]
        if stage.kind != "shuffle" and stage.constant is None:
            pair = [channels, out // stage.groups] if stage.kind == "transposed" else [out, channels // stage.groups]
            shapes.append((f"{stage.index}.weight", [*pair, *stage.along("kernel")]))
        shapes += [(f"{stage.index}.{name}", [out]) for name in stage.names() if name in ("bias", "scale")]
    return shapes


def run_convc(line, inputs, parameters):
    """What convc makes of these numbers, in the layout of the output."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        command = [os.environ["CONVC"], "run", line, "--repeat", "1", "--output", folder / "y.npy"]
        for name, values in inputs.items():
            numpy.save(folder / f"{name}.npy", values.numpy())
            command += ["--input", f"{name}={folder / name}.npy"]
        (folder / "weights").mkdir()
        for name, values in parameters.items():
            numpy.save(folder / "weights" / f"{name}.npy", values.numpy())
        if parameters:
            command += ["--weights", folder / "weights"]
        subprocess.run(command, capture_output=True, check=True)
        return torch.from_numpy(numpy.load(folder / "y.npy"))


@unittest.skipIf(torch is None, "no PyTorch")
class Reference(unittest.TestCase):
    def compared(self, line):
        entry = explained(line)
        layer = layer_of(entry)
        inputs = data.inputs_of(layer)
        parameters = data.parameters_of(layer, parameter_shapes(entry, layer))
        first = {name: data.channels_first(layer.inputs[name], values) for name, values in inputs.items()}
        expected, bound = reference.run(layer, first, parameters)
        got = run_convc(line, inputs, parameters).reshape(layer.output.extents)
        verdict = reference.Verdict(data.channels_first(layer.output, got), expected, bound)
        return layer, first, parameters, expected, verdict

    def test_convc_is_within_the_bound(self):
        for line in LINES.strip().splitlines():
            with self.subTest(line):
                *_, verdict = self.compared(line)
                self.assertLess(verdict.relative, 1e-6)
                self.assertLessEqual(verdict.excess, 1)
                self.assertGreater(verdict.excess, 0)

    def test_cudnn_s_ways_compute_the_same(self):
        for line in LINES.strip().splitlines():
            with self.subTest(line):
                layer, first, parameters, expected, _ = self.compared(line)
                kernels = {stage.index: reference.kernel_of(stage, parameters, "cpu").contiguous()
                           for stage in layer.stages if stage.kind != "shuffle"}
                for _, note, chain in peer.candidates(layer, kernels, parameters, first):
                    self.check_chain(note, chain, expected)

    def check_chain(self, note, chain, expected):
        """Twice: the first call must not have changed what the second reads."""
        if note == "fused":
            return  # on a GPU alone
        try:
            for _ in range(2):
                self.assertLess(reference.Verdict(chain(), expected, expected.abs() + 1).relative, 1e-6)
        except NotImplementedError as error:
            self.assertIn("asymmetric padding", str(error))

    def test_a_difference_is_seen(self):
        expected, bound = torch.ones(4, 4, dtype=torch.float64), torch.full((4, 4), 1e-6, dtype=torch.float64)
        got = torch.ones(4, 4)
        self.assertEqual(reference.Verdict(got, expected, bound).excess, 0)
        got[2, 1] += 2e-6
        self.assertGreater(reference.Verdict(got, expected, bound).excess, 1)
        self.assertLess(reference.Verdict(got, expected, bound, transforms=True).excess, 1)
        got[0, 0] = float("nan")
        self.assertEqual(reference.Verdict(got, expected, bound).relative, float("inf"))


if __name__ == "__main__":
    unittest.main()
