"""convc beside the libraries that people use, on the same layers in one run: ./dev bench --peers."""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys

from bench.peers import measure, network, report, roofline
from bench.peers.process import OURS, OURS_DEFAULT, PEERS, ROOT, Worker, WorkerFailed, start_peer

SUITES = ROOT / "bench" / "suites"
CHANNELS_FIRST = {"nwc": "ncw", "nhwc": "nchw", "ndhwc": "ncdhw"}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="./dev bench --peers", description=__doc__,
        epilog="examples: ./dev bench --peers   ./dev bench --peers grouped separable   ./dev bench --peers resnet50   "
               "./dev bench --peers net.conv --only 'res[23]' --libraries ncnn,LiteRT")
    parser.add_argument("suites", nargs="*", metavar="SUITE",
                        help="a file of bench/suites or bench/networks by name, a .conv file or FILE:LAYER; without it all "
                             "of bench/suites")
    parser.add_argument("--only", metavar="REGEX", default="", help="only layers whose name matches")
    parser.add_argument("--libraries", metavar="A,B", help="only these peers; " + ", ".join(p.name for p in PEERS))
    parser.add_argument("--channels-first", action="store_true", help="the same layers with channels first")
    parser.add_argument("--cold", nargs="?", type=int, const=20, default=0, metavar="N",
                        help="N calls a round (20), each after all caches were emptied")
    parser.add_argument("--rounds", type=int, default=24, metavar="N",
                        help="interleaved rounds (24), fewer where they take long")
    parser.add_argument("--seconds", type=float, default=0.01, metavar="S", help="of a library in a round (0.01)")
    parser.add_argument("--output", metavar="PREFIX", default=str(ROOT / "build" / "peers" / "results"),
                        help="write PREFIX.md, PREFIX.json and PREFIX.svg (build/peers/results)")
    parser.add_argument("--build", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--onednn-tbb", required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def say(text=""):
    print(text, file=sys.stderr, flush=True)


def suite_files(names):
    if not names:
        return sorted(str(path) for path in SUITES.glob("*.conv"))
    return [named_file(name) for name in names]


def named_file(name):
    paths = [folder / f"{name}.conv" for folder in (SUITES, network.NETWORKS)]
    return next((str(path) for path in paths if path.exists()), name)


def path_of(file):
    """FILE of FILE or FILE:LAYER."""
    return pathlib.Path(re.sub(r":[^:/]*$", "", file)).absolute()


def explain(convc, source):
    done = subprocess.run([convc, "explain", "--json", source], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr.strip())
    layers = json.loads(done.stdout)
    return layers if isinstance(layers, list) else [layers]


def channels_first(convc, layer):
    """The same layer with its extents turned round: as a canonical line."""

    def turned(match):
        extents = [extent.strip() for extent in match[2].split(",")]
        return f"{CHANNELS_FIRST[match[1]]}[{', '.join([extents[0], extents[-1], *extents[1:-1]])}]"

    line = re.sub(r"\b(n(?:d?h)?wc)\[([^]]*)\]", turned, layer["layer"])
    return explain(convc, line)[0] | {"name": layer["name"]}, line


def chosen_layers(options, convc):
    """(family, explained layer, source for convc)."""
    layers = []
    for file in suite_files(options.suites):
        path = path_of(file)
        for layer in explain(convc, file):
            if not re.search(options.only, layer["name"]):
                continue
            source = f"{path}:{layer['name']}"
            if options.channels_first:
                layer, source = channels_first(convc, layer)
            layers.append((path.stem, layer, source))
    return layers


def network_sizes(options, convc):
    """How many layers each network has of which the run has some."""
    paths = {path_of(file) for file in suite_files(options.suites)}
    return {path.stem: network.count(explain(convc, path))
            for path in sorted(paths) if network.is_network(path)}


def versions(options, peers):
    found = {}
    elsewhere = [str(path) for path in pathlib.Path(options.onednn_tbb).glob("lib/python3*/site-packages")]
    for peer in peers:
        path = elsewhere if peer.package == "onednn-devel" else sys.path
        distributions = importlib.metadata.distributions(name=peer.package, path=path)
        found[peer.name] = next((f"{peer.package} {d.version}" for d in distributions), "")
    return found


def machine_model():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    match = re.search(r"model name\s*:\s*(.*)", text)
    return match[1] if match else platform.machine()


def entry_of(family, layer, measured, machine):
    return {"family": family, "name": layer["name"], "layer": layer["layer"],
            "nominal_flops": 2 * layer["nominal_macs"], "real_flops": 2 * layer["real_macs"], "bytes": layer["bytes"],
            **measured, "machine": {**machine, **measured["machine"]}}


def chosen_peers(options):
    if options.libraries is None:
        return PEERS
    names = [name.strip().lower() for name in options.libraries.split(",") if name.strip()]
    unknown = [name for name in names if name not in [peer.name.lower() for peer in PEERS]]
    if unknown:
        sys.exit(f"no library '{unknown[0]}'; there are {', '.join(peer.name for peer in PEERS)}")
    return [peer for peer in PEERS if peer.name.lower() in names]


def run(options, layers, peers, workers, machine_worker):
    machine = machine_worker.ask("machine")
    table = report.Table([worker.name for worker in workers], [layer["name"] for _, layer, _ in layers])
    print(table.head(), flush=True)
    entries = []
    for number, (family, layer, source) in enumerate(layers, 1):
        if sys.stderr.isatty():
            print(f"\r{number} of {len(layers)}: {layer['name']} ...\033[K", end="", file=sys.stderr, flush=True)
        try:
            measured = measure.measure_layer(layer, source, machine_worker, workers, options)
        except WorkerFailed as failed:
            say(f"{layer['name']}: {failed}")
            continue
        finally:
            if sys.stderr.isatty():
                print("\r\033[K", end="", file=sys.stderr, flush=True)
        entries.append(entry_of(family, layer, measured, machine))
        print(table.row(entries[-1]), flush=True)
    machine = machine | {key: max(entry["machine"][key] for entry in entries)
                         for key in ("fma_peak", "fma_peak_one_thread", "l2", "l3", "dram")} if entries else machine
    context = {"date": datetime.date.today().isoformat(), "machine": machine | {"model": machine_model()},
               "versions": versions(options, peers), "cold": bool(options.cold), "rounds": options.rounds,
               "layouts": "channels first" if options.channels_first else "layouts as in the files",
               "command": shlex.join(["./dev", "bench", "--peers", *visible_arguments()])}
    return entries, context


def visible_arguments():
    """What the user has said, without what ./dev adds."""
    arguments, skip = [], False
    for argument in sys.argv[1:]:
        if skip or argument in ("--build", "--onednn-tbb"):
            skip = not skip
            continue
        arguments.append(argument)
    return arguments


def main():
    options = parse_arguments()
    build = pathlib.Path(options.build)
    convc = build / "compiler" / "driver" / "convc"
    layers = chosen_layers(options, convc)
    if not layers:
        sys.exit("no layer has such a name")
    peers = chosen_peers(options)
    prefix = pathlib.Path(options.output)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with open(build / "peers" / "workers.log", "w", encoding="utf-8") as log:
        ours = [str(build / "bench" / "convc_bench_worker")]
        threads = len(os.sched_getaffinity(0))
        machine_worker = Worker("machine", ours, threads, log)
        workers = [Worker(OURS, ours, threads, log), Worker(OURS_DEFAULT, [*ours, "--default"], threads, log)]
        workers += [start_peer(peer, build / "peers", options.onednn_tbb, threads, log) for peer in peers]
        try:
            entries, context = run(options, layers, peers, workers, machine_worker)
        finally:
            for worker in [machine_worker, *workers]:
                worker.close()
    if not entries:
        sys.exit("nothing was measured")
    context["networks"] = network_sizes(options, convc)
    print(report.summary_text(entries))
    totals = report.network_totals(entries, context["networks"])
    if totals:
        print(report.networks_text(totals))
    written = report.write(options.output, entries, context)
    picture = prefix.with_suffix(".svg")
    roofline.draw(picture, entries, context["machine"])
    say("\nWritten: " + ", ".join(str(path) for path in [*written, picture]))
    if any(result.get("error", "").startswith("wrong") for result in (report.own(entry) for entry in entries)):
        sys.exit("a result of convc's is wrong")


if __name__ == "__main__":
    main()
