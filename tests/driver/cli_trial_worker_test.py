"""What `convc trial-worker` answers: to `compile`, that code which is not worth running is rejected; to `time`, what a
kernel takes on all CPUs."""

import json
import os
import pathlib
import subprocess
import unittest

from convc_cli import CliTest

LAYER = "f32 nhwc[1, 14, 14, 16] -> depthwise(7x7, pad=3) + gelu"
TARGET = "x86-64-linux-avx2-fma"


def depthwise(columns):
    return f"depthwise(columns={columns}, parts=1, channel_parts=1, channels_outside=0, copies=0)"


class Compile(CliTest):
    def answers(self, *schedules):
        """To a request each, in one process."""
        requests = [{"do": "prepare", "layer": LAYER, "target": TARGET, "folder": str(self.folder / "kernels")}]
        requests += [{"do": "compile", "schedules": each} for each in schedules]
        process = self.start("trial-worker", stdin=subprocess.PIPE)
        out, error = process.communicate("".join(json.dumps(each) + "\n" for each in requests).encode(), timeout=120)
        self.assertEqual(process.returncode, 0, error)
        return [json.loads(line) for line in out.splitlines()][1:]

    def test_code_that_spills_is_rejected(self):
        good, spilling, impossible = self.answers(depthwise(3), depthwise(12), depthwise(99))
        self.assertEqual(good, {})
        self.assertRegex(spilling["rejected"], r"^its inner loop of \d+ multiply-adds spills \d+ vector registers, ")
        self.assertIn("refused", impossible)


class Time(CliTest):
    def test_kernels_are_timed_on_all_cpus(self):
        layer = "f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1)"
        plan = json.loads(self.convc("explain", layer, "--plan", "--json")[0])["plan"]
        schedule = plan["groups"][0]["schedule"]
        process = self.start("trial-worker", stdin=subprocess.PIPE)

        def ask(what, **arguments):
            process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        try:
            ask("prepare", layer=layer, target=plan["target"], folder=str(self.folder / "kernels"))
            for cold in (False, True, False):  # what one does must not be in the next one's way
                answer = ask("time", schedules=[schedule, schedule], seconds=0.02, cold=cold)
                self.assertEqual(len(answer["seconds"]), 2)
            threads = [thread.name for thread in pathlib.Path(f"/proc/{process.pid}/task").iterdir()]
            cpus = os.sched_getaffinity(0)
            self.assertGreaterEqual(len(threads), len(cpus))
            for thread in threads:
                self.assertEqual(os.sched_getaffinity(int(thread)), cpus)
        finally:
            process.kill()
            process.communicate()


if __name__ == "__main__":
    unittest.main()
