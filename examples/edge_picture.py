"""The parts of `./dev demo` that are about pictures, with NumPy and Pillow, which come with Halide's wheel.

    edge_picture.py size PHOTO                       prints its height and width
    edge_picture.py magnitude X.npy Y.npy OUT.png    draws sqrt(x^2 + y^2), scaled to the full range
"""

import sys

import numpy
from PIL import Image


def size(photo):
    with Image.open(photo) as image:
        print(image.height, image.width)


def magnitude(x_path, y_path, out):
    x, y = (numpy.load(path).squeeze() for path in (x_path, y_path))
    strength = numpy.hypot(x, y)
    # The strongest hundredth of the edges may saturate, so that the rest can be seen.
    full = max(float(numpy.quantile(strength, 0.99)), 1e-30)
    Image.fromarray((numpy.clip(strength / full, 0, 1) * 255).astype(numpy.uint8)).save(out)


if __name__ == "__main__":
    {"size": size, "magnitude": magnitude}[sys.argv[1]](*sys.argv[2:])
