"""convc db from the command line: what is right gets in once, what is wrong changes nothing."""

import json
import re
import resource
import signal
import sqlite3
import subprocess
import time
import unittest

from convc_cli import CONVC, CliTest

HEAD = '{"convc_trials":1}\n'
CONV, DEPTHWISE = "f32 nhwc[1, 7, 7, 8] -> conv(8, 1x1)", "f32 nhwc[1, 9, 9, 8] -> depthwise(3x3, pad=1)"
AVX2, AVX512 = "x86-64-linux-avx2-fma", "x86-64-linux-avx512"


def trial(schedule, **changes):
    record = {"layer": CONV, "target": f"{AVX2} znver3 2t", "machine": "here", "build": "convc 0 abcdefghijklmnop; x",
              "schedule": schedule, "outcome": "measured", "reason": "", "seconds": 0.001, "relative": 0.5,
              "workspace": 64, "finished": 1_700_000_000}
    return record | changes


def failure(schedule, outcome, **changes):
    return trial(schedule, outcome=outcome, reason="as planted", seconds=0, relative=0, **changes)


def lines(*trials):
    return HEAD + "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in trials)


class DbTest(CliTest):
    def database(self, name, *trials):
        self.convc("db", "import", name, "-", stdin=lines(*trials))

    def exported(self, name, *arguments):
        return [json.loads(line) for line in self.convc("db", "export", name, *arguments)[0].splitlines()[1:]]

    def schedules(self, name="t.db", *arguments):
        return [each["schedule"] for each in self.exported(name, *arguments)]

    def build_identity(self):
        # Whatever else the doctor has to say of the machine.
        doctor = subprocess.run([CONVC, "doctor", "--json"], env=self.environment, capture_output=True, timeout=120)
        return json.loads(doctor.stdout)["built_with"]

    def files(self):
        return sorted(path.name for path in self.folder.iterdir())

    def assert_unchanged(self, *arguments, status, stdin=None, names=("t.db",)):
        """The error of a run that leaves the folder as it was."""
        files, before = self.files(), [(self.folder / name).read_bytes() for name in names]
        out, error = self.convc("db", *arguments, status=status, stdin=stdin)
        self.assertEqual(out, "")
        self.assertEqual([(self.folder / name).read_bytes() for name in names], before)
        self.assertEqual(self.files(), files)
        return error


class Import(DbTest):
    def test_what_is_imported_is_exported(self):
        text = lines(trial("a"), failure("b", "crashed"), trial("c", layer=DEPTHWISE, relative=1.25))
        self.write("in.jsonl", text)
        self.assertEqual(self.convc("db", "import", "t.db", "in.jsonl")[0],
                         "t.db: of 3 trials, 3 new, 0 replaced, 0 older than what was there, 0 known\n")
        self.assertEqual(self.convc("db", "export", "t.db", "-o", "out.jsonl")[0], "")
        self.assertEqual([json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()],
                         [json.loads(line) for line in text.splitlines()])
        self.assertEqual(self.convc("db", "export", "t.db")[0], (self.folder / "out.jsonl").read_text())

    def test_twice_is_once(self):
        self.database("t.db", trial("a"), trial("b"))
        before = self.convc("db", "export", "t.db")[0]
        out, _ = self.convc("db", "import", "t.db", "-", stdin=before)
        self.assertEqual(out, "t.db: of 2 trials, 0 new, 0 replaced, 0 older than what was there, 2 known\n")
        self.assertEqual(self.convc("db", "export", "t.db")[0], before)

    def test_the_later_stays(self):
        self.database("t.db", trial("a"), trial("b"))
        out, _ = self.convc("db", "import", "t.db", "-", stdin=lines(trial("a", seconds=0.002, finished=1_700_000_001),
                                                                     trial("b", seconds=0.003, finished=1_600_000_000)))
        self.assertEqual(out, "t.db: of 2 trials, 0 new, 1 replaced, 1 older than what was there, 0 known\n")
        self.assertEqual([each["seconds"] for each in self.exported("t.db")], [0.002, 0.001])

    def test_what_differs_in_the_key_is_kept_apart(self):
        self.database("t.db", trial("a"), trial("a", machine="there"), trial("a", build="another"),
                      trial("a", target=f"{AVX2} znver3 4t"), trial("a", layer=DEPTHWISE))
        self.assertEqual(len(self.exported("t.db")), 5)

    def test_a_wrong_line_and_nothing_gets_in(self):
        self.database("t.db", trial("a"))
        self.write("good.jsonl", lines(trial("b"), trial("c")))
        good = json.dumps(trial("d"))
        for wrong, message in [(good[:-20], "no JSON; has the line been cut off?"), ("", "no JSON"),
                               ("[]", "no JSON object"),
                               (good.replace("0.001", "NaN"), "no JSON"), (HEAD.strip(), '"layer" is missing'),
                               (json.dumps(trial("d", seconds=0)), "takes more than 0 seconds"),
                               (json.dumps(trial("d", seconds=-1)), "must not be negative"),
                               (json.dumps(trial("d", seconds="1")), '"seconds" is no number'),
                               (json.dumps(trial("d", relative=0)), "more than 0 times the default's"),
                               (json.dumps(trial("d", finished=1.5)), '"finished" is no integer'),
                               (json.dumps(trial("d", finished=10**15)), "no time from 1970"),
                               (json.dumps(trial("d", workspace=-1)), "must not be negative"),
                               (json.dumps(trial("d", layer="")), "must not be empty"),
                               (json.dumps(trial("d", outcome="lost")), "no outcome is called 'lost'")]:
            with self.subTest(wrong):
                self.write("bad.jsonl", f"{HEAD}{json.dumps(trial('e'))}\n{wrong}\n{good}\n")
                error = self.assert_unchanged("import", "t.db", "good.jsonl", "bad.jsonl", status=1)
                self.assertIn("bad.jsonl:3: ", error)
                self.assertIn(message, error)
                # Nor is a database made for it.
                self.assert_unchanged("import", "new.db", "good.jsonl", "bad.jsonl", status=1)
        cut = lines(trial("b"))[:-9]
        self.assertIn("<stdin>:2: ", self.assert_unchanged("import", "t.db", "-", status=1, stdin=cut))

    def test_what_is_no_file_of_trials(self):
        self.database("t.db", trial("a"))
        self.assertIn("<stdin>:1: its format is 2, and this convc knows 1",
                      self.assert_unchanged("import", "t.db", "-", status=1, stdin='{"convc_trials":2}\n'))
        for text in ("", "layer\n", "{}\n", '{"convc_trials":"1"}\n', "\0\n"):
            self.assertIn("<stdin>:1: it does not begin with",
                          self.assert_unchanged("import", "t.db", "-", status=1, stdin=text))
        self.assertIn("`convc db merge` takes those", self.assert_unchanged("import", "t.db", "t.db", status=1))
        self.assertIn("No such file", self.assert_unchanged("import", "t.db", "missing.jsonl", status=3))

    def test_a_full_disk_leaves_the_database_as_it_was(self):
        self.database("t.db", trial("a"))
        self.write("large.jsonl", lines(*(trial(f"b{i}", reason="x" * 1000) for i in range(1000))))
        before = (self.folder / "t.db").read_bytes()

        def fill_the_disk():  # a limit on the size of files stands in for it
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        process = self.start("db", "import", "t.db", "large.jsonl", preexec_fn=fill_the_disk)
        out, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (3, b""), error)
        self.assertIn(b"t.db: ", error)
        self.assertIn(b"nothing in it was changed", error)
        self.assertEqual((self.folder / "t.db").read_bytes(), before)
        self.assertEqual(self.schedules(), ["a"])

    def test_two_at_once_lose_nothing(self):
        rounds, each = 5, 200
        for number in range(2):
            self.write(f"{number}.jsonl", lines(*(trial(f"s{number}-{i}") for i in range(each)), trial("both")))
        for _ in range(rounds):
            both = [self.start("db", "import", "t.db", f"{number}.jsonl") for number in range(2)]
            for process in both:
                _, error = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 0, error)
            self.assertEqual(len(self.exported("t.db")), 2 * each + 1)
            (self.folder / "t.db").unlink()

    def test_killed_at_any_moment_it_is_all_or_nothing(self):
        self.database("t.db", trial("a"))
        size = 5000
        self.write("in.jsonl", lines(*(trial(f"s{i}") for i in range(size))))
        begin = time.time()
        self.convc("db", "import", "whole.db", "in.jsonl")
        whole = time.time() - begin
        for part in range(1, 9):
            process = self.start("db", "import", "t.db", "in.jsonl")
            time.sleep(whole * part / 8)
            process.kill()
            process.communicate()
            self.assertIn(len(self.schedules()), (1, size + 1))


class Merge(DbTest):
    def test_the_later_of_two_stays(self):
        self.database("a.db", trial("x", seconds=0.001, finished=2), trial("y", seconds=0.001, finished=1), trial("a"))
        self.database("b.db", trial("x", seconds=0.002, finished=1), trial("y", seconds=0.002, finished=2), trial("b"))
        both = [(self.folder / name).read_bytes() for name in ("a.db", "b.db")]
        for first, second in (("a.db", "b.db"), ("b.db", "a.db")):
            out, _ = self.convc("db", "merge", f"of-{first}", first, second)
            self.assertEqual(out, f"of-{first}: of 6 trials, 4 new, 1 replaced, 1 older than what was there, 0 known\n")
            self.assertEqual({each["schedule"]: each["seconds"] for each in self.exported(f"of-{first}")},
                             {"x": 0.001, "y": 0.002, "a": 0.001, "b": 0.001})
        self.assertEqual([(self.folder / name).read_bytes() for name in ("a.db", "b.db")], both)
        self.assertIn("3 known", self.convc("db", "merge", "a.db", "a.db")[0])

    def test_one_that_is_wrong_and_nothing_gets_in(self):
        self.database("t.db", trial("a"))
        self.database("good.db", trial("b"))
        self.database("newer.db", trial("c"))
        with sqlite3.connect(self.folder / "newer.db") as database:
            database.execute("PRAGMA user_version = 2")
        self.database("spoilt.db", trial("d"))
        with sqlite3.connect(self.folder / "spoilt.db") as database:
            database.execute("UPDATE trial SET seconds = 'soon'")
        self.write("text.db", lines(trial("e")) * 3)
        self.write("empty.db", "")
        names = ["t.db", "good.db", "newer.db", "spoilt.db", "text.db", "empty.db"]
        for other, status, message in [("newer.db", 3, "newer.db was written by a newer convc: its format is 2"),
                                       ("spoilt.db", 1, "spoilt.db: the trial of " + CONV + " by d: "),
                                       ("text.db", 3, "text.db is no database"), ("missing.db", 3, "No such file"),
                                       ("empty.db", 3, "none of trials"), (".", 3, "no regular file")]:
            with self.subTest(other):
                for into in ("t.db", "new.db"):
                    self.assertIn(message, self.assert_unchanged("merge", into, "good.db", other, status=status,
                                                                 names=names))
        self.assertIn("newer convc", self.assert_unchanged("merge", "newer.db", "good.db", status=3, names=names))


class List(DbTest):
    def setUp(self):
        super().setUp()
        self.identity = self.build_identity()
        self.database("t.db", trial("slow", relative=1.25, seconds=0.00125),
                      trial("fast", relative=0.8, seconds=0.0008), failure("f1", "wrong"), failure("f2", "wrong"),
                      failure("f3", "timed-out"), trial("other", machine="there", finished=1_600_000_000),
                      trial("mine", build=self.identity, target=f"{AVX512} znver4 8t", layer=DEPTHWISE,
                            finished=1_800_000_000))

    def test_the_table(self):
        rows = self.convc("db", "list", "t.db")[0].splitlines()
        self.assertEqual([re.split("  +", row) for row in rows], [
            ["", "target", "machine", "build", "newest (UTC)", "trials", "failures", "best ms", "gain", "schedule"],
            [DEPTHWISE],
            ["", f"{AVX512} znver4 8t", "here", "this", "2027-01-15 08:00", "1", "1.000", "2.000", "mine"],
            [CONV],
            ["", f"{AVX2} znver3 2t", "here", "abcdefghijkl", "2023-11-14 22:13", "5", "2 wrong, 1 timed-out", "0.8000",
             "1.250", "fast"],
            ["", f"{AVX2} znver3 2t", "there", "abcdefghijkl", "2020-09-13 12:26", "1", "1.000", "2.000", "other"]])
        for column in ("machine", "build", "newest", "failures", "schedule"):  # aligned on the left
            at = rows[0].index(column)
            self.assertEqual({row[at - 2:at] for row in rows if row.startswith("  ")}, {"  "}, column)

    def test_the_order(self):
        by_layer = self.convc("db", "list", "t.db", "--sort", "layer")[0].splitlines()
        self.assertEqual([line for line in by_layer if line[0] != " "], [CONV, DEPTHWISE])

    def test_for_programs(self):
        mine, best, _ = json.loads(self.convc("db", "list", "t.db", "--json")[0])
        self.assertEqual(mine["build"], self.identity)
        self.assertEqual(best, {"layer": CONV, "target": f"{AVX2} znver3 2t", "machine": "here",
                                "build": "convc 0 abcdefghijklmnop; x", "newest": 1_700_000_000, "trials": 5,
                                "failures": {"wrong": 2, "timed-out": 1},
                                "best": {"schedule": "fast", "seconds": 0.0008, "relative": 0.8, "workspace": 64}})
        self.database("failures.db", failure("f", "refused"))
        self.assertIsNone(json.loads(self.convc("db", "list", "failures.db", "--json")[0])[0]["best"])

    def test_the_filters(self):
        for arguments, expected in [(["--layer", r"conv\(8"], {"slow", "fast", "f1", "f2", "f3", "other"}),
                                    (["--machine", "there"], {"other"}), (["--build", "this"], {"mine"}),
                                    (["--build", "abcdefghijkl", "--machine", "there"], {"other"}),
                                    (["--target", AVX512], {"mine"}), (["--target", f"{AVX512} znver4 8t"], {"mine"}),
                                    (["--target", f"{AVX512} znver4 4t"], set()), (["--machine", ""], set())]:
            with self.subTest(arguments):
                self.assertEqual(set(self.schedules("t.db", *arguments)), expected)
                summaries = json.loads(self.convc("db", "list", "t.db", "--json", *arguments)[0])
                self.assertEqual(sum(each["trials"] for each in summaries), len(expected))
        out, error = self.convc("db", "list", "t.db", "--layer", "shuffle")
        self.assertEqual((out, error), ("", "t.db has no such trials\n"))

    def test_what_is_wrong_is_said(self):
        for arguments, status, message in [(["list", "t.db", "--layer", "("], 2, "takes a regular expression, not '('"),
                                           (["list", "t.db", "--target", "z80"], 2, "unknown target 'z80'"),
                                           (["list", "no.db"], 3, "cannot open 'no.db': No such file"),
                                           (["export", "no.db"], 3, "cannot open 'no.db': No such file"),
                                           (["prune", "no.db", "--failures"], 3, "cannot open 'no.db': No such file"),
                                           (["import", "no/t.db", "-"], 3, "cannot open 'no/t.db': No such file"),
                                           (["export", "t.db", "-o", "./t.db"], 2, "is the database itself"),
                                           (["export", "t.db", "-o", "no/t"], 3, "cannot write 'no/t': No such file"),
                                           ([], 2, "convc db --help"), (["import", "t.db"], 2, "convc db import --help"),
                                           (["lost"], 2, "there is no verb 'lost'; see convc db --help")]:
            with self.subTest(arguments):
                self.assertIn(message, self.assert_unchanged(*arguments, status=status, stdin=lines(trial("a"))))

    def test_what_was_killed_in_the_middle_can_be_listed(self):
        before = self.schedules()
        program = ("import os, signal, sqlite3; database = sqlite3.connect('t.db', isolation_level=None); "
                   "database.execute('PRAGMA cache_size = 1'); database.execute('BEGIN IMMEDIATE'); "
                   "database.execute('UPDATE trial SET reason = hex(zeroblob(4000))'); "
                   "os.kill(os.getpid(), signal.SIGKILL)")
        subprocess.run(["python3", "-c", program], cwd=self.folder, timeout=60)
        self.assertIn("t.db-journal", self.files())
        self.assertEqual(self.schedules(), before)


class Prune(DbTest):
    def setUp(self):
        super().setUp()
        now = int(time.time())
        self.database("t.db", trial("old", finished=now - 31 * 86400), trial("new", finished=now - 29 * 86400),
                      failure("failed", "wrong", finished=now), trial("there", machine="there", finished=now),
                      trial("deep", layer=DEPTHWISE, finished=now))

    def test_each_filter(self):
        everything = set(self.schedules())
        for arguments, deleted in [(["--older-than", "30d"], {"old"}), (["--failures"], {"failed"}),
                                   (["--machine", "there"], {"there"}), (["--layer", "depthwise"], {"deep"}),
                                   (["--older-than", "700h", "--failures"], set()), (["--target", AVX512], set())]:
            with self.subTest(arguments):
                (self.folder / "copy.db").write_bytes((self.folder / "t.db").read_bytes())
                many = f"{len(deleted)} trial{'' if len(deleted) == 1 else 's'}"
                self.assertEqual(self.convc("db", "prune", "copy.db", *arguments, "--dry-run")[0],
                                 f"copy.db: {many} would be deleted\n")
                self.assertEqual((self.folder / "copy.db").read_bytes(), (self.folder / "t.db").read_bytes())
                self.assertEqual(self.convc("db", "prune", "copy.db", *arguments)[0], f"copy.db: {many} deleted\n")
                self.assertEqual(set(self.schedules("copy.db")), everything - deleted)

    def test_the_trials_of_this_build_stay(self):
        self.database("t.db", trial("mine", build=self.build_identity()))
        self.assertEqual(self.convc("db", "prune", "t.db", "--keep-build")[0], "t.db: 5 trials deleted\n")
        self.assertEqual(self.schedules(), ["mine"])

    def test_not_all_of_it(self):
        self.assertIn("takes at least one of", self.assert_unchanged("prune", "t.db", status=2))
        self.assertIn("takes at least one of", self.assert_unchanged("prune", "t.db", "--dry-run", status=2))
        self.assertIn("--older-than takes a time like",
                      self.assert_unchanged("prune", "t.db", "--older-than", "soon", status=2))
        with sqlite3.connect(self.folder / "t.db") as database:
            database.execute("PRAGMA user_version = 2")
        self.assertIn("newer convc", self.assert_unchanged("prune", "t.db", "--failures", status=3))


if __name__ == "__main__":
    unittest.main()
