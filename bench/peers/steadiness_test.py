"""Which rounds of the comparison count."""

import unittest

from bench.peers.steadiness import Steadiness


def bursts(gflops, round_trip):
    return [{"gflops": gflops, "round_trip": round_trip}] * 2


class Rounds(unittest.TestCase):
    def setUp(self):
        Steadiness.round_trip = float("inf")
        self.steadiness = Steadiness()

    def test_a_drift_of_the_peak_is_noticed_within_a_layer(self):
        self.assertTrue(self.steadiness.judge(bursts(100, 60)))
        self.assertTrue(self.steadiness.judge(bursts(98, 60)))
        self.assertFalse(self.steadiness.judge(bursts(96, 60)))
        self.assertTrue(Steadiness().judge(bursts(96, 60)))

    def test_cores_that_lie_further_apart_are_noticed_in_the_whole_run(self):
        self.assertTrue(self.steadiness.judge(bursts(100, 60)))
        self.assertTrue(self.steadiness.judge(bursts(100, 80)))
        self.assertFalse(self.steadiness.judge(bursts(100, 350)))
        self.assertFalse(Steadiness().judge(bursts(100, 350)))

    def test_one_burst_of_the_two_is_enough(self):
        self.assertTrue(self.steadiness.judge(bursts(100, 60)))
        self.assertFalse(self.steadiness.judge([*bursts(100, 60)[:1], *bursts(90, 60)[:1]]))

    def test_the_way_is_kept_as_it_was_seen(self):
        self.steadiness.judge(bursts(100, 60))
        self.assertEqual(self.steadiness.round_trips, [60, 60])


if __name__ == "__main__":
    unittest.main()
