"""The verbs that only read: check, fmt, explain, split; and what all verbs share: usage, exit status, standard streams."""

import json
import os
import signal
import stat
import subprocess
import unittest

from convc_cli import CONVC, EXAMPLES, CliTest

LAYER = "f32 nhwc[1, 56, 56, 64] -> conv(64, 3x3, pad=1) + bias + relu"
FILE = """# a comment
let width = 8
layer a(x: f32 nhwc[1, 6, 6, width]) = conv(width, 3x3, pad=1) + bias
layer body[c in {8, 16}, s in {1, 2}](x: f32 nhwc[1, 6, 6, c]) = conv(c, 3x3, stride=s, pad=1)
"""
MISTAKES = """layer a(x: f32 nhwc[1, 6, 6, 8]) = conv(8, 3x3, padd=1)
layer b(x: f32 nhwc[1, 6, 6, 8]) = conv(8, 7x7)
"""


class Usage(CliTest):
    def test_help_and_version_are_results(self):
        for arguments in (["--help"], ["-h"], ["check", "--help"], ["fmt", "-h"], ["explain", "--help"]):
            out, error = self.convc(*arguments)
            self.assertIn("Usage: convc", out)
            self.assertEqual(error, "")
        self.assertRegex(self.convc("--version")[0], r"^convc \d+\.\d+\.\d+")

    def test_every_verb_has_examples(self):
        verbs = [line.split()[0] for line in self.convc("--help")[0].split("Verbs:\n")[1].split("\n\n")[0].splitlines()]
        self.assertGreaterEqual(len(verbs), 3)
        for verb in verbs:
            self.assertIn(f"Examples:\n  convc {verb}", self.convc(verb, "--help")[0])

    def test_wrong_usage_is_2(self):
        for arguments, message in (([], "required"), (["frobnicate"], "there is no verb 'frobnicate'"),
                                   (["check"], "FILE is required"), (["check", "--frob", "-"], "--frob"),
                                   (["fmt", "--check", "--one-line", "-"], "excludes"),
                                   (["check", "--diagnostics=xml", "-"], "xml"),
                                   (["check", "--let", "a", "-"], "--let takes NAME=INTEGER, not 'a'"),
                                   (["check", "--let", "a=1x", "-"], "not 'a=1x'"),
                                   (["check", "--let", "=1", "-"], "not '=1'")):
            out, error = self.convc(*arguments, status=2)
            self.assertEqual(out, "")
            self.assertIn(message, error)
            self.assertTrue(error.startswith("convc: error: "), error)

    def test_missing_and_unreadable_files_are_3(self):
        self.assertEqual(self.convc("check", "none.conv", status=3)[1],
                         "convc: error: cannot read 'none.conv': No such file or directory\n")
        self.assertEqual(self.convc("check", ".", status=3)[1], "convc: error: cannot read '.': Is a directory\n")

    def test_odd_file_names(self):
        self.write("a:b.conv", FILE)
        self.convc("check", "a:b.conv")
        self.assertEqual(self.convc("fmt", "--one-line", "a:b.conv:a")[0],
                         "f32 nhwc[1, 6, 6, 8] -> conv(8, 3x3, pad=1) + bias\n")
        (self.folder / os.fsdecode(b"\xff.conv")).write_text(MISTAKES)
        done = subprocess.run([CONVC, "check", "--diagnostics=json", b"\xff.conv", b"no\xff.conv"], cwd=self.folder,
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len([json.loads(line) for line in done.stderr.decode().splitlines()]), 2)

    def test_unknown_layers_are_2(self):
        self.write("net.conv", FILE)
        self.assertEqual(self.convc("explain", "net.conv:c", status=2)[1],
                         "convc: error: net.conv has no layer 'c'; it has a, body[8, 1], body[8, 2], body[16, 1], "
                         "body[16, 2]\n")


class Streams(CliTest):
    def test_a_full_standard_output_is_3(self):
        with open("/dev/full", "w") as full:
            process = self.start("explain", LAYER, stdout=full)
            _, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3)
        self.assertEqual(error, b"convc: error: cannot write to standard output: No space left on device\n")

    def test_a_closed_standard_output_is_3_and_nothing_is_overwritten(self):
        path = self.write("net.conv", FILE)
        process = subprocess.run(["sh", "-c", '"$0" explain net.conv >&-', CONVC], cwd=self.folder, timeout=60,
                                 capture_output=True)
        self.assertEqual(process.returncode, 3, process.stderr)
        self.assertIn(b"cannot write to standard output", process.stderr)
        self.assertEqual(path.read_text(), FILE)

    def test_colour_is_for_terminals_alone(self):
        self.write("bad.conv", MISTAKES)
        self.assertNotIn("\033", self.convc("check", "bad.conv", status=1)[1])
        self.assertIn(b"\033", self.on_a_terminal("check", "bad.conv"))
        self.environment["NO_COLOR"] = "1"
        self.assertNotIn(b"\033", self.on_a_terminal("check", "bad.conv"))
        del self.environment["NO_COLOR"]
        self.environment["TERM"] = "dumb"
        self.assertNotIn(b"\033", self.on_a_terminal("check", "bad.conv"))


class Check(CliTest):
    def test_good_files_say_nothing(self):
        self.write("net.conv", FILE)
        self.assertEqual(self.convc("check", "net.conv"), ("", ""))

    def test_every_mistake_of_every_file_is_reported(self):
        self.write("one.conv", MISTAKES)
        self.write("two.conv", MISTAKES)
        out, error = self.convc("check", "one.conv", "two.conv", status=1)
        self.assertEqual(out, "")
        for name in ("one.conv", "two.conv"):
            self.assertIn(f"{name}:1:49: error: ", error)
            self.assertIn(f"{name}:2:44: error: ", error)

    def test_standard_input_and_lines(self):
        self.assertEqual(self.convc("check", "-", stdin=FILE), ("", ""))
        self.assertIn("<stdin>:1:49: error: ", self.convc("check", "-", stdin=MISTAKES, status=1)[1])
        self.assertEqual(self.convc("check", LAYER), ("", ""))
        self.assertIn("<layer>:1:", self.convc("check", LAYER.replace("relu", "reluu"), status=1)[1])

    def test_the_gravest_status_wins(self):
        self.write("bad.conv", MISTAKES)
        self.convc("check", "none.conv", "bad.conv", status=3)
        self.convc("check", "bad.conv", "none.conv", status=3)

    def test_json(self):
        self.write("bad.conv", MISTAKES)
        self.write("good.conv", FILE)
        out, error = self.convc("check", "--diagnostics=json", "bad.conv", "good.conv", "none.conv", status=3)
        self.assertEqual(out, "")
        bad, good, none = map(json.loads, error.splitlines())
        self.assertEqual(bad["file"], "bad.conv")
        self.assertEqual([(d["line"], d["column"], d["severity"]) for d in bad["diagnostics"]][0], (1, 49, "error"))
        self.assertEqual(good["diagnostics"], [])
        self.assertEqual(none["diagnostics"][0]["message"], "cannot read 'none.conv': No such file or directory")

    def test_let_overrides_the_file(self):
        self.write("net.conv", FILE)
        self.assertIn("conv(24, 3x3, pad=1)", self.convc("fmt", "--one-line", "net.conv:a", "--let", "width=24")[0])

    def test_hostile_bytes(self):
        for text in (b"", b"\0" * 1000, b"\xff\xfe\xfd", b"layer " * 100000, b"(" * 100000, bytes(range(256)) * 100):
            path = self.write("hostile.conv", text)
            done = subprocess.run([CONVC, "check", path], capture_output=True, timeout=60)
            self.assertIn(done.returncode, (0, 1), text[:20])


class Fmt(CliTest):
    UGLY = "layer   a(x:f32 nhwc[1,6,6,8])=conv(8,3x3,pad=1)+bias # why\n"

    def test_files_are_laid_out_in_place_once(self):
        path = self.write("net.conv", self.UGLY)
        path.chmod(0o640)
        self.assertEqual(self.convc("fmt", "net.conv"), ("", ""))
        text = path.read_text()
        self.assertIn("layer a(x: f32 nhwc[1, 6, 6, 8]) =", text)
        self.assertIn("# why", text)
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o640)
        before = path.stat()
        self.convc("fmt", "net.conv")
        self.assertEqual(path.stat().st_mtime_ns, before.st_mtime_ns)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["net.conv"])

    def test_check_changes_nothing(self):
        path = self.write("ugly.conv", self.UGLY)
        self.assertEqual(self.convc("fmt", "--check", "ugly.conv", status=1), ("ugly.conv\n", ""))
        self.assertEqual(path.read_text(), self.UGLY)
        self.convc("fmt", "ugly.conv")
        self.assertEqual(self.convc("fmt", "--check", "ugly.conv"), ("", ""))

    def test_examples_are_laid_out(self):
        self.convc("fmt", "--check", *sorted(EXAMPLES.glob("*.conv")))

    def test_standard_input_is_printed(self):
        out, error = self.convc("fmt", "-", stdin=self.UGLY)
        self.assertIn("layer a(x: f32 nhwc[1, 6, 6, 8]) =", out)
        self.assertEqual(error, "")
        self.assertEqual(self.convc("fmt", "-", stdin=out)[0], out)

    def test_files_with_mistakes_stay(self):
        text = "layer a(x: = conv\n"
        path = self.write("bad.conv", text)
        self.assertIn("bad.conv:1:12: error: ", self.convc("fmt", "bad.conv", status=1)[1])
        self.assertEqual(path.read_text(), text)

    def test_canonical_lines(self):
        self.write("net.conv", FILE)
        out, _ = self.convc("fmt", "--one-line", "net.conv:body")
        self.assertEqual(out.splitlines(), [f"f32 nhwc[1, 6, 6, {c}] -> conv({c}, 3x3{s}, pad=1)"
                                            for c in (8, 16) for s in ("", ", stride=2")])
        self.assertEqual(self.convc("fmt", "--one-line", "net.conv:body[ 16,2 ]")[0], out.splitlines()[3] + "\n")
        self.assertEqual(self.convc("fmt", "--one-line", "net.conv:body_16_2")[0], out.splitlines()[3] + "\n")
        self.assertEqual(self.convc("fmt", "--one-line", LAYER)[0], LAYER + "\n")
        self.convc("fmt", "net.conv:a", status=2)

    def test_a_file_that_cannot_be_replaced_is_3(self):
        path = self.write("net.conv", self.UGLY)
        self.folder.chmod(0o500)
        self.addCleanup(self.folder.chmod, 0o700)
        if os.access(self.folder, os.W_OK):
            self.skipTest("root writes everywhere")
        self.assertIn("cannot write 'net.conv'", self.convc("fmt", "net.conv", status=3)[1])
        self.assertEqual(path.read_text(), self.UGLY)

    def test_interrupted_writes_leave_the_old_file_or_the_new(self):
        filler = "# a long comment that says nothing\n" * 200000  # so that writing takes a while
        text = self.UGLY + filler
        for delay in range(0, 60, 3):
            path = self.write("net.conv", text)
            process = self.start("fmt", "net.conv")
            try:
                process.wait(delay / 1000)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            after = path.read_text()
            self.assertTrue(after == text or after.startswith("layer a(x: f32 nhwc[1, 6, 6, 8]) ="), after[:100])
            self.assertTrue(after.endswith(filler))
            self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["net.conv"])


class Explain(CliTest):
    def test_the_article_of_the_variants(self):
        out, _ = self.convc("explain", "f32 nhwc[1, 7, 7, 3] -> depthwise_separable(128, 3x3)")
        self.assertIn("675 + 9,600 = 10,275 multiplications, 11.9 % of 86,400", out)

    def test_json_is_an_object_for_a_layer_and_a_list_for_a_file(self):
        self.write("net.conv", FILE)
        self.assertEqual(json.loads(self.convc("explain", "--json", LAYER)[0])["layer"], LAYER)
        self.assertEqual(json.loads(self.convc("explain", "--json", "net.conv:a")[0])["name"], "a")
        self.assertEqual([e["name"] for e in json.loads(self.convc("explain", "--json", "net.conv")[0])],
                         ["a", "body[8, 1]", "body[8, 2]", "body[16, 1]", "body[16, 2]"])

    def test_mistakes_are_1(self):
        self.write("bad.conv", MISTAKES)
        out, error = self.convc("explain", "bad.conv", status=1)
        self.assertEqual(out, "")
        self.assertEqual(error.count("error: "), self.convc("check", "bad.conv", status=1)[1].count("error: "))


class Split(CliTest):
    GROUPED = "layer g(x: f32 nhwc[1, 8, 8, 20]) = conv(30, 3x3, pad=1, groups=10) + bias\n"

    def test_text_can_be_pasted_into_a_file(self):
        self.write("net.conv", self.GROUPED)
        out, _ = self.convc("split", "net.conv:g", "--parts", 3)
        self.assertEqual(out, """# g in 3 parts: f32 nhwc[1, 8, 8, 20] -> conv(30, 3x3, pad=1, groups=10) + bias

# groups [0, 4) of 10
#   x         channels [0, 8) of 20
#   0.weight  rows [0, 12) of 30
#   0.bias    rows [0, 12) of 30
#   output    channels [0, 12) of 30
layer g_part0(x: f32 nhwc[1, 8, 8, 8]) = conv(12, 3x3, pad=1, groups=4) + bias

# groups [4, 7) of 10
#   x         channels [8, 14) of 20
#   0.weight  rows [12, 21) of 30
#   0.bias    rows [12, 21) of 30
#   output    channels [12, 21) of 30
layer g_part1(x: f32 nhwc[1, 8, 8, 6]) = conv(9, 3x3, pad=1, groups=3) + bias

# groups [7, 10) of 10
#   x         channels [14, 20) of 20
#   0.weight  rows [21, 30) of 30
#   0.bias    rows [21, 30) of 30
#   output    channels [21, 30) of 30
layer g_part2(x: f32 nhwc[1, 8, 8, 6]) = conv(9, 3x3, pad=1, groups=3) + bias
""")
        self.write("parts.conv", self.GROUPED + "\n" + out)
        self.convc("check", "parts.conv")
        self.assertEqual(len(self.convc("fmt", "--one-line", "parts.conv")[0].splitlines()), 4)

    def test_a_chain_is_laid_out_as_fmt_does(self):
        self.write("net.conv", "layer chain(x: f32 nhwc[1, 56, 56, 128], gate: f32 nhwc[1, 1, 1, 1]) = "
                   "depthwise(3x3, pad=1) + bias + relu6 -> conv(256, 1x1, groups=4) + bias + mul(gate)\n")
        out, _ = self.convc("split", "net.conv", "--parts", 2)
        self.assertIn("#   gate      whole\n", out)
        self.assertIn("layer chain_part1(x: f32 nhwc[1, 56, 56, 64], gate: f32 nhwc[1, 1, 1, 1]) =\n", out)
        self.assertEqual(self.convc("fmt", "-", stdin=out)[0], out)

    def test_json(self):
        self.write("net.conv", self.GROUPED)
        split = json.loads(self.convc("split", "net.conv:g", "--parts", 3, "--json")[0])
        self.assertEqual(split["name"], "g")
        self.assertEqual(split["parts"][1], {
            "name": "g_part1", "layer": "f32 nhwc[1, 8, 8, 6] -> conv(9, 3x3, pad=1, groups=3) + bias",
            "groups": {"begin": 4, "end": 7, "of": 10},
            "inputs": {"x": {"begin": 8, "end": 14, "of": 20}},
            "weights": {"0.weight": {"begin": 12, "end": 21, "of": 30}, "0.bias": {"begin": 12, "end": 21, "of": 30}},
            "output": {"begin": 12, "end": 21, "of": 30}})
        self.assertEqual(len(json.loads(self.convc("split", "net.conv", "--parts", 2, "--json")[0])), 1)

    def test_what_cannot_be_split_is_shown_at_its_stage(self):
        self.write("net.conv", "layer a(x: f32 nhwc[1, 8, 8, 12]) =\n    depthwise(3x3)\n -> conv(8, 1x1) + bias\n"
                   "layer b(x: f32 nhwc[1, 8, 8, 12]) = shuffled_grouped(12, 3x3, groups=3)\n")
        out, error = self.convc("split", "net.conv", "--parts", 2, status=1)
        self.assertEqual(out, "")
        self.assertIn("net.conv:3:5: error: every output channel reads all 12 input channels: there are no groups to "
                      "cut between [not-splittable]", error)
        self.assertIn("net.conv:4:37: error: shuffle(3) hands the channels of each group on to several others", error)

    def test_wrong_usage_is_2(self):
        self.write("net.conv", self.GROUPED)
        for arguments, message in ((["net.conv:g"], "--parts is required"), (["net.conv:g", "--parts", 0], "--parts"),
                                   (["net.conv:g", "--parts", 200000], "--parts"),
                                   (["net.conv:g", "--parts", "many"], "--parts"),
                                   (["net.conv:g", "--parts", 11], "g falls into 10 independent groups of channels, "
                                    "and cannot be split into 11 parts")):
            out, error = self.convc("split", *arguments, status=2)
            self.assertEqual(out, "")
            self.assertIn(message, error)


if __name__ == "__main__":
    unittest.main()
