"""The libraries under test, each in a process of its own that stands still while it is not asked."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


# convc in two processes: as users have it, and with every layer's default schedule.
OURS, OURS_DEFAULT = "convc", "default"


class WorkerFailed(Exception):
    """The process has ended."""


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str  # as a column of the table
    package: str  # whose version is told
    module: str = ""  # in bench/peers/libraries
    program: str = ""  # in the build folder


PEERS = [
    Peer("oneDNN 3.2", "onednn-devel-cpu-gomp", program="onednn_gomp_worker"),
    Peer("oneDNN 3.13", "onednn-devel", program="onednn_tbb_worker"),
    Peer("ONNX Runtime", "onnxruntime", module="onnxruntime"),
    Peer("OpenVINO", "openvino", module="openvino"),
    Peer("LiteRT", "ai-edge-litert", module="litert"),
    Peer("ncnn", "ncnn", module="ncnn"),
]


def environment(threads):
    """OpenMP's threads spin between calls, as the other libraries' do, and stay where they are. Buffers lie in pages of 2 MB
    where the system has them: which pages of 4 KB a process gets decides whether what it computes stays in L2."""
    return os.environ | {
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824",
        "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "active", "OMP_PROC_BIND": "true",
        "CONVC_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT),
    }


class Worker:
    """Stopped by a signal whenever it has answered: threads that spin while they wait for work would disturb others."""

    def __init__(self, name, command, threads, log):
        self.name = name
        self.command, self.threads, self.log = command, threads, log
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, cwd=ROOT, env=environment(self.threads))
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, what, **arguments):
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps({"do": what} | arguments) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            status = self.process.wait()
            self.start()
            raise WorkerFailed(f"the process of {self.name} ended with status {status} when asked to {what}")
        self.process.send_signal(signal.SIGSTOP)
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            raise WorkerFailed(f"{self.name} answers {line.strip()!r} to {what}") from None

    def close(self):
        self.process.kill()
        self.process.wait()


def start_peer(peer, build, onednn_tbb, threads, log):
    command = [str(build / peer.program)] if peer.program else [sys.executable, "-m", "bench.peers.worker", peer.module]
    if peer.program == "onednn_tbb_worker":
        # It reaches the CPU through SYCL and OpenCL, whose driver is not registered with the system.
        command = ["env", f"OCL_ICD_FILENAMES={onednn_tbb}/lib/libintelocl.so", *command]
    return Worker(peer.name, command, threads, log)
