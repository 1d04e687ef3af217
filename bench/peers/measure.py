"""One layer in all libraries: the numbers, what each makes of them, and the times in interleaved rounds.

A round times every library once, in random order, between two bursts of the FMA peak and of a cache line's way between
the cores; a round in which either drifts counts only where there are no better ones. Rounds are short and many: what
neighbours on the same cores take away for a second, they then take from every library, and every library has had its
good moments.
"""

import contextlib
import pathlib
import random
import shutil
import statistics
import tempfile
import time

import numpy

from bench.peers.process import WorkerFailed
from bench.peers.steadiness import Steadiness

SLOW = 3.0  # a library so many times slower than the best is left out of further rounds
ROUNDS_BEFORE_DROPPING = 1
ATTEMPTS = 2  # rounds tried for each that is wanted
FEWEST_ROUNDS = 6  # of layers of which a round takes seconds,
ENOUGH_SECONDS = 20.0  # once they have taken so long


def verify(folder, output):
    """How far an output is from the reference, in units of what an f32 kernel may differ by."""
    expected, bound, got = (numpy.load(folder / f"{name}.npy") for name in ("reference", "bound", output))
    if got.shape != expected.shape:
        return float("inf")
    with numpy.errstate(invalid="ignore", divide="ignore"):
        error = numpy.abs(got.astype(numpy.float64) - expected) / numpy.maximum(bound, 1e-30)
    return float(numpy.max(error, initial=0.0)) if numpy.isfinite(error).all() else float("inf")


class Contestant:
    def __init__(self, worker):
        self.worker = worker
        self.note, self.error, self.facts = "", "", {}
        self.rounds = {}  # by number: (minimum, median, whether the peak was steady)

    def prepare(self, request, folder):
        try:
            answer = self.worker.ask("prepare", **request)
        except WorkerFailed as failed:
            answer = {"error": str(failed)}
        self.error = answer.get("error", "")
        if self.error:
            return
        self.note, self.facts = answer["note"], answer
        off = verify(folder, answer["output"])
        if off > 1:
            self.error = f"wrong: {off:.3g} times what is allowed"

    def time(self, options, ours):
        """Minimum and median; nothing, from now on, where the process has ended."""
        try:
            if not options.cold:
                answer = self.worker.ask("time", seconds=options.seconds)
                return answer["minimum"], answer["median"]
            samples = []
            for _ in range(options.cold):
                ours.ask("clear_caches")
                samples.append(self.worker.ask("time_once")["seconds"])
            return min(samples), statistics.median(samples)
        except WorkerFailed as failed:
            self.error = str(failed)
            return None

    def best(self):
        return min(minimum for minimum, _, _ in self.rounds.values())

    def result(self):
        if self.error:
            return {"error": self.error}
        good = {number: entry for number, entry in self.rounds.items() if entry[2]} or self.rounds
        return {"minimum": min(entry[0] for entry in good.values()),
                "median": statistics.median(entry[1] for entry in good.values()),
                "rounds": {str(number): float(f"{entry[0]:.4g}") for number, entry in good.items()},
                "note": self.note} | {
                    key: self.facts[key] for key in ("origin", "packed_bytes", "workspace_bytes") if key in self.facts}


def run_round(contestants, ours, options):
    before = ours.ask("burst")
    times = {}
    for contestant in random.sample(contestants, len(contestants)):
        seen = contestant.time(options, ours)
        if seen:
            times[contestant] = seen
    return times, [before, ours.ask("burst")]


def run_rounds(contestants, ours, options):
    """Fills in the contestants' rounds; returns how many were steady, and what the machine showed."""
    steady_rounds, steadiness, begin = 0, Steadiness(), time.monotonic()
    for attempt in range(options.rounds * ATTEMPTS):
        racing = [contestant for contestant in contestants if not contestant.error]
        if attempt >= ROUNDS_BEFORE_DROPPING and racing:
            fastest = min(contestant.best() for contestant in racing)
            racing = [contestant for contestant in racing if contestant.best() <= SLOW * fastest]
        times, bursts = run_round(racing, ours, options)
        steady = steadiness.judge(bursts)
        steady_rounds += steady
        for contestant, (minimum, median) in times.items():
            contestant.rounds[attempt] = minimum, median, steady
        is_long = attempt + 1 >= FEWEST_ROUNDS and time.monotonic() - begin > ENOUGH_SECONDS
        if steady_rounds == options.rounds or is_long:
            break
    return steady_rounds, steadiness


def measure_layer(layer, source, machine_worker, workers, options):
    """`layer` as explained, `source` as convc reads it; the first two workers are convc's own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="convc-peers-"))
    try:
        answer = machine_worker.ask("data", source=source, folder=str(folder))
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        contestants = [Contestant(worker) for worker in workers]
        for contestant in contestants:
            name = "".join(c for c in contestant.worker.name if c.isalnum())
            contestant.prepare({"layer": layer, "source": source, "folder": str(folder), "name": name}, folder)
        before = machine_worker.ask("machine")
        ours, default = contestants[:2]
        same = not ours.error and not default.error and ours.note == default.note  # one kernel races once
        racing = [contestant for contestant in contestants if not (contestant.error or same and contestant is default)]
        steady, steadiness = run_rounds(racing, machine_worker, options)
        after = machine_worker.ask("machine")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for worker in workers:
            with contextlib.suppress(WorkerFailed):
                worker.ask("release")
    machine = {key: max(before[key], after[key]) for key in ("fma_peak", "fma_peak_one_thread", "l2", "l3", "dram")}
    machine["fma_peak"] = max(machine["fma_peak"], steadiness.peak)
    results = {contestant.worker.name: (ours if same and contestant is default else contestant).result()
               for contestant in contestants}
    return {"machine": machine, "steady_rounds": steady, "round_trips": steadiness.round_trips, "results": results}
