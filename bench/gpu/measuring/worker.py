"""The process under main.py: takes a line of JSON, measures a layer, answers with its entry of results.json."""

import datetime
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from . import layers, report, timing
from .kernels import KernelFailed, Library
from .ours import Ours


def open_device(number):
    """PyTorch's, or without PyTorch the driver's alone: then nothing is verified and there is no cuDNN."""
    try:
        import torch
    except ImportError:
        torch = None
    if torch is not None and torch.cuda.is_available():
        from .torch_device import TorchDevice
        return TorchDevice(number)
    from .driver_device import DriverDevice
    return DriverDevice(number)


@functools.cache
def library(path):
    return Library(path)


class Server:
    def __init__(self, options, folder):
        self.options = options
        self.layers, self.target = layers.read(folder / "layers.json")
        self.kernels = pathlib.Path(options.library or folder / "kernels").absolute()
        self.device = open_device(options.device)

    def context(self):
        return self.device.context() | {
            "date": datetime.date.today().isoformat(), "target": self.target, "driver": driver_version(),
            "clocks": clocks(self.options.device), "rounds": self.options.rounds, "verified": self.device.can_verify}

    def kernel(self, layer):
        path = self.kernels / layer.library if self.kernels.is_dir() else self.kernels
        return library(path).kernel(layer.c_name)

    def measure(self, layer, entry):
        """Fills in the layer's entry."""
        kernel = self.kernel(layer)
        entry |= {"schedule": kernel.schedule, "target": kernel.target, "version": kernel.version,
                  "packed_bytes": kernel.packed_bytes, "workspace_bytes": kernel.workspace_bytes}
        work = self.device.work(layer, kernel.parameters())
        ours = Ours(kernel, self.device, work.inputs, work.parameters, work.output_bytes)
        try:
            contestants = self.our_contestant(ours, work, entry)
            if not self.options.alone:
                contestants += work.peers(entry["results"])
            timing.run_rounds(contestants, self.options.rounds, self.options.seconds)
            entry["results"] |= report.with_sum_of_stages(timing.results(contestants), len(layer.stages))
            if contestants and contestants[0].column == report.OURS and not ours.same_again():
                entry["results"][report.OURS] = {"error": "wrong: the last call's result is not the first's"}
        finally:
            ours.release()

    def our_contestant(self, ours, work, entry):
        """What goes wrong is told in the entry, and cuDNN is timed all the same."""
        results = entry["results"]
        try:
            ours.first_call()
            error, entry["relative_error"] = work.judge(ours.output(), "winograd" in ours.kernel.schedule)
            if error:
                results[report.OURS] = {"error": f"wrong: {error}"}
                return []
            return [timing.Contestant(self.device, report.OURS, "", ours.call)]
        except KernelFailed as failed:
            results[report.OURS] = {"error": str(failed)}
            if not self.device.is_alive():
                raise
            return []

    def answer(self, request):
        if request["do"] == "context":
            return self.context()
        layer = self.layers[request["layer"]]
        entry = report.entry_of(layer)
        try:
            self.measure(layer, entry)
        except Exception as error:  # whatever it is, the other layers are measured
            entry["results"].setdefault(report.OURS, {"error": first_line(error)})
        return entry | {"lost": not self.device.is_alive()}


def first_line(error):
    return f"{type(error).__name__}: {error}".splitlines()[0]


def clocks(device):
    """What nvidia-smi says, where it is there."""
    if not shutil.which("nvidia-smi"):
        return ""
    query = ["nvidia-smi", "-i", str(device), "--query-gpu=clocks.max.sm,clocks.max.memory,power.limit",
             "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    values = [value.strip() for value in done.stdout.strip().split(",")]
    return "clocks up to {} (memory {}), {}".format(*values) if done.returncode == 0 and len(values) == 3 else ""


def driver_version():
    try:
        text = pathlib.Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return ""
    match = re.search(r"Kernel Module\D*([\d.]+)", text)
    return match[1] if match else ""


def serve(options, folder):
    # Libraries print: only answers go to standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    server = None
    for line in sys.stdin:
        try:
            server = server or Server(options, folder)
            answer = server.answer(json.loads(line))
        except Exception as error:
            answer = {"failed": first_line(error), "lost": True}
        print(json.dumps(answer), file=answers)
