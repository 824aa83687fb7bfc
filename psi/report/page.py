"""One self-contained HTML page from a demo's summary and figures: no script, nothing fetched."""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from psi.law.file import write_atomic

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
td{white-space:nowrap}
table{border-collapse:collapse;font-size:13px;margin:1rem 0}
th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #ddd}
th{border-bottom:2px solid #888;vertical-align:bottom}
th:first-child,td:first-child{text-align:left}
tr.law{background:#eef5ff;font-weight:600}
div.wide{overflow-x:auto}
img{max-width:100%;height:auto}
code{background:#f3f3f3;padding:.1rem .3rem;overflow-wrap:anywhere}
h1,h2,h3,p,figcaption{overflow-wrap:anywhere}
figure{margin:1.5rem 0}figcaption{color:#555;font-size:13px}
"""

CAPTIONS = (
    ("surface", "What each learning rate was worth. A cell starts from one random prefix; its "
     "candidate rates go linearly to zero from epoch i. Over progress (top) and loss (bottom), "
     "all training tasks together. Dots: the cells' ideal rates. Grey: never visited."),
    ("psi", "Ψ over loss and epoch for the held-out task's ε₀ and T. Dots: states of the "
     "held-out task that the data visited (not seen by the fit)."),
    ("curves", "Validation loss on the held-out task, mean over the scoring seeds."),
    ("rates", "The learning rates that were used."),
)  # fmt: skip


def table(methods: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the comparison, ready to print."""
    header = [
        "method", "tuning runs", "peak rate", "train loss", "val. loss", "test accuracy",
        "epochs to crit.", "seeds there", "score y", "regret [95 %]",
    ]  # fmt: skip
    return header, [_row(method) for method in methods]


def _row(method: dict[str, Any]) -> list[str]:
    reached = [e for e in method["epochs_to_criterion"] if e is not None]
    epochs = f"{median(reached):g}" if reached else "—"
    peak, regret = method["peak_rate"], method["regret"]
    return [
        method["name"],
        str(method["tuning_runs"]),
        "—" if peak is None else f"{peak:.3g}",
        _mean(method["final_train_losses"], 4),
        _mean(method["final_val_losses"], 4),
        f"{100 * sum(method['accuracies']) / len(method['accuracies']):.2f} %",
        epochs,
        f"{len(reached)}/{len(method['seeds'])}",
        f"{method['score']:.3f}",
        f"{regret['mean']:+.3f} [{regret['low']:+.3f}, {regret['high']:+.3f}]",
    ]


def _mean(values: Sequence[float | None], digits: int) -> str:
    finite = [v for v in values if v is not None]
    lost = len(values) - len(finite)
    shown = f"{sum(finite) / len(finite):.{digits}f}" if finite else "diverged"
    return f"{shown} ({lost} diverged)" if finite and lost else shown


def page(summary: dict[str, Any], figures: Path) -> str:
    """The page as HTML text."""
    header, rows = table(summary["methods"])
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Psi demo</title><style>{STYLE}</style></head><body>",
        "<h1>A fitted Ψ in charge of a training run</h1>",
        *_story(summary),
        _table(header, rows),
        f"<p>{html.escape(legend(summary))}</p>",
        *(_figure(figures / f"{name}.png", caption) for name, caption in CAPTIONS),
        *_laws(summary),
        f"<p>Psi {summary['version']}, seed {summary['config']['seed']}, "
        f"{html.escape(machine(summary))}.</p></body></html>",
    ]
    return "\n".join(parts)


def write_page(folder: Path) -> dict[str, Any]:
    """Make a demo's report.html again; returns its summary.

    Raises ValueError where the folder holds no finished demo.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text())
        content = page(summary, folder / "figures")
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{folder} holds no finished demo ({error})") from None
    write_atomic(folder / "report.html", content.encode())
    return summary


def legend(summary: dict[str, Any]) -> str:
    """The meaning of the comparison's columns."""
    task = summary["task"]
    return (
        f"Means over seeds {task['seeds'][0]}–{task['seeds'][-1]}. Criterion: validation loss "
        f"<= {task['criterion']:.4f} (the best of 15 constant rates in a pilot). Score y = "
        "log(clip(mean validation loss − L*, 0, 2Δ) + 0.01Δ), Δ = L_chance − L*, lower is "
        "better; regret is y minus that of the tuned linear schedule, with a paired bootstrap "
        "interval over seeds. Untuned: the best single rate for all training tasks. Tuned: "
        "chosen on this task on seeds 0–4."
    )


def machine(summary: dict[str, Any]) -> str:
    """The machine on which the demo was made, and how long it took."""
    m = summary["machine"]
    machine = f"{m['cores']} cores, {m['device']}, Python {m['python']}, jax {m['jax']}"
    return f"{machine}; {summary['seconds']['total']:.0f} s in all"


def _story(summary: dict[str, Any]) -> list[str]:
    data, task = summary["data"], summary["task"]
    return [
        f"<p>{data['runs']:,} small networks were trained on {len(data['tasks'])} tasks along "
        f"randomised learning-rate trajectories ({data['records']:,} records). From the tasks "
        f"other than <b>{html.escape(task['name'])}</b> the ideal rate was estimated in "
        f"{data['cells_sure']} cells and two laws were fitted. They then scheduled the "
        f"training of a network on {html.escape(task['name'])}, which no fit had seen.</p>"
    ]


def _laws(summary: dict[str, Any]) -> list[str]:
    parts = ["<h2>The laws</h2>"]
    for law in summary["laws"]:
        parts.append(
            f"<h3>{html.escape(law['name'])}</h3><p><code>{html.escape(law['text'])}"
            f"</code> in <code>{html.escape(law['file'])}</code></p>"
        )
        rows = [
            [c["name"], f"{c['value']:.3f}", f"{c['low']:.3f} … {c['high']:.3f}"]
            for c in law["constants"]
        ]
        if rows:
            parts.append(_table(["constant", "value", "95 % over tasks"], rows))
        scores = [[s["name"], f"{s['value']:.3f}"] for s in law["scores"]]
        parts.append(_table(["held-out score", "value"], scores))
    return parts


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = ""
    for row in rows:
        cells = "".join(f"<td>{html.escape(cell)}</td>" for cell in row)
        body += f"<tr{' class=law' if row[0].startswith('Ψ') else ''}>{cells}</tr>"
    rows_of = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f"<div class='wide'><table>{rows_of}</table></div>"


def _figure(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f"<figure><img alt='{path.stem}' src='data:image/png;base64,{data}'>"
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
