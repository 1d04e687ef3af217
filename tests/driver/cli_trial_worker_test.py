"""What `convc trial-worker` answers to `compile`: a candidate whose code is not worth running is rejected, the default
never."""

import json
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


if __name__ == "__main__":
    unittest.main()
