"""Entry of the command line: signals first, then the (slow) imports."""

import contextlib
import os
import signal
import sys
import threading
import time

INTERRUPTED = 130
PATIENCE = 3.0  # seconds: a compilation may hold the main thread for longer


def main() -> None:
    """Run `psi`. Ctrl-C ends it with code 130 within five seconds, whatever it is doing."""
    _leave_on_interrupt()
    try:
        from psi.cli import run

        code = run(sys.argv[1:])
    except ImportError as error:
        print(f"psi: {error}; the command line needs: pip install 'psi-lr[lab]'", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print("psi: interrupted; the same command goes on from here", file=sys.stderr, flush=True)
        # XLA's threads may still be at work: taking the interpreter down under them can crash.
        os._exit(INTERRUPTED)
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.exit(code)


def _leave_on_interrupt() -> None:
    # Python runs a signal handler only between bytecodes, and XLA may not return for long; the
    # C-level handler writes to this pipe at once. Files are committed whole, so leaving is safe.
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def watch() -> None:
        while signal.SIGINT not in os.read(read, 1):
            pass
        time.sleep(PATIENCE)
        os._exit(INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    main()
