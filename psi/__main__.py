"""Entry of the command line: signals first, then the (slow) imports."""

import contextlib
import os
import signal
import sys
import threading

INTERRUPTED = 130
SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


def main() -> None:
    """Run `psi`. Ctrl-C ends it with code 130 at once, whatever it is doing."""
    _leave_on_interrupt()
    try:
        from psi.cli import run

        code = run(sys.argv[1:])
    except ImportError as error:
        print(f"psi: {error}; the command line needs: pip install 'psi-lr[lab]'", file=sys.stderr)
        code = 2
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.exit(code)


def _leave_on_interrupt() -> None:
    # KeyboardInterrupt will not do: Python raises it only between bytecodes, and XLA may hold the
    # main thread for long; raised while JAX is being imported it ends in a segmentation fault.
    # The C-level handler writes to this pipe at once. Every file is committed whole, so there is
    # nothing to unwind.
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def watch() -> None:
        while signal.SIGINT not in os.read(read, 1):
            pass
        cursor = SHOW_CURSOR if sys.stderr.isatty() else ""
        os.write(2, f"{cursor}\npsi: interrupted; the same command goes on from here\n".encode())
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
