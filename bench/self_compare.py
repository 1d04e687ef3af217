"""convc beside itself, in interleaved passes over the public suite: channels last and first, or one thread and all.

    ./dev bench --layouts [SUITE...] [--passes N]    # a layer's time in nchw by its time in nhwc
    ./dev bench --threads [SUITE...] [--passes N]    # how it scales, by what the FMA peak itself scales by

A pass runs every layer under both conditions, one right after the other, so that a machine that slows down slows both; the
least time of all passes counts.
"""

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

from bench.peers.report import geometric_mean

SUITES = pathlib.Path(__file__).parent / "suites"
SHAPE = re.compile(r"\bn(d?h?w)c\[([^]]*)\]")


def channels_first(text):
    """The same layers with channels before the spatial extents."""

    def swap(match):
        batch, *spatial, channels = [extent.strip() for extent in match[2].split(",")]
        return f"nc{match[1]}[{', '.join([batch, channels, *spatial])}]"

    return SHAPE.sub(swap, text)


@dataclass
class Condition:
    name: str
    threads: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    rewrite: callable = str  # of the layers' text


@dataclass
class Measured:
    milliseconds: float = math.inf
    peak: float = 0  # GFLOP/s

    def better(self, other):
        return Measured(min(self.milliseconds, other.milliseconds), max(self.peak, other.peak))


def layers_of(suite):
    """[(name, text)] of a file."""
    parts = re.split(r"^(?=layer )", suite.read_text(), flags=re.MULTILINE)[1:]
    return [(re.match(r"layer (\w+)", part)[1], part) for part in parts]


def run(convc, text, condition, folder):
    path = pathlib.Path(folder) / "layer.conv"
    path.write_text(condition.rewrite(text))
    environment = {**os.environ, "CONVC_NUM_THREADS": str(condition.threads)}
    done = subprocess.run([convc, "bench", path, "--json"], env=environment, stdout=subprocess.PIPE, check=True)
    report = json.loads(done.stdout)
    return Measured(report["benchmarks"][0]["real_time"] / 1e6, report["context"]["fma_peak_gflops"])


def measure(convc, suites, conditions, passes):
    """{(suite, layer): [Measured of each condition]}, the best of all passes."""
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(passes):
            for suite in suites:
                print(f"pass {turn + 1} of {passes}: {suite.stem}", file=sys.stderr)
                for layer, text in layers_of(suite):
                    row = best.setdefault((suite.stem, layer), [Measured() for _ in conditions])
                    for i, condition in enumerate(conditions):
                        row[i] = row[i].better(run(convc, text, condition, folder))
    return best


def report(best, conditions, heading, ratio):
    print(f"{'layer':32}{conditions[0].name:>12}{conditions[1].name:>12}  {heading}")
    ratios = {}
    for (suite, layer), row in best.items():
        ratios.setdefault(suite, []).append(ratio(*row))
        print(f"{layer:32}{row[0].milliseconds:12.4f}{row[1].milliseconds:12.4f}  {ratio(*row):.3f}")
    print()
    for suite, values in ratios.items():
        print(f"{suite:32}geometric mean {geometric_mean(values):.3f}")
    print(f"{'all':32}geometric mean {geometric_mean(sum(ratios.values(), [])):.3f}")


def slowdown(before, after):
    return after.milliseconds / before.milliseconds


def scaling(one, many):
    return one.milliseconds / many.milliseconds / (many.peak / one.peak)


def main():
    parser = argparse.ArgumentParser(prog="./dev bench --layouts|--threads", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparison", choices=["layouts", "threads"])
    parser.add_argument("suites", nargs="*", help="names in bench/suites; all of them without any")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--convc", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    suites = [SUITES / f"{name}.conv" for name in options.suites] or sorted(SUITES.glob("*.conv"))
    if missing := [suite.stem for suite in suites if not suite.exists()]:
        parser.error(f"bench/suites has no {', '.join(missing)}")
    if options.comparison == "layouts":
        conditions = [Condition("nhwc"), Condition("nchw", rewrite=channels_first)]
        heading, ratio = "nchw / nhwc", slowdown
    else:
        conditions = [Condition("one thread", 1), Condition("all threads")]
        heading, ratio = "of the peak's scaling", scaling
    report(measure(options.convc, suites, conditions, options.passes), conditions, heading, ratio)


if __name__ == "__main__":
    main()
