"""elman derive: derivatives in matrix notation, each verified before it is printed."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from elman.cli.languages import lang, speaking
from elman.cli.options import as_json
from elman.cli.outputs import require_output
from elman.cli.streams import lines, show, show_json
from elman.errors import ConfigError
from elman.translation import joined, translate

if TYPE_CHECKING:
    from elman.calculus.derive_formula import Derived

PRINTS = ("text", "latex", "numpy", "index")


class _FormulaCommand(click.Command):
    """A command whose one argument may begin with a minus sign: `elman derive "-\\log p" --wrt p`.

    Click takes every argument that begins with `-` for an option. Here it is one only if the command has this option
    or it looks like a mistyped one (`--wtr`); any other argument is the formula.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._with_formulas_last(ctx, args))

    def _with_formulas_last(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The options, then `--` and the formulas. Raises `ConfigError` for an option that there is not."""
        takes_value = {
            name: not (isinstance(p, click.Option) and p.is_flag)
            for p in self.get_params(ctx)
            for name in p.opts
            if name.startswith("-")
        }
        options: list[str] = []
        formulas: list[str] = []
        rest = iter(args)
        for arg in rest:
            name = arg.partition("=")[0]
            if arg == "--":
                formulas += rest
            elif arg in takes_value:
                options.append(arg)
                if takes_value[arg]:
                    value = next(rest, None)
                    if value is None:
                        raise click.BadOptionUsage(arg, f"Option {arg!r} requires an argument.", ctx)
                    options.append(value)
            elif name in takes_value:
                options.append(arg)
            elif re.fullmatch(r"--[A-Za-z][A-Za-z-]*", name):
                close = difflib.get_close_matches(name, takes_value)
                hint = f"write {close[0]}" if close else "see elman derive --help"
                raise ConfigError(f"there is no option {name}: {hint}; a formula that begins with -- goes after --")
            else:
                formulas.append(arg)
        mistyped = [arg for arg in formulas if f"-{arg.partition('=')[0]}" in takes_value]
        if len(formulas) > 1 and mistyped:
            raise ConfigError(f"there is no option {mistyped[0].partition('=')[0]}: write -{mistyped[0]}")
        return [*options, "--", *formulas]


@click.command(cls=_FormulaCommand, epilog='Example:  elman derive "a^T X b" --wrt X --layout both')
@click.argument("formula")
@click.option(
    "--wrt", multiple=True, metavar="SYMBOL",
    help="The symbol by which to differentiate: X, W_h, h^(t-1). Given twice, for a second derivative: --wrt x --wrt x "
    "is a Hessian. With a page: names separated by commas, or all, the default.",
)  # fmt: skip
@click.option(
    "--layout", type=click.Choice(["denominator", "numerator", "shape", "both"]),
    help="denominator: a gradient has the shape of X. numerator: its transpose. shape: that of X for a scalar, a "
    "Jacobian [m,n] else. both: the first two.  [default: denominator; with a page: shape]",
)  # fmt: skip
@click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=ROWS,COLUMNS",
    help="The shape of a symbol of a formula: X=m,n, a=n (a column), c=1 (a scalar). May be given several times.",
)  # fmt: skip
@click.option(
    "--assume", "assumed", multiple=True, metavar="NAME=ROWS,COLUMNS",
    help="With a page: the shape of a letter, whatever the page says, written as for --shape.",
)  # fmt: skip
@click.option(
    "--distribution", "distributions", multiple=True, metavar="NAME",
    help="The columns of NAME sum to 1.  [default: the first argument of a cross-entropy]",
)  # fmt: skip
@click.option(
    "--symmetric", multiple=True, metavar="NAME",
    help="NAME is a symmetric matrix: A^T is A, and the gradient by A is symmetric.",
)  # fmt: skip
@click.option(
    "--diagonal", multiple=True, metavar="NAME",
    help="NAME is a diagonal matrix: the gradient by it is diagonal.",
)  # fmt: skip
@click.option(
    "--form",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "latex", "python"]),
    help="How FORMULA is written.",
)
@click.option(
    "--as", "shown", type=click.Choice(PRINTS),
    help="Print only the result: as text, LaTeX, NumPy code or index form. With a page: latex instead of Markdown.",
)  # fmt: skip
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="OUT", help="With a page: write the derivation as a web page."
)
@lang
@as_json
def derive(
    formula: str,
    wrt: tuple[str, ...],
    layout: str | None,
    shapes: tuple[str, ...],
    assumed: tuple[str, ...],
    distributions: tuple[str, ...],
    symmetric: tuple[str, ...],
    diagonal: tuple[str, ...],
    form: str,
    shown: str | None,
    html: Path | None,
    lang: str | None,
    as_json: bool,
) -> None:
    """Differentiate FORMULA, in LaTeX (`\\|A x - b\\|^2`) or as Python (`a.T @ X @ b`), and verify the result.

    A symbol without a --shape is what fits best: a is a column or a number, A a matrix, α a number. The answer says so.
    A result without a matrix form, such as a matrix by a matrix, is printed with indices.

    FORMULA may be a page of forward equations instead (Markdown, LaTeX, a notebook, plain text). Then the gradients of
    its loss are derived, at each time step of a recurrent network, and printed as a page that `elman check` confirms.
    """
    with speaking(lang, as_json=as_json):
        if shown and as_json:
            raise ConfigError("--as and --json exclude each other: leave one of them out")
        if os.path.isfile(formula):  # noqa: PTH113, Path.is_file raises where a formula is too long for a name
            if shapes or distributions or symmetric or diagonal or form != "auto":
                raise ConfigError(
                    "--shape, --distribution, --symmetric, --diagonal and --form are for a formula: leave them out; a "
                    "shape is given as --assume x=n"
                )
            _page(Path(formula), assumed, ",".join(wrt) or "all", layout or "shape", shown, html, lang, as_json)
            return
        if assumed:
            raise ConfigError(f"--assume is for a page of forward equations: write --shape {assumed[0]} for a formula")
        if not wrt:
            raise click.MissingParameter(param_hint="'--wrt'", param_type="option")
        if html is not None:
            raise ConfigError("--html is for a page of forward equations: give one instead of the formula")
        given_as = {"symmetric": symmetric, "diagonal": diagonal}
        _formula(formula, wrt, layout or "denominator", shapes, form, distributions, given_as, shown, as_json)


def _formula(
    formula: str,
    wrt: tuple[str, ...],
    layout: str,
    shapes: tuple[str, ...],
    form: str,
    distributions: tuple[str, ...],
    structures: Mapping[str, tuple[str, ...]],
    shown: str | None,
    as_json: bool,
) -> None:
    """The derivative of one formula, as a report, as JSON, or alone."""
    from elman.calculus.derive_formula import derive as derived

    layouts = ("denominator", "numerator") if layout == "both" else (layout,)
    given = dict(_shape(text) for text in shapes)
    results = [
        derived(formula, wrt, each, given, form, distributions or None, strict=True, **structures) for each in layouts
    ]
    if as_json:
        answer: Any = [result.json() for result in results]
        show_json(answer if layout == "both" else answer[0], indent=2)
    elif shown:
        for result in results:
            show(_alone(result, shown))
    else:
        show("\n".join(_lines(results)))


def _page(
    path: Path,
    assumed: tuple[str, ...],
    wrt: str,
    layout: str,
    shown: str | None,
    html: Path | None,
    lang: str | None,
    as_json: bool,
) -> None:
    """All gradients of a page's loss, as Markdown, LaTeX, JSON or a web page."""
    from elman.notes.derive_page import as_latex, steps_as_json
    from elman.notes.derive_page import derive as derive_page
    from elman.notes.page.assumptions import assuming_options
    from elman.notes.page.reader import read_page

    if layout == "both":
        raise ConfigError("a page is derived in one layout at a time: give --layout denominator, numerator or shape")
    if shown not in (None, "latex"):
        raise ConfigError(f"a page is not printed as {shown}: leave --as out for Markdown, or give --as latex")
    names = [] if wrt == "all" else [name.strip() for name in wrt.split(",")]
    if html is not None:
        require_output(html, [path], "derivation.html")
    page = assuming_options(read_page(path), assumed)
    with speaking(lang, page, as_json):
        found = derive_page(page, names, layout)
        if html is not None:
            from elman.files import write_whole
            from elman.notes.report.html import as_html

            write_whole(html, as_html(found.page, found.report))
            lines(translate(f"written: {html}"))
        elif as_json:
            show_json(steps_as_json(found), indent=2)
        else:
            show(as_latex(found) if shown == "latex" else found.markdown)
        words = [translate(f"checked by value: {found.checked} formulas hold")]
        words += [translate(f"{found.unchecked} could not be checked")] if found.unchecked else []
        lines(joined(words))


def _shape(given: str) -> tuple[str, str]:
    name, sign, shape = given.partition("=")
    if not sign or not name.strip():
        raise ConfigError(f"--shape {given} is no shape: write NAME=ROWS,COLUMNS, as in --shape X=m,n")
    return name.strip(), shape


def _alone(result: Derived, shown: str) -> str:
    if shown == "numpy" and not result.numpy:
        raise ConfigError("this derivative has no matrix form, so no NumPy code is written: take --as index")
    answers = {"text": result.text, "latex": result.latex, "numpy": result.numpy, "index": result.index}
    return answers[shown]


def _lines(results: list[Derived]) -> list[str]:
    """The report as text: shapes, the result in each layout, how it was verified."""
    first = results[0]
    shapes = [f"{name} [{','.join(shape)}]" for name, shape in first.shapes.symbols.items()]
    lines = [_line("shapes", "   ".join(shapes))]
    if first.assumptions:
        lines.append(_line("assumed", joined(map(translate, first.assumptions))))
    if first.distributions:
        lines.append(_line("given", translate(f"the columns of {', '.join(first.distributions)} sum to 1")))
    lines += [_line("convention", translate(words)) for words in first.conventions]
    for result in results:
        if result.letters:
            lines.append(_line("entry", result.text))
            break
        if result.expression is None:
            lines.append(translate(f"no matrix form, so with indices [{','.join(result.shape)}]:"))
            lines.append(_line("", result.text))
            if result.vec:
                lines.append(translate(f"columns stacked, ∂vec(f)/∂vec({result.json()['wrt']})^T:"))
                lines.append(_line("", result.vec + _with_commutation(result.vec)))
            break
        layout = translate(f"{result.layout} layout").removesuffix(" layout")
        lines.append(_line(layout, f"{result.text}   [{','.join(result.shape)}]"))
    if first.other_reading is not None:
        assumption, other = first.other_reading
        words = translate(f"if {assumption}: {other.text}   [{','.join(other.shape)}]")
        lines.append(_line("otherwise", words))
    error = max(result.error for result in results)
    words = f"by complex step at {first.points} random points, largest relative error {error:.0e}"
    lines.append(_line("verified", translate(words)))
    return lines


def _with_commutation(vec: str) -> str:
    """What K is, where it is in a result."""
    return "   " + translate("with K vec(X) = vec(X^T)") if " K" in vec else ""


def _line(label: str, words: str) -> str:
    """A line of the report, with its label in a column of 12."""
    from rich.cells import cell_len

    shown = translate(label)
    return shown + " " * (12 - cell_len(shown)) + " " + words
