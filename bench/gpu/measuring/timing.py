"""Times on the device, in interleaved rounds: CUDA graphs of many calls, timed by events."""

import random
import statistics

CALLS = 20  # in a graph
LONGEST = 0.02  # seconds of a graph: slower layers get fewer calls
FEWEST = 2  # graphs timed of a contestant in a round
SLOW = 3.0  # a contestant so many times slower than the best of its column is left out of further rounds
ROUNDS_BEFORE_DROPPING = 2
WARM_SECONDS = 0.05  # of work before the first round: the clocks rise with it


def seconds_of(device, call, times):
    """Of each of `times` calls, queued without a pause between them."""
    events = [device.event() for _ in range(times + 1)]
    device.record(events[0])
    for event in events[1:]:
        call()
        device.record(event)
    device.synchronize()
    return [device.seconds(before, after) for before, after in zip(events, events[1:], strict=False)]


class Contestant:
    """A way to compute a layer, captured as a graph where that works. `call` has run once before."""

    def __init__(self, device, column, note, call):
        self.device, self.column, self.note, self.call = device, column, note, call
        self.rounds = []  # (minimum, median)
        once = min(seconds_of(device, call, 3))
        self.calls = max(1, min(CALLS, int(LONGEST / max(once, 1e-7))))
        self.method = "graph"
        try:
            self.repeat = device.capture(self.call, self.calls)
            self.repeat()
            device.synchronize()
        except Exception as error:  # whatever is said of a capture: a loop does as well for slow layers
            device.synchronize()
            self.repeat, self.method = self.loop, f"loop: {error}".splitlines()[0]

    def loop(self):
        for _ in range(self.calls):
            self.call()

    def time(self, seconds):
        first = seconds_of(self.device, self.repeat, 1)[0]
        times = max(FEWEST, int(seconds / first))
        samples = [sample / self.calls for sample in seconds_of(self.device, self.repeat, times)]
        self.rounds.append((min(samples), statistics.median(samples)))

    def best(self):
        return min(minimum for minimum, _ in self.rounds)

    def result(self):
        return {"minimum": self.best(), "median": statistics.median(median for _, median in self.rounds),
                "rounds": len(self.rounds), "calls": self.calls, "method": self.method, "note": self.note}


def still_racing(contestants):
    """Without those that are much slower than the best of their column."""
    best = {}
    for contestant in contestants:
        best[contestant.column] = min(best.get(contestant.column, float("inf")), contestant.best())
    return [contestant for contestant in contestants if contestant.best() <= SLOW * best[contestant.column]]


def warm_up(contestants):
    passed = 0.0
    while contestants and passed < WARM_SECONDS:
        passed += sum(sum(seconds_of(contestant.device, contestant.repeat, FEWEST)) for contestant in contestants)


def run_rounds(contestants, rounds, seconds):
    """`seconds` for all of them and all rounds, about."""
    warm_up(contestants)
    racing = contestants
    for done in range(1, rounds + 1):
        share = seconds / rounds / max(len(racing), 1)
        for contestant in random.sample(racing, len(racing)):
            contestant.time(share)
        if done >= ROUNDS_BEFORE_DROPPING:
            racing = still_racing(racing)


def results(contestants):
    """The best of each column."""
    found = {}
    for contestant in contestants:
        result = contestant.result()
        if contestant.column not in found or result["minimum"] < found[contestant.column]["minimum"]:
            found[contestant.column] = result
    return found
