"""What `convc explain` says of schedules: those that a tuner may try (--space), and two side by side (--why)."""

import json
import re
import unittest

from convc_cli import CliTest

FILE = """let n = 1
layer a(x: f32 nhwc[1, 6, 6, 8]) = conv(24, 1x1) + bias
layer b(x: f32 nhwc[1, 6, 6, 8]) = depthwise(3x3, pad=1) + relu -> conv(8, 1x1)
layer body[c in {8, 16}](x: f32 nhwc[1, 6, 6, c]) = conv(c, 1x1)
"""


class Space(CliTest):
    def space(self, what):
        return json.loads(self.convc("explain", what, "--space", "--json")[0])["space"]["spaces"]

    def test_every_group_of_stages_has_its_spaces(self):
        self.write("net.conv", FILE)
        spaces = self.space("net.conv:b")
        self.assertEqual({tuple(space["stages"]) for space in spaces}, {(0,), (1,), (0, 1)})
        self.assertIn("chain", {space["algorithm"] for space in spaces})

    def test_the_counts_add_up(self):
        self.write("net.conv", FILE)
        for space in self.space("net.conv:a") + self.space("net.conv:b"):
            removed = sum(space["conflicts"].values()) + space["slow"]
            self.assertEqual(space["worthwhile"], removed + space["left"], space)
            self.assertLessEqual(space["worthwhile"], space["written"])
            self.assertEqual(len(space["first"]), min(space["left"], 5))
            for knob in space["knobs"]:
                self.assertTrue(all(knob["low"] <= value <= knob["high"] for value in knob["values"]), knob)
            predicted = [each["predicted_cycles"] for each in space["first"]]
            if None not in predicted:
                self.assertEqual(predicted, sorted(predicted))

    def test_conflicts_have_kinds(self):
        kinds = set()
        for layer in ("f32 nhwc[1, 12, 12, 64] -> conv(64, 3x3, pad=1, groups=16)",
                      "f32 nhwc[1, 12, 12, 48] -> depthwise(3x3, pad=1) -> conv(48, 1x1)",
                      "f32 nchw[1, 8, 64, 64] -> depthwise(3x3, pad=1)"):
            kinds |= {kind for space in self.space(layer) for kind in space["conflicts"]}
        self.assertLessEqual(kinds, {"registers", "shape", "division", "memory", "workspace", "rounding", "knobs"})
        self.assertIn("registers", kinds)
        self.assertIn("division", kinds)
        self.assertIn("workspace", kinds)

    def test_as_text(self):
        self.write("net.conv", FILE)
        out, _ = self.convc("explain", "net.conv:a", "--space")
        self.assertRegex(out, r"(?m)^schedules to search for \S+")
        self.assertRegex(out, r"(?m)^  stage 0: direct")
        self.assertRegex(out, r"(?m)^ +vectors +1.* of 1 to \d+$")
        self.assertRegex(out, r"(?m)^ +\d+  left$")
        self.assertRegex(out, r"(?m)^    direct\(.*\): \d+ cycles$")


class Why(CliTest):
    def setUp(self):
        super().setUp()
        self.write("net.conv", FILE)

    def schedules(self, layer):
        """The one taken, and another one."""
        explained = json.loads(self.convc("explain", layer, "--plan", "--space", "--json")[0])
        taken = explained["plan"]["groups"][0]["schedule"]
        first = [each["schedule"] for space in explained["space"]["spaces"] for each in space["first"]]
        return taken, next(schedule for schedule in first
                           if schedule != taken and schedule.split("(")[0] == taken.split("(")[0])

    def why(self, layer, *schedules):
        return json.loads(self.convc("explain", layer, "--plan", "--why", *schedules, "--json")[0])["why"]

    def test_one_schedule_beside_the_one_taken(self):
        taken, other = self.schedules("net.conv:a")
        why = self.why("net.conv:a", other)
        self.assertEqual((why["first"]["schedule"], why["first"]["origin"]), (taken, "default"))
        self.assertEqual((why["second"]["schedule"], why["second"]["origin"]), (other, "pinned"))
        for side in why.values():
            self.assertGreater(side["seconds"], 0)
            group, = side["groups"]
            self.assertEqual(group["stages"], [0])
            self.assertIn(f"vectors={group['knobs']['vectors']}", side["schedule"])
            self.assertGreater(group["predicted_cycles"], 0)

    def test_the_inner_loop_is_that_of_the_schedule(self):
        _, other = self.schedules("net.conv:a")
        for side in self.why("net.conv:a", other).values():
            group, = side["groups"]
            knobs, loop = group["knobs"], group["loop"]
            self.assertEqual(loop["fmas"], knobs["vectors"] * knobs["columns"] * knobs["unroll"], side)
            self.assertEqual(loop["multiply_adds"] % loop["fmas"], 0)
            self.assertEqual((loop["calls"], loop["spill_stores"]), (0, 0))
            self.assertGreaterEqual(loop["model"]["cycles"], loop["model"]["fma_cycles"] * 0.95)
            self.assertTrue(loop["model"]["pressure"])

    def test_as_text(self):
        taken, other = self.schedules("net.conv:a")
        out, _ = self.convc("explain", "net.conv:a", "--plan", "--why", taken, other)
        self.assertIn(f"  A: {taken} (pinned)\n  B: {other} (pinned)\n", out)
        self.assertRegex(out, r"(?m)^  measured ms +[0-9.]+ +[0-9.]+ +[0-9.]+$")
        self.assertRegex(out, r"(?m)^ +stage 0: direct +stage 0: direct$")
        self.assertRegex(out, r"(?m)^ +cycles a turn +[0-9.]+ +[0-9.]+")
        values = [dict(re.findall(r"(\w+)=(\d+)", schedule)) for schedule in (taken, other)]
        for knob in values[0].keys() & values[1].keys():
            row = re.search(rf"(?m)^    {knob} +(\d+) +(\d+)( +\*)?$", out)
            self.assertEqual(row[1] != row[2], row[3] is not None, row[0])

    def test_several_groups_and_members_of_families(self):
        spaces = json.loads(self.convc("explain", "net.conv:b", "--space", "--json")[0])["space"]["spaces"]
        chain = next(space["first"][0]["schedule"] for space in spaces if space["algorithm"] == "chain")
        apart = " -> ".join(self.schedules(layer)[0] for layer in (
            "f32 nhwc[1, 6, 6, 8] -> depthwise(3x3, pad=1) + relu", "f32 nhwc[1, 6, 6, 8] -> conv(8, 1x1)"))
        why = self.why("net.conv:b", chain, apart)
        self.assertEqual([len(side["groups"]) for side in why.values()], [1, 2])
        self.assertIn("two schedules", self.convc("explain", "net.conv:b", "--plan", "--why", chain, apart)[0])
        self.assertEqual(self.why("net.conv:body[8]", self.schedules("net.conv:body[8]")[1])["second"]["origin"],
                         "pinned")

    def test_what_is_wrong_is_said_as_of_a_schedule_statement(self):
        taken, _ = self.schedules("net.conv:a")
        def error(schedules, status=1):
            return self.convc("explain", "net.conv:a", "--plan", "--why", schedules, status=status)[1]
        self.assertRegex(error("direct(vectors="), r"<schedule>:1:\d+: error: ")
        self.assertIn("[unusable-schedule]", error(taken.replace("vectors=", "frobs=")))
        self.assertIn("'direct' has no knob 'frobs'", error(taken.replace("vectors=", "frobs=")))
        self.assertIn("unknown algorithm 'quick'", error("quick(n=1)"))
        self.assertIn("unknown-name", error("direct(vectors=m)"))
        depthwise, _ = self.schedules("f32 nhwc[1, 6, 6, 8] -> depthwise(3x3, pad=1) + relu")
        self.assertIn("the schedules compute 1 of 2 stages",
                      self.convc("explain", "net.conv:b", "--plan", "--why", depthwise, status=1)[1])
        self.assertIn("--plan", self.convc("explain", "net.conv:a", "--why", taken, status=2)[1])
        self.assertIn("FILE:LAYER", self.convc("explain", "net.conv", "--plan", "--why", taken, status=2)[1])


if __name__ == "__main__":
    unittest.main()
