"""No process of a local Ray cluster outlives the command that started it.

Ray ends its servers and workers when their driver is killed, but agents may be left running for
ever (ray issue 52385). So a process of its own notes the driver's descendants while the driver
lives, and afterwards kills those that are still there.
"""

import atexit
import os
import select
import subprocess
import sys

POLL = 0.5  # seconds between two looks at the driver's descendants
GRACE = 3.0  # seconds for Ray to end them itself


def watch() -> None:
    """Start a watchdog of this process. To be called before Ray starts others."""
    command = [sys.executable, "-m", "psi.lab.data.watchdog", str(os.getpid())]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, start_new_session=True
    )
    # Its standard input ends when this process does, however that ends.
    if process.stdin:
        atexit.register(process.stdin.close)


def main(driver: int) -> None:
    """Wait until standard input ends, then kill what `driver` has left running."""
    import psutil  # Ray brings it along

    seen: set[psutil.Process] = set()
    while not select.select([sys.stdin], [], [], POLL)[0]:
        try:
            seen |= set(psutil.Process(driver).children(recursive=True))
        except psutil.NoSuchProcess:
            break
    left = [process for process in seen if process.pid != os.getpid()]
    _, alive = psutil.wait_procs(left, timeout=GRACE)
    for process in alive:
        process.kill()


if __name__ == "__main__":
    import ray  # noqa: F401  it puts its psutil where it can be imported

    main(int(sys.argv[1]))
