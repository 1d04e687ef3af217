"""The verbs that run kernels in process: run, bench, cache, doctor."""

import json
import os
import re
import struct
import unittest
import zipfile

from convc_cli import CliTest, npy, png, read_npy

FILE = """layer a(x: f32 nhwc[1, 6, 6, 8]) = conv(8, 3x3, pad=1) + bias + relu
layer body[c in {8, 16}](x: f32 nhwc[1, 6, 6, c]) = depthwise(3x3, pad=1) + bias -> conv(c, 1x1)
"""
LAYER = "f32 nhwc[1, 6, 6, 8] -> conv(8, 3x3, pad=1) + bias + relu"


class Run(CliTest):
    def test_a_layer_is_timed_and_verified(self):
        out, error = self.convc("run", LAYER, "--verify", "--repeat", "7")
        self.assertEqual(error, "")
        self.assertEqual(out.splitlines()[0], LAYER)
        self.assertRegex(out, r"schedule  direct\(.*\) \(default\)")
        self.assertRegex(out, r"time      minimum \d+\.\d+ ms, median \d+\.\d+ ms, 7 runs")
        self.assertRegex(out, r"rate      \d+\.\d GFLOP/s, \d+\.\d % of the FMA peak of \d+\.\d GFLOP/s measured")
        self.assertRegex(out, r"verified  yes: all 288 elements agree")

    def test_a_file_is_a_table(self):
        self.write("net.conv", FILE)
        lines = self.convc("run", "net.conv", "--verify", "--repeat", "3")[0].splitlines()
        self.assertRegex(lines[0], r"^layer +shape +MACs +ms +GFLOP/s +% of peak +verified$")
        self.assertRegex(lines[1], r"^a +nhwc\[1, 6, 6, 8\] -> \[1, 6, 6, 8\] +16,384 +\d+\.\d+ .* yes$")
        self.assertRegex(lines[2], r"^body\[8\] .* yes$")
        self.assertRegex(lines[3], r"^body\[16\] .* yes$")
        self.assertRegex(lines[5], r"FMA peak: \d+\.\d GFLOP/s")
        table = self.convc("run", "net.conv:body", "--repeat", "3")[0].splitlines()
        self.assertEqual([line.split()[0] for line in table[1:3]], ["body[8]", "body[16]"])
        self.assertTrue(table[1].endswith(" -"))

    def test_tensors_and_weights_come_from_files(self):
        # A 1 x 1 kernel that swaps two channels and adds 10 and 20.
        (self.folder / "w").mkdir()
        self.write("w/0.weight.npy", npy([2, 2, 1, 1], [0, 1, 1, 0]))
        self.write("w/0.bias.npy", npy([2], [10, 20]))
        self.write("x.npy", npy([1, 1, 3, 2], range(6)))
        self.convc("run", "f32 nhwc[1, 1, 3, 2] -> conv(2, 1x1) + bias", "--input", "x.npy", "--weights", "w",
                   "--output", "y.npy", "--repeat", "1", "--verify")
        self.assertEqual(read_npy(self.folder / "y.npy"), ([1, 1, 3, 2], [11, 20, 13, 22, 15, 24]))

    def test_weights_come_from_archives_too(self):
        layer = "f32 nhwc[1, 1, 3, 2] -> conv(2, 1x1) + bias"
        tensors = {"0.weight": ([2, 2, 1, 1], [0, 1, 1, 0]), "0.bias": ([2], [10, 20])}
        self.write("x.npy", npy([1, 1, 3, 2], range(6)))
        with zipfile.ZipFile(self.folder / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, tensor in tensors.items():
                archive.writestr(f"{name}.npy", npy(*tensor))
        header, data = {}, b""
        for name, (shape, values) in tensors.items():
            begin = len(data)
            data += struct.pack(f"<{len(values)}d", *values)
            header[name] = {"dtype": "F64", "shape": shape, "data_offsets": [begin, len(data)]}
        text = json.dumps(header).encode()
        self.write("w.safetensors", struct.pack("<Q", len(text)) + text + data)
        for weights in ("w.npz", "w.safetensors"):
            self.convc("run", layer, "--input", "x.npy", "--weights", weights, "--output", "y.npy", "--repeat", "1")
            self.assertEqual(read_npy(self.folder / "y.npy")[1], [11, 20, 13, 22, 15, 24])
        error = self.convc("run", "f32 nhwc[1, 1, 3, 2] -> conv(3, 1x1)", "--weights", "w.npz", status=1)[1]
        self.assertIn("weights '0.weight': the shape is [2, 2, 1, 1], but layer 'layer' takes [3, 2, 1, 1]", error)
        error = self.convc("run", layer + " -> conv(1, 1x1)", "--weights", "w.npz", status=1)[1]
        self.assertIn("the weights have no '1.weight', which layer 'layer' takes, of shape [1, 2, 1, 1]", error)

    def test_further_tensors_are_named(self):
        self.write("x.npy", npy([1, 2, 2, 1], [1, 2, 3, 4]))
        self.write("gate.npy", npy([1, 2, 2, 1], [5, 6, 7, 8]))
        self.convc("run", "(x: f32 nhwc[1, 2, 2, 1], gate: f32 nhwc[1, 2, 2, 1]) -> depthwise(1x1, weights=[2]) "
                   "+ mul(gate)", "--input", "gate=gate.npy", "--input", "x.npy", "--output", "y.npy", "--repeat", "1")
        self.assertEqual(read_npy(self.folder / "y.npy")[1], [10, 24, 42, 64])
        self.assertIn("given twice", self.convc("run", LAYER, "--input", "a", "--input", "x=b", status=2)[1])

    def test_pictures_go_in_and_out(self):
        self.write("in.png", png(2, 1, [255, 0, 51, 0, 102, 255]))
        identity = "f32 nhwc[1, 1, 2, 3] -> depthwise(1x1, weights=[1])"
        self.convc("run", identity, "--input", "in.png", "--output", "y.npy", "--repeat", "1")
        shape, values = read_npy(self.folder / "y.npy")
        self.assertEqual(shape, [1, 1, 2, 3])
        for got, expected in zip(values, (1, 0, 0.2, 0, 0.4, 1)):
            self.assertAlmostEqual(got, expected, places=6)
        self.convc("run", identity, "--input", "in.png", "--output", "out.png", "--repeat", "1")
        self.convc("run", identity, "--input", "out.png", "--output", "again.npy", "--repeat", "1")
        self.assertEqual(read_npy(self.folder / "again.npy"), (shape, values))
        planes = "f32 nchw[1, 3, 1, 2] -> depthwise(1x1, weights=[1])"
        self.convc("run", planes, "--input", "in.png", "--output", "planes.npy", "--repeat", "1")
        self.assertEqual(read_npy(self.folder / "planes.npy")[1], values[0::3] + values[1::3] + values[2::3])
        self.assertIn("1 pixels high and 2 wide", self.convc(
            "run", "f32 nhwc[1, 5, 5, 3] -> depthwise(1x1, weights=[1])", "--input", "in.png", status=1)[1])

    def test_random_data_follow_the_seed(self):
        def output(*seed):
            self.convc("run", LAYER, "--output", "y.npy", "--repeat", "1", *seed)
            return (self.folder / "y.npy").read_bytes()
        self.assertEqual(output(), output("--seed", "0"))
        self.assertNotEqual(output(), output("--seed", "1"))

    def test_what_has_no_kernel_is_refused_at_its_line(self):
        self.write("net.conv", FILE + "layer s(x: f32 nhwc[1, 30000, 30000, 1]) = conv(2, 1x1)\n -> conv(3, 1x1)\n")
        self.convc("check", "net.conv")
        self.convc("explain", "net.conv:s", "--plan")
        for verb in ("run", "bench", "compile"):
            out, error = self.convc(verb, "net.conv", status=1)
            self.assertEqual(out, "")
            self.assertIn("net.conv:4:5: error: ", error)
            self.assertIn("no kernel yet", error)
            self.assertIn("[no-kernel]", error)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["net.conv"])
        self.convc("run", "net.conv:a", "--repeat", "1")

    def test_a_pinned_schedule_is_used_or_refused_at_its_line(self):
        target = json.loads(self.convc("explain", LAYER, "--plan", "--json")[0])["plan"]
        isa, schedule = target["target"].split()[0], target["groups"][0]["schedule"]
        self.write("net.conv", FILE + f'schedule a on "{isa}" = {schedule}\n')
        self.assertIn(f"schedule  {schedule} (pinned)", self.convc("run", "net.conv:a", "--repeat", "1")[0])
        self.assertEqual(json.loads(self.convc("explain", "net.conv:a", "--plan", "--json")[0])["plan"]["origin"],
                         "pinned")
        bad = re.sub(r"\w+=\d+\)", "frobs=1)", schedule)
        self.write("net.conv", FILE + f'schedule a on "{isa}" = {bad}\n')
        error = self.convc("run", "net.conv:a", status=1)[1]
        self.assertIn("net.conv:3:", error)
        self.assertIn("frobs", error)

    def test_schedules_beside_a_file_are_used_or_refused_at_their_line(self):
        plan = json.loads(self.convc("explain", LAYER, "--plan", "--json")[0])["plan"]
        isa, schedule = plan["target"].split()[0], plan["groups"][0]["schedule"]
        self.write("net.conv", FILE)
        self.write("net.schedules", f'# found\nschedule a on "{isa}" = {schedule}\n')
        self.assertIn(f"schedule  {schedule} (tuned)", self.convc("run", "net.conv:a", "--repeat", "1")[0])
        self.assertIn("(tuned)", self.convc("explain", "net.conv:a", "--plan")[0])
        # The file's own come first, even where the others name the machine more closely.
        self.write("net.conv", FILE + f'schedule a on "{isa}" = {schedule}\n')
        self.write("net.schedules", f'schedule a on "{plan["target"]}" = {schedule}\n')
        self.assertIn("(pinned)", self.convc("run", "net.conv:a", "--repeat", "1")[0])
        self.write("net.conv", FILE)
        self.write("net.schedules", f'\n\nschedule a on "{isa}" = ' + re.sub(r"\w+=\d+\)", "frobs=1)", schedule))
        for verb in ("run", "compile", "bench"):
            self.assertRegex(self.convc(verb, "net.conv:a", status=1)[1], r"net\.schedules:3:1: error: .*frobs")
        self.write("net.schedules", "layer more(x: f32 nhwc[1, 8, 8, 4]) = conv(4, 1x1)\n")
        self.assertIn("net.schedules:1:1: error: ", self.convc("check", "net.conv", status=1)[1])
        error = json.loads(self.convc("check", "net.conv", "--diagnostics", "json", status=1)[1].splitlines()[-1])
        self.assertEqual((error["file"], error["diagnostics"][0]["id"]), ("net.schedules", "schedules-only"))

    def test_files_that_are_wrong_say_so(self):
        self.write("x.npy", npy([1, 6, 8, 6], range(288)))
        self.assertIn("x.npy: its shape is [1, 6, 8, 6], but the input is f32 nhwc[1, 6, 6, 8]",
                      self.convc("run", LAYER, "--input", "x.npy", status=1)[1])
        self.convc("run", LAYER, "--input", "none.npy", status=3)
        self.convc("run", LAYER, "--weights", "none.npz", status=3)
        self.convc("run", LAYER, "--input", ".", status=3)
        (self.folder / "folder.npy").mkdir()
        self.convc("run", LAYER, "--output", "folder.npy", "--repeat", "1", status=3)
        self.convc("run", LAYER, "--output", "no/such/y.npy", "--repeat", "1", status=3)
        self.assertIn("a .png holds one image of 1 or 3 channels",
                      self.convc("run", LAYER, "--output", "y.png", "--repeat", "1", status=2)[1])
        self.write("w.npz", b"PK\x03\x04 not a zip")
        self.convc("run", LAYER, "--weights", "w.npz", status=1)
        self.write("net.conv", FILE)
        self.convc("run", "net.conv", "--input", "x.npy", status=2)
        self.write("one.npy", npy([8], range(8)))
        self.assertIn("one.npy: one .npy", self.convc("run", LAYER, "--weights", "one.npy", status=1)[1])

    def test_options_that_are_wrong_say_so(self):
        self.assertIn("'y.txt'", self.convc("run", LAYER, "--output", "y.txt", status=2)[1])
        self.assertIn("no tensor 'skip'", self.convc("run", LAYER, "--input", "skip=s.npy", status=2)[1])
        error = self.convc("run", LAYER, "--seed", "-1", status=2)[1]
        self.assertIn("'-1' is not an integer from 0", error)
        self.assertIn("see convc run --help", error)

    def test_a_file_without_layers_is_wrong(self):
        self.write("empty.conv", "# nothing yet\n")
        for verb in "run", "bench", "compile":
            self.assertIn("empty.conv has no layers", self.convc(verb, "empty.conv", status=1)[1])

    @unittest.skipIf(os.geteuid() == 0, "root may enter every directory")
    def test_weights_that_may_not_be_read_are_not_called_missing(self):
        (self.folder / "w").mkdir(mode=0)
        self.assertIn("Permission denied", self.convc("run", LAYER, "--weights", "w", status=3)[1])

    def test_bench(self):
        self.write("net.conv", FILE)
        lines = self.convc("bench", "net.conv", "--repeat", "5")[0].splitlines()
        self.assertRegex(lines[0], r"^layer +shape +MACs +min ms +median ms +GFLOP/s +% of peak$")
        self.assertEqual([line.split()[0] for line in lines[1:4]], ["a", "body[8]", "body[16]"])

    def test_bench_as_json_has_what_compare_py_reads(self):
        self.write("net.conv", FILE)
        result = json.loads(self.convc("bench", "net.conv", "--json", "--repeat", "5")[0])
        self.assertEqual([entry["name"] for entry in result["benchmarks"]], ["a", "body[8]", "body[16]"])
        for entry in result["benchmarks"]:
            self.assertEqual(entry["time_unit"], "ns")
            self.assertEqual(entry["run_type"], "iteration")
            self.assertEqual(entry["iterations"], 5)
            self.assertGreater(entry["real_time"], 0)
            self.assertGreaterEqual(entry["median_time"], entry["real_time"])
            self.assertGreater(entry["cpu_time"], 0)
        for key in ("date", "host_name", "num_cpus", "library_build_type", "fma_peak_gflops"):
            self.assertIn(key, result["context"])


class Cache(CliTest):
    def setUp(self):
        super().setUp()
        self.environment["CONVC_CACHE_DIR"] = str(self.folder / "cache")

    def test_kernels_are_kept_verified_and_cleared(self):
        self.assertIn(": 0 kernels", self.convc("cache")[0])
        self.convc("run", LAYER, "--repeat", "1")
        self.assertIn(": 1 kernel,", self.convc("cache")[0])
        self.convc("run", LAYER, "--repeat", "1")
        report = json.loads(self.convc("cache", "--verify", "--json")[0])
        self.assertEqual((report["entries"], report["damaged"]), (1, []))
        self.assertGreater(report["bytes"], 1000)
        self.assertIn("removed 1 kernel,", self.convc("cache", "--clear")[0])
        self.assertIn(": 0 kernels", self.convc("cache")[0])

    def test_a_damaged_entry_is_named_and_passed_over(self):
        self.convc("run", LAYER, "--repeat", "1")
        entry = max((p for p in (self.folder / "cache").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
        entry.write_bytes(entry.read_bytes()[:-100])
        out, error = self.convc("cache", "--verify", status=3)
        self.assertIn(f"damaged: {entry}", out)
        self.assertIn("1 entry is damaged", error)
        self.assertIn("verified  yes", self.convc("run", LAYER, "--repeat", "1", "--verify")[0])
        self.assertIn("every entry is sound", self.convc("cache", "--verify")[0])

    def test_a_directory_whose_name_is_not_utf8(self):
        self.environment["CONVC_CACHE_DIR"] = os.fsdecode(os.fsencode(self.folder) + b"/\xff")
        self.assertEqual(json.loads(self.convc("cache", "--json")[0])["entries"], 0)

    def test_a_directory_that_others_can_write_is_refused_but_needed_by_nobody(self):
        (self.folder / "cache").mkdir()
        (self.folder / "cache").chmod(0o777)
        self.convc("cache", status=3)
        self.assertIn("verified  yes", self.convc("run", LAYER, "--repeat", "1", "--verify")[0])
        self.assertEqual(list((self.folder / "cache").iterdir()), [])
        out, error = self.convc("doctor", status=3)
        self.assertRegex(out, r"kernel cache +not used: .*<- look here")
        self.assertIn("not everything is in order", error)


class Doctor(CliTest):
    def test_the_machine_is_described(self):
        out, error = self.convc("doctor")
        self.assertEqual(error, "")
        for line in ("target", "caches", "threads", "fma peak", "built with", "libraries for", "c compiler", "self test", "kernel cache"):
            self.assertIn(f"\n{line} ", "\n" + out)
        self.assertTrue(json.loads(self.convc("doctor", "--json")[0])["healthy"])


if __name__ == "__main__":
    unittest.main()
