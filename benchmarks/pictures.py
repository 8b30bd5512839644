"""The pictures of docs/ that a browser takes: the server's page and the report of a checked page, in Chromium.

    python benchmarks/pictures.py FOLDER

Trains two small models of examples/lighthouse.txt, serves them, and writes into FOLDER: page.png (a desktop, light),
page-narrow.png (420 px, dark), page-check.png (elman check --serve), check.png and check-formulas.png (elman check
--html). Look at them, and copy those that differ into docs/. It needs Chromium and `pip install 'elman[serve]'`, and
exits with 1 where the browser's console has an error.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from browser import Tab, browsing  # noqa: E402
from serving import serving  # noqa: E402

LIGHTHOUSE = ROOT / "examples" / "lighthouse.txt"
NOTES = ROOT / "tests" / "notes" / "pages" / "rnn_notes.md"
TEXT = (
    "the old keeper met me at the tower and shook my hand .\n"
    "the wind was cold and the sea was quiet .\n"
    "in the evening we lit the "
)
STEPS_BACK = 2
"""From the end of the text to `lit`, whose gradient the narrow picture shows."""


def elman(*arguments: object, code: int = 0) -> None:
    done = subprocess.run([sys.executable, "-m", "elman", *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()


def said(tab: Tab, begin: str) -> None:
    """Waits for the sentence below the tokens."""
    tab.wait(f"document.querySelector('.say').textContent.startsWith({begin!r})")


def read(tab: Tab, address: str, width: int) -> None:
    """The page with the text, as it looks at a width."""
    tab.size(width, 900)
    tab.open(f"{address}/")
    tab.wait("document.querySelector('#next button')")
    tab.run("document.getElementById('text').rows = 3; document.getElementById('text').focus()")
    tab.type(TEXT)
    tab.wait(f"document.querySelectorAll('#panels [role=option]').length > {len(TEXT.split())}")
    said(tab, "After the text")


def reading(tab: Tab, address: str, folder: Path) -> None:
    """Surprise and a continuation on a desktop; the gradient of one prediction on a narrow dark screen."""
    read(tab, address, 1150)
    tab.run("document.getElementById('count').value = 30; document.getElementById('seed').value = 3")
    tab.run("document.getElementById('draw').click()")
    tab.wait("document.getElementById('drawing').textContent === 'Done.'")
    tab.run("document.getElementById('text').focus(); scrollTo(0, 0)")
    tab.picture(folder / "page.png")
    tab.media(prefers_color_scheme="dark")
    read(tab, address, 420)
    tab.run("document.getElementById('tint-gradient').click(); document.querySelector('[role=listbox]').focus()")
    for _ in range(STEPS_BACK):
        tab.press("ArrowLeft", 37)
    said(tab, "The gradient of predicting “lit”")
    tab.run("document.activeElement.blur(); document.getElementById('text').scrollTop = 0; scrollTo(0, 0)")
    tab.picture(folder / "page-narrow.png")
    tab.media(prefers_color_scheme="light")


def checking(tab: Tab, address: str, folder: Path) -> None:
    tab.size(1150, 900)
    tab.open(f"{address}/")
    tab.wait("document.querySelector('#repairs button')")
    tab.picture(folder / "page-check.png")


def report(tab: Tab, page: Path, folder: Path) -> None:
    """The report's beginning, and its formulas from those of gamma on."""
    tab.size(1000, 1260)
    tab.open(page.as_uri())
    tab.wait("document.querySelectorAll('math').length > 100")
    tab.picture(folder / "check.png")
    tab.size(1000, 1330)
    gamma = "[...document.querySelectorAll('figure')].find(n => n.textContent.includes('extra transpose'))"
    tab.run(f"{gamma}.scrollIntoView({{ behavior: 'instant' }})")
    tab.picture(folder / "check-formulas.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        here = Path(temporary)
        runs = [here / "lighthouse", here / "characters"]
        for run, level in zip(runs, ("word", "char"), strict=True):
            elman("train", LIGHTHOUSE, "--level", level, "--batch-size", 4, "--out", run)
        shutil.copy(NOTES, here / "notes.md")
        elman("check", here / "notes.md", "--lang", "en", "--html", here / "notes.html", code=1)
        with browsing(here / "profile", "--hide-scrollbars") as tab:
            with serving(*runs) as (_, address):
                reading(tab, address, folder)
            with serving(ROOT / "examples" / "wrong.md", "--serve", name="check") as (_, address):
                checking(tab, address, folder)
            report(tab, here / "notes.html", folder)
            errors = tab.errors
    print(f"{len(list(folder.glob('*.png')))} pictures, errors of the console: {errors}")
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
