"""Runs the convc binary for the end-to-end tests of the command line: standard library only.

The environment gives CONVC, the binary, and EXAMPLES, the folder of .conv files.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

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

    def convc(self, *arguments, status=0, stdin=None):
        """Runs convc, expects its exit status, and returns (stdout, stderr) as text."""
        done = subprocess.run([CONVC, *map(str, arguments)], cwd=self.folder, env=self.environment,
                              input=b"" if stdin is None else stdin.encode(), capture_output=True, timeout=300)
        out, error = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, status, f"convc {arguments}\nstdout: {out}\nstderr: {error}")
        return out, error
