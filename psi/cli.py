"""The command line, `psi COMMAND …`: a file and a class a command, listed in COMMANDS.

Results go to standard output (with --json as one JSON object), everything else to standard
error. A user's mistake is one line and exit code 2; an answer of no (verify, law verify,
bench fit) is exit code 1. Only the command that is asked for is imported: those that read laws
and logs need no JAX.
"""

import contextlib
import inspect
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import tyro

import psi
from psi.law.checks import unknown

COMMANDS = {
    "demo": "from nothing to a fitted Ψ in charge of a training run",
    "generate": "train many small networks along random trajectories",
    "records": "say what a data set holds, and whether it is whole",
    "ideal": "estimate what the best rates of a data set were",
    "atlas": "train plain schedules of every rate on a thousand small tasks",
    "fit": "fit a law to the ideal rates of a data set",
    "search": "search a law's feedback on whole trainings",
    "show": "print a law, draw it; follow a run under it",
    "laws": "list the laws that are shipped",
    "law": "check a law file",
    "compare": "train laws beside what you would use instead, on your data",
    "diagnose": "say what a training log shows",
    "verify": "check every estimate against exact answers",
    "bench": "measure speed, fits and laws on this machine",
    "report": "make a demo's page again",
}
"""Name → what it does; `psi fit` is FitCommand in psi/commands/fit.py."""
OUTPUTS = ("--out", "--png", "--table", "--figure", "--figures")
SEVERAL = (
    "--tasks", "--optimizers", "--vary", "--families", "--plugin", "--baselines", "--hold-out",
    "--horizon", "--only", "--methods", "--laws", "--facts", "--tuned", "--map",
    "--where", "--hyper", "--inputs",
)  # fmt: skip
"""Options that take one value or more."""
HELP, VERSION = ("-h", "--help"), ("-V", "--version")


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code. Set PSI_TRACEBACK to see where an error came from."""
    try:
        if arguments[:1] and arguments[0] in HELP + VERSION:
            print(overview() if arguments[0] in HELP else f"psi {psi.__version__}")
            return 0
        with tempfile.TemporaryDirectory(prefix="psi-") as folder:
            command = _parse(_piped(arguments, Path(folder) / "standard-input"))
            result = command.run()
        if command.json:
            print(json.dumps(result, allow_nan=False))
        return int(hasattr(command, "failed") and command.failed(result))
    except BrokenPipeError:
        raise  # who reads the output has read enough
    except (ValueError, OSError) as error:
        if os.environ.get("PSI_TRACEBACK"):
            raise
        print(f"psi: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def overview() -> str:
    """What `psi --help` prints: each command in a line."""
    lines = [f"  {name:<9} {text}" for name, text in COMMANDS.items()]
    usage = "usage: psi COMMAND [OPTIONS]; its options, with examples: psi COMMAND --help"
    about = str(psi.__doc__).split("\n\n")[0]
    return "\n".join([usage, "", about, "", *lines, "", "  --version prints the version"])


def command_of(name: str) -> Any:
    """The class of a command. Raises ValueError for a name that is none."""
    if name not in COMMANDS:
        raise ValueError(f"{unknown('command', name, COMMANDS)} (see psi --help)")
    return getattr(import_module(f"psi.commands.{name}"), f"{name.capitalize()}Command")


def _piped(arguments: Sequence[str], file: Path) -> list[str]:
    """The arguments with `file`, which gets what standard input holds, in place of `-`.

    Raises ValueError for an output that is no path, and for an option of several values that has
    none, as from a shell's empty variable.
    """
    words = [
        part for each in arguments for part in (each.split("=", 1) if each[:2] == "--" else [each])
    ]
    for option, value in pairwise([*words, "--"]):
        if option in OUTPUTS and value in ("-", ""):
            raise ValueError(f"{option} must be a path, got {value!r}; --json prints to the screen")
        if option in SEVERAL and (value.startswith("--") or not value):
            raise ValueError(f"{option} needs a value at least")
    if "-" not in arguments or arguments[0] == "diagnose":  # which reads it itself
        return list(arguments)
    file.write_bytes(sys.stdin.buffer.read())
    return [str(file) if each == "-" else each for each in arguments]


def _parse(arguments: Sequence[str]) -> Any:
    if not arguments:
        raise ValueError(f"a command is needed: {', '.join(COMMANDS)} (see psi --help)")
    name, *options = arguments
    command = command_of(name)
    if hasattr(command, "variant"):
        command = command.variant(options)
    if plugins := _plugins(options):
        from psi.plugins import use_file

        for path in plugins:
            use_file(path)
    given = {"default": command.preset_of(options)} if hasattr(command, "preset_of") else {}
    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            return tyro.cli(
                command, prog=f"psi {name}", description=_help(command), args=options, **given
            )
    except SystemExit as error:
        if not error.code:
            raise  # --help
        raise ValueError(_one_line(message.getvalue(), name)) from None


def _help(command: type) -> str:
    """The command's docstring, each example on a line of its own: tyro would fill them in one."""
    return (inspect.getdoc(command) or "").replace("\nExample: ", "\n\nExample: ")


def _plugins(options: Sequence[str]) -> list[Path]:
    """What --plugin names: used before anything else, so that the names in it may be asked for."""
    found: list[Path] = []
    values = False
    for argument in options:
        flag, equals, value = argument.partition("=")
        if argument.startswith("--"):
            values = flag == "--plugin"
            found += [Path(value)] if values and equals else []
        elif values:
            found.append(Path(argument))
    return found


def _one_line(box: str, name: str) -> str:
    """Tyro's framed message as one line: what is wrong, and the closest options."""
    bare = [re.sub(r"^[│╭╰─|+\s-]*(?=\s|$)|[│╮╯─|+\s]+$", "", line) for line in box.splitlines()]
    what, *more = re.split(r"\n\s*\n", "\n".join(bare[1:]).strip())
    words = " ".join(what.split())
    meant = re.findall(r"^\s*(--[\w-]+)", "\n".join(more), re.M) if "Perhaps" in box else []
    hint = f"; did you mean {', '.join(dict.fromkeys(meant))}?" if meant else ""
    return f"{words}{hint} (see psi {name} --help)"
