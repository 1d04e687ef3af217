"""Whether a round of the comparison counts: whether the machine was what it had shown itself to be."""

DRIFT = 0.03  # of the peak, that a round may have
FAR = 1.5  # times the shortest way between the cores: a hypervisor may have moved one to another L3


class Steadiness:
    """The best that the machine has shown: of the peak for a layer (it falls as the machine warms up), of the way between
    the cores over a whole run."""

    round_trip = float("inf")

    def __init__(self):
        self.peak, self.round_trips = 0.0, []

    def judge(self, bursts):
        self.round_trips += [burst["round_trip"] for burst in bursts]
        Steadiness.round_trip = min(Steadiness.round_trip, *self.round_trips)
        self.peak = max(self.peak, *(burst["gflops"] for burst in bursts))
        return all(burst["gflops"] >= (1 - DRIFT) * self.peak and
                   burst["round_trip"] <= FAR * Steadiness.round_trip for burst in bursts)
