#!/usr/bin/env python3
"""Would a learned model rank schedules better than the machine model, on layers it has not seen?

    convc_bench_search all.db --trials > trials.tsv
    python3 bench/learned_ranking.py trials.tsv        # needs scikit-learn

For each layer, gradient boosted trees learn from the trials of all other layers what a schedule's time is to its layer's best,
from the schedule's knobs, the layer's numbers and the machine model's prediction. Printed are, for both rankings, the rank
correlation (Spearman's) with the times that were measured, and the time of the best of the first tenth by the best of all.
docs/tuning.md has the figures.
"""

import collections
import math
import re
import sys

import numpy
from sklearn.ensemble import HistGradientBoostingRegressor

ALGORITHMS = ["chain", "depthwise", "direct", "grouped", "shuffle", "transposed", "winograd"]
LAYER_NUMBERS = 12
LEAST_TRIALS = 20  # of a layer, or it says little


def log2(number):
    return math.log2(number + 1)


def features(layer, schedule, predicted, names):
    numbers = [int(number) for number in re.findall(r"\d+", layer.split(" ", 1)[1])][:LAYER_NUMBERS]
    numbers += [0] * (LAYER_NUMBERS - len(numbers))
    knobs = dict(re.findall(r"(\w+)=(\d+)", schedule))
    return ([ALGORITHMS.index(schedule.split("(")[0])] + [log2(int(knobs.get(knob, 0))) for knob in names]
            + [log2(number) for number in numbers] + [math.log2(predicted)])


def ranks(values):
    values = numpy.asarray(values)
    _, place, count = numpy.unique(values, return_inverse=True, return_counts=True)
    return (numpy.cumsum(count) - (count + 1) / 2)[place]


def judge(predicted, costs):
    correlation = numpy.corrcoef(ranks(predicted), ranks(costs))[0, 1]
    tenth = numpy.argsort(predicted, kind="stable")[:max(len(costs) // 10, 1)]
    return correlation, min(costs[i] for i in tenth) / min(costs)


def read_trials(path):
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    names = sorted({name for row in rows for name in re.findall(r"(\w+)=", row[1])})
    layers = collections.defaultdict(list)
    for layer, schedule, predicted, cost in rows:
        cycles = max(float(predicted), 1)
        layers[layer].append((features(layer, schedule, cycles, names), cycles, float(cost)))
    return {layer: trials for layer, trials in layers.items() if len(trials) >= LEAST_TRIALS}


def learned(layers, unseen):
    rows, targets = [], []
    for layer, trials in layers.items():
        if layer == unseen:
            continue
        least_time, least_cycles = min(trial[2] for trial in trials), min(trial[1] for trial in trials)
        for row, cycles, cost in trials:
            rows.append(row + [cycles / least_cycles])
            targets.append(math.log(cost / least_time))
    model = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, random_state=1)
    model.fit(numpy.array(rows), numpy.array(targets))
    least_cycles = min(trial[1] for trial in layers[unseen])
    return model.predict(numpy.array([row + [cycles / least_cycles] for row, cycles, _ in layers[unseen]]))


def main():
    layers = read_trials(sys.argv[1])
    print(f"{'trials':>6} {'model':>6} {'tenth':>6} {'learned':>7} {'tenth':>6}  layer")
    if len(layers) < 2:
        sys.exit("one layer alone teaches nothing of others")
    rows = []
    for layer, trials in layers.items():
        costs = [trial[2] for trial in trials]
        row = judge([trial[1] for trial in trials], costs) + judge(learned(layers, layer), costs)
        rows.append(row)
        print(f"{len(trials):6} {row[0]:6.2f} {row[1]:6.3f} {row[2]:7.2f} {row[3]:6.3f}  {layer}")
    print("{:6} {:6.2f} {:6.3f} {:7.2f} {:6.3f}  mean".format("", *numpy.mean(numpy.array(rows), axis=0)))


if __name__ == "__main__":
    main()
