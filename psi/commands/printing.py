"""What several commands print: laws, tables, and rows of figures beside what they must be."""

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import psi
from psi.law.evaluation import stand_in


def target_of(law: psi.Law) -> str:
    """The loss that a law's rates are best for, in words."""
    return {"train": "training loss", "validation": "validation loss"}.get(law.target or "", "")


def print_law(law: psi.Law, forms: Sequence[tuple[str, str]] = ()) -> None:
    """Formula, constants, optimizer, domain, rates, scores and origin, a line each."""
    times = "α_0 · " if law.scale else ""
    print(f"Ψ = {law}" if not times else f"α = {times}ψ, ψ = {law}")
    for name, form in forms:
        print(f"{name:<10} {form}")
    for name, value, low, high in law.constants:
        print(f"  {name} = {value:.4g}  [{low:.4g}, {high:.4g}] 95 % over tasks")
    print(f"optimizer  {law.optimizer}; typical ε_0 {law.initial_loss:.3g} nats")
    if law.scale:
        print(f"scale      typical α_0 {law.scale:.3g}; each training's own from a probe")
    print_domain(law)
    print(f"rates      [{law.rates.low:.3g}, {law.rates.high:.3g}]{' of α_0' if law.scale else ''}")
    for name, value in law.scores:
        print(f"score      {name}: {value:.3g}{'' if 'nats' in name else ' nats'}")
    if law.provenance:
        made = law.provenance
        hashes = f"data {made.data_hash[:12]}, config {made.config_hash[:12]}"
        print(f"made from  {hashes}; {', '.join(made.versions)}")
        if made.command:
            print(f"made by    {made.command}")


def print_domain(law: psi.Law) -> None:
    """The loss that its rates are for, and a line for each feature."""
    if law.target:
        print(f"target     {target_of(law)}")
    for name, (low, high) in zip(law.features, law.domain, strict=True):
        beyond = ", a power law that goes on beyond" if name in law.extrapolates else ""
        usual = f", typically {stand_in(law, name):.3g}" if name in law.facts else ""
        fact = f", a fact{usual}{beyond}" if name in law.facts else ""
        print(f"domain     {name} in [{low:.3g}, {high:.3g}]{fact}")


def as_json(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows as JSON values, None for NaN."""
    return [{k: finite(v) for k, v in row._asdict().items()} for row in rows]


def finite(value: Any) -> Any:
    """A value as JSON has it: None where it is no finite number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def not_ok(result: Any) -> bool:
    """Whether a row of a command's result is not ok: exit code 1."""
    return not all(row["ok"] for row in result.get("rows", ()))


def print_rows(title: str, rows: Sequence[Any]) -> None:
    """Rows as a table, those that are not ok in red."""
    columns = ("problem", "what", "estimate", "truth", "error", "tolerance", "ok")
    cells = [
        (
            row.problem, row.what, f"{row.estimate:.4g}", f"{row.truth:.4g}",
            f"{row.relative_error:.2%}", f"{row.tolerance:.1%}", "ok" if row.ok else "NOT OK",
        )
        for row in rows
    ]  # fmt: skip
    left = (*columns[:2], columns[-1])
    print_table(title, columns, cells, left, style=lambda row: "bold red" * (row[-1] != "ok"))


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Sequence[str],
    width: int = 120,
    unbroken: Sequence[str] = (),
    style: Callable[[Sequence[str]], str] = lambda _: "",
) -> None:
    """A table as wide as the terminal, or `width` characters where there is none.

    Columns in `left` are aligned to the left, those in `unbroken` keep each cell on one line;
    `style` of a row is one of rich.
    """
    from rich.console import Console
    from rich.table import Table

    shown = Table(title=title)
    for name in columns:
        justify = "left" if name in left else "right"
        shown.add_column(name, justify=justify, no_wrap=name in unbroken)
    for row in rows:
        shown.add_row(*row, style=style(row))
    console = Console(width=None if sys.stdout.isatty() else width, markup=False)
    with console.capture() as text:  # rich has its own way with a reader who has gone
        console.print(shown)
    print(text.get(), end="")


def print_plan(suite: Any, who: Any, folder: Any, json: bool) -> dict[str, Any]:
    """What a run of a suite would train, and how much of it is in the folder already."""
    from psi.bench.planning import planned

    found = planned(suite, who, folder)
    runs = sum(each.runs for each in found)
    if not json:
        tasks: dict[str, list[str]] = {}
        for each in found:
            what = f"{each.optimizer}: {'; '.join(each.contestants)}"
            tasks.setdefault(what, []).append(each.task)
        for what, names in tasks.items():
            print(f"{what}\n  on {', '.join(names)}")
        done = sum(not each.missing for each in found)
        print(f"jobs: {len(found)}, of which done: {done}; networks to train: {runs:,} or more; "
              "nothing was written")  # fmt: skip
    return {"jobs": as_json(found), "runs": runs}


def read_tables(config: Any, dry_run: bool, json: bool) -> dict[str, Any]:
    """What each column of a config's tables became, printed once every task can be made.

    Whole in a dry run, unless it prints JSON; else what is odd alone. Raises ValueError where a
    file cannot be read or makes no task.
    """
    from psi.lab.data.generate import check_tasks
    from psi.lab.tasks.table import describe

    found = {name: describe(name, config.data) for name in config.tasks}
    tables = {name: table for name, table in found.items() if table}
    if tables:
        check_tasks(config)
    for name, table in tables.items():
        if not dry_run:
            print_oddities(name, table)
        elif not json:
            print_columns(name, table)
    return {
        name: {"rows": len(table.y), "columns": [asdict(column) for column in table.columns]}
        for name, table in tables.items()
    }


def print_columns(name: str, table: Any) -> None:
    """What each column of a table became; `table`: a `psi.lab.tasks.columns.Rows`."""
    print(f"{name}: {len(table.y):,} rows; {'; '.join(table.notes)}")
    names = ("column", "became", "gaps", "why")
    rows = [(each.name, each.kind, _gaps(each), each.why) for each in table.columns]
    if rows:
        print_table("", names, rows, names, unbroken=("became",))


def print_oddities(name: str, table: Any) -> None:
    """To standard error, a line each: how it was read, columns that are left out or have gaps."""
    if table.notes:
        print(f"psi: {name}: {'; '.join(table.notes)}", file=sys.stderr)
    for each in table.columns:
        if each.kind == "left out" or each.gaps:
            why = each.why if each.kind == "left out" else f"gaps: {_gaps(each)}"
            print(f"psi: {name}: column {each.name!r}: {each.kind}; {why}", file=sys.stderr)


def _gaps(column: Any) -> str:
    """3 (?, blank) of a column with three cells without a value."""
    marks = ", ".join(mark or "blank" for mark in column.marks)
    return f"{column.gaps} ({marks})" if column.gaps else ""
