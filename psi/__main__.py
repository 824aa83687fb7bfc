"""Entry of the command line: signals first, then the (slow) imports."""

import atexit
import contextlib
import os
import signal
import sys
import threading
from typing import NoReturn

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}
BROKEN_PIPE = 141  # as a shell says of a program that SIGPIPE has ended
SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it
GO_ON = ("demo", "generate", "ideal", "fit", "bench suite", "compare --out")
"""Commands, and options of theirs, that keep what they have done when they are stopped."""
CLI = ("tyro", "pandas", "matplotlib")
"""What the extra `cli` installs; all else is in `lab`."""


def main() -> None:
    """Run `psi`. Ctrl-C ends it with code 130 and SIGTERM with 143, whatever it is doing."""
    _leave_on_signal()
    try:
        from psi.cli import run

        code = run(sys.argv[1:])
    except SystemExit as end:  # help of a command; rich where nobody reads its table to the end
        code = int(end.code or 0)
    except BrokenPipeError:
        code = BROKEN_PIPE
    except ImportError as error:
        extra = "cli" if (error.name or "").split(".")[0] in CLI else "lab"
        needs = f"{' '.join(['psi', *sys.argv[1:2]])} needs: pip install 'psi-lr[{extra}]'"
        print(f"psi: {error}; {needs}", file=sys.stderr)
        code = 2
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End the process with this code, whatever other threads are doing.

    After an error XLA may still compute what was under way, and Arrow read ahead. Python would take
    the interpreter down under their threads, which then abort (exit code 134).
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = code or BROKEN_PIPE
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    atexit._run_exitfuncs()
    os._exit(code)


def _goes_on(arguments: list[str]) -> bool:
    words = {word.partition("=")[0] for word in arguments}
    return any(arguments[:1] == each.split()[:1] and words >= {*each.split()} for each in GO_ON)


def _leave_on_signal() -> None:
    # KeyboardInterrupt will not do: Python raises it only between bytecodes, and XLA may hold the
    # main thread for long; raised while JAX is being imported it ends in a segmentation fault.
    # The C-level handler writes to this pipe at once. Every file is committed whole, so there is
    # nothing to unwind.
    read, write = os.pipe()
    os.set_blocking(write, False)
    for number in EXIT:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def watch() -> None:
        while (number := os.read(read, 1)[0]) not in EXIT:
            pass
        cursor = SHOW_CURSOR if sys.stderr.isatty() else ""
        more = "; the same command goes on from here" * _goes_on(sys.argv[1:])
        os.write(2, f"{cursor}\npsi: interrupted{more}\n".encode())
        os._exit(EXIT[signal.Signals(number)])

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
