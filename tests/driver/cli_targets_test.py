"""convc compile --target: libraries of several targets, of another architecture, and --require-tuned."""

import json
import re
import shutil
import struct
import subprocess
import unittest

from convc_cli import EXAMPLES, CliTest, npy, read_npy

SSE41, AVX2, AVX512 = "x86-64-linux-sse41", "x86-64-linux-avx2-fma", "x86-64-linux-avx512"
X86 = [AVX512, AVX2, SSE41]  # best first
LINK = ["-lm", "-pthread"]

# 35 channels: full vectors of every length, and a tail. The other layer has no weights to pack.
FILE = """layer mix(x: f32 nhwc[1, 5, 6, 3]) = conv(35, 3x3, pad=1) + bias + relu
layer swap(x: f32 nhwc[1, 5, 6, 4]) = depthwise(3x3, pad=1, weights=[[1, 2, 1], [2, 4, 2], [1, 2, 1]])
"""

SCHEDULE = "direct(vectors=1, columns=1, parts=2, channel_parts=1, pixels_outside=0, unroll=1)"

# Prints the variant that was chosen, after it has computed what plain loops compute. `pack FILE` and `call FILE` give
# packed memory from one process to another.
PROGRAM = r"""
#define _DEFAULT_SOURCE
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(64) char packed[65536], workspace[1 << 20];
static float x[5 * 6 * 4], w[35 * 3 * 9], b[35], y[5 * 6 * 35];
static const mix_weights weights = {w, b};

static float number(int i) { return (float)((i * 7919) % 17 - 8); }

static float expected(int oh, int ow, int co) {
    float sum = b[co];
    for (int ci = 0; ci < 3; ci++)
        for (int kh = 0; kh < 3; kh++)
            for (int kw = 0; kw < 3; kw++) {
                int ih = oh + kh - 1, iw = ow + kw - 1;
                if (ih < 0 || ih >= 5 || iw < 0 || iw >= 6) continue;
                sum += x[(ih * 6 + iw) * 3 + ci] * w[((co * 3 + ci) * 3 + kh) * 3 + kw];
            }
    return sum > 0 ? sum : 0;
}

static int right(void) {
    if (mix_pack(&weights, packed) != CONVC_OK || mix(x, packed, y, workspace) != CONVC_OK) return 0;
    for (int i = 0; i < 5 * 6 * 35; i++)
        if (y[i] != expected(i / 35 / 6, i / 35 % 6, i % 35)) return 0;
    return 1;
}

static int refused(void) {
    const float *const inputs[] = {x}, *const parameters[] = {w, b};
    return mix_packed_bytes() == 0 && mix_workspace_bytes() == 0 && mix_info()->packed_bytes == 0 &&
           mix_pack(&weights, packed) == CONVC_ERROR_TARGET && mix(x, packed, y, workspace) == CONVC_ERROR_TARGET &&
           mix_info()->pack(parameters, packed) == CONVC_ERROR_TARGET &&
           mix_info()->run(NULL, inputs, packed, y, workspace) == CONVC_ERROR_TARGET &&
           swap_pack(NULL, packed) == CONVC_ERROR_TARGET && swap(x, packed, y, workspace) == CONVC_ERROR_TARGET;
}

int main(int argc, char **argv) {
    for (int i = 0; i < 120; i++) x[i] = number(i);
    for (int i = 0; i < 945; i++) w[i] = number(i + 5);
    for (int i = 0; i < 35; i++) b[i] = number(i + 9);
    if (argc == 3) {
        FILE *file = fopen(argv[2], argv[1][0] == 'p' ? "wb" : "rb");
        if (!file) return 20;
        if (argv[1][0] == 'p' && mix_pack(&weights, packed) != CONVC_OK) return 21;
        if (argv[1][0] == 'p' && fwrite(packed, sizeof packed, 1, file) != 1) return 22;
        if (argv[1][0] == 'c' && fread(packed, sizeof packed, 1, file) != 1) return 23;
        printf("%d\n", mix(x, packed, y, workspace));
        return fclose(file);
    }
    if (mix(x, packed, y, workspace) == CONVC_ERROR_TARGET) {
        puts(refused() ? "refused" : "neither refused nor right");
        return 0;
    }
    if (mix_packed_bytes() != mix_info()->packed_bytes || mix_packed_bytes() > sizeof packed) return 10;
    if (mix_workspace_bytes() != mix_info()->workspace_bytes || mix_workspace_bytes() > sizeof workspace) return 11;
    if (!right()) return 12;
    /* The choice is the process's: a change of mind comes too late, also for layers that were not called yet. */
    setenv("CONVC_TARGET", "x86-64-linux-none", 1);
    if (!right() || strcmp(swap_info()->target, mix_info()->target) != 0 || strcmp(mix_info()->name, "mix") != 0) return 13;
    printf("%s %d %d\n", mix_info()->target, (int)mix_packed_bytes(), (int)mix_workspace_bytes());
    return 0;
}
"""


class TargetTest(CliTest):
    def compile_net(self, *options, text=FILE):
        self.write("net.conv", text)
        self.assertEqual(self.convc("compile", "net.conv", "-o", "out", *options), ("", ""))


def is_x86():
    return subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout == "x86_64\n"


@unittest.skipUnless(is_x86(), "the targets of these libraries are x86-64's")
class Several(TargetTest):
    def build_program(self, targets=",".join(X86), text=FILE):
        self.compile_net("--target", targets, text=text)
        self.write("main.c", PROGRAM)
        self.run_tool("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iout", "main.c", "out/libnet.a",
                      "-o", "main", *LINK)

    def runnable(self):
        """The targets that this CPU runs, best first."""
        host = json.loads(self.convc("doctor", "--json")[0])["target"].split()[0]
        return X86[X86.index(host):]

    def test_the_best_runs_and_each_can_be_forced(self):
        self.build_program()
        runnable = self.runnable()
        self.assertEqual(self.run_tool("./main").split()[0], runnable[0])
        self.assertEqual(self.run_tool("./main", CONVC_TARGET="").split()[0], runnable[0])
        header = (self.folder / "out/net.h").read_text()
        for target in X86:
            said = self.run_tool("./main", CONVC_TARGET=target)
            if target not in runnable:
                self.assertEqual(said, "refused\n")
                continue
            name, packed, workspace = said.split()
            self.assertEqual(name, target)
            self.assertRegex(header, rf" \*     packed     {packed} bytes\n \*     workspace  {workspace} bytes\n"
                                     rf" \*     schedule   direct\(.*\) \(default\)\n \*     target     {target}\n")
        for wrong in ("x86-64-linux", "x86-64-linux-avx", "sse41", SSE41 + " ", "arm-64-linux", "a" * 1000):
            self.assertEqual(self.run_tool("./main", CONVC_TARGET=wrong), "refused\n", wrong)

    def test_what_one_variant_packed_another_refuses(self):
        runnable = self.runnable()
        if len(runnable) < 2:
            self.skipTest("this CPU runs one variant")
        # The same schedule for all: packed memory is told apart by the target, not only by the schedule.
        self.build_program(text=FILE + "".join(f'schedule mix on "{target}" = {SCHEDULE}\n' for target in X86))
        for target in runnable:
            self.assertEqual(self.run_tool("./main", "pack", target, CONVC_TARGET=target), "0\n")
        for packed in runnable:
            for target in runnable:
                error = self.run_tool("./main", "call", packed, CONVC_TARGET=target)
                self.assertEqual(error, "0\n" if target == packed else "3\n", f"{packed} in {target}")

    @unittest.skipUnless(shutil.which("qemu-x86_64"), "without qemu-user there are no lesser CPUs")
    def test_lesser_cpus_take_what_they_run(self):
        self.build_program()
        for cpu, expected in (("Nehalem", SSE41), ("max", AVX2), ("core2duo", "refused")):
            self.assertEqual(self.run_tool("qemu-x86_64", "-cpu", cpu, "./main").split()[0], expected, cpu)
        self.assertEqual(self.run_tool("qemu-x86_64", "-cpu", "max", "./main", CONVC_TARGET=SSE41).split()[0], SSE41)
        self.assertEqual(self.run_tool("qemu-x86_64", "-cpu", "Nehalem", "./main", CONVC_TARGET=AVX2), "refused\n")

    def test_host_may_be_one_of_them(self):
        if self.runnable()[0] == SSE41:
            self.skipTest("the host is the other target")
        self.build_program(f"{SSE41},host")
        self.assertEqual(self.run_tool("./main").split()[0], self.runnable()[0])
        host = json.loads(self.convc("doctor", "--json")[0])["target"]
        self.assertTrue(self.run_tool("./main", CONVC_TARGET=host).startswith(host))

    def test_only_the_public_names_are_seen(self):
        self.compile_net("--target", ",".join(X86))
        self.run_tool("cc", "-shared", "-Wl,-z,defs", "-Wl,--whole-archive", "out/libnet.a", "-Wl,--no-whole-archive", "-o",
                      "libnet.so", *LINK)
        names = {line.split()[-1] for line in self.run_tool("nm", "-D", "--defined-only", "libnet.so").splitlines()}
        suffixes = ("", "_info", "_pack", "_packed_bytes", "_workspace_bytes")
        self.assertEqual(names, {"convc_set_threads", "convc_shutdown"} |
                         {layer + suffix for layer in ("mix", "swap") for suffix in suffixes})

    def test_libraries_with_names_that_look_generated_meet_in_one_program(self):
        self.compile_net("--target", f"{SSE41},{AVX2}")
        self.write("more.conv", "\n".join(f"layer {name}(x: f32 nhwc[1, 4, 4, 1]) = depthwise(1x1)"
                                          for name in ("mix_avx2", "mix_none", "mix_run0", "mix_run0_avx2")))
        for targets in (SSE41, f"{SSE41},{AVX2}"):
            self.convc("compile", "more.conv", "-o", "out", "--target", targets)
            self.write("both.c", '#include "net.h"\n#include "more.h"\nint main(void) {\n'
                                 "    return !(mix_info() && mix_avx2_info() && mix_none_info() && mix_run0_info() &&\n"
                                 "             mix_run0_avx2_info());\n}\n")
            self.run_tool("cc", "-Iout", "both.c", "-Wl,--whole-archive", "out/libnet.a", "out/libmore.a",
                          "-Wl,--no-whole-archive", "-o", "both", *LINK)
            self.run_tool("./both")

    def test_each_target_has_its_pinned_schedule(self):
        self.compile_net("--target", ",".join(X86), text=FILE + f'schedule mix on "{SSE41}" = {SCHEDULE}\n')
        header = (self.folder / "out/net.h").read_text()
        self.assertIn(f" *     schedule   {SCHEDULE} (pinned)\n *     target     {SSE41}\n", header)
        self.assertEqual(header.count("(pinned)"), 1)

    def test_weights_are_baked_into_every_variant(self):
        runnable = self.runnable()
        (self.folder / "w").mkdir()
        self.write("w/0.weight.npy", npy([1, 1, 1, 1], [3]))
        self.convc("compile", "f32 nhwc[1, 1, 1, 1] -> conv(1, 1x1)", "-o", "out", "--weights", "w", "--target",
                   ",".join(runnable))
        self.write("main.c", '#include "layer.h"\n#include <stdio.h>\nint main(void) {\n    float x = 2, y;\n'
                             "    int code = layer(&x, NULL, &y, NULL);\n"
                             '    printf("%s %d %g\\n", layer_info()->target, code, (double)y);\n    return 0;\n}\n')
        self.run_tool("cc", "-std=c11", "-Iout", "main.c", "out/liblayer.a", "-o", "main", *LINK)
        for target in runnable:
            self.assertEqual(self.run_tool("./main", CONVC_TARGET=target), f"{target} 0 6\n")

    def test_weights_are_baked_in_for_this_machine_alone(self):
        (self.folder / "w").mkdir()
        self.write("w/0.weight.npy", npy([1, 1, 1, 1], [3]))
        error = self.convc("compile", "f32 nhwc[1, 1, 1, 1] -> conv(1, 1x1)", "-o", "out", "--weights", "w", "--emit",
                           "object", "--target", "arm-64-linux", status=3)[1]
        self.assertIn("weights are packed here before they become constants, but kernel 'layer' is for arm-64-linux, "
                      "which this machine does not run", error)

    def test_every_kind_is_emitted_for_each(self):
        self.compile_net("--target", ",".join(X86), "--emit", "object,header,asm,llvm,stmt,stmt_html", "-j", "2")
        names = {p.name for p in (self.folder / "out").iterdir()}
        kinds = ("o", "kernel.o", "s", "ll", "stmt", "stmt.html")
        self.assertEqual(names, {"net.h", "convc_kernel_runtime.o", "mix.o", "swap.o"} |
                         {f"{layer}.{word}.{kind}" for layer in ("mix", "swap") for word in ("sse41", "avx2", "avx512")
                          for kind in kinds})
        self.write("main.c", PROGRAM)
        objects = sorted(str(p) for p in (self.folder / "out").glob("*.o"))
        self.run_tool("cc", "-std=c11", "-Iout", "main.c", *objects, "-o", "main", *LINK)
        self.run_tool("./main")

    def test_the_machine_code_is_the_targets(self):
        self.compile_net("--target", ",".join(X86), "--emit", "object")
        bmi = r"(andn|bextr|bls[ir]|blsmsk|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx)[lq]?"
        for layer in ("mix", "swap"):
            code = {word: self.run_tool("llvm-objdump-19", "-d", "--no-show-raw-insn", f"out/{layer}.{word}.kernel.o")
                    for word in ("sse41", "avx2", "avx512")}
            self.assertNotRegex(code["avx2"], r"%zmm|%[xy]mm(1[6-9]|2\d|3\d)|%k[0-7]")
            self.assertNotRegex(code["sse41"], r"%[yz]mm")
            # What has a VEX prefix is named v..., or is one of BMI's.
            mnemonics = set(re.findall(r"^\s*[0-9a-f]+:\s+(\w+)", code["sse41"], re.MULTILINE))
            self.assertEqual({m for m in mnemonics if m.startswith("v") or re.fullmatch(bmi, m)}, set())
            if layer == "mix":
                self.assertIn("%zmm", code["avx512"])
                self.assertIn("%ymm", code["avx2"])
                self.assertRegex(code["avx2"], r"\bvfmadd\w+ps\b")
                self.assertTrue({"mulps", "addps"} <= mnemonics)

    def test_lists_that_make_no_library_are_refused(self):
        self.write("net.conv", FILE)
        for targets, message in (
                (f"{SSE41},{SSE41}", f"{SSE41} and {SSE41} do not fit into one library: the choice between them is by "
                                     "instruction set"),
                (f"{AVX2},{AVX2} znver3", "do not fit into one library"),
                (f"{SSE41},arm-64-linux", "two architectures"),
                (f"{SSE41},z80", "unknown target 'z80'")):
            self.assertIn(message, self.convc("compile", "net.conv", "-o", "out", "--target", targets, status=2)[1])
        self.assertIn("do not fit", self.convc("compile", "net.conv", "-o", "out", "--target", SSE41, "--target", SSE41,
                                               status=2)[1])
        self.assertFalse((self.folder / "out").exists())


# Of examples/: dense, 1-D, channels first, depthwise, pointwise after depthwise, constant weights, padding of other kinds,
# 3-D, a chain with a residual, and epilogues.
EXAMPLE_LAYERS = ("variants.conv:dense", "variants.conv:waveform", "variants.conv:waveform_channels_first",
                  "variants.conv:with_multiplier", "variants.conv:separable_depthwise", "variants.conv:laplacian",
                  "variants.conv:pad_reflecting", "variants.conv:pad_with_a_constant", "variants.conv:depthwise_volume",
                  "variants.conv:inverted_residual", "variants.conv:all_activations", "odd.conv:squeeze_excite")
TRANSCENDENTAL = ("all_activations", "squeeze_excite")

# NAME.in holds x and then the parameters; NAME.out becomes y.
CALLER = r"""
#include "net.h"
#include <stdio.h>
#include <stdlib.h>

static size_t product(const int64_t *extents, int rank) {
    size_t elements = 1;
    for (int i = 0; i < rank; i++) elements *= (size_t)extents[i];
    return elements;
}

static float *read_floats(FILE *file, size_t count) {
    float *values = malloc(count * sizeof(float));
    return values && fread(values, sizeof(float), count, file) == count ? values : NULL;
}

static void *aligned(size_t bytes) { return bytes ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL; }

static int call(const convc_kernel_info *info) {
    char name[256];
    snprintf(name, sizeof name, "%s.in", info->name);
    FILE *in = fopen(name, "rb");
    snprintf(name, sizeof name, "%s.out", info->name);
    FILE *out = fopen(name, "wb");
    if (!in || !out) return -1;
    const float *inputs[] = {read_floats(in, product(info->inputs->extents, info->inputs->rank))}, *parameters[64];
    for (int i = 0; i < info->parameter_count; i++)
        parameters[i] = read_floats(in, product(info->parameters[i].shape, info->parameters[i].rank));
    const size_t count = product(info->output->extents, info->output->rank);
    float *y = calloc(count, sizeof(float));
    void *packed = aligned(info->packed_bytes), *workspace = aligned(info->workspace_bytes);
    int code = info->pack(parameters, packed);
    if (code == 0) code = info->run(NULL, inputs, packed, y, workspace);
    if (fwrite(y, sizeof(float), count, out) != count) return -2;
    fclose(in);
    return fclose(out) ? -3 : code;
}

int main(void) {
    const convc_kernel_info *kernels[] = {INFOS};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        int code = call(kernels[i]);
        if (code) return printf("%s: %d\n", kernels[i]->name, code), 1;
    }
    convc_shutdown();
    puts(kernels[0]->target);
    return 0;
}
"""


def integers(count, largest, seed):
    return [float((i * 7919 + seed * 104729) % (2 * largest + 1) - largest) for i in range(count)]


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


class Arm(TargetTest):
    def test_what_is_missing_is_said(self):
        libraries = json.loads(self.convc("doctor", "--json")[0])["libraries_for"]
        self.assertIn("arm-64-linux", libraries)
        self.write("net.conv", FILE)
        if "gcc-aarch64-linux-gnu" not in libraries:
            self.skipTest("this convc has everything for arm-64")
        error = self.convc("compile", "net.conv", "-o", "out", "--target", "arm-64-linux", status=3)[1]
        self.assertIn("there was no C compiler for arm-64 when this convc was built; install gcc-aarch64-linux-gnu", error)
        self.assertFalse((self.folder / "out").exists())

    def prepare(self, where):
        """Expected output of one layer, on integers, in NAME.npy; its input and parameters in NAME.in."""
        name = where.split(":")[1]
        line = self.convc("fmt", EXAMPLES / where, "--one-line")[0].strip()
        explained = json.loads(self.convc("explain", EXAMPLES / where, "--json")[0])
        folder = self.folder / f"{name}.weights"
        folder.mkdir()
        shape = [int(extent) for extent in re.search(r"\[([\d, ]+)\]", line)[1].split(",")]
        count = 1
        for extent in shape:
            count *= extent
        values = integers(count, 3, 1)
        raw = floats(values)
        self.write("x.npy", npy(shape, values))
        for number, parameter in enumerate(explained["weights"]):
            count = 1
            for extent in parameter["shape"]:
                count *= extent
            values = integers(count, 1, number + 2)
            self.write(f"{name}.weights/{parameter['name']}.npy", npy(parameter["shape"], values))
            raw += floats(values)
        self.write(f"{name}.in", raw)
        said = self.convc("run", EXAMPLES / where, "--input", "x.npy", "--weights", f"{name}.weights", "--output",
                          f"{name}.npy", "--verify", "--repeat", "1")[0]
        self.assertIn("verified  yes", said)
        tensor, stages = line.split(" -> ", 1)
        return f"layer {name}(x: {tensor}) = {stages}\n"

    @unittest.skipUnless(shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64"),
                         "needs gcc-aarch64-linux-gnu and qemu-user")
    def test_examples_compute_what_they_do_here(self):
        self.write("net.conv", "".join(map(self.prepare, EXAMPLE_LAYERS)))
        self.convc("compile", "net.conv", "-o", "out", "--target", "arm-64-linux")
        names = [where.split(":")[1] for where in EXAMPLE_LAYERS]
        self.write("main.c", CALLER.replace("INFOS", ", ".join(f"{name}_info()" for name in names)))
        self.run_tool("aarch64-linux-gnu-gcc", "-std=c11", "-O1", "-Wall", "-Werror", "-static", "-Iout", "main.c",
                      "out/libnet.a", "-o", "main", *LINK)
        self.assertEqual(self.run_tool("qemu-aarch64", "./main"), "arm-64-linux\n")
        for name in names:
            expected = read_npy(self.folder / f"{name}.npy")[1]
            data = (self.folder / f"{name}.out").read_bytes()
            if name not in TRANSCENDENTAL:
                self.assertTrue(data == floats(expected), name)
                continue
            for ours, theirs in zip(struct.unpack(f"<{len(data) // 4}f", data), expected, strict=True):
                self.assertAlmostEqual(ours, theirs, delta=1e-5 * max(1, abs(theirs)), msg=name)


class RequireTuned(CliTest):
    FILE = """layer a(x: f32 nhwc[1, 5, 6, 3]) = conv(35, 3x3, pad=1)
layer b(x: f32 nhwc[1, 5, 6, 4]) = conv(35, 3x3, pad=1)
"""

    def compile(self, *arguments, status=0):
        return self.convc("compile", "net.conv", "-o", "out", "--require-tuned", *arguments, status=status)[1]

    def test_each_layer_without_a_schedule_is_named(self):
        self.write("net.conv", self.FILE + f'schedule a on "{AVX2}" = {SCHEDULE}\n')
        error = self.compile("--target", f"{AVX2},{AVX512}", status=5)
        missing = "has no tuned or pinned schedule for"
        self.assertIn(f"net.conv:1:7: error: a {missing} {AVX512} [not-tuned]", error)
        self.assertIn(f"net.conv:2:7: error: b {missing} {AVX512}, {AVX2} [not-tuned]", error)
        self.assertIn("`convc tune` finds schedules", error)
        self.assertNotIn("net.conv:1", self.compile("--target", AVX2, status=5))
        *_, said = self.compile("--target", AVX2, "--diagnostics", "json", status=5).splitlines()
        self.assertEqual([each["id"] for each in json.loads(said)["diagnostics"]], ["not-tuned"])
        self.assertFalse((self.folder / "out").exists())
        self.convc("compile", "net.conv", "-o", "out", "--target", f"{AVX2},{AVX512}")

    def test_pinned_and_tuned_will_do(self):
        self.write("net.conv", self.FILE + f'schedule a on "{AVX2}" = {SCHEDULE}\n')
        self.write("net.schedules", f'schedule b on "{AVX2}" = {SCHEDULE}\n')
        self.compile("--target", AVX2)
        self.assertTrue((self.folder / "out" / "libnet.a").exists())
        self.convc("compile", "net.conv:b", "-o", "b", "--require-tuned", "--target", AVX2)
        (self.folder / "net.schedules").unlink()
        self.convc("compile", "net.conv:a", "-o", "a", "--require-tuned", "--target", AVX2)
        self.compile("--target", AVX2, status=5)

    def test_a_schedule_of_another_machine_does_not_count(self):
        self.write("net.conv", self.FILE)
        self.write("net.schedules", f'schedule a on "{AVX2} unheard-of 2t" = {SCHEDULE}\n'
                                    f'schedule b on "{AVX2} unheard-of" = {SCHEDULE}\n')
        self.assertIn(f"a has no tuned or pinned schedule for {AVX2} unheard-of [",
                      self.compile("--target", f"{AVX2} unheard-of", status=5))
        self.compile("--target", f"{AVX2} unheard-of 2t")

    def test_a_line_has_none(self):
        self.assertIn("<layer>:1:", self.convc("compile", "f32 nhwc[1, 7, 7, 8] -> conv(8, 1x1)", "-o", "out", "--require-tuned", status=5)[1])
        self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    unittest.main()
