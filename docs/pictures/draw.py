"""Draws the pictures of docs/variants.md: `python3 docs/pictures/draw.py [FOLDER]` writes them beside itself, or there.

One function a picture. What can be computed is: sums, receptive fields, numbers of contributions. A test checks that the
files in the repository are what this draws, byte for byte.
"""

import itertools
import pathlib
import sys

from channels import CHANNEL_PICTURES
from svg import Picture

IMAGE = ((1, 0, 2, 1, 0), (0, 3, 1, 0, 2), (2, 1, 0, 1, 1), (0, 2, 1, 3, 0), (1, 0, 1, 0, 2))
KERNEL = ((1, 0, 2), (0, 1, 0), (3, 0, 1))


def correlate(image, kernel):
    size = len(image) - len(kernel) + 1
    taps = list(itertools.product(range(len(kernel)), repeat=2))
    return [[sum(image[y + r][x + c] * kernel[r][c] for r, c in taps) for x in range(size)] for y in range(size)]


def window(top, left, rows, columns, inside, outside):
    return lambda r, c: inside if top <= r < top + rows and left <= c < left + columns else outside


def cross_correlation():
    p = Picture(640, 210, "A 3x3 kernel slides over a 5x5 input; each position gives one output")
    out = correlate(IMAGE, KERNEL)
    p.grid(20, 40, 5, 5, 30, window(1, 1, 3, 3, "blue full", "blue"), lambda r, c: IMAGE[r][c])
    p.rectangle(50, 70, 90, 90, "orange thick none")
    p.text(95, 24, "input 5x5", "head")
    p.text(205, 122, "\u00b7", "head")
    p.grid(240, 70, 3, 3, 30, lambda r, c: "orange full", lambda r, c: KERNEL[r][c])
    p.text(285, 54, "kernel 3x3", "head")
    p.arrow(345, 115, 435, 115)
    p.text(388, 105, "sum of 9", "small")
    p.grid(450, 70, 3, 3, 30, window(1, 1, 1, 1, "green full", "green"), lambda r, c: out[r][c])
    p.text(495, 54, "output 3x3", "head")
    terms = [f"{IMAGE[1 + r][1 + c]}\u00b7{KERNEL[r][c]}" for r, c in itertools.product(range(3), repeat=2)
             if KERNEL[r][c]]
    p.text(400, 190, f"{out[1][1]} = {' + '.join(terms)}")
    return p


def flipped(kernel):
    return [row[::-1] for row in kernel[::-1]]


def true_convolution():
    p = Picture(640, 310, "An impulse: cross-correlation gives the kernel back flipped, convolution as it is")
    impulse = [[int((r, c) == (2, 2)) for c in range(5)] for r in range(5)]
    letters = [["a", "b", "c"], ["d", "e", "f"], ["g", "h", "i"]]
    for y, head, kernel in ((40, "conv", letters), (190, "conv, flip", flipped(letters))):
        p.grid(20, y, 5, 5, 22, window(2, 2, 1, 1, "blue full", "blue"), lambda r, c: impulse[r][c])
        p.text(175, y + 60, "\u00b7", "head")
        p.grid(215, y + 17, 3, 3, 26, lambda r, c: "orange full", lambda r, c, k=kernel: k[r][c])
        p.arrow(320, y + 56, 410, y + 56)
        p.text(365, y + 46, head, "head")
        p.grid(440, y + 17, 3, 3, 26, lambda r, c: "green full", lambda r, c, k=flipped(kernel): k[r][c])
    p.text(75, 24, "an impulse", "head")
    p.text(254, 24, "what slides", "head")
    p.text(479, 24, "output", "head")
    p.text(580, 100, "flipped")
    p.text(580, 250, "the kernel")
    return p


def pads():
    p = Picture(640, 235, "Where the kernel starts and ends, and how large the output is, for the four named paddings")
    for i, (name, pad) in enumerate((("valid", 0), ("same", 1), ("half", 1), ("full", 2))):
        x, y, size = 14 + i * 158, 50, 16
        inside = lambda r, c, pad=pad: "blue" if pad <= r < pad + 5 and pad <= c < pad + 5 else "grey dashed none"
        p.text(x + 70, 22, f"pad={name}", "head")
        start = (2 - pad) * size
        p.grid(x + start, y + start, 5 + 2 * pad, 5 + 2 * pad, size, inside)
        end = start + (2 + 2 * pad) * size
        p.rectangle(x + start, y + start, 3 * size, 3 * size, "orange thick")
        p.rectangle(x + end, y + end, 3 * size, 3 * size, "orange thick dashed")
        p.text(x + 72, 218, f"5 \u2192 {5 + 2 * pad - 2}", "")
    return p


def pad_modes():
    p = Picture(640, 225, "What stands in three elements of padding before and after the input a to f")
    row = "abcdef"
    modes = (("zeros", lambda i: "0"), ("reflect", lambda i: row[5 - abs(5 - abs(i))]),
             ("replicate", lambda i: row[min(max(i, 0), 5)]), ("circular", lambda i: row[i % 6]),
             ("-0.5", lambda i: "-.5"))
    for i, (name, value) in enumerate(modes):
        y = 24 + i * 38
        p.text(150, y + 20, f"pad_mode={name}", "right")
        styles = ["grey dashed"] * 3 + ["blue full"] * 6 + ["grey dashed"] * 3
        p.row(180, y, 30, styles, [value(c - 3) if not 3 <= c < 9 else row[c - 3] for c in range(12)])
    return p


def transposed_phases():
    """4 taps, stride 2, pad 1, on 5 inputs: each output takes two taps, odd outputs others than even ones."""
    p = Picture(640, 260, "A transposed convolution of stride 2: even and odd outputs are two small convolutions")
    size, taps, inputs, pad = 40, 4, 5, 1
    outputs = (inputs - 1) * 2 - 2 * pad + taps
    left_in, left_out = 220, 120
    styles = ("purple", "teal")
    for i, t in itertools.product(range(inputs), range(taps)):
        o = 2 * i + t - pad
        if 0 <= o < outputs:
            p.path([(left_in + size * (i + 0.5), 76), (left_out + size * (o + 0.5), 156)],
                   f"{styles[o % 2]} none" + (" thick" if o in (4, 5) else ""))
    p.row(left_in, 36, size, ["blue full" if i in (1, 2, 3) else "blue" for i in range(inputs)],
          [f"x{i}" for i in range(inputs)])
    p.row(left_out, 156, size, [styles[o % 2] + (" full" if o in (4, 5) else "") for o in range(outputs)],
          [f"y{o}" for o in range(outputs)])
    p.text(70, 61, "input", "head")
    p.text(70, 181, "output", "head")
    p.text(320, 226, "y4 = w3 x1 + w1 x2: the even outputs are a convolution with w3, w1", "purple")
    p.text(320, 248, "y5 = w2 x2 + w0 x3: the odd ones are one with w2, w0", "teal")
    return p


def transposed_matrix():
    """The 4x16 matrix of a 3x3 kernel on a 4x4 input, and its transpose."""
    p = Picture(640, 290, "The matrix C of a 3x3 convolution of a 4x4 input, and its transpose")
    size = 14

    def tap(output, element):
        r, c = element // 4 - output // 2, element % 4 - output % 2
        return r * 3 + c if 0 <= r < 3 and 0 <= c < 3 else None

    def style(output, element):
        return "grey none" if tap(output, element) is None else "orange full"

    p.text(150, 34, "C: 16 \u2192 4, a convolution", "head")
    p.grid(18, 130, 4, 16, size, style, tap)
    p.grid(262, 102, 16, 1, 8, lambda r, c: "blue")
    p.text(266, 96, "x", "small")
    p.grid(290, 142, 4, 1, 8, lambda r, c: "green full")
    p.text(281, 163, "=", "small")
    p.text(294, 136, "y", "small")
    p.text(490, 34, "C\u1d40: 4 \u2192 16, transposed", "head")
    p.grid(440, 50, 16, 4, size, lambda r, c: style(c, r), lambda r, c: tap(c, r))
    p.grid(510, 142, 4, 1, 8, lambda r, c: "blue")
    p.text(514, 136, "x", "small")
    p.text(530, 163, "=", "small")
    p.grid(540, 102, 16, 1, 8, lambda r, c: "green full")
    p.text(544, 96, "y", "small")
    p.text(130, 224, "36 taps other than 0, either way")
    return p


def contributions(inputs, kernel, stride):
    counts = [0] * ((inputs - 1) * stride + kernel)
    for i, t in itertools.product(range(inputs), range(kernel)):
        counts[i * stride + t] += 1
    return counts


def checkerboard():
    p = Picture(640, 275, "How many products each output sums up: unevenly where the stride does not divide the kernel")
    strengths = {1: "purple", 2: "purple half", 4: "purple full"}
    for x, kernel, head in ((60, 3, "3x3, stride 2: a checkerboard"), (360, 4, "4x4, stride 2: even but at the edge")):
        along = contributions(4, kernel, 2)
        product = lambda r, c, along=along: along[r] * along[c]
        p.text(x + 11 * len(along), 24, head, "head")
        p.grid(x, 44, len(along), len(along), 22, lambda r, c, f=product: strengths[f(r, c)], product)
    return p


def seen(dilations):
    """Along an axis: which inputs one output of a stack of kernels of 3 sees, around 0."""
    places = {0}
    for dilation in dilations:
        places = {place + tap * dilation for place in places for tap in (-1, 0, 1)}
    return places


def field(p, x, y, size, dilations, half):
    """The last stage's taps, and what the stages before it add."""
    last, all_seen = seen(dilations[-1:]), seen(dilations)

    def style(r, c):
        if r - half in last and c - half in last:
            return "orange full"
        return "blue half" if r - half in all_seen and c - half in all_seen else "grey none"

    p.grid(x, y, 2 * half + 1, 2 * half + 1, size, style)


def dilated():
    p = Picture(640, 240, "Stacked 3x3 kernels with dilation 1, 2 and 4 see 3x3, 7x7 and 15x15 inputs")
    for i, dilations in enumerate(((1,), (1, 2), (1, 2, 4))):
        x = 20 + i * 208
        field(p, x, 40, 12, dilations, 7)
        edge = len(seen(dilations))
        p.text(x + 90, 24, f"d = {dilations[-1]}: sees {edge}x{edge}", "head")
    return p


def gridding():
    p = Picture(640, 225, "Dilation 2 three times sees 49 of 169 inputs; 1, 2 and 3 see all of them")
    for x, dilations in ((110, (2, 2, 2)), (370, (1, 2, 3))):
        everything = seen(dilations)
        p.text(x + 80, 22, "d = " + ", ".join(map(str, dilations)), "head")
        p.grid(x, 36, 13, 13, 12,
               lambda r, c, s=everything: "blue full" if r - 6 in s and c - 6 in s else "grey none")
        p.text(x + 80, 212, f"sees {len(everything) ** 2} of 169")
    return p


def separable():
    p = Picture(640, 215, "The Sobel kernel is a column times a row: 9 weights from 6")
    column, row = (1, 2, 1), (-1, 0, 1)
    p.grid(30, 50, 3, 3, 34, lambda r, c: "orange full", lambda r, c: column[r] * row[c])
    p.text(81, 34, "9 weights", "head")
    p.text(160, 106, "=", "head")
    p.grid(190, 50, 3, 1, 34, lambda r, c: "orange full", lambda r, c: column[r])
    p.text(245, 106, "\u00b7", "head")
    p.grid(265, 84, 1, 3, 34, lambda r, c: "orange full", lambda r, c: row[c])
    p.text(275, 34, "3 + 3 weights", "head")
    for x, rows, columns, head in ((420, 5, 5, "5x5"), (510, 3, 5, "3x5"), (600, 3, 3, "3x3")):
        left = x - columns * 7
        p.grid(left, 101 - rows * 7, rows, columns, 14, lambda r, c: "blue" if columns == 5 else "green")
        p.text(x, 52, head)
    p.arrow(458, 101, 472, 101)
    p.arrow(548, 101, 576, 101)
    p.text(465, 160, "3x1: 45")
    p.text(562, 160, "1x3: 27")
    p.text(515, 190, "72 multiplications, not 81")
    return p


PICTURES = {picture.__name__: picture for picture in (
    cross_correlation, true_convolution, pads, pad_modes, transposed_phases, transposed_matrix, checkerboard, dilated,
    gridding, separable, *CHANNEL_PICTURES)}


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    for name, picture in PICTURES.items():
        (folder / f"{name}.svg").write_text(picture().source(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
