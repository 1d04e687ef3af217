"""measure.py: the layers one by one in a process that is started anew where a kernel has broken it."""

import argparse
import pathlib
import re
import sys
import time

from . import layers, report
from .process import Process, ProcessFailed

HERE = pathlib.Path(__file__).resolve().parents[1]
LARGE = 5e9  # multiply-adds: such layers come last, because cuDNN takes seconds to choose a kernel for them


def parse_arguments():
    parser = argparse.ArgumentParser(description="Verifies and times convc's CUDA kernels beside PyTorch's cuDNN.")
    parser.add_argument("--only", metavar="REGEX", default="", help="only layers whose family/name matches")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="interleaved rounds (7)")
    parser.add_argument("--seconds", type=float, default=0.5, metavar="S", help="of timing a layer, about (0.5)")
    parser.add_argument("--output", metavar="PATH", default=".", help="folder for results.json and results.md (.)")
    parser.add_argument("--device", type=int, default=0, metavar="N", help="which GPU (0)")
    parser.add_argument("--library", metavar="PATH", help="kernels of this .so, or folder of them, not of kernels/")
    parser.add_argument("--alone", action="store_true", help="verify and time convc without cuDNN")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def failed(layer, error):
    return report.entry_of(layer) | {"results": {report.OURS: {"error": error}}}


def measured(process, layer, index):
    """The layer's entry, whatever happens."""
    try:
        return process.ask("measure", layer=index)
    except ProcessFailed as reason:
        return failed(layer, str(reason))


def run(process, chosen, context, output):
    """chosen: (index in layers.json, layer). Prints and writes each row as soon as it is there."""
    table = report.Table([layer.name for _, layer in chosen])
    print(table.head(), flush=True)
    entries = []
    for index, layer in chosen:
        entries.append(measured(process, layer, index))
        print(table.row(entries[-1]), flush=True)
        for line in report.failures(entries[-1:]):
            print(f"  {line}", flush=True)
        report.write(output, entries, context)
    return entries


def in_order_of_size(chosen):
    return sorted(chosen, key=lambda pair: pair[1].nominal_flops / 2 > LARGE)


def in_order_of_file(entries, chosen):
    places = {(layer.family, layer.name): index for index, layer in chosen}
    return sorted(entries, key=lambda entry: places[entry["family"], entry["name"]])


def finish(entries, context, output):
    if report.summaries(entries):
        print("\n" + "\n".join(report.aligned(report.summary_rows(entries))))
    written = report.write(output, entries, context)
    print(f"\n{context['seconds']} s; written: " + ", ".join(map(str, written)))
    if report.failed_layers(entries):
        sys.exit("not every kernel of convc's is right")


def chosen_layers(options):
    """(index in layers.json, layer)."""
    every, _ = layers.read(HERE / "layers.json")
    return [(index, layer) for index, layer in enumerate(every)
            if re.search(options.only, f"{layer.family}/{layer.name}")]


def main():
    options = parse_arguments()
    if options.worker:
        from . import worker
        worker.serve(options, HERE)
        return
    chosen = chosen_layers(options)
    if not chosen:
        sys.exit("no layer has such a name")
    begin = time.monotonic()
    process = Process([sys.executable, str(HERE / "measure.py"), "--worker", *sys.argv[1:]])
    try:
        context = process.ask("context")
        print(report.machine_text(context), flush=True)
        entries = run(process, in_order_of_size(chosen), context, options.output)
    except ProcessFailed as reason:
        sys.exit(f"measure.py: {reason}")
    finally:
        process.close()
    context["seconds"] = round(time.monotonic() - begin)
    finish(in_order_of_file(entries, chosen), context, options.output)
