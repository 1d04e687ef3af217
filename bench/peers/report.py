"""What was measured, as a table for the terminal, as Markdown and as JSON."""

import functools
import json
import math
import pathlib
import statistics
import tomllib

from bench.peers import network, steadiness
from bench.peers.process import OURS, OURS_DEFAULT

EQUAL = 0.97  # of the best peer's speed: within a noisy machine's error


def geometric_mean(numbers):
    numbers = list(numbers)
    return math.exp(sum(map(math.log, numbers)) / len(numbers)) if numbers else math.nan


def attainable(entry):
    """(GFLOP/s, what bounds them) by the roofline: the peak, or the bytes that have to move at the bandwidth of the
    innermost level that holds all of them."""
    machine, size = entry["machine"], entry["bytes"]
    levels = {"l2": machine["l2_bytes"] * machine["threads"], "l3": machine["l3_bytes"], "dram": math.inf}
    level = next(name for name, holds in levels.items() if size <= holds)
    by_memory = entry["real_flops"] / (size / machine[level])
    return min((machine["fma_peak"], "fma"), (by_memory, level))


def own(entry):
    return entry["results"][OURS]


def peers_of(names):
    return [name for name in names if name not in (OURS, OURS_DEFAULT)]


def best_peer(entry):
    """(name, seconds) of the fastest, or None."""
    results = entry["results"]
    times = {name: results[name]["minimum"] for name in peers_of(results) if "minimum" in results[name]}
    return min(times.items(), key=lambda item: item[1]) if times else None


def ratio(entry, name=OURS):
    """Above 1 where convc is faster than every peer."""
    best, result = best_peer(entry), entry["results"].get(name, {})
    return best[1] / result["minimum"] if best and "minimum" in result else math.nan


def ratio_by_rounds(entry):
    """As ratio(), but of the times within a round, the median over the rounds: what slowed a round down has slowed both.
    Peers that were in fewer than half of the rounds are far behind."""
    ours = own(entry).get("rounds", {})
    medians = []
    for name in peers_of(entry["results"]):
        theirs = entry["results"][name].get("rounds", {})
        pairs = [theirs[number] / ours[number] for number in ours.keys() & theirs.keys()]
        if 2 * len(pairs) > len(ours):
            medians.append(statistics.median(pairs))
    return min(medians, default=math.nan)


def gflops(entry, seconds):
    return entry["real_flops"] / seconds / 1e9


def milliseconds(seconds):
    return f"{seconds * 1e3:.{max(0, min(4, 2 - math.floor(math.log10(seconds * 1e3))))}f}"


def cell(result):
    if result is None:
        return ""
    if "minimum" in result:
        return milliseconds(result["minimum"])
    return "wrong" if result["error"].startswith("wrong") else "-"


def number_or_nothing(value):
    return "" if math.isnan(value) else f"{value:.2f}"


def work(entry):
    """GFLOP, the nominal ones behind "of" where they are others."""
    real, nominal = entry["real_flops"] / 1e9, entry["nominal_flops"] / 1e9
    return f"{real:.3g}" if real == nominal else f"{real:.3g} of {nominal:.3g}"


def columns(entries):
    names = []
    for entry in entries:
        names += [name for name in entry["results"] if name not in names]
    return names


def row(entry, names):
    cells = [entry["name"], *(cell(entry["results"].get(name)) for name in names)]
    if "minimum" not in own(entry):
        return cells + [""] * 7
    rate = gflops(entry, own(entry)["minimum"])
    roof, bound = attainable(entry)
    return cells + [number_or_nothing(ratio(entry)), number_or_nothing(ratio_by_rounds(entry)),
                    f"{100 * rate / entry['machine']['fma_peak']:.0f}", f"{100 * rate / roof:.0f} {bound}", work(entry),
                    f"{own(entry).get('workspace_bytes', 0) / 1e6:.2f}", own(entry).get("origin", "")]


def head(names):
    return ["layer", *names, "ratio", "by rounds", "% peak", "% roofline", "GFLOP", "workspace MB", "schedule"]


def known(ratios):
    return [value for value in ratios if not math.isnan(value)]


def families(entries):
    groups = {}
    for entry in entries:
        groups.setdefault(entry["family"], []).append(entry)
    return groups


def summaries(entries):
    """(family, geometric means of the ratio, of that by rounds, and of that of default schedules, lowest ratio, layers)
    and the whole at the end."""
    groups = families(entries)
    if len(groups) > 1:
        groups["all"] = entries
    for name, group in groups.items():
        ratios = known(map(ratio, group))
        by_rounds = known(map(ratio_by_rounds, group))
        by_default = known(ratio(entry, OURS_DEFAULT) for entry in group)
        if ratios:
            means = map(geometric_mean, (ratios, by_rounds, by_default))
            yield name, *means, min(ratios), len(ratios)


def total_seconds(entries, library):
    """Over all layers, each as often as its network has it; None where the library did not run every one."""
    results = [entry["results"].get(library, {}) for entry in entries]
    if not all("minimum" in result for result in results):
        return None
    times = [{"name": entry["name"], **result} for entry, result in zip(entries, results, strict=True)]
    return network.total(times, "minimum")


def network_total(name, entries, size):
    """What the measured layers of a network add up to; the whole network has `size` layers."""
    seconds = {library: total_seconds(entries, library) for library in columns(entries)}
    peers = [seconds[library] for library in peers_of(seconds) if seconds[library] is not None]
    return {"network": name, "layers": network.count(entries), "all_layers": size,
            "real_flops": network.total(entries, "real_flops"), "nominal_flops": network.total(entries, "nominal_flops"),
            "seconds": seconds, "ratio": min(peers) / seconds[OURS] if peers and seconds[OURS] is not None else None}


def network_totals(entries, sizes):
    """One of each network; `sizes` says how many layers it has."""
    return [network_total(name, group, sizes[name]) for name, group in families(entries).items() if name in sizes]


def network_table(totals):
    """The cells, their head first."""
    libraries = columns([{"results": total["seconds"]} for total in totals])
    rows = [["network", *libraries, "ratio", "layers", "GFLOP"]]
    for total in totals:
        times = [total["seconds"].get(library) for library in libraries]
        layers, size = total["layers"], total["all_layers"]
        rows.append([total["network"], *("-" if time is None else milliseconds(time) for time in times),
                     "" if total["ratio"] is None else f"{total['ratio']:.2f}",
                     f"{layers}" if layers == size else f"{layers} of {size}", work(total)])
    return rows


class Table:
    """Lines of aligned columns, one as soon as its layer is measured."""

    def __init__(self, names, layer_names):
        self.names = names
        widest = max(map(len, layer_names), default=5)
        self.widths = [widest, *(max(8, len(name)) for name in names), 6, 9, 6, 10, 14, 12, 8]

    def line(self, cells):
        first, *rest = zip(cells, self.widths, strict=True)
        return first[0].ljust(first[1]) + "".join("  " + text.rjust(width) for text, width in rest)

    def head(self):
        return self.line(head(self.names))

    def row(self, entry):
        return self.line(row(entry, self.names))


def summary_text(entries):
    width = max(12, *map(len, families(entries)))
    lines = ["", f"{'family':{width}}  geometric mean  by rounds  by default  lowest  layers"]
    lines += [f"{name:{width}}  {mean:14.2f}  {by_rounds:9.2f}  {default:10.2f}  {low:6.2f}  {count:6}"
              for name, mean, by_rounds, default, low, count in summaries(entries)]
    return "\n".join(lines)


def networks_text(totals):
    cells = network_table(totals)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [""]
    for first, *rest in cells:
        lines.append(first.ljust(widths[0]) + "".join("  " + text.rjust(width)
                                                      for text, width in zip(rest, widths[1:], strict=True)))
    return "\n".join(lines)


def markdown_table(cells):
    top, *rest = cells
    lines = ["| " + " | ".join(top) + " |", "|" + "|".join([" --- ", *[" ---: "] * (len(top) - 1)]) + "|"]
    return lines + ["| " + " | ".join(line) + " |" for line in rest]


def failures(entries):
    for entry in entries:
        for name, result in entry["results"].items():
            if "error" in result:
                yield f"- {entry['family']}/{entry['name']}, {name}: {result['error']}"


@functools.cache
def known_reasons():
    return tomllib.loads((pathlib.Path(__file__).parent / "reasons.toml").read_text(encoding="utf-8"))


def losses(entries):
    for entry in entries:
        value = ratio(entry)
        if not math.isnan(value) and value < EQUAL:
            name, _ = best_peer(entry)
            line = f"- {entry['family']}/{entry['name']}: {value:.2f} of {name} ({entry['results'][name]['note']})"
            reason = known_reasons().get(f"{entry['family']}/{entry['name']}")
            yield f"{line}: {reason}" if reason else line


def markdown(entries, context, picture):
    names = columns(entries)
    machine = context["machine"]
    lines = [
        "# Results",
        "",
        f"{context['date']}, {machine['model']}, {machine['threads']} threads, target `{machine['target']}`; "
        f"{'cold caches' if context['cold'] else 'warm caches'}, {context['layouts']}. Made by",
        "",
        f"    {context['command']}",
        "",
        "Milliseconds, the minimum over interleaved rounds; every library in a process of its own, weights packed "
        "beforehand, in the layout that it prefers, each result verified before it is timed. *Ratio* is the best "
        f"peer's time by convc's: above 1 convc is fastest, {EQUAL} counts as equal; *by rounds* the same of times within "
        "one round, the median over the rounds: what the machine's neighbours slowed down counts for both. *GFLOP* and the "
        "percentages count real multiply-adds, without taps in padding (nominal ones behind *of*); fast algorithms can "
        "exceed 100 %. *Workspace* is the scratch memory of a call, *schedule* where convc's comes from; *default* is convc with the "
        "default schedule. bench/README.md has the method.",
        "",
        f"FMA peak {machine['fma_peak']:.0f} GFLOP/s ({machine['fma_peak_one_thread']:.0f} with one thread), L2 "
        f"{machine['l2']:.0f}, L3 {machine['l3']:.0f}, DRAM {machine['dram']:.0f} GB/s; a cache line between cores "
        f"and back {round_trips(entries)} ns. "
        + "; ".join(f"{name} {version}" for name, version in context["versions"].items()) + ".",
        "",
        *markdown_table([["family", "geometric mean", "by rounds", "by default schedules", "lowest", "layers"],
                         *([name, f"{mean:.2f}", f"{by_rounds:.2f}", f"{default:.2f}", f"{low:.2f}", str(count)]
                           for name, mean, by_rounds, default, low, count in summaries(entries))]),
        "",
        f"![Roofline of this run]({picture})",
    ]
    totals = network_totals(entries, context["networks"])
    if totals:
        lines += ["", "## Networks", "", "All layers of a network, each as often as the network has it; `-` where a library "
                  "does not run every one.", "", *markdown_table(network_table(totals))]
    for family, group in families(entries).items():
        lines += ["", f"## {family}", "", *markdown_table([head(names), *(row(entry, names) for entry in group)])]
    lost = list(losses(entries))
    if lost:
        lines += ["", "## Where a peer is faster", "", *lost]
    failed = list(failures(entries))
    if failed:
        lines += ["", "## What did not run", "", *failed]
    return "\n".join(lines) + "\n"


def round_trips(entries):
    """The shortest, and the longest where rounds differed by more than chance."""
    seen = [nanoseconds for entry in entries for nanoseconds in entry["round_trips"]]
    low, high = min(seen, default=0), max(seen, default=0)
    return f"{low:.0f}" if high <= steadiness.FAR * low else f"{low:.0f} to {high:.0f}"


def write(prefix, entries, context):
    prefix = pathlib.Path(prefix)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    json_path, page = prefix.with_suffix(".json"), prefix.with_suffix(".md")
    figures = {"context": context, "layers": entries, "networks": network_totals(entries, context["networks"])}
    json_path.write_text(json.dumps(figures, indent=1) + "\n")
    page.write_text(markdown(entries, context, prefix.with_suffix(".svg").name))
    return [page, json_path]
