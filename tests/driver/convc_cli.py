"""Runs the convc binary for the end-to-end tests of the command line: standard library only.

The environment gives CONVC, the binary, and EXAMPLES, the folder of .conv files.
"""

import ast
import os
import pathlib
import pty
import re
import struct
import subprocess
import tempfile
import unittest
import zlib

CONVC = os.environ["CONVC"]
EXAMPLES = pathlib.Path(os.environ["EXAMPLES"])


class CliTest(unittest.TestCase):
    """A test in an empty directory of its own, with a kernel cache shared by the tests of one file."""

    @classmethod
    def setUpClass(cls):
        cls._cache = tempfile.TemporaryDirectory(prefix="convc-cache-")
        cls.addClassCleanup(cls._cache.cleanup)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="convc-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.environment = {"PATH": os.environ["PATH"], "HOME": folder.name, "TERM": "xterm",
                            "CONVC_CACHE_DIR": self._cache.name}

    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def start(self, *arguments, **options):
        """subprocess.Popen of convc in the test's directory."""
        return subprocess.Popen([CONVC, *map(str, arguments)], cwd=self.folder, env=self.environment,
                                stdin=subprocess.DEVNULL if "stdin" not in options else options.pop("stdin"),
                                stdout=options.pop("stdout", subprocess.PIPE),
                                stderr=options.pop("stderr", subprocess.PIPE), **options)

    def on_a_terminal(self, *arguments):
        """What convc writes to standard error when that is a terminal, as bytes."""
        ours, its = pty.openpty()
        process = self.start(*arguments, stderr=its)
        os.close(its)
        text = b""
        try:
            while chunk := os.read(ours, 65536):
                text += chunk
        except OSError:  # the other side is closed: all of it has been read
            pass
        process.communicate(timeout=60)
        os.close(ours)
        return text

    def run_tool(self, *command, **environment):
        """Another program in the directory; what it prints."""
        done = subprocess.run(command, cwd=self.folder, env=self.environment | environment, capture_output=True, text=True,
                              timeout=300)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def convc(self, *arguments, status=0, stdin=None):
        """Runs convc, expects its exit status, and returns (stdout, stderr) as text."""
        done = subprocess.run([CONVC, *map(str, arguments)], cwd=self.folder, env=self.environment,
                              input=b"" if stdin is None else stdin.encode(), capture_output=True, timeout=300)
        out, error = done.stdout.decode(), done.stderr.decode()
        # What AddressSanitizer says of the large stack that Halide gives its compiler is not convc's.
        error = re.sub(r"^==\d+==WARNING: ASan doesn't fully support makecontext.*\n", "", error, flags=re.MULTILINE)
        self.assertEqual(done.returncode, status, f"convc {arguments}\nstdout: {out}\nstderr: {error}")
        return out, error


def npy(shape, values):
    """A version-1 .npy file of f32, as bytes."""
    header = str({"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}f", *values)


def read_npy(path):
    """Shape and values of a version-1 .npy file of f32."""
    data = path.read_bytes()
    length, = struct.unpack("<H", data[8:10])
    header = ast.literal_eval(data[10:10 + length].decode())
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    return list(header["shape"]), list(struct.unpack(f"<{(len(data) - 10 - length) // 4}f", data[10 + length:]))


def png(width, height, rgb):
    """An 8-bit RGB PNG, as bytes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(rgb[y * width * 3:(y + 1) * width * 3]) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
