"""The files of bench/networks: each checks clean, has every layer once, and adds up to what is published of its network.

The environment gives CONVC, the binary.
"""

import json
import os
import subprocess
import unittest

from bench.peers import network

TOLERANCE = 0.02


def convc(*arguments):
    done = subprocess.run([os.environ["CONVC"], *arguments], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def explained(path):
    return json.loads(convc("explain", "--json", path)[1])


def multiply_adds(taps, *shapes):
    """Of kernels of so many taps, by (positions of the kernel, channels in, channels out)."""
    return sum(positions * taps * channels_in * channels_out for positions, channels_in, channels_out in shapes)


def dcgan():
    """PyTorch's example: every position of the smaller side meets a kernel of 4 x 4."""
    widths = [(16, 512, 256), (64, 256, 128), (256, 128, 64), (1024, 64, 3)]
    return multiply_adds(16, (1, 100, 512), (1, 512, 1), *widths, *widths)


def deeplabv3plus_head():
    """ASPP by the text of the paper; the decoder by its Table 3, at output stride 8 with it and without."""
    space = 33 * 33
    return (multiply_adds(9, (3 * space, 2048, 256))
            + multiply_adds(1, (space, 2048, 256), (1, 2048, 256), (space, 5 * 256, 256)) + 297.92e9 - 276.18e9)


def unet():
    """Figure 1 of the paper, whose numbers are extents and channels of what the convolutions make."""
    made = [(570, 1, 64), (568, 64, 64), (282, 64, 128), (280, 128, 128), (138, 128, 256), (136, 256, 256), (66, 256, 512),
            (64, 512, 512), (30, 512, 1024), (28, 1024, 1024), (54, 1024, 512), (52, 512, 512), (102, 512, 256),
            (100, 256, 256), (198, 256, 128), (196, 128, 128), (390, 128, 64), (388, 64, 64)]
    raised = [(28, 1024, 512), (52, 512, 256), (100, 256, 128), (196, 128, 64)]
    square = lambda shapes: [(extent * extent, *channels) for extent, *channels in shapes]  # noqa: E731
    return multiply_adds(9, *square(made)) + multiply_adds(4, *square(raised)) + multiply_adds(1, (388 * 388, 64, 2))


# Multiply-adds of all convolutions: what is published, less the fully connected layers; by the published shapes where
# there is no figure.
PUBLISHED = {
    "c3d": 38.5e9 - (8192 + 4096 + 487) * 4096,  # facebookresearch/VMZ, the model zoo of C3D's authors
    "dcgan": dcgan(),
    "deeplabv3plus_head": deeplabv3plus_head(),
    "mobilenet_v2": 300e6 - 1280 * 1000,  # arXiv 1801.04381, Table 4
    "resnet50": 4.09e9 - 2048 * 1000,  # torchvision, ResNet50_Weights
    "resnext50_32x4d": 4.23e9 - 2048 * 1000,  # torchvision, ResNeXt50_32X4D_Weights
    "shufflenet_v1_g3": 137e6 - 960 * 1000,  # arXiv 1707.01083, Table 1
    "unet": unet(),
}


class Networks(unittest.TestCase):
    def of_each(self, check):
        for path in sorted(network.NETWORKS.glob("*.conv")):
            with self.subTest(path.stem):
                check(path)

    def test_every_file_is_known(self):
        self.assertEqual(sorted(path.stem for path in network.NETWORKS.glob("*.conv")), sorted(PUBLISHED))

    def test_they_check_clean(self):
        def check(path):
            self.assertEqual(convc("check", path), (0, "", ""))
            self.assertEqual(convc("fmt", "--check", path), (0, "", ""))

        self.of_each(check)

    def test_every_layer_stands_there_once(self):
        def check(path):
            lines = [layer["layer"] for layer in explained(path)]
            self.assertEqual(len(lines), len(set(lines)))

        self.of_each(check)

    def test_they_add_up_to_what_is_published(self):
        def check(path):
            total = network.total(explained(path), "nominal_macs")
            self.assertLess(abs(total / PUBLISHED[path.stem] - 1), TOLERANCE)
            self.assertIn(f"{total:,} multiplications", path.read_text().replace("\n# ", " "))

        self.of_each(check)


if __name__ == "__main__":
    unittest.main()
