"""The roofline of a run: each layer's rate over its arithmetic intensity, convc's and the best peer's."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "convc"  # the same picture for the same numbers
matplotlib.rcParams["svg.fonttype"] = "none"

import matplotlib.pyplot as plt  # noqa: E402

from bench.peers import report  # noqa: E402

ROOFS = [("l2", "L2"), ("l3", "L3"), ("dram", "DRAM")]


def intensity(entry):
    return entry["real_flops"] / entry["bytes"]


def draw(path, entries, machine):
    figure, axes = plt.subplots(figsize=(9, 5.5))
    entries = [entry for entry in entries if "minimum" in report.own(entry)]
    left, right = min(map(intensity, entries)) / 2, max(map(intensity, entries)) * 2
    peak = machine["fma_peak"]
    for key, label in ROOFS:
        knee = peak / machine[key]
        ends = [left, max(left, knee)]
        axes.plot(ends, [end * machine[key] for end in ends], color="0.6", linewidth=1)
        axes.annotate(f"{label} {machine[key]:.0f} GB/s", (left, left * machine[key]), fontsize=8, color="0.4",
                      rotation=32, rotation_mode="anchor", va="bottom")
    axes.axhline(peak, color="0.3", linewidth=1)
    axes.annotate(f"FMA peak {peak:.0f} GFLOP/s", (right, peak), fontsize=8, ha="right", va="bottom")
    for i, (family, group) in enumerate(report.families(entries).items()):
        colour = f"C{i}"
        rates = [report.gflops(entry, report.own(entry)["minimum"]) for entry in group]
        axes.scatter([intensity(entry) for entry in group], rates, s=22, color=colour, label=family)
        for entry in group:
            best = report.best_peer(entry)
            if best:
                ends = [report.gflops(entry, report.own(entry)["minimum"]), report.gflops(entry, best[1])]
                axes.plot([intensity(entry)] * 2, ends, color=colour, linewidth=0.8)
                axes.plot(intensity(entry), ends[1], "_", color=colour, markersize=7)
    axes.set(xscale="log", yscale="log", xlim=(left, right), xlabel="real floating-point operations a byte",
             ylabel="GFLOP/s", title="convc (dots) and the best peer of each layer (dashes)")
    axes.legend(fontsize=8, ncols=2, loc="lower right")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
