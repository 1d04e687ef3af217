"""A small way to draw SVG: grids of cells, stacks of channels, arrows, labels. Used by draw.py.

The colours are legible on white and on black alike, and nothing lies behind them. Blue is what goes in, orange are weights,
green is what comes out; purple and teal tell groups from one another. A cell is `blue` when pale and `blue full` when it
is the one at work.
"""

COLOURS = {"blue": "#3f8ae0", "orange": "#e0822b", "green": "#36a269", "purple": "#9668d8", "teal": "#1f9fa8",
           "grey": "#7a828e"}

STYLE = "\n".join(
    ["text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;text-anchor:middle;fill:#7a828e}",
     ".left{text-anchor:start}.right{text-anchor:end}.small{font-size:11px}.head{font-weight:600;font-size:14px}",
     ".on{fill:#fff;font-weight:600}.line{stroke:#7a828e;stroke-width:1.4;fill:none}",
     ".thick{stroke-width:2.6;fill:none}.dashed{stroke-dasharray:3 2}"] +
    [f".{name}{{fill:{colour};fill-opacity:.2;stroke:{colour}}}.{name}.full{{fill-opacity:1;stroke:#fff;stroke-opacity:.6}}"
     f".{name}.half{{fill-opacity:.65}}.{name}.none{{fill-opacity:0}}text.{name}{{fill-opacity:1;stroke:none}}"
     for name, colour in COLOURS.items()])


def number(value):
    """Coordinates with at most one decimal, so that every machine writes the same bytes."""
    return f"{round(value, 1):g}"


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Picture:
    """Collects elements; `source()` is the file. Coordinates are pixels from the upper left corner."""

    def __init__(self, width, height, title):
        self.width, self.height, self.title = width, height, title
        self.elements = []

    def add(self, element):
        self.elements.append(element)

    def text(self, x, y, text, style=""):
        style = f' class="{style}"' if style else ""
        self.add(f'<text x="{number(x)}" y="{number(y)}"{style}>{escape(text)}</text>')

    def rectangle(self, x, y, width, height, style, radius=0):
        corner = f' rx="{radius}"' if radius else ""
        self.add(f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}"{corner} '
                 f'class="{style}"/>')

    def path(self, points, style):
        self.add(f'<path d="M{" L".join(f"{number(x)} {number(y)}" for x, y in points)}" class="{style}"/>')

    def polygon(self, points, style):
        self.add(f'<path d="M{" L".join(f"{number(x)} {number(y)}" for x, y in points)}Z" class="{style}"/>')

    def arrow(self, x1, y1, x2, y2, style="line"):
        self.add(f'<path d="M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}" class="{style}" '
                 'marker-end="url(#a)"/>')

    def grid(self, x, y, rows, columns, size, style_of, label_of=None):
        """Cells; `style_of(row, column)` is a class, or None for no cell. Cells of one class are one path."""
        paths = {}
        for row in range(rows):
            for column in range(columns):
                style = style_of(row, column)
                if style:
                    place = f"M{number(x + column * size)} {number(y + row * size)}"
                    paths.setdefault(style, []).append(f"{place}h{size}v{size}h-{size}z")
        for style, cells in paths.items():
            self.add(f'<path d="{"".join(cells)}" class="{style}"/>')
        for row in range(rows if label_of else 0):
            for column in range(columns):
                label = label_of(row, column)
                style = style_of(row, column)
                if label is not None and style:
                    self.cell_text(x + column * size, y + row * size, size, label, style)

    def cell_text(self, x, y, size, label, style):
        on = "on" if "full" in style or "half" in style else ""
        small = "small" if size < 22 else ""
        self.text(x + size / 2, y + size / 2 + (4 if small else 4.6), label, " ".join(filter(None, (on, small))))

    def row(self, x, y, size, styles, labels=None):
        self.grid(x, y, 1, len(styles), size, lambda _, c: styles[c], labels and (lambda _, c: labels[c]))

    def box(self, x, y, width, height, depth, style):
        """A cuboid whose front has its upper left corner at (x, y); `depth` goes back to the upper right."""
        d = depth * 0.5
        self.polygon([(x, y), (x + d, y - d), (x + width + d, y - d), (x + width, y)], style)
        self.polygon([(x + width, y), (x + width + d, y - d), (x + width + d, y + height - d), (x + width, y + height)],
                     style)
        self.rectangle(x, y, width, height, style)

    def cards(self, x, y, size, styles, step=9):
        """Channels as cards, the first in front, each further one behind it to the upper right."""
        for i, style in reversed(list(enumerate(styles))):
            self.rectangle(x + i * step, y - i * step, size, size, style, 2)

    def source(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img">\n<title>{escape(self.title)}</title>\n'
                f"<style>\n{STYLE}\n</style>\n"
                '<marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
                f'<path d="M0 0L8 4L0 8z" fill="{COLOURS["grey"]}"/></marker>\n' + "\n".join(self.elements) +
                "\n</svg>\n")
