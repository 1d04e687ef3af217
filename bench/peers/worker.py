"""A library with a Python interface as a process under test; worker.h has the protocol.

    python -m bench.peers.worker onnxruntime

A module in bench/peers/libraries defines prepare(layer, folder, threads) -> Prepared; layer.py describes what it gets.
"""

import contextlib
import dataclasses
import functools
import gc
import importlib
import json
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Callable

import numpy

from bench.peers.layer import Layer, Unsupported

SAMPLE_NANOSECONDS = 5_000  # a batch of calls takes at least this long: many times a reading of the clock
WARM_SECONDS = 0.01
FEWEST = 5
SLOW_SECONDS = 0.5  # a call that takes longer is timed once
MOST_OVERHEAD_SECONDS = 2e-5


@dataclasses.dataclass
class Prepared:
    """A layer that is ready to be called."""

    call: Callable[[], object]
    output: Callable[[], numpy.ndarray]  # of the last call, in the layer's own layout
    note: str = ""
    # The seconds of one call that are not the layer's, where the library itself can tell them apart or a call of
    # nothing can be timed: subtracted from each sample.
    overhead: float = 0.0
    # Where only the library can tell its stages from the rest: the seconds of a call so far, on average.
    own_seconds: Callable[[], float] | None = None


def sample(prepared, batch):
    """Seconds of one call."""
    if prepared.own_seconds:
        prepared.call()
        return prepared.own_seconds()
    begin = time.perf_counter_ns()
    for _ in range(batch):
        prepared.call()
    return max((time.perf_counter_ns() - begin) / batch * 1e-9 - prepared.overhead, 1e-9)


def time_calls(prepared, seconds):
    """The same method as compiler/measure/time_kernel.h."""
    begin = time.monotonic()
    fastest = sample(prepared, 1)
    while time.monotonic() - begin < WARM_SECONDS:
        fastest = min(fastest, sample(prepared, 1))
    batch = max(1, round(SAMPLE_NANOSECONDS * 1e-9 / fastest))
    begin = time.monotonic()
    samples = []
    fewest = FEWEST if fastest < SLOW_SECONDS else 1
    while len(samples) < fewest or time.monotonic() - begin < seconds:
        samples.append(sample(prepared, batch))
    return {"minimum": min(samples), "median": statistics.median(samples), "runs": len(samples) * batch}


@functools.cache
def vector_lanes():
    """32-bit floats in a vector, from which libraries derive their blocks of channels."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = file.read()
    return 16 if "avx512f" in flags else 8 if "avx" in flags else 4


def overhead_of(call):
    """What a call costs that computes next to nothing. Bounded, for a machine that was not quiet."""
    return min(time_calls(Prepared(call, lambda: None), 0.05)["minimum"], MOST_OVERHEAD_SECONDS)


def faster(*candidates):
    """Where a library can do a layer in several ways, it is judged by the best of them."""
    return min(candidates, key=lambda prepared: time_calls(prepared, 0.02)["minimum"])


class Server:
    def __init__(self, name):
        self.name = name
        self.module = importlib.import_module(f"bench.peers.libraries.{name}")
        self.threads = len(os.sched_getaffinity(0))
        self.prepared = None

    def answer(self, request):
        match request["do"]:
            case "prepare":
                self.prepared = None
                layer = Layer(request["layer"], pathlib.Path(request["folder"]))
                self.prepared = self.module.prepare(layer, self.threads)
                self.prepared.call()
                layer.save(self.name, self.prepared.output())
                return {"output": self.name, "note": self.prepared.note}
            case "time":
                return time_calls(self.prepared, request["seconds"])
            case "time_once":  # an average over other calls says nothing of this one
                begin = time.perf_counter()
                self.prepared.call()
                return {"seconds": time.perf_counter() - begin}
            case "release":
                self.prepared = None
                return {}
            case other:
                return {"error": f"no request '{other}' here"}


def main():
    # Libraries print: only answers go to standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    server = Server(sys.argv[1])
    gc.disable()
    for line in sys.stdin:
        try:
            answer = server.answer(json.loads(line))
        except Unsupported as reason:
            answer = {"error": str(reason)}
        except Exception as error:  # whatever a library throws is this layer's failure, not the benchmark's
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        gc.collect()
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
