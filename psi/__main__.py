"""Entry of the command line: signals first, then the (slow) imports."""

import contextlib
import os
import signal
import sys
import threading

EXIT = {signal.SIGINT: 130, signal.SIGTERM: 143}
SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


def main() -> None:
    """Run `psi`. Ctrl-C ends it with code 130 and SIGTERM with 143, whatever it is doing."""
    _leave_on_signal()
    try:
        from psi.cli import run

        code = run(sys.argv[1:])
    except ImportError as error:
        print(f"psi: {error}; the command line needs: pip install 'psi-lr[lab]'", file=sys.stderr)
        code = 2
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.exit(code)


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
        os.write(2, f"{cursor}\npsi: interrupted; the same command goes on from here\n".encode())
        os._exit(EXIT[signal.Signals(number)])

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
