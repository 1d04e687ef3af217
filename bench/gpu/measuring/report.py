"""What was measured on a GPU, as lines for the terminal, as Markdown and as JSON."""

import json
import math
import pathlib

OURS = "convc"
LAYOUTS = ("contiguous", "channels last")
TF32 = "TF32"
STAGES = "stages"  # of a chain, each by itself, added up: told, and no peer
HEAD = ["layer", "convc us", "cuDNN contiguous us", "channels last us", "ratio", "TF32 us", "ratio to TF32", "GFLOP/s",
        "schedule"]

# The geometric mean that a family is to reach beside cuDNN in f32; None: told, not judged.
MARKS = {"depthwise": 1.3, "grouped": 1.3, "fused": 1.3, "transposed": 1.0, "dilated": 1.0, "separable": 1.0,
         "dense": 0.8, "pointwise": 0.8, "three_axes": None}


def entry_of(layer):
    """A layer's part of results.json before anything is measured."""
    return {"family": layer.family, "name": layer.name, "layer": layer.line, "nominal_flops": layer.nominal_flops,
            "real_flops": layer.real_flops, "bytes": layer.bytes, "schedule": "", "results": {}}


def stage_column(index):
    return f"stage {index}"


def with_sum_of_stages(results, count):
    """The results with those of single stages, where all are there, as one."""
    single = {column: results[column] for column in map(stage_column, range(count)) if column in results}
    others = {column: result for column, result in results.items() if column not in single}
    if len(single) != count:
        return others
    sums = {key: sum(result[key] for result in single.values()) for key in ("minimum", "median")}
    return others | {STAGES: sums | {"each": single}}


def geometric_mean(numbers):
    numbers = list(numbers)
    return math.exp(sum(map(math.log, numbers)) / len(numbers)) if numbers else math.nan


def seconds(entry, column):
    """None where the column was not measured."""
    return entry["results"].get(column, {}).get("minimum")


def ratio(entry, columns=LAYOUTS):
    """The best of the columns by convc's time: above 1 where convc is faster."""
    ours = seconds(entry, OURS)
    others = [time for time in (seconds(entry, column) for column in columns) if time is not None]
    return min(others) / ours if ours is not None and others else math.nan


def microseconds(value):
    if value is None:
        return "-"
    digits = max(0, min(2, 2 - math.floor(math.log10(value * 1e6))))
    return f"{value * 1e6:.{digits}f}"


def cell(entry, column):
    result = entry["results"].get(column, {})
    return "wrong" if result.get("error", "").startswith("wrong") else microseconds(result.get("minimum"))


def number(value):
    return "" if math.isnan(value) else f"{value:.2f}"


def row(entry):
    ours = seconds(entry, OURS)
    rate = "" if ours is None else f"{entry['real_flops'] / ours / 1e9:.0f}"
    return [entry["name"], cell(entry, OURS), *(cell(entry, column) for column in LAYOUTS), number(ratio(entry)),
            cell(entry, TF32), number(ratio(entry, [TF32])), rate, entry["schedule"]]


def families(entries):
    groups = {}
    for entry in entries:
        groups.setdefault(entry["family"], []).append(entry)
    return groups


def summary(name, group):
    ratios = [value for value in map(ratio, group) if not math.isnan(value)]
    to_tf32 = [value for value in (ratio(entry, [TF32]) for entry in group) if not math.isnan(value)]
    return {"family": name, "mean": geometric_mean(ratios), "tf32": geometric_mean(to_tf32),
            "lowest": min(ratios, default=math.nan), "layers": len(ratios), "mark": MARKS.get(name)}


def summaries(entries):
    """Geometric means, lowest ratio and number of layers of each family, and of the whole at the end."""
    groups = families(entries)
    if len(groups) > 1:
        groups["all"] = entries
    found = [summary(name, group) for name, group in groups.items()]
    return [entry for entry in found if entry["layers"]]


def verdict(summary):
    mark = summary["mark"]
    return "" if mark is None else f"{mark:.1f} {'reached' if summary['mean'] >= mark else 'missed'}"


def summary_rows(entries):
    return [["family", "geometric mean", "mark", "lowest", "layers", "to TF32"],
            *([s["family"], number(s["mean"]), verdict(s), number(s["lowest"]), str(s["layers"]), number(s["tf32"])]
              for s in summaries(entries))]


def aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [line([*cells], widths) for cells in rows]


def line(cells, widths):
    first, *rest = zip(cells, widths, strict=True)
    return (first[0].ljust(first[1]) + "".join("  " + text.rjust(width) for text, width in rest)).rstrip()


class Table:
    """Lines of aligned columns, one as soon as its layer is measured."""

    def __init__(self, names):
        self.widths = [max([5, *map(len, names)]), *map(len, HEAD[1:-1]), 0]

    def head(self):
        return line(HEAD, self.widths)

    def row(self, entry):
        return line(row(entry), self.widths)


def markdown_table(rows):
    top, *rest = rows
    lines = ["| " + " | ".join(top) + " |", "|" + "|".join([" --- ", *[" ---: "] * (len(top) - 1)]) + "|"]
    return lines + ["| " + " | ".join(cells) + " |" for cells in rest]


def failures(entries):
    for entry in entries:
        for column, result in entry["results"].items():
            if "error" in result:
                yield f"{entry['family']}/{entry['name']}, {column}: {result['error']}"


def stage_sums(entries):
    """A sentence about a family's chains."""
    chains = [entry for entry in entries if STAGES in entry["results"]]
    sums = [f"{entry['name']} {microseconds(seconds(entry, STAGES))}" for entry in chains]
    if not sums:
        return []
    return ["", "cuDNN's stages, each by itself in its better layout, added up (us; no part of the ratio): "
            + ", ".join(sums) + "."]


def failed_layers(entries):
    return [entry for entry in entries if "error" in entry["results"].get(OURS, {})]


def machine_text(context):
    device = context["device"]
    parts = [device["name"], f"compute capability {device['capability']}",
             f"driver {context['driver']}" if context["driver"] else "",
             *(f"{name} {version}" for name, version in context["versions"].items()), context["clocks"],
             "" if context["verified"] else "without PyTorch: nothing is verified"]
    return ", ".join(filter(None, parts))


METHOD = (
    "Microseconds, the minimum over interleaved rounds of CUDA graphs; warm caches, weights packed beforehand, each "
    "result verified against float64 before it is timed. *Ratio* is the time of PyTorch's cuDNN without TF32, in the "
    "better layout, by convc's: above 1 convc is faster. *TF32*: cuDNN with 10 bits of mantissa in its products, which "
    "convc does not use. *GFLOP/s* count real multiply-adds, without taps in padding. bench/gpu/README.md has the "
    "method.")


def machine_lines(entries, context, heading):
    """All that is said of one machine; headings begin with `heading`."""
    lines = [f"{context['date']}, {machine_text(context)}; target `{context['target']}`."]
    if summaries(entries):
        lines += ["", *markdown_table(summary_rows(entries))]
    for family, group in families(entries).items():
        lines += ["", f"{heading} {family}", "", *markdown_table([HEAD, *map(row, group)]), *stage_sums(group)]
    failed = [f"- {line}" for line in failures(entries)]
    return lines + (["", f"{heading} What did not run", "", *failed] if failed else [])


def markdown(runs):
    """A page about one or more machines: (entries, context) of each."""
    lines = ["# Results on a GPU" if len(runs) == 1 else "# Results on GPUs", "", METHOD]
    for entries, context in runs:
        if len(runs) > 1:
            lines += ["", f"## {context['device']['name']}"]
        lines += ["", *machine_lines(entries, context, "##" if len(runs) == 1 else "###")]
    return "\n".join(lines) + "\n"


def write(folder, entries, context):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"context": context, "layers": entries}
    (folder / "results.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text(markdown([(entries, context)]), encoding="utf-8")
    return [folder / "results.md", folder / "results.json"]
