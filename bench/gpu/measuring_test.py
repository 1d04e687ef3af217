"""What of the GPU measurement needs no GPU: layers.json, which contestants race, the process that is asked."""

import sys
import unittest

from bench.gpu.measuring import layers, timing
from bench.gpu.measuring.process import Process, ProcessFailed


class FakeDevice:
    """A clock that only calls move."""

    def __init__(self, can_capture=True):
        self.now, self.can_capture = 0.0, can_capture

    def event(self):
        return [0.0]

    def record(self, event):
        event[0] = self.now

    def seconds(self, before, after):
        return after[0] - before[0]

    def synchronize(self):
        pass

    def capture(self, call, times):
        if not self.can_capture:
            raise RuntimeError("no capture")
        return lambda: [call() for _ in range(times)]

    def call(self, seconds):
        def moved():
            self.now += seconds
        return moved


class Timing(unittest.TestCase):
    def contestant(self, device, column, seconds, note=""):
        return timing.Contestant(device, column, note, device.call(seconds))

    def test_a_call_s_time_is_that_of_a_graph_by_its_calls(self):
        contestant = self.contestant(FakeDevice(), "convc", 1e-5)
        timing.run_rounds([contestant], 3, 0.01)
        result = contestant.result()
        self.assertEqual((result["calls"], result["rounds"], result["method"]), (timing.CALLS, 3, "graph"))
        self.assertAlmostEqual(result["minimum"], 1e-5)
        self.assertAlmostEqual(result["median"], 1e-5)

    def test_a_slow_call_stands_in_a_short_graph(self):
        self.assertEqual(self.contestant(FakeDevice(), "convc", timing.LONGEST / 2.5).calls, 2)
        self.assertEqual(self.contestant(FakeDevice(), "convc", 1.0).calls, 1)

    def test_what_cannot_be_captured_is_called_in_a_loop(self):
        contestant = self.contestant(FakeDevice(can_capture=False), "convc", 1e-5)
        timing.run_rounds([contestant], 1, 0.01)
        self.assertEqual(contestant.method, "loop: no capture")
        self.assertAlmostEqual(contestant.result()["minimum"], 1e-5)

    def test_a_column_has_its_best_and_the_slow_leave_the_race(self):
        device = FakeDevice()
        fast = self.contestant(device, "contiguous", 1e-5, "fused")
        near = self.contestant(device, "contiguous", 2e-5, "in steps")
        slow = self.contestant(device, "contiguous", 9e-5, "otherwise")
        alone = self.contestant(device, "TF32", 9e-5)
        timing.run_rounds([slow, near, fast, alone], 4, 0.01)
        self.assertEqual([len(one.rounds) for one in (fast, near, slow, alone)], [4, 4, 2, 4])
        self.assertEqual(timing.results([slow, near, fast, alone])["contiguous"]["note"], "fused")


def stage(operation, **other):
    space = {"layout": "nhwc", "extents": [1, 4, 4, 2]}
    axis = {"kernel": 3, "stride": 1, "dilation": 1, "pad_before": 1, "pad_after": 0, "output_padding": 0, "output": 4}
    return {"index": 0, "operation": operation, "kind": "conv", "groups": 1, "flip": False, "pad_mode": "zeros",
            "epilogues": [], "output": space, "axes": [axis]} | other


class Layers(unittest.TestCase):
    def test_epilogues_have_their_arguments(self):
        self.assertEqual([layers.epilogue_of(text) for text in ("relu", "add(x)", "clip(-1, 0.5)")],
                         [("relu", ""), ("add", "x"), ("clip", "-1, 0.5")])

    def test_constant_weights_are_part_of_the_operation(self):
        made = layers.stage_of(stage("depthwise(1x3, pad=1, weights=[[0.25, -1, 2e-3]]) + clip(0, 1) + relu"))
        self.assertEqual(made.constant, [[0.25, -1, 2e-3]])
        self.assertIsNone(layers.stage_of(stage("conv(2, 3x3) + bias")).constant)
        self.assertFalse(made.symmetric)

    def test_extents_in_pytorch_s_order(self):
        self.assertEqual(layers.Tensor("ndhwc", [1, 2, 3, 4, 5]).channels_first_extents, [1, 5, 2, 3, 4])
        self.assertEqual(layers.Tensor("ncw", [1, 5, 2]).channels_first_extents, [1, 5, 2])


def process(program, limit=20):
    """A process that answers with what the Python program makes of each line."""
    return Process([sys.executable, "-c", f"import json, os, sys, time\nfor line in sys.stdin:\n {program}"], limit)


class OtherProcess(unittest.TestCase):
    def asked(self, program, **options):
        asked = process(program, **options)
        self.addCleanup(asked.close)
        return asked

    def test_it_answers(self):
        asked = self.asked("print(json.dumps({'got': json.loads(line), 'pid': os.getpid()}), flush=True)")
        first = asked.ask("measure", layer=3)
        self.assertEqual(first["got"], {"do": "measure", "layer": 3})
        self.assertEqual(asked.ask("context")["pid"], first["pid"])

    def test_one_that_has_died_is_started_anew(self):
        asked = self.asked("'die' in line and os._exit(7); print('{}', flush=True)")
        with self.assertRaisesRegex(ProcessFailed, "status 7 when asked to die"):
            asked.ask("die")
        self.assertEqual(asked.ask("live"), {})

    def test_one_that_has_lost_its_device_is_not_asked_again(self):
        asked = self.asked("print(json.dumps({'pid': os.getpid(), 'lost': 'last' in line}), flush=True)")
        last = asked.ask("last")
        self.assertEqual(list(last), ["pid"])
        self.assertNotEqual(asked.ask("another")["pid"], last["pid"])

    def test_a_failure_is_told(self):
        asked = self.asked("print(json.dumps({'failed': 'no driver'}), flush=True)")
        with self.assertRaisesRegex(ProcessFailed, "no driver"):
            asked.ask("context")

    def test_one_that_hangs_is_ended(self):
        asked = self.asked("time.sleep(60)", limit=0.5)
        with self.assertRaisesRegex(ProcessFailed, "no answer in 0.5 s"):
            asked.ask("measure")


if __name__ == "__main__":
    unittest.main()
