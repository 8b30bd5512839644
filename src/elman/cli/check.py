"""elman check: a page of formulas, each with its verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from elman.cli.options import as_json
from elman.errors import ConfigError
from elman.files import write_whole

if TYPE_CHECKING:
    from elman.notes.judge.verdict import Report
    from elman.notes.page.page import Page


@click.command(epilog="Example:  elman check notes.md --html notes.html")
@click.argument("notes", type=click.Path(path_type=Path))
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="OUT", help="Write the notes with their verdicts as a page."
)
@click.option("--fix", type=click.Path(path_type=Path), metavar="OUT", help="Write the notes with the repairs in them.")
@click.option(
    "--model", type=click.Choice(["elman"]),
    help="Take the forward equations from this network, for notes that have gradients only.",
)  # fmt: skip
@as_json
@click.pass_context
def check(
    ctx: click.Context, notes: Path, html: Path | None, fix: Path | None, model: str | None, as_json: bool
) -> None:
    """Check each formula of NOTES by value, and say what is wrong, why, and how it is mended.

    NOTES is Markdown, LaTeX, a notebook or plain text. Its own forward equations are the model that its gradients are
    held against. Answers with 0 where all hold, 1 where some do not, 2 where the page cannot be read.
    """
    from elman.notes.check_page import check as checked
    from elman.notes.page.reader import read_page

    for out in (html, fix):
        if out is not None and out.resolve() == notes.resolve():
            raise ConfigError(f"{out} is the page itself: give another name to write to")
    if html is not None and fix is not None and html.resolve() == fix.resolve():
        raise ConfigError("--html and --fix name the same file: give two")
    page = read_page(notes)
    report = checked(page, model)
    if html is not None:
        from elman.notes.report.html import as_html

        write_whole(html, as_html(page, report))
    if fix is not None:
        from elman.notes.repair.fix import corrected_file

        write_whole(fix, corrected_file(page, report))
    if as_json:
        from elman.notes.report.text import as_json as json_of

        click.echo(json.dumps(json_of(report), ensure_ascii=False, indent=1))
    else:
        _show(page, report, html, fix)
    ctx.exit(0 if report.holds else 1)


def _show(page: Page, report: Report, html: Path | None, fix: Path | None) -> None:
    """Prints the report, in colour where there is a terminal; then what was written where."""
    from rich.console import Console

    from elman.notes.repair.fix import planned_edits
    from elman.notes.report.text import as_terminal

    console = Console(highlight=False, soft_wrap=True)
    width = min(console.width, 120) if console.is_terminal else 100
    for line in as_terminal(report, width):
        console.print(line)
    if html is not None:
        click.echo(f"written: {html}", err=True)
    if fix is not None:
        edits, left_over = planned_edits(page, report)
        more = f"; {len(left_over)} overlap others and are left: check {fix} again" if left_over else ""
        click.echo(f"written: {fix}, with {len(edits)} repair{'s' * (len(edits) != 1)}{more}", err=True)
