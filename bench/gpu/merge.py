"""docs/results-gpu.md from what measure.py has written on machines with a GPU: ./dev bench --gpu-merge."""

import argparse
import json
import pathlib

from bench.gpu.measuring import report

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "results-gpu.md"


def parse_arguments():
    parser = argparse.ArgumentParser(prog="./dev bench --gpu-merge", description=__doc__)
    parser.add_argument("files", nargs="+", metavar="RESULTS.json",
                        help="of one machine or several; of a layer measured twice on one machine the later counts")
    parser.add_argument("--output", metavar="FILE", default=str(PAGE), help="docs/results-gpu.md")
    return parser.parse_args()


def machine_of(context):
    """Runs on equal machines with equal software are one: what they say can stand in one table."""
    return json.dumps([context[key] for key in ("device", "driver", "versions", "target", "verified")], sort_keys=True)


def merged(figures):
    """(entries, context) of each machine; figures: what the files hold, in their order."""
    runs = {}
    for figure in figures:
        entries, _ = runs.get(machine_of(figure["context"]), ({}, None))
        entries |= {(entry["family"], entry["name"]): entry for entry in figure["layers"]}
        runs[machine_of(figure["context"])] = entries, figure["context"]
    return [(list(entries.values()), context) for entries, context in runs.values()]


def main():
    options = parse_arguments()
    runs = merged(json.loads(pathlib.Path(file).read_text(encoding="utf-8")) for file in options.files)
    pathlib.Path(options.output).write_text(report.markdown(runs), encoding="utf-8")
    for entries, _ in runs:
        print("\n".join(report.aligned(report.summary_rows(entries))))
    print(f"Written: {options.output}")


if __name__ == "__main__":
    main()
