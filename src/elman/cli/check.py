"""elman check: the formulas of a page, each with its verdict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from elman.cli.languages import lang, speaking
from elman.cli.options import as_json
from elman.cli.outputs import require_output
from elman.cli.serving import HOST, PORT, listening_at, require_extra, run, wanted_key
from elman.cli.streams import console, lines, show, show_json
from elman.errors import ConfigError
from elman.files import same_place, write_whole
from elman.translation import VARIABLE, translate
from elman.wording import choose, count

if TYPE_CHECKING:
    from elman.notes.judge.verdict import Report
    from elman.notes.page.page import Page


@click.command(epilog="Example:  elman check notes.md --html notes.html")
@click.argument("notes", type=click.Path(path_type=Path), required=False, metavar="NOTES")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="OUT", help="Write the notes with their verdicts as HTML."
)
@click.option(
    "--fix", type=click.Path(path_type=Path), metavar="OUT", help="Write the notes with the first repairs made."
)
@click.option(
    "--model", type=click.Choice(["elman"]),
    help="Add the forward equations of Elman's network, for notes that have only gradients.",
)  # fmt: skip
@click.option(
    "--assume", "assumed", multiple=True, metavar="NAME=ROWS,COLUMNS",
    help="The shape of a letter, whatever the notes say: W=m,n, x=n (a column), b=1 (a number). May be given several "
    "times.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="List what holds, too, and each formula that was not checked.")
@click.option(
    "--serve", "serving", is_flag=True,
    help="Serve a page in which notes are checked as they are typed, NOTES if given. Needs elman[serve].",
)  # fmt: skip
@click.option("--host", metavar="ADDRESS", help=f"With --serve: the address to listen on.  [default: {HOST}]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help=f"With --serve: the port; 0: any free one.  [default: {PORT}]"
)
@lang
@as_json
@click.pass_context
def check(
    ctx: click.Context,
    notes: Path | None,
    html: Path | None,
    fix: Path | None,
    model: str | None,
    assumed: tuple[str, ...],
    verbose: bool,
    serving: bool,
    host: str | None,
    port: int | None,
    lang: str | None,
    as_json: bool,
) -> None:
    """Check the formulas in NOTES: which hold, which are wrong, why, and how to repair them.

    NOTES is a Markdown, LaTeX, notebook (.ipynb) or plain text file. Each gradient is compared, by value, with the
    derivative of the forward equations in the same notes.

    The exit code is 1 if some formula is wrong, 2 if the notes cannot be read, and else 0, also where formulas were
    not checked.
    """
    if serving:
        given = {"--html": html, "--fix": fix, "--model": model, "--assume": assumed, "--verbose": verbose}
        for name, value in given.items():
            if value:
                raise ConfigError(f"{name} is not for --serve: leave one of them out")
        if lang is not None:
            os.environ[VARIABLE] = lang  # the processes that check have it from there
        _serve(notes, host, port, as_json)
        return
    if host is not None or port is not None:
        raise ConfigError(f"--{'port' if host is None else 'host'} is for --serve: add it")
    if notes is None:
        raise click.MissingParameter(ctx=ctx, param=next(p for p in ctx.command.params if p.name == "notes"))
    from elman.notes.page.assumptions import assuming_options
    from elman.notes.page.reader import read_page

    with speaking(lang, as_json=as_json):
        _require_outputs(notes, html, fix)
        if as_json and verbose:
            raise ConfigError("--json lists every formula already: leave out --verbose")
        page = assuming_options(read_page(notes), assumed)
    with speaking(lang, page, as_json):
        holds = _report(page, model, html, fix, verbose, as_json)
    ctx.exit(0 if holds else 1)


def _require_outputs(notes: Path, html: Path | None, fix: Path | None) -> None:
    """Raises `ConfigError` where a file to be written cannot be, or is the page itself."""
    for out, example in ((html, "notes.html"), (fix, f"fixed{notes.suffix or '.md'}")):
        if out is not None:
            require_output(out, [notes], example)
    if html is not None and fix is not None and same_place(html, fix):
        raise ConfigError("--html and --fix name the same file: give two different ones")


def _report(page: Page, model: str | None, html: Path | None, fix: Path | None, verbose: bool, as_json: bool) -> bool:
    """Checks the page, writes and prints its report; whether no claim is wrong."""
    from elman.notes import check as check_page

    report = check_page(page, model)
    if html is not None:
        from elman.notes.report.html import as_html

        write_whole(html, as_html(page, report))
    if fix is not None:
        from elman.notes.repair.fix import corrected_file

        write_whole(fix, corrected_file(page, report))
    if as_json:
        from elman.notes.report.json_report import as_json as json_of

        show_json(json_of(report), indent=1)
    else:
        _show(page, report, html, fix, verbose)
    return report.holds


def _serve(notes: Path | None, host: str | None, port: int | None, as_json: bool) -> None:
    """Serves the page until Ctrl-C or SIGTERM, and says where it is."""
    require_extra("elman check --serve")
    from elman.serve.limits import Limits

    text = ""
    if notes is not None:
        from elman.notes.page.reader import read_page

        page = read_page(notes)
        if page.kind == "notebook":
            raise ConfigError(f"{notes} is a notebook; --serve takes Markdown, LaTeX or plain text")
        text = page.text
    key = wanted_key(None)
    listening, base = listening_at(HOST if host is None else host, PORT if port is None else port, key)
    if as_json:
        show_json({"url": f"{base}/"})
    else:
        show(translate(f"Checking pages at {base}/. Ctrl-C stops."))
    run({}, listening, Limits(), key, text)


def _show(page: Page, report: Report, html: Path | None, fix: Path | None, verbose: bool) -> None:
    """Prints the report, in colour on a terminal, and the names of the files written."""
    from elman.notes.repair.fix import planned_edits
    from elman.notes.report.terminal import as_terminal

    out = console()
    width = min(out.width, 120) if out.is_terminal else 100
    for line in as_terminal(report, width, verbose):
        out.print(line)
    if html is not None:
        lines(translate(f"written: {html}"))
    if fix is not None:
        edits, overlapping = planned_edits(page, report)
        n = len(overlapping)
        written = translate(f"written: {fix}, with {count(len(edits), 'repair')}")
        more = f"{written}; {n} more {choose(n, 'overlaps', 'overlap')} with these: check {fix} again"
        lines(translate(more) if n else written)
