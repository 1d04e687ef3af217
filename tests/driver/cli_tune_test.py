"""convc tune from the command line: with real trials, and with a worker that makes costs up and fails as planted."""

import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

from convc_cli import CliTest

FAKE = pathlib.Path(__file__).with_name("fake_worker.py")
FILE = """layer a(x: f32 nhwc[1, 6, 6, 8]) = conv(24, 1x1) + bias
layer b(x: f32 nhwc[1, 6, 6, 8]) = depthwise(3x3, pad=1) + relu -> conv(8, 1x1)
"""
# Some 20,000 of them: more than can be tried while a search is killed again and again.
MANY_SCHEDULES = """layer c(x: f32 nhwc[1, 56, 56, 24]) = conv(144, 1x1) + relu6 -> depthwise(3x3, pad=1) + relu6 -> conv(24, 1x1)
layer d(x: f32 nhwc[1, 56, 56, 64]) = conv(64, 3x1, pad=1x0) + relu
"""


class Tune(CliTest):
    def tune(self, *arguments, planted=None, **options):
        worker = [sys.executable, FAKE]
        if planted is not None:
            worker.append(self.write("planted", json.dumps(planted)))
        return self.convc("tune", "net.conv", *arguments, "--worker", *worker, **options)

    def trials(self, name="t.db"):
        with sqlite3.connect(self.folder / name) as database:
            return database.execute("SELECT layer, schedule, outcome, seconds FROM trial").fetchall()

    def test_a_layer_is_tuned_and_its_schedule_used(self):
        self.write("net.conv", FILE)
        out, _ = self.convc("tune", "net.conv", "--trials", "8", "--database", "t.db")
        self.assertRegex(out, r"(?m)^a +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9]+ +8 +0 +0  ")
        self.assertEqual(len([trial for trial in self.trials() if "conv(24" in trial[0]]), 8)
        lines = (self.folder / "net.schedules").read_text().splitlines()
        self.assertEqual([line.split()[:2] for line in lines[1:]], [["schedule", "a"], ["schedule", "b"]])
        self.assertIn("(tuned)", self.convc("run", "net.conv:a", "--repeat", "1", "--verify")[0])
        self.assertIn("(tuned)", self.convc("run", "net.conv:b", "--repeat", "1", "--verify")[0])

    def test_the_least_cost_wins_and_a_second_run_goes_on(self):
        self.write("net.conv", FILE)
        self.tune("--trials", "20", "--database", "t.db")
        first = self.trials()
        (self.folder / "net.schedules").unlink()
        self.tune("--trials", "20", "--database", "t.db")
        second = self.trials()
        self.assertGreater(len(second), len(first))
        self.assertTrue(set(first) <= set(second))
        cost, best = min((seconds, schedule) for layer, schedule, _, seconds in second if "conv(24" in layer)
        pinned = re.search(r'schedule a on ".*" = (.*)', (self.folder / "net.schedules").read_text())[1]
        self.assertEqual(pinned, best)

    def test_other_lines_and_comments_stay(self):
        self.write("net.conv", FILE)
        kept = '# mine\nschedule b on "x86-64-linux-sse41" = shuffle(rows=1)  # of another machine\n'
        self.write("net.schedules", kept)
        self.tune("--trials", "3", "--only", "^a$")
        once = (self.folder / "net.schedules").read_text()
        self.assertTrue(once.startswith(kept))
        self.tune("--trials", "3", "--only", "^a$")
        self.assertEqual((self.folder / "net.schedules").read_text().count("schedule a on"), 1)

    def test_whatever_fails_is_recorded_and_never_wins(self):
        self.write("net.conv", FILE)
        planted = {"columns=4,": "crash", "columns=5,": "wrong", "columns=7,": "memory", "pixels_outside=1": "refused"}
        # The default itself has to run.
        default = json.loads(self.convc("explain", "net.conv:a", "--plan", "--json")[0])["plan"]["groups"][0]["schedule"]
        planted = {pattern: how for pattern, how in planted.items() if not re.search(pattern, default)}
        out, _ = self.tune("--trials", "60", "--only", "^a$", "--database", "t.db", planted=planted)
        outcomes = {trial[2] for trial in self.trials()}
        self.assertLessEqual({"measured", "crashed"}, outcomes)
        self.assertIn("refused", outcomes)
        for _, schedule, outcome, _ in self.trials():
            fails = any(re.search(pattern, schedule) for pattern in planted)
            self.assertEqual(outcome == "measured", not fails, schedule)
        for pattern in planted:
            self.assertNotRegex((self.folder / "net.schedules").read_text(), pattern)

    def planned(self, layer):
        plan = json.loads(self.convc("explain", f"net.conv:{layer}", "--plan", "--json")[0])["plan"]
        return " -> ".join(group["schedule"] for group in plan["groups"])

    def test_what_is_there_stays_unless_it_is_beaten(self):
        self.write("net.conv", FILE)
        default = self.planned("a")
        self.tune("--effort", "exhaustive", "--only", "^a$", "--database", "t.db")
        found = (self.folder / "net.schedules").read_text()
        best = self.planned("a")
        self.assertNotEqual(best, default)
        # Another search, which looks at the default alone.
        out, _ = self.tune("--trials", "1", "--only", "^a$")
        self.assertEqual((self.folder / "net.schedules").read_text(), found)
        self.assertIn(best, out)
        # What is slower than the default goes.
        slow = max((seconds, schedule) for _, schedule, _, seconds in self.trials())[1]
        (self.folder / "net.schedules").write_text(found.replace(best, slow))
        self.tune("--trials", "1", "--only", "^a$")
        self.assertEqual(self.planned("a"), default)

    def test_a_winner_that_fails_at_the_end_is_none(self):
        self.write("net.conv", FILE)
        default = self.planned("a")
        self.tune("--trials", "20", "--only", "^a$")
        best = self.planned("a")
        self.assertNotEqual(best, default)
        (self.folder / "net.schedules").unlink()
        out, _ = self.tune("--trials", "20", "--database", "t.db", planted={re.escape(best): "second"})
        self.assertRegex(out, r"(?m)^a .* default$")
        self.assertRegex(out, r"(?m)^b ")
        self.assertEqual(self.planned("a"), default)
        self.assertIn((best, "wrong"), {trial[1:3] for trial in self.trials()})

    def test_what_a_killed_run_leaves_the_next_one_removes(self):
        self.write("net.conv", MANY_SCHEDULES)
        self.environment["TMPDIR"] = str(self.folder)
        process = self.start("tune", "net.conv", "--effort", "exhaustive", "--worker", sys.executable, FAKE)
        deadline = time.time() + 30
        while time.time() < deadline and not list(self.folder.glob("convc-tune-*/trials.db")):
            time.sleep(0.02)
        other = self.start("tune", "net.conv", "--effort", "exhaustive", "--worker", sys.executable, FAKE)
        while time.time() < deadline and len(list(self.folder.glob("convc-tune-*/trials.db"))) < 2:
            time.sleep(0.02)
        process.kill()
        process.communicate()
        self.write("small.conv", FILE)
        self.convc("tune", "small.conv:a", "--trials", "1", "--worker", sys.executable, FAKE)
        self.assertEqual(len(list(self.folder.glob("convc-tune-*"))), 1)  # the one that still runs
        other.kill()
        other.communicate()

    def test_a_file_of_statements_keeps_those_of_an_earlier_run(self):
        self.write("net.conv", FILE)
        self.tune("--trials", "2", "--only", "^a$", "-o", "found")
        self.tune("--trials", "2", "--only", "^b$", "-o", "found")
        self.tune("--trials", "20", "--only", "^a$", "-o", "found")
        lines = (self.folder / "found").read_text().splitlines()
        self.assertEqual([line.split()[1] for line in lines[1:]], ["a", "b"])

    def test_an_interrupt_keeps_what_was_found(self):
        self.write("net.conv", FILE)
        process = self.start("tune", "net.conv", "--effort", "exhaustive", "--database", "t.db",
                             "--worker", sys.executable, FAKE)
        deadline = time.time() + 60
        while time.time() < deadline and not ((self.folder / "t.db").exists() and len(self.safe_trials()) > 20):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, error)
        self.assertRegex(out.decode(), r"(?m)^a ")
        self.assertIn(b"a second interrupt ends at once", error)
        self.assertIn("schedule a on", (self.folder / "net.schedules").read_text())

    def safe_trials(self):
        try:
            return self.trials()
        except sqlite3.OperationalError:  # not made yet
            return []

    def test_killed_at_any_moment_it_goes_on(self):
        self.write("net.conv", MANY_SCHEDULES)
        chance = random.Random(1)
        seen = set()
        for kill in range(int(os.environ.get("CONVC_TEST_KILLS", "10"))):
            process = self.start("tune", "net.conv", "--effort", "exhaustive", "--database", "t.db",
                                 "--worker", sys.executable, FAKE)
            # Every other one while it starts, or soon after; the rest once it has made a trial more.
            deadline = time.time() + 30
            while kill % 2 and time.time() < deadline and len(self.safe_trials()) <= len(seen):
                self.assertIsNone(process.poll(), "the search is over")
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 0.5))
            process.kill()
            process.communicate()
            now = set(self.safe_trials())
            self.assertTrue(seen <= now)
            seen = now
        self.assertGreater(len(seen), 10)
        self.tune("--trials", "5", "--database", "t.db")

    def test_two_at_once_share_the_work(self):
        self.write("net.conv", FILE)
        both = [self.start("tune", "net.conv", "--trials", "40", "--only", "^a$", "--database", "t.db",
                           "--worker", sys.executable, FAKE) for _ in range(2)]
        made = 0
        for process in both:
            out, error = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, error)
            made += int(re.search(r"(?m)^a +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9]+ +(\d+)", out.decode())[1])
        self.assertEqual(len(self.trials()), made)

    def test_what_another_leaves_undone_is_done(self):
        self.write("net.conv", FILE)
        self.tune("--effort", "exhaustive", "--only", "^a$", "--database", "t.db")
        best = self.planned("a")
        (self.folder / "net.schedules").unlink()
        # Somebody is at the best of them, and dies while the search runs.
        other = subprocess.Popen(["sleep", "100"])
        started = int(pathlib.Path(f"/proc/{other.pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
        with sqlite3.connect(self.folder / "t.db") as database:
            database.execute("INSERT INTO claim SELECT layer, target, machine, build, schedule, ?, ? FROM trial "
                             "WHERE schedule = ?", (other.pid, started, best))
            database.execute("DELETE FROM trial")
        process = self.start("tune", "net.conv", "--effort", "exhaustive", "--only", "^a$", "--database", "t.db",
                             "--worker", sys.executable, FAKE)
        while process.poll() is None and len(self.safe_trials()) < 5:
            time.sleep(0.005)
        process.send_signal(signal.SIGSTOP)  # on a busy machine it might be done before the other has died
        self.assertIsNone(process.poll(), "the search is over")
        self.assertNotIn(best, {trial[1] for trial in self.safe_trials()})
        other.kill()
        other.wait()
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=120)
        self.assertEqual(self.planned("a"), best)

    def test_what_is_wrong_is_said(self):
        self.write("net.conv", FILE)
        self.assertIn("--budget takes a time", self.convc("tune", "net.conv", "--budget", "soon", status=2)[1])
        self.write("text.db", "this is no database, but it is long enough for one's header, which has 100 bytes. " * 3)
        self.assertIn("text.db", self.tune("--database", "text.db", status=3)[1])
        self.assertFalse((self.folder / "net.schedules").exists())
        error = self.tune("--trials", "5", "--only", "^a$", planted={".": "crash"}, status=4)[1]
        self.assertIn("the default schedule", error)
        self.assertIn("SIGSEGV", error)

    def test_shards_hold_every_layer_once(self):
        self.write("net.conv", FILE + "layer c(x: f32 nhwc[1, 6, 6, 8]) = conv(16, 1x1)\n")
        self.tune("--trials", "8", "-o", "whole")
        for shard in ("1/2", "2/2"):
            self.tune("--trials", "8", "--shard", shard, "-o", shard[0])
        lines = [set((self.folder / name).read_text().splitlines()[1:]) for name in ("1", "2")]
        self.assertFalse(lines[0] & lines[1])
        self.assertEqual(lines[0] | lines[1], set((self.folder / "whole").read_text().splitlines()[1:]))

    def test_shards_under_gnu_parallel_find_what_one_process_finds(self):
        self.write("net.conv", FILE.replace("-> conv(8, 1x1)", "") + "layer c(x: f32 nhwc[1, 5, 5, 8]) = conv(16, 1x1)\n")
        self.tune("--effort", "exhaustive", "-o", "whole")
        # The first try of shard 2 is killed in the middle; the database keeps what it has done.
        self.write("shard.sh", f"""
            set -- {os.environ["CONVC"]} tune net.conv --effort exhaustive --database t.db --shard $1/2 \\
                --worker {sys.executable} {FAKE}
            case "$*" in *2/2*) mkdir died 2>/dev/null && exec timeout -s KILL 1.5 "$@";; esac
            exec "$@"
        """)
        done = subprocess.run(["parallel", "--jobs", "2", "--retries", "3", "sh", "shard.sh", ":::", "1", "2"],
                              cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.folder / "died").exists())
        lines = [sorted((self.folder / name).read_text().splitlines()) for name in ("whole", "net.schedules")]
        self.assertEqual(*lines)

    def test_shards_that_write_to_one_file_lose_nothing(self):
        layers = "".join(f"layer l{i}(x: f32 nhwc[1, 6, 6, 8]) = conv({8 + i}, 1x1)\n" for i in range(12))
        self.write("net.conv", layers)
        runs = [self.start("tune", "net.conv", "--trials", "2", "--shard", f"{i}/3", "--worker", sys.executable, FAKE)
                for i in (1, 2, 3)]
        for process in runs:
            _, error = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, error)
        text = (self.folder / "net.schedules").read_text()
        self.assertEqual(sorted(re.findall(r"(?m)^schedule (l\d+) on", text)), sorted(f"l{i}" for i in range(12)))

    def test_seeds_come_from_near_layers(self):
        near = FILE.replace("6, 6, 8", "7, 6, 8")
        self.write("net.conv", near)
        self.tune("--effort", "exhaustive", "--only", "^a$", "--database", "t.db")
        cost, best = min((seconds, schedule) for _, schedule, _, seconds in self.trials())
        self.write("net.conv", FILE)
        self.tune("--trials", "2", "--only", "^a$", "--database", "t.db")
        tried = [schedule for layer, schedule, _, _ in self.trials() if "6, 6, 8" in layer]
        self.assertIn(best, tried)

    def test_a_target_and_its_threads_are_named(self):
        self.write("net.conv", FILE)
        self.tune("--trials", "2", "--only", "^a$", "--target", "x86-64-linux-sse41", "--threads", "1")
        self.assertIn('schedule a on "x86-64-linux-sse41 1t" =', (self.folder / "net.schedules").read_text())
        self.assertIn("does not run code for", self.tune("--target", "arm-64-linux", status=3)[1])
        self.assertIn("--shard takes", self.tune("--shard", "3/2", status=2)[1])

    def test_winners_are_a_file_of_layers(self):
        self.write("net.conv", FILE + FILE.split("\n")[0].replace("layer a(", "layer again(") + "\n")
        self.tune("--trials", "20", "--database", "t.db")
        out, _ = self.convc("db", "winners", "t.db", "net.conv", "--target", "host")
        self.write("tuned.conv", out)
        pinned = dict(re.findall(r"(?m)^schedule (\w+) on \".*\" = (.*)", out))
        self.assertNotIn("again", pinned)
        best = min((seconds, schedule) for layer, schedule, _, seconds in self.trials() if "conv(24" in layer)[1]
        self.assertEqual(pinned["a"], best)
        plan = json.loads(self.convc("explain", "tuned.conv:a", "--plan", "--json")[0])["plan"]
        self.assertEqual((plan["origin"], plan["groups"][0]["schedule"]), ("pinned", best))


if __name__ == "__main__":
    unittest.main()
