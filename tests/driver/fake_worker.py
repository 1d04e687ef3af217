"""Answers convc tune in place of convc trial-worker, without compiling anything: what a schedule costs follows from its
text, the same everywhere, and some fail as the file `planted` beside it says ({REGEX: FAILURE}). `second` is right once, and
wrong when it is checked again."""

import json
import os
import pathlib
import re
import signal
import sys
import time
import zlib

PLANTED = json.loads((pathlib.Path(sys.argv[1])).read_text()) if len(sys.argv) > 1 else {}


checked = set()


def seconds(schedules):
    return 1e-3 * (1 + zlib.crc32(schedules.encode()) % 1000 / 1000)


def fail(how, request):
    if how == "second":
        again = request["schedules"] in checked
        checked.add(request["schedules"])
        return {"wrong": "as planted"} if again else {}
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "hang":
        time.sleep(1000)
    if how == "memory":
        os._exit(77)
    return {how: "as planted"}


for line in sys.stdin:
    request = json.loads(line)
    answer = {}
    if request["do"] in ("compile", "check"):
        for pattern, how in PLANTED.items():
            if re.search(pattern, request["schedules"]) and (how not in ("wrong", "second") or request["do"] == "check"):
                answer = fail(how, request)
    if request["do"] == "time":
        answer = {"seconds": [seconds(each) for each in request["schedules"]], "workspace": 64}
    print(json.dumps(answer), flush=True)
