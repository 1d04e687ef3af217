"""Targets for GPUs on the command line, and libraries with kernels for them, on a machine with or without a device."""

import json
import unittest

from convc_cli import CliTest

FILE = """layer mix(x: f32 nhwc[1, 5, 6, 3]) = conv(4, 3x3, pad=1) + bias + relu
layer up(x: f32 nhwc[1, 4, 4, 8]) = transposed(8, 2x2, stride=2)
"""

# The numbers of mix on the CPU, and the same on a device where INTERFACE has one; where it has none, the error says so.
PROGRAM = r"""
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *memory(size_t bytes) { return aligned_alloc(64, (bytes + 64) / 64 * 64); }

static float x[5 * 6 * 3], w[4 * 3 * 3 * 3], b[4], on_cpu[5 * 6 * 4], on_device[5 * 6 * 4];

static int call_device(const mix_weights *weights) {
    void *packed = memory(mix_INTERFACE_packed_bytes()), *device_packed = NULL, *workspace = NULL;
    if (mix_INTERFACE_pack(weights, packed) != CONVC_OK) return 100;
    int code = convc_INTERFACE_allocate(mix_INTERFACE_packed_bytes(), &device_packed);
    if (code == CONVC_OK) code = convc_INTERFACE_allocate(mix_INTERFACE_host_workspace_bytes(), &workspace);
    if (code == CONVC_OK) code = convc_INTERFACE_upload(device_packed, packed, mix_INTERFACE_packed_bytes());
    if (code == CONVC_OK) code = mix_INTERFACE_host(x, device_packed, on_device, workspace);
    if (code != CONVC_OK) return code;
    memset(packed, 0, 64);
    if (convc_INTERFACE_upload(device_packed, packed, mix_INTERFACE_packed_bytes()) != CONVC_OK) return 101;
    if (mix_INTERFACE_host(x, device_packed, on_device, workspace) != CONVC_ERROR_PACKED) return 102;
    if (mix_INTERFACE_host(NULL, device_packed, on_device, workspace) != CONVC_ERROR_NULL) return 103;
    convc_INTERFACE_free(device_packed);
    convc_INTERFACE_free(workspace);
    return CONVC_OK;
}

int main(void) {
    for (int i = 0; i < 90; i++) x[i] = (float)(i * 7919 % 17 - 8);
    for (int i = 0; i < 108; i++) w[i] = (float)(i * 7919 % 13 - 6);
    for (int i = 0; i < 4; i++) b[i] = (float)i;
    const mix_weights weights = {w, b};
    void *packed = memory(mix_packed_bytes()), *workspace = memory(mix_workspace_bytes());
    if (mix_pack(&weights, packed) != CONVC_OK || mix(x, packed, on_cpu, workspace) != CONVC_OK) return 10;
    const int code = call_device(&weights);
    if (code == CONVC_OK && memcmp(on_cpu, on_device, sizeof on_cpu) != 0) return 11;
    if (code == CONVC_ERROR_DRIVER && convc_gpu_error()[0] == 0) return 12;
    printf("%d\n", code);
    return 0;
}
"""
LINK = ["-lm", "-pthread", "-ldl"]
NO_DRIVER, NO_DEVICE = "7", "8"


class Gpu(CliTest):
    def build(self, interface, targets):
        self.write("net.conv", FILE)
        self.convc("compile", "net.conv", "--target", targets, "-o", "out")
        self.write("main.c", PROGRAM.replace("INTERFACE", interface))
        self.run_tool("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Iout", "main.c", "out/libnet.a", *LINK, "-o", "main")
        return self.run_tool("./main").strip()

    def test_one_program_runs_on_the_device_or_says_why_not(self):
        for interface, targets in (("cuda", "host,cuda-sm_80"), ("opencl", "x86-64-linux-sse41,host,opencl")):
            with self.subTest(interface=interface):
                self.assertIn(self.build(interface, targets), ("0", NO_DRIVER, NO_DEVICE))

    def test_a_library_for_both_has_both(self):
        self.write("net.conv", FILE)
        self.convc("compile", "net.conv:up", "--target", "opencl,cuda-sm_90", "-o", "out", "--emit", "archive,header,ptx")
        header = (self.folder / "out/net.h").read_text()
        self.assertIn("int up_cuda(const float *x, const void *packed, float *y, void *workspace, void *stream);", header)
        self.assertIn("int up_opencl_host(const float *x, const void *packed, float *y, void *workspace);", header)
        self.assertNotIn("int up(const", header)
        self.assertIn(".target sm_86", (self.folder / "out/up_cuda.ptx").read_text())
        self.assertIn("__kernel", (self.folder / "out/up_opencl.cl").read_text())

    def test_a_kernel_is_the_same_bytes_whatever_else_is_compiled(self):
        self.write("net.conv", FILE)
        self.convc("compile", "net.conv", "--target", "cuda-sm_80", "-o", "all", "--emit", "ptx", "-j", "1")
        self.convc("compile", "net.conv:up", "--target", "cuda-sm_80", "-o", "one", "--emit", "ptx")
        alone, beside = (self.folder / folder / "up_cuda.ptx" for folder in ("one", "all"))
        self.assertEqual(alone.read_bytes(), beside.read_bytes())
        self.assertIn(".visible .entry convc_up_cuda_run0_0(", alone.read_text())

    def test_what_cannot_be_is_refused(self):
        self.write("net.conv", FILE)
        for targets, said in (("cuda-sm_70,cuda-sm_80", "two kernels of one name"), ("cuda-sm_81", "unknown target"),
                              ("cuda-sm_80 2t", "a GPU's has one word")):
            self.assertIn(said, self.convc("compile", "net.conv", "--target", targets, "-o", "out", status=2)[1])
        self.write("names.conv", FILE + "layer mix_cuda(x: f32 nhwc[1, 4, 4, 8]) = conv(8, 1x1)\n")
        self.assertIn("mix_cuda", self.convc("check", "names.conv", status=1)[1])

    def test_the_plan_says_what_the_code_takes(self):
        self.write("net.conv", FILE)
        self.write("ptxas", "#!/bin/sh\ncat >&2 <<END\nCompiling entry function 'convc_up_run0_0' for 'sm_80'\n"
                            "0 bytes stack frame, 8 bytes spill stores\nUsed 40 registers\nEND\n").chmod(0o755)
        plan = ["explain", "net.conv:up", "--plan", "--target", "cuda-sm_80"]
        self.environment["CONVC_PTXAS"] = str(self.folder / "ptxas")
        said = self.convc(*plan)[0]
        self.assertIn("convc_up_run0_0: 40 registers a thread, 8 bytes spilled", said)
        self.assertRegex(said, "a multiprocessor holds [0-9]+ blocks? of [0-9]+ threads, [0-9]+ % of its threads")
        device = json.loads(self.convc(*plan, "--json")[0])["plan"]["groups"][0]["device"][0]
        self.assertEqual((device["registers"], device["spilled_bytes"]), (40, 8))
        self.write("ptxas", "#!/bin/sh\necho 'no such capability' >&2\nexit 1\n")
        self.assertIn("failed: no such capability", self.convc(*plan)[0])
        self.environment["CONVC_PTXAS"] = str(self.folder / "missing")
        self.assertIn("no ptxas is installed", self.convc(*plan)[0])
        self.assertNotIn("ptxas", self.convc("explain", "net.conv:up", "--plan", "--target", "opencl")[0])

    def test_pinned_schedules_are_for_their_target(self):
        line = 'schedule up on "cuda-sm_80" = gpu_transposed(vector=4, columns=1, channel_threads=2, column_threads=4, ' \
               'row_threads=4, unroll=4)\n'
        self.write("net.conv", FILE + line)
        self.assertIn("pinned", self.convc("explain", "net.conv:up", "--plan", "--target", "cuda-sm_80")[0])
        self.assertNotIn("pinned", self.convc("explain", "net.conv:up", "--plan", "--target", "cuda-sm_90")[0])
        self.assertNotIn("pinned", self.convc("explain", "net.conv:up", "--plan")[0])
        self.write("net.conv", FILE + line.replace("gpu_transposed", "transposed"))
        said = self.convc("compile", "net.conv:up", "--target", "cuda-sm_80", "-o", "out", status=1)[1]
        self.assertIn("computes on CPUs", said)


if __name__ == "__main__":
    unittest.main()
