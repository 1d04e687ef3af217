"""The process that has the GPU, asked by lines of JSON. A kernel that faults takes the process's CUDA context with it,
so another process goes on with the next layer."""

import contextlib
import json
import subprocess
import threading

LIMIT = 150  # seconds of an answer


class ProcessFailed(Exception):
    """No answer, or one that says why not."""


class Process:
    def __init__(self, command, limit=LIMIT):
        self.command, self.limit = command, limit
        self.process = None

    def started(self):
        if self.process is None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self.process

    def ask(self, what, **arguments):
        process = self.started()
        timer = threading.Timer(self.limit, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps({"do": what} | arguments) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            in_time = timer.is_alive()
            timer.cancel()
        if not line:
            raise ProcessFailed(f"{self.ended()} when asked to {what}" if in_time else f"no answer in {self.limit} s")
        answer = json.loads(line)
        if answer.pop("lost", False):
            self.close()
        if "failed" in answer:
            raise ProcessFailed(answer["failed"])
        return answer

    def ended(self):
        status = self.process.wait()
        self.close()
        return f"the process ended with status {status}"

    def close(self):
        if self.process is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None
