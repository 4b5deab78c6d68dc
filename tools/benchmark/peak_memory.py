"""Run a command and print its peak memory: ``python peak_memory.py COMMAND ...``.

A process of its own, and small: Linux counts what the parent held when it started a child towards
the child's peak. Prints one line of JSON: exit ``code``, ``peak_bytes`` resident, ``seconds``,
and ``message``, the last line on standard error.
"""

import json
import os
import subprocess
import sys
import time


def main(command):
    """Run ``command`` to its end and print what it took."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    except KeyboardInterrupt:
        process.kill()
        process.wait()
        sys.exit(130)
    seconds = time.perf_counter() - start
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    found = {
        "code": code,
        "peak_bytes": usage.ru_maxrss * 1024,
        "seconds": seconds,
        "message": lines[-1] if lines else "",
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
