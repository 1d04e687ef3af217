"""convc compile: libraries that a plain C program links and Python loads, with nothing of convc's around."""

import ctypes
import signal
import subprocess
import time
import unittest

from convc_cli import CliTest, npy

FILE = """layer blur(x: f32 nhwc[1, 5, 6, 3]) = depthwise(3x3, pad=1, weights=[[1, 2, 1], [2, 4, 2], [1, 2, 1]])
layer mix[c in {4, 8}](x: f32 nhwc[1, 5, 6, 3]) = conv(c, 3x3, pad=1, stride=2) + bias + relu
layer two(x: f32 nhwc[1, 5, 6, 3], side: f32 nhwc[1, 5, 6, 4]) = depthwise(3x3, pad=1) -> conv(4, 1x1) + add(side)
"""

# Calls mix_4 on integers and compares with plain loops; f32 is exact there.
PROGRAM = r"""
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float number(int i) { return (float)((i * 7919) % 17 - 8); }

static float expected(const float *x, const float *w, const float *b, int oh, int ow, int co) {
    float sum = b[co];
    for (int ci = 0; ci < 3; ci++)
        for (int kh = 0; kh < 3; kh++)
            for (int kw = 0; kw < 3; kw++) {
                int ih = oh * 2 + kh - 1, iw = ow * 2 + kw - 1;
                if (ih < 0 || ih >= 5 || iw < 0 || iw >= 6) continue;
                sum += x[(ih * 6 + iw) * 3 + ci] * w[((co * 3 + ci) * 3 + kh) * 3 + kw];
            }
    return sum > 0 ? sum : 0;
}

int main(void) {
    float x[5 * 6 * 3], w[4 * 3 * 3 * 3], b[4], y[3 * 3 * 4];
    for (int i = 0; i < 90; i++) x[i] = number(i);
    for (int i = 0; i < 108; i++) w[i] = number(i + 5);
    for (int i = 0; i < 4; i++) b[i] = number(i + 9);
    const mix_4_weights weights = {w, b};
    void *packed = aligned_alloc(64, (mix_4_packed_bytes() + 63) / 64 * 64);
    void *workspace = mix_4_workspace_bytes() ? aligned_alloc(64, (mix_4_workspace_bytes() + 63) / 64 * 64) : NULL;
    if (mix_4_pack(&weights, packed) != CONVC_OK) return 10;
    if (mix_4(x, packed, y, workspace) != CONVC_OK) return 11;
    for (int oh = 0; oh < 3; oh++)
        for (int ow = 0; ow < 3; ow++)
            for (int co = 0; co < 4; co++)
                if (y[(oh * 3 + ow) * 4 + co] != expected(x, w, b, oh, ow, co)) return 12;
    if (mix_4(NULL, packed, y, workspace) != CONVC_ERROR_NULL) return 13;
    memset(packed, 0, 64);
    if (mix_4(x, packed, y, workspace) != CONVC_ERROR_PACKED) return 14;
    if (strcmp(mix_4_info()->name, "mix_4") != 0) return 15;
    convc_shutdown();
    puts("right");
    return 0;
}
"""
LINK = ["-lm", "-pthread", "-ldl"]


class KernelInfo(ctypes.Structure):
    """convc_kernel_info, as far as it is needed here."""
    _fields_ = [("abi", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("name", ctypes.c_char_p),
                ("layer", ctypes.c_char_p), ("schedule", ctypes.c_char_p), ("target", ctypes.c_char_p),
                ("version", ctypes.c_char_p), ("input_count", ctypes.c_int32), ("parameter_count", ctypes.c_int32)]


def aligned(size):
    """A 64-byte aligned pointer to so many bytes, and what keeps them alive; (None, None) for none."""
    if size == 0:
        return None, None
    memory = ctypes.create_string_buffer(size + 64)
    return ctypes.c_void_p((ctypes.addressof(memory) + 63) // 64 * 64), memory


class Compile(CliTest):
    def compile_net(self, *options):
        self.write("net.conv", FILE)
        self.assertEqual(self.convc("compile", "net.conv", "-o", "out", *options), ("", ""))

    def test_a_c11_program_links_it(self):
        self.compile_net()
        self.assertEqual(sorted(p.name for p in (self.folder / "out").iterdir()), ["libnet.a", "net.h"])
        self.write("main.c", PROGRAM)
        self.run_tool("cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iout", "main.c", "out/libnet.a",
                      "-o", "main", *LINK)
        self.assertEqual(self.run_tool("./main"), "right\n")

    def test_the_header_is_cplusplus_too(self):
        self.compile_net()
        self.write("main.cpp", '#include "net.h"\nint main() { return blur_packed_bytes() != 0; }\n')
        self.run_tool("c++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iout", "main.cpp",
                      "out/libnet.a", "-o", "main", *LINK)
        self.run_tool("./main")

    def test_python_loads_it(self):
        self.compile_net()
        self.run_tool("cc", "-shared", "-Wl,--whole-archive", "out/libnet.a", "-Wl,--no-whole-archive", "-Wl,-z,defs",
                      "-o", "libnet.so", *LINK)
        library = ctypes.CDLL(str(self.folder / "libnet.so"))
        for name in ("two_packed_bytes", "two_workspace_bytes"):
            getattr(library, name).restype = ctypes.c_size_t
        library.two_info.restype = ctypes.POINTER(KernelInfo)
        info = library.two_info().contents
        self.assertEqual((info.name, info.input_count, info.parameter_count), (b"two", 2, 2))
        self.assertEqual(info.layer, b"(x: f32 nhwc[1, 5, 6, 3], side: f32 nhwc[1, 5, 6, 4]) -> depthwise(3x3, pad=1) "
                                     b"-> conv(4, 1x1) + add(side)")
        impulse = [1.0 if i % 9 == 4 else 0.0 for i in range(27)]  # depthwise: keeps x as it is
        weights = (ctypes.POINTER(ctypes.c_float) * 2)((ctypes.c_float * 27)(*impulse),
                                                       (ctypes.c_float * 12)(*[1.0] * 12))
        x = (ctypes.c_float * 90)(*range(90))
        side = (ctypes.c_float * 120)(*[0.5] * 120)
        y = (ctypes.c_float * 120)()
        packed, _packed = aligned(library.two_packed_bytes())
        workspace, _workspace = aligned(library.two_workspace_bytes())
        self.assertEqual(library.two_pack(weights, packed), 0)
        self.assertEqual(library.two(x, side, packed, y, workspace), 0)
        self.assertEqual(list(y), [9.0 * (i // 4) + 3.5 for i in range(120)])
        library.convc_shutdown()

    def test_nothing_but_libc_is_needed(self):
        self.compile_net()
        self.run_tool("cc", "-r", "-nostdlib", "-Wl,--whole-archive", "out/libnet.a", "-o", "all.o")
        undefined = {line.split()[-1].split("@")[0] for line in self.run_tool("nm", "--undefined-only", "all.o").splitlines()}
        self.write("empty.c", "int main(void) { return 0; }\n")
        libraries = [self.run_tool("cc", f"-print-file-name={name}").strip() for name in ("libc.so.6", "libm.so.6")]
        provided = {line.split()[-1].split("@")[0] for library in libraries
                    for line in self.run_tool("nm", "-D", "--defined-only", library).splitlines()}
        self.assertEqual(undefined - provided - {"_GLOBAL_OFFSET_TABLE_"}, set())
        self.assertFalse([name for name in undefined if name.startswith(("halide_", "llvm", "_ZN"))])

    def test_two_libraries_fit_in_one_program(self):
        self.compile_net()
        self.write("other.conv", "layer sharpen(x: f32 nhwc[1, 4, 4, 1]) = depthwise(1x1, weights=[3])\n")
        self.convc("compile", "other.conv", "-o", "out")
        self.write("main.c", '#include "net.h"\n#include "other.h"\nint main(void) {\n'
                             "    float x[16] = {1, 2}, y[16];\n"
                             "    if (sharpen(x, 0, y, 0) != CONVC_OK) return 1;\n"
                             "    return !(y[0] == 3 && y[1] == 6 && blur_info() && sharpen_info());\n}\n")
        self.run_tool("cc", "-std=c11", "-Wall", "-Werror", "-Iout", "main.c", "out/libnet.a", "out/libother.a", "-o",
                      "main", *LINK)
        self.run_tool("./main")

    def test_weights_are_baked_in(self):
        (self.folder / "w").mkdir()
        self.write("w/mix_4.0.weight.npy", npy([4, 3, 3, 3], [(i * 7919 + 5 * 7919) % 17 - 8 for i in range(108)]))
        self.write("w/mix_4.0.bias.npy", npy([4], [1, 2, 3, 4]))
        self.write("net.conv", FILE)
        error = self.convc("compile", "net.conv", "-o", "out", "--weights", "w", status=1)[1]
        self.assertIn("mix_8.0.weight", error)
        self.assertFalse((self.folder / "out").exists())
        self.convc("compile", "net.conv:mix[4]", "-o", "out", "--weights", "w")
        self.assertNotIn("mix_4_weights", (self.folder / "out/net.h").read_text())
        self.write("main.c", PROGRAM.replace("const mix_4_weights weights = {w, b};", "")
                   .replace("if (mix_4_pack(&weights, packed) != CONVC_OK) return 10;",
                            "for (int i = 0; i < 4; i++) b[i] = (float)(i + 1);")
                   .replace("if (mix_4_pack(", "if (0 * (")
                   .replace("void *packed = aligned_alloc(64, (mix_4_packed_bytes() + 63) / 64 * 64);",
                            "void *packed = NULL; if (mix_4_packed_bytes() != 0) return 16;")
                   .replace("memset(packed, 0, 64);\n", "")
                   .replace("if (mix_4(x, packed, y, workspace) != CONVC_ERROR_PACKED) return 14;", ""))
        self.run_tool("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Iout", "main.c", "out/libnet.a", "-o", "main",
                      *LINK)
        self.assertEqual(self.run_tool("./main"), "right\n")

    def test_every_kind_can_be_emitted(self):
        self.compile_net("--emit", "object,asm,llvm,stmt,stmt_html", "--emit", "header")
        names = {p.name for p in (self.folder / "out").iterdir()}
        self.assertNotIn("libnet.a", names)
        for layer in ("blur", "mix_4", "mix_8", "two"):
            for suffix, marker in (("s", ".globl"), ("ll", "define "), ("stmt", "produce"), ("stmt.html", "<html")):
                self.assertIn(marker, (self.folder / f"out/{layer}.{suffix}").read_text(), f"{layer}.{suffix}")
            self.assertTrue((self.folder / f"out/{layer}.o").read_bytes().startswith(b"\x7fELF"))
        self.assertIn("net.h", names)

    def test_objects_link_without_the_archive(self):
        self.compile_net("--emit", "object,header")
        self.write("main.c", '#include "net.h"\nint main(void) { return two_info()->abi != CONVC_ABI; }\n')
        objects = sorted(str(p) for p in (self.folder / "out").glob("*.o"))
        self.run_tool("cc", "-std=c11", "-Wall", "-Werror", "-Iout", "main.c", *objects, "-o", "main", *LINK)
        self.run_tool("./main")

    def test_wrong_requests_are_refused_and_write_nothing(self):
        self.write("net.conv", FILE)
        for options, message in ((["--emit", "ptx"], "GPU targets"), (["--emit", "exe"], "not 'exe'"),
                                 (["--target", "z80"], "unknown target 'z80'"), (["-j", "0"], "0")):
            self.assertIn(message, self.convc("compile", "net.conv", "-o", "out", *options, status=2)[1])
        self.write("empty.conv", "let w = 1\n")
        self.assertIn("no layers", self.convc("compile", "empty.conv", "-o", "out", status=1)[1])
        self.write("file", "")
        self.convc("compile", "net.conv", "-o", "file", status=3)
        self.convc("compile", "net.conv", "-o", "file/below", status=3)
        self.assertFalse((self.folder / "out").exists())

    def test_the_bytes_are_the_same_every_time(self):
        self.compile_net("--emit", "archive,header,object")
        first = {p.name: p.read_bytes() for p in (self.folder / "out").iterdir()}
        self.compile_net("--emit", "archive,header,object")  # from the cache now
        self.assertEqual(first, {p.name: p.read_bytes() for p in (self.folder / "out").iterdir()})
        self.convc("cache", "--clear")
        self.compile_net("--emit", "archive,header,object", "-j", "3")
        self.assertEqual(first, {p.name: p.read_bytes() for p in (self.folder / "out").iterdir()})

    def test_a_line_is_called_layer(self):
        self.convc("compile", "f32 nhwc[1, 4, 4, 1] -> depthwise(1x1, weights=[3])", "-o", "out")
        self.assertIn("int layer(const float *x", (self.folder / "out/layer.h").read_text())
        self.assertTrue((self.folder / "out/liblayer.a").exists())

    def test_other_targets(self):
        self.compile_net("--target", "x86-64-linux-sse41", "--emit", "object")
        self.compile_net("--target", "arm-64-linux", "--emit", "object")
        self.assertEqual((self.folder / "out/blur.o").read_bytes()[18], 0xB7)  # EM_AARCH64

    def test_progress_is_for_terminals_and_long_work(self):
        self.write("net.conv", FILE)
        self.convc("compile", "net.conv", "-o", "out")  # from now on the cache has all: quick
        self.assertEqual(self.on_a_terminal("compile", "net.conv", "-o", "out"), b"")
        many = "layer m[c in {" + ", ".join(map(str, range(1, 60))) + "}](x: f32 nhwc[1, 9, 9, c]) = conv(c, 3x3)\n"
        self.write("many.conv", many)
        shown = self.on_a_terminal("compile", "many.conv", "-o", "out", "-j", "1")
        self.assertIn(b"compiling [", shown)
        self.assertRegex(shown, rb"\d+/59 m\[\d+\]")
        self.assertTrue(shown.endswith(b"\r\033[K"), shown[-50:])

    def test_an_interrupted_compile_leaves_whole_files_or_none(self):
        self.write("net.conv", FILE)
        started = time.monotonic()
        self.convc("compile", "net.conv", "-o", "whole")
        whole = {p.name: p.read_bytes() for p in (self.folder / "whole").iterdir()}
        took = time.monotonic() - started
        for part in range(1, 9):
            self.convc("cache", "--clear")
            process = self.start("compile", "net.conv", "-o", "out")
            try:
                process.wait(took * part / 8)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            out = self.folder / "out"
            for path in out.iterdir() if out.exists() else ():
                self.assertEqual(path.read_bytes(), whole[path.name])


if __name__ == "__main__":
    unittest.main()
