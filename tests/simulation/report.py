"""What a person sees of a simulation: a bar while it runs, a table at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.simulation.scenarios import Row

Show = Callable[[str, float], None]


@contextmanager
def progress_bar() -> Iterator[Show]:
    """Show what is going on and how many know already; on stderr, so that stdout is the result."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda text, share: bar.update(task, description=text, completed=share)


def result_table(rows: Sequence[Row], title: str) -> None:
    """Print rows as the study's tables are: times in simulated seconds, KB of 1,000 bytes."""
    table = Table(title=title, title_justify="left")
    table.add_column("event")
    for name in (
        "peers",
        "99 % know",
        "all know",
        "tables equal",
        "KB/peer",
        "most",
        "messages/peer",
    ):
        table.add_column(name, justify="right")
    table.add_column("remark", overflow="fold")
    for row in rows:
        table.add_row(
            row.event,
            f"{row.peers:,}",
            _seconds(row.to_99),
            _seconds(row.to_all),
            _seconds(row.agreed),
            f"{row.mean_kb:,.2f}" if row.mean_kb < 10 else f"{row.mean_kb:,.0f}",
            f"{row.most_kb:,.2f}" if row.most_kb < 10 else f"{row.most_kb:,.0f}",
            f"{row.messages:,.1f}",
            row.note,
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.3f} s"
