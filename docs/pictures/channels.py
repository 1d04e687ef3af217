"""The pictures of docs/variants.md that are about channels: which go into which, in stacks and as matrices. draw.py
draws them with the others."""

from svg import Picture


def dimensions():
    p = Picture(640, 250, "A kernel slides along as many axes as the input has; it is as deep as there are channels")
    p.text(100, 24, "1-D", "head")
    p.row(20, 60, 20, ["blue full" if 2 <= i < 5 else "blue" for i in range(8)])
    p.rectangle(60, 60, 60, 20, "orange thick none")
    p.arrow(124, 70, 152, 70, "line")
    p.row(40, 130, 20, ["green full" if i == 2 else "green" for i in range(6)])
    p.text(100, 190, "o = i - k + 1")
    p.text(290, 24, "2-D, one channel", "head")
    p.grid(230, 50, 5, 5, 20, lambda r, c: "blue full" if r < 3 and c < 3 else "blue")
    p.rectangle(230, 50, 60, 60, "orange thick none")
    p.arrow(296, 72, 324, 72)
    p.arrow(252, 116, 252, 140)
    p.grid(260, 172, 3, 3, 18, lambda r, c: "green full" if r + c == 0 else "green")
    p.text(520, 24, "2-D, 3 channels to 128", "head")
    p.cards(400, 78, 90, ["blue"] * 3)
    p.cards(400, 78, 50, ["orange full"] * 3)
    p.arrow(520, 110, 548, 110)
    p.cards(556, 112, 50, ["green full"] + ["green"] * 3, 7)
    p.text(455, 196, "a filter is 3x3x3;")
    p.text(505, 218, "128 of them make 128 channels")
    return p


def volume():
    p = Picture(640, 230, "A 3-D kernel is shallower than its input and slides along depth too")
    p.box(40, 80, 110, 110, 100, "blue")
    p.box(64, 104, 46, 46, 40, "orange half")
    p.arrow(114, 127, 144, 127)
    p.arrow(87, 154, 87, 182)
    p.arrow(132, 86, 156, 62)
    p.text(120, 216, "input, a volume")
    p.text(350, 88, "o = floor((i + 2p - k') / s) + 1")
    p.text(350, 110, "along depth, height and width")
    p.arrow(260, 130, 440, 130)
    p.box(490, 100, 80, 80, 70, "green")
    p.box(490, 100, 20, 20, 18, "green full")
    p.text(550, 216, "output, a volume")
    return p


def pointwise():
    p = Picture(640, 245, "A 1x1 kernel mixes the channels of one pixel")
    p.cards(30, 86, 90, ["blue"] * 5)
    p.cards(60, 116, 20, ["blue full"] * 5)
    p.text(95, 24, "input, C channels", "head")
    p.grid(250, 70, 5, 4, 20, lambda r, c: "orange full")
    p.text(290, 56, "C x C' weights", "head")
    p.row(225, 205, 20, ["blue full"] * 5)
    p.text(380, 220, "\u00b7  matrix  =")
    p.row(430, 205, 20, ["green full"] * 4)
    p.arrow(190, 120, 235, 120)
    p.arrow(345, 120, 420, 120)
    p.cards(445, 86, 90, ["green"] * 4)
    p.cards(475, 116, 20, ["green full"] * 4)
    p.text(505, 24, "output, C' channels", "head")
    return p


GROUP_STYLES = ("blue", "purple", "teal")


def depthwise():
    p = Picture(640, 220, "Each channel has a filter of its own, or several")
    for i, style in enumerate(GROUP_STYLES):
        y = 44 + i * 58
        p.rectangle(50, y, 46, 46, style)
        p.text(125, y + 28, "\u00b7", "head")
        p.grid(150, y + 5, 3, 3, 12, lambda r, c, s=style: s + " full")
        p.arrow(200, y + 23, 245, y + 23)
        p.rectangle(262, y, 42, 42, style, 2)
    p.text(73, 28, "channels", "head")
    p.text(168, 28, "filters", "head")
    p.text(284, 28, "output", "head")
    p.rectangle(390, 102, 46, 46, "purple")
    for y in (66, 136):
        p.arrow(442, 124, 476, y + 24)
        p.grid(482, y + 5, 3, 3, 12, lambda r, c: "purple full")
        p.arrow(526, y + 23, 556, y + 23)
        p.rectangle(566, y, 42, 42, "purple", 2)
    p.text(500, 28, "multiplier=2", "head")
    return p


def depthwise_separable():
    p = Picture(640, 210, "Depthwise, then 1x1: 675 + 9,600 multiplications for 86,400")
    p.cards(20, 86, 70, ["blue", "purple", "teal"])
    p.text(70, 24, "7x7x3", "head")
    for i, style in enumerate(GROUP_STYLES):
        p.grid(150 + i * 9, 102 - i * 9, 3, 3, 12, lambda r, c, s=style: s + " full")
    p.arrow(116, 116, 146, 116)
    p.arrow(212, 116, 246, 116)
    p.cards(256, 96, 50, ["blue half", "purple half", "teal half"])
    p.text(290, 24, "5x5x3", "head")
    p.arrow(332, 116, 362, 116)
    p.cards(374, 116, 14, ["orange full"] * 3)
    p.text(395, 164, "x 128", "small")
    p.arrow(424, 116, 456, 116)
    p.cards(468, 108, 50, ["green"] * 10, 6)
    p.text(530, 24, "5x5x128", "head")
    p.text(180, 190, "depthwise 3x3: 675")
    p.text(430, 190, "conv(128, 1x1): 9,600")
    return p


def flattened():
    p = Picture(640, 210, "One filter along the channels, one along the height, one along the width")
    p.cards(20, 92, 70, ["blue"] * 4)
    p.cards(46, 118, 16, ["orange full"] * 4)
    p.text(70, 24, "1x1xC", "head")
    p.arrow(126, 120, 176, 120)
    p.cards(190, 88, 74, ["blue"] * 4, 5)
    p.rectangle(228, 98, 16, 48, "orange full")
    p.text(236, 24, "3x1", "head")
    p.arrow(290, 120, 340, 120)
    p.cards(350, 88, 74, ["blue"] * 4, 5)
    p.rectangle(372, 114, 48, 16, "orange full")
    p.text(396, 24, "1x3", "head")
    p.arrow(450, 120, 500, 120)
    p.cards(510, 88, 74, ["green"] * 4, 5)
    p.text(556, 24, "output", "head")
    p.text(70, 194, "conv(C', 1x1)")
    p.text(236, 194, "depthwise(3x1)")
    p.text(396, 194, "depthwise(1x3)")
    return p


def block(p, x, y, groups, out_each, in_each, size, styles):
    """The weights between channels: rows are channels out, columns channels in, only blocks other than zero."""
    p.grid(x, y, groups * out_each, groups * in_each, size,
           lambda r, c: styles[r // out_each] + " full" if r // out_each == c // in_each else "grey none")


def grouped():
    p = Picture(640, 225, "Two groups: half of the weights, and two layers that know nothing of each other")
    p.text(120, 24, "groups=1", "head")
    p.grid(60, 50, 8, 6, 18, lambda r, c: "orange full")
    p.text(114, 214, "channels in")
    p.text(320, 24, "groups=2", "head")
    block(p, 266, 50, 2, 4, 3, 18, ("blue", "purple"))
    p.text(320, 214, "half the weights")
    for y, style in ((56, "blue"), (136, "purple")):
        p.cards(440, y + 16, 34, [style] * 3, 6)
        p.arrow(500, y + 27, 536, y + 27)
        p.cards(548, y + 16, 34, [style + " half"] * 4, 6)
    p.text(525, 24, "convc split: a device each", "head")
    return p


def shuffle_lines(p, x, top, bottom, size, groups, count):
    """From the channels of a row to where shuffle(groups) puts them in the row below."""
    for i in range(count):
        to = i % (count // groups) * groups + i // (count // groups)
        p.path([(x + size * (i + 0.5), top), (x + size * (to + 0.5), bottom)],
               GROUP_STYLES[i // (count // groups)] + " none")


def shuffle():
    p = Picture(640, 300, "Between two grouped layers, a shuffle gives every group channels from all groups")
    size, x = 40, 140
    before = [GROUP_STYLES[i // 3] for i in range(9)]
    after = [GROUP_STYLES[i % 3] for i in range(9)]
    p.row(x, 20, size, [style + " full" for style in before], [str(i) for i in range(9)])
    for g in range(3):
        p.rectangle(x + g * 120 + 3, 66, 114, 26, "grey none dashed", 4)
        p.text(x + g * 120 + 60, 84, f"group {g}", "small")
    p.row(x, 98, size, before, [str(i) for i in range(9)])
    shuffle_lines(p, x, 138, 196, size, 3, 9)
    p.row(x, 196, size, after, [str(i % 3 * 3 + i // 3) for i in range(9)])
    for g in range(3):
        p.rectangle(x + g * 120 + 3, 242, 114, 26, "grey none dashed", 4)
        p.text(x + g * 120 + 60, 260, f"group {g}", "small")
    p.text(70, 84, "conv", "head")
    p.text(70, 172, "shuffle(3)", "head")
    p.text(70, 260, "conv", "head")
    p.text(320, 290, "channel g * 3 + j goes to j * 3 + g", "small")
    return p


def pointwise_grouped():
    p = Picture(640, 205, "The matrix of a 1x1 layer in three groups is three blocks")
    p.grid(60, 50, 6, 9, 18, lambda r, c: "orange full")
    p.text(141, 34, "conv(6, 1x1): 54 weights", "head")
    p.arrow(255, 104, 335, 104)
    block(p, 380, 50, 3, 2, 3, 18, GROUP_STYLES)
    p.text(461, 34, "groups=3: 18 weights", "head")
    p.text(141, 186, "9 channels in", "small")
    p.text(461, 186, "each block is a small matrix product", "small")
    return p


CHANNEL_PICTURES = (dimensions, volume, pointwise, depthwise, depthwise_separable, flattened, grouped, shuffle,
                    pointwise_grouped)
