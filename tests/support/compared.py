"""Sums what the test processes of one run compared, and prints it: `compared.py FILE`.

FILE holds the lines that tally.cpp appends, one a process. What is distinct is distinct over all processes.
"""

import json
import pathlib
import sys

SETS = ("layers", "kernels", "algorithms", "targets", "layouts")
NAMED = ("algorithms", "targets", "layouts")  # few enough to be listed


def summed(lines):
    """Per oracle the union of each set and the number of outputs; and how many layers were refused, by reason."""
    rows, refused = {}, {}
    for line in lines:
        process = json.loads(line)
        for oracle, row in process["compared"].items():
            into = rows.setdefault(oracle, {name: set() for name in SETS} | {"outputs": 0})
            for name in SETS:
                into[name] |= set(row[name])
            into["outputs"] += row["outputs"]
        for why, count in process["refused"].items():
            refused[why] = refused.get(why, 0) + count
    return rows, refused


def table(rows):
    """The counts in columns, one oracle a line."""
    cells = [["compared with", *SETS, "outputs"]]
    for oracle in sorted(rows):
        row = rows[oracle]
        cells.append([oracle, *(f"{len(row[name]):,}" for name in SETS), f"{row['outputs']:,}"])
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return [line[0].ljust(widths[0]) + "".join("  " + cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))
            for line in cells]


def report(lines):
    """What `./dev test` prints, as lines; none where nothing was compared."""
    rows, refused = summed(lines)
    printed = table(rows) if rows else []
    for name in NAMED:
        found = sorted(set().union(*(row[name] for row in rows.values())))
        if found:
            printed.append(f"{name}: {', '.join(found)}")
    if refused:
        printed.append("layers drawn without a kernel yet: "
                       + ", ".join(f"{refused[why]:,} {why}" for why in sorted(refused)))
    return printed


def main():
    file = pathlib.Path(sys.argv[1])
    lines = report(file.read_text().splitlines()) if file.exists() else []
    if lines:
        print("\n".join(lines))


if __name__ == "__main__":
    main()
