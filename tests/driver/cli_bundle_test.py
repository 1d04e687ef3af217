"""convc tune --bundle from the command line: bundles are written, built, run, broken, killed, and run again."""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

from convc_cli import CONVC, CliTest

FILE = """layer a(x: f32 nhwc[1, 6, 6, 8]) = conv(24, 1x1) + bias
layer b(x: f32 nhwc[1, 6, 6, 8]) = depthwise(3x3, pad=1) + relu -> conv(8, 1x1)
"""
# The same shapes, and other results.
ALIKE = """layer a(x: f32 nhwc[1, 6, 6, 8]) = conv(24, 1x1) + bias
layer c(x: f32 nhwc[1, 6, 6, 8]) = conv(24, 1x1) + bias + relu
"""
# Compiles the default, and nothing else.
REFUSING = """import json, subprocess, sys
real = subprocess.Popen([sys.argv[1], "trial-worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
for line in sys.stdin:
    if json.loads(line).get("symbol", "bundle_0_0") != "bundle_0_0":
        print('{"refused": "as planted"}', flush=True)
        continue
    print(line, end="", file=real.stdin, flush=True)
    print(real.stdout.readline(), end="", flush=True)
"""
HEAD = {"convc_trials": 1}
FIELDS = ["layer", "target", "machine", "build", "schedule", "outcome", "reason", "seconds", "relative", "workspace",
          "finished"]
KEY = FIELDS[:5]


class BundleTest(CliTest):
    def write_bundle(self, text=FILE, trials=6, target="host", folder="out"):
        self.write("net.conv", text)
        return self.convc("tune", "net.conv", "--bundle", folder, "--trials", trials, "--target", target)

    def build(self, folder="out", **environment):
        done = subprocess.run(["sh", self.folder / folder / "build.sh"], env={**self.environment, **environment},
                              capture_output=True, text=True, timeout=120)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def run_program(self, *arguments, status=0, command=("./tune",), folder="out", **environment):
        done = subprocess.run([*command, *arguments], cwd=self.folder / folder,
                              env={**self.environment, **environment}, capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout, done.stderr

    def records(self, name="results.jsonl", folder="out"):
        head, *lines = map(json.loads, (self.folder / folder / name).read_text().splitlines())
        self.assertEqual(head, HEAD)
        for line in lines:
            self.assertEqual(list(line), FIELDS)
        return lines

    def edit(self, name, change, folder="out"):
        path = self.folder / folder / name
        before = path.read_text()
        path.write_text(change(before))
        self.assertNotEqual(path.read_text(), before)

    def target(self):
        return json.loads(self.convc("doctor", "--json")[0])["target"]


class Bundles(BundleTest):
    def test_every_candidate_is_measured(self):
        out, _ = self.write_bundle()
        self.assertIn("in it, ./tune", out)
        self.assertTrue((self.folder / "out/tune").exists())
        self.build()  # without a warning
        said, error = self.run_program()
        self.assertEqual(error, "")
        records = self.records()
        self.assertEqual(len(records), len(re.findall(r"(?m)^\[\d+/\d+\] ", said)))
        self.assertEqual({record["outcome"] for record in records}, {"measured"}, records)
        for record in records:
            self.assertGreater(record["seconds"], 0)
            self.assertGreater(record["relative"], 0)
            self.assertEqual(record["target"], self.target())
            self.assertEqual(record["machine"], os.uname().nodename)
            self.assertLess(abs(record["finished"] - time.time()), 600)
        self.assertEqual(len({tuple(record[name] for name in KEY) for record in records}), len(records))
        # The layer, and the chain whole and stage by stage.
        lines = [record["layer"] for record in records]
        self.assertEqual(lines.count("f32 nhwc[1, 6, 6, 8] -> conv(24, 1x1) + bias"), 6)
        self.assertEqual(len(set(lines)), 4)

    def test_candidates_for_a_gpu_are_measured_on_it(self):
        """OpenCL runs them on the CPU where PoCL is. Without a device there is nothing to write down."""
        self.write_bundle("layer a(x: f32 nhwc[1, 5, 6, 3]) = conv(4, 3x3, pad=1) + bias + relu\n", trials=3, target="opencl")
        if json.loads(self.convc("doctor", "--json")[0])["opencl"].startswith("OpenCL:"):
            self.skipTest("no OpenCL device")
        self.run_program()
        records = self.records()
        self.assertEqual({record["outcome"] for record in records}, {"measured"}, records)
        self.assertEqual({record["target"] for record in records}, {"opencl"})
        self.assertEqual(len(records), 3)
        self.convc("db", "import", "trials.db", "out/results.jsonl")
        # What computes something else is found out.
        self.edit("candidates.c", lambda table: re.sub(r"samples_0_0\[\] = \{\n    \{0, [^,]*,", "samples_0_0[] = {\n    {0, 1e6,", table))
        self.build()
        self.run_program("--results", "wrong.jsonl", status=1)
        self.assertEqual(self.records("wrong.jsonl")[0]["outcome"], "wrong")

    def test_without_a_driver_nothing_is_measured(self):
        self.write_bundle("layer a(x: f32 nhwc[1, 5, 6, 3]) = conv(4, 1x1)\n", trials=2, target="cuda-sm_80")
        if os.path.exists("/dev/nvidiactl"):
            self.skipTest("this machine has a driver")
        said = self.run_program(status=3)[1]
        self.assertIn("this machine does not run code for cuda-sm_80", said)
        self.assertEqual(self.records(), [])

    def test_results_go_into_a_database(self):
        if subprocess.run([CONVC, "db", "--help"], capture_output=True, check=False).returncode != 0:
            self.skipTest("this convc has no `db`")
        self.write_bundle()
        self.run_program()
        self.convc("db", "import", "trials.db", "out/results.jsonl")
        with sqlite3.connect(self.folder / "trials.db") as database:
            rows = database.execute(f"SELECT {', '.join(FIELDS)} FROM trial").fetchall()
        self.assertEqual(sorted(rows), sorted(tuple(record.values()) for record in self.records()))

    def test_the_candidates_are_those_of_the_search(self):
        self.write_bundle()
        self.run_program()
        first = [record["schedule"] for record in self.records()]
        plan = json.loads(self.convc("explain", "net.conv:a", "--plan", "--json")[0])["plan"]
        self.assertEqual(first[0], plan["groups"][0]["schedule"])
        self.write_bundle(folder="again")
        self.run_program(folder="again")
        self.assertEqual([record["schedule"] for record in self.records(folder="again")], first)

    def test_nothing_is_done_twice(self):
        self.write_bundle()
        self.run_program()
        before = self.records()
        said, _ = self.run_program()
        self.assertEqual(self.records(), before)
        self.assertIn(f"{len(before)} of them known before", said)
        self.run_program("--threads", "1")  # other trials, unless this machine has one CPU
        threads = {record["target"].split()[-1] for record in self.records()}
        self.assertEqual(threads, {self.target().split()[-1], "1t"})
        self.run_program("--results", "one.jsonl", CONVC_NUM_THREADS="1")
        self.assertEqual({record["target"].split()[-1] for record in self.records("one.jsonl")}, {"1t"})

    def test_killed_at_any_moment_it_goes_on(self):
        self.write_bundle()
        self.run_program("--results", "whole.jsonl")
        keys = [tuple(record[name] for name in KEY) for record in self.records("whole.jsonl")]
        chance = random.Random(1)
        seen = ""
        for _ in range(6):
            process = subprocess.Popen(["./tune"], cwd=self.folder / "out", env=self.environment,
                                       stdout=subprocess.PIPE, text=True)
            time.sleep(chance.uniform(0.1, 0.5))
            process.kill()
            said = process.communicate(timeout=60)[0]
            now = (self.folder / "out/results.jsonl").read_text()
            self.assertTrue(now.startswith(seen))
            # All that was said is there, and at most one trial more.
            self.assertIn(now[len(seen):].count('"layer"') - len(re.findall(r"(?m)^\[", said)), (0, 1))
            seen = now
        # As a machine that loses its power leaves it.
        (self.folder / "out/results.jsonl").write_text(seen + '{"layer":"f32 nh')
        self.run_program()
        self.assertTrue((self.folder / "out/results.jsonl").read_text().startswith(seen))
        self.assertEqual([tuple(record[name] for name in KEY) for record in self.records()], keys)

    def test_an_interrupt_keeps_what_is_done(self):
        self.write_bundle()
        process = subprocess.Popen(["./tune"], cwd=self.folder / "out", env=self.environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not process.stdout.readline().startswith("["):
            pass
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, error), (130, "tune: interrupted; start it again to go on\n"))
        self.assertGreaterEqual(len(self.records()), 1)
        self.run_program()
        self.assertEqual({record["outcome"] for record in self.records()}, {"measured"})

    def test_a_wrong_kernel_is_recorded_as_wrong(self):
        self.write_bundle(ALIKE, trials=4)
        # The third candidate of a computes c, whose outputs are of the same shape.
        self.edit("candidates.c", lambda text: text.replace(" bundle_0_2_info,", " bundle_1_0_info,"))
        self.build()
        self.run_program()
        outcomes = [record["outcome"] for record in self.records()]
        self.assertEqual(outcomes, ["measured"] * 2 + ["wrong"] + ["measured"] * 5)
        self.assertRegex(self.records()[2]["reason"], r"on integers, \d+ of \d+ elements differ from the reference; ")

    def test_the_default_is_compared_with_the_reference(self):
        self.write_bundle(ALIKE.splitlines()[0], trials=2)
        table = (self.folder / "out/candidates.c").read_text()
        sample = re.search(r"samples_0_1\[\] = \{\n    \{0, (\S+),", table)
        wrong = {"the reference;": table.replace(sample[0], sample[0].replace(sample[1], "77")),
                 "checksum": re.sub(r"UINT64_C\((0x[1-9a-f][0-9a-f]*)\)", "UINT64_C(1)", table)}
        for reason, text in wrong.items():
            (self.folder / "out/candidates.c").write_text(text)
            self.build()
            _, error = self.run_program("--results", "r.jsonl", status=1)
            self.assertIn("the default schedule of a is wrong", error)
            record, = self.records("r.jsonl")
            self.assertIn(reason, record["reason"])
            (self.folder / "out/r.jsonl").unlink()

    def test_what_no_sample_sees_is_seen_beside_the_default(self):
        self.write_bundle(ALIKE, trials=2)
        self.edit("candidates.c", lambda text: re.sub(r"(samples_\d_\d), \d+\}", r"\1, 0}", text)
                  .replace("{{1, 1, ", "{{1, 0, ").replace(" bundle_0_1_info,", " bundle_1_1_info,"))
        self.build()
        self.run_program()
        self.assertIn("elements differ from the default schedule's", self.records()[1]["reason"])

    def test_what_crashes_or_hangs_is_recorded_and_the_rest_measured(self):
        self.write_bundle(ALIKE.splitlines()[0], trials=5)
        self.edit("candidates.c", lambda text: text.replace(" bundle_0_1_info,", " crash,")
                  .replace(" bundle_0_2_info,", " hang,").replace(
                      "\nstatic const bundle_candidate",
                      "\nstatic const convc_kernel_info *crash(void) { __builtin_trap(); }\n"
                      "static const convc_kernel_info *hang(void) { for (;;) __asm__ volatile(\"\"); }\n"
                      "static const bundle_candidate", 1))
        self.build()
        said, _ = self.run_program("--limit", "3")
        records = self.records()
        self.assertEqual([record["outcome"] for record in records],
                         ["measured", "crashed", "timed-out", "measured", "measured"])
        self.assertRegex(records[1]["reason"], "ended by SIG(ILL|TRAP)")
        self.assertEqual(records[2]["reason"], "took more than 3 s")
        self.assertIn("2 failures", said)

    def test_what_cannot_be_compiled_is_in_the_records(self):
        worker = self.write("worker.py", REFUSING)
        self.write("net.conv", FILE)
        out, _ = self.convc("tune", "net.conv:a", "--bundle", "out", "--trials", "3", "--worker", sys.executable, worker,
                            CONVC)
        self.assertIn("2 of them not compiled", out)
        self.run_program()
        self.assertEqual([(record["outcome"], record["reason"]) for record in self.records()],
                         [("measured", ""), ("refused", "as planted"), ("refused", "as planted")])
        error = self.convc("tune", "net.conv:a", "--bundle", "none", "--trials", "3", "--worker", "false", status=4)[1]
        self.assertIn("the default schedule", error)
        self.assertFalse((self.folder / "none").exists())

    def test_another_folder_is_not_touched(self):
        self.write("net.conv", FILE)
        (self.folder / "mine").mkdir()
        self.write("mine/driver.c", "/* my own */")
        error = self.convc("tune", "net.conv", "--bundle", "mine", status=3)[1]
        self.assertIn("'mine' is not empty, and no earlier bundle is in it", error)
        self.assertEqual(os.listdir(self.folder / "mine"), ["driver.c"])
        self.write("file", "")
        self.assertIn("'file' is not a folder", self.convc("tune", "net.conv", "--bundle", "file", status=3)[1])

    def test_what_cannot_be_written_whole_is_no_bundle(self):
        self.write_bundle(ALIKE.splitlines()[0], trials=2)
        (self.folder / "out/libcandidates.a").unlink()
        (self.folder / "out/libcandidates.a").mkdir()
        error = self.convc("tune", "net.conv", "--bundle", "out", "--trials", "2", status=3)[1]
        self.assertIn("libcandidates.a", error)
        self.assertFalse({"candidates.c", "tune"} & set(os.listdir(self.folder / "out")))
        (self.folder / "out/libcandidates.a").rmdir()
        self.write_bundle(ALIKE.splitlines()[0], trials=2)
        self.run_program()

    def test_an_earlier_bundle_is_written_over_and_its_results_stay(self):
        self.write_bundle(ALIKE.splitlines()[0], trials=2)
        self.run_program()
        self.write_bundle(ALIKE.splitlines()[0], trials=3)
        said, _ = self.run_program()
        self.assertIn("3 candidates of 1 layers, 2 of them known before", said)
        self.assertEqual(len(self.records()), 3)

    def test_what_is_wrong_is_said(self):
        self.write("net.conv", FILE)
        self.assertIn("unknown target", self.convc("tune", "net.conv", "--bundle", "out", "--target", "z80", status=2)[1])
        self.assertFalse((self.folder / "out").exists())
        self.write_bundle(ALIKE.splitlines()[0], trials=1)
        self.assertIn("usage: tune", self.run_program("--help")[0])
        for arguments in (["--threads"], ["--threads", "0"], ["--limit", "soon"], ["now"]):
            self.assertNotEqual(self.run_program(*arguments, status=2)[1], "")
        self.assertFalse((self.folder / "out/results.jsonl").exists())
        self.write("out/other.jsonl", '{"a": 1}\n')
        self.assertIn("no results of such a bundle", self.run_program("--results", "other.jsonl", status=3)[1])
        self.assertEqual((self.folder / "out/other.jsonl").read_text(), '{"a": 1}\n')
        self.assertIn("cannot write", self.run_program("--results", "/dev/full", status=3)[1])


@unittest.skipUnless(shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64"),
                     "needs gcc-aarch64-linux-gnu and qemu-user")
class OtherArchitecture(BundleTest):
    def test_candidates_run_and_are_right(self):
        out, _ = self.write_bundle(ALIKE.splitlines()[0], trials=2, target="arm-64-linux cortex-a72 2t")
        self.assertIn("in it, sh build.sh; ./tune", out)
        self.assertFalse((self.folder / "out/tune").exists())
        self.build(CC="aarch64-linux-gnu-gcc -static")
        self.run_program(command=("qemu-aarch64", "./tune"))
        records = self.records()
        self.assertEqual([record["outcome"] for record in records], ["measured"] * 2, records)
        self.assertEqual({record["target"] for record in records}, {"arm-64-linux cortex-a72 2t"})


if __name__ == "__main__":
    unittest.main()
