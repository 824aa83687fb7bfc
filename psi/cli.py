"""The command line, `psi COMMAND …`: one class a command, listed in COMMANDS.

Results go to standard output (with --json as one JSON object), everything else to standard
error. A user's mistake is one line and exit code 2; an answer of no (verify, law verify,
bench fit) is exit code 1.
"""

import contextlib
import inspect
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

import psi
from psi.commands.bench import BenchCommand
from psi.commands.demo import DemoCommand
from psi.commands.diagnose import DiagnoseCommand
from psi.commands.fit import FitCommand
from psi.commands.generate import PRESET, GenerateCommand
from psi.commands.ideal import IdealCommand
from psi.commands.law import LawCommand
from psi.commands.laws import LawsCommand
from psi.commands.records import RecordsCommand
from psi.commands.report import ReportCommand
from psi.commands.show import ShowCommand
from psi.commands.verify import VerifyCommand
from psi.lab.data.config import PRESETS
from psi.plugins import use_file

COMMANDS = {
    "demo": DemoCommand,
    "generate": GenerateCommand,
    "records": RecordsCommand,
    "ideal": IdealCommand,
    "fit": FitCommand,
    "show": ShowCommand,
    "laws": LawsCommand,
    "law": LawCommand,
    "diagnose": DiagnoseCommand,
    "verify": VerifyCommand,
    "bench": BenchCommand,
    "report": ReportCommand,
}


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code. Set PSI_TRACEBACK to see where an error came from."""
    try:
        for path in _plugins(arguments):
            use_file(path)
        command = _parse(arguments)
        result = command.run()
        if command.json:
            print(json.dumps(result, allow_nan=False))
        return int(hasattr(command, "failed") and command.failed(result))
    except (ValueError, OSError) as error:
        if os.environ.get("PSI_TRACEBACK"):
            raise
        print(f"psi: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _parse(arguments: Sequence[str]) -> Any:
    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            return tyro.cli(
                _commands(_preset(arguments), brief=arguments[:1] in (["-h"], ["--help"])),
                prog="psi",
                description=str(psi.__doc__).split("\n\n")[0],
                args=list(arguments),
            )
    except SystemExit as error:
        if not error.code:
            raise  # --help
        raise ValueError(_one_line(message.getvalue())) from None


def _commands(preset: str, brief: bool) -> Any:
    """The union of all commands; a preset sets the defaults of `generate`.

    `brief`: each command in a line, for the list of them.
    """
    config = dict(PRESETS)[preset]
    start: Any = GenerateCommand(out=tyro.MISSING, preset=preset, config=config)  # type: ignore
    texts = {name: _help(command, brief) for name, command in COMMANDS.items()}
    rows = [
        Annotated[command, tyro.conf.subcommand(name, default=start, description=texts[name])]
        if command is GenerateCommand
        else Annotated[command, tyro.conf.subcommand(name, description=texts[name])]
        for name, command in COMMANDS.items()
    ]
    return Union[tuple(rows)]  # noqa: UP007


def _help(command: type, brief: bool) -> str:
    """The command's docstring, each example on a line of its own: tyro would fill them in one."""
    text = inspect.getdoc(command) or ""
    return text.split("\n\n")[0] if brief else text.replace("\nExample: ", "\n\nExample: ")


def _plugins(arguments: Sequence[str]) -> list[Path]:
    """What --plugin names: used before anything else, so that the names in it may be asked for."""
    found: list[Path] = []
    values = False
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if argument.startswith("--"):
            values = flag == "--plugin"
            found += [Path(value)] if values and equals else []
        elif values:
            found.append(Path(argument))
    return found


def _preset(arguments: Sequence[str]) -> str:
    """What --preset names, so that its values stand as defaults in --help and in the parser."""
    text = " ".join(arguments)
    named = re.search(r"--preset[ =](\S+)", text)
    return named[1] if named and named[1] in dict(PRESETS) else PRESET


def _one_line(box: str) -> str:
    """Tyro's framed message as one line, without its pointer to the help text."""
    bare = [re.sub(r"^[│╭╰─\s]+|[│╮╯─\s]+$", "", line) for line in box.splitlines()]
    words = " ".join(part for part in bare[1:] if part)
    return re.sub(r"\s*For full helptext.*$", "", words) + " (see psi --help)"
