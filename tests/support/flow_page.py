"""The page of `elman flow --html`, taken apart."""

from __future__ import annotations

from html.parser import HTMLParser

NAMES = ("W_h", "W_e", "e", "h")


class Page(HTMLParser):
    """The parts of a page, its data, and everything that could fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tokens: list[str] = []
        self.inside = ""
        self.data = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.inside = f"{found.get('id') or ''}" if tag == "script" else ""
        if tag == "span" and "tok" in (found.get("class") or "").split():
            self.tokens.append("")
            self.inside = "token"

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "data":
            self.data += data
        elif self.inside == "token":
            self.tokens[-1] += data
