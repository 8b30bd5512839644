"""Markdown → HTML, as much of it as notes need: headings, paragraphs, lists, tables, quotations, code, emphasis, links.

What stands at a slot (`slot(7)` in the text) is put in last, unescaped; everything else is escaped. A slot that is a
block parts the paragraph it stands in, and what a slot says beside itself (`after`) follows the block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

_OPEN, _CLOSE, _STASH = "\ue000", "\ue001", "\ue003"
_SLOT = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_RESERVED = re.compile("[\ue000-\ue003]")
_FENCE = re.compile(r"^[ \t]*(?:[-*+][ \t]+)?(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*)$")
_ITEM = re.compile(r"^([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)")
_RULE = re.compile(r"^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_SEPARATOR = re.compile(r"^[ \t]*\|?[ \t]*:?-[-:| \t]*$")
_INLINE = re.compile(
    r"(`{1,5})(?!`)(.{1,500}?)(?<!`)\1(?!`)|\\([!-/:-@\[-`{-~])|!\[([^\]\n]{0,300})\]\([^)\s]{0,500}\)"
    r"|\[([^\]\n]{1,300})\]\(([^)\s]{1,500})\)|<(https?://[^>\s]{1,300})>|(<!--.{0,500}?-->)|(<br ?/?>|[ ]{2,}\n|\\\n)",
    re.DOTALL,
)
_BOLD = re.compile(r"\*\*(?=\S)((?:[^*]|\*(?!\*)){1,500}?)(?<=\S)\*\*")
_WHOLE = r"<strong>[^*<]*</strong>"  # in italics, all of what is bold or nothing of it
_ITALIC = re.compile(
    rf"\*(?=\S)((?:{_WHOLE}|[^*<]){{1,500}}?)(?<=\S)\*|(?<!\w)_(?=\S)((?:{_WHOLE}|[^_\n<]){{1,300}}?)(?<=\S)_(?!\w)"
)
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Slot:
    """What is put in at a slot: HTML, whether it is a block, and what follows the block that it stands in."""

    html: str
    block: bool = False
    after: str = ""


def slot(number: int) -> str:
    """The mark of a slot."""
    return f"{_OPEN}{number}{_CLOSE}"


def unreserved(text: str) -> str:
    """A text without the signs that mark slots, as many signs long."""
    return _RESERVED.sub("\ufffd", text)


def markdown_to_html(text: str, slots: Mapping[int, Slot]) -> str:
    """The HTML of a text with slots; headings are one level lower, since the page around has a title of its own."""
    return _filled(_Blocks(slots).render(text.replace("\r\n", "\n").split("\n"), 0), slots)


def plain_to_html(text: str, slots: Mapping[int, Slot]) -> str:
    """The HTML of plain text: its paragraphs, line by line."""
    blocks = _Blocks(slots)
    paragraphs = re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n"))
    return _filled("".join(blocks.paragraph(p.strip("\n"), "plain", escape) for p in paragraphs if p.strip()), slots)


def _filled(html: str, slots: Mapping[int, Slot]) -> str:
    return _SLOT.sub(lambda m: slots[int(m.group(1))].html if int(m.group(1)) in slots else "", html)


class _Blocks:
    def __init__(self, slots: Mapping[int, Slot]) -> None:
        self.slots = slots

    def render(self, lines: list[str], depth: int) -> str:
        """Blocks, one behind another."""
        out: list[str] = []
        i = 0
        while i < len(lines):
            line = lines[i]
            if not line.strip():
                i += 1
                continue
            stop, html = self._block(lines, i, depth)
            out.append(html)
            i = stop
        return "\n".join(out)

    def _block(self, lines: list[str], i: int, depth: int) -> tuple[int, str]:
        """The block that begins at line `i`, and where the next begins."""
        line = lines[i]
        fence = _FENCE.match(line)
        if fence:
            return self._code(lines, i, fence.group(1))
        heading = _HEADING.match(line)
        if heading:
            return i + 1, self._heading(len(heading.group(1)), heading.group(2).rstrip("# \t"))
        if line.lstrip().startswith("<!--"):
            stop = next((k for k in range(i, len(lines)) if "-->" in lines[k]), None)
            if stop is not None:
                rest = lines[stop].split("-->", 1)[1]
                return stop + 1, self._wrapped("p", _inline(rest), rest) if rest.strip() else ""
        if _RULE.match(line):
            return i + 1, "<hr>"
        if "|" in line and i + 1 < len(lines) and "|" in lines[i + 1] and _SEPARATOR.match(lines[i + 1]):
            return self._table(lines, i)
        if line.lstrip().startswith(">") and depth < _MAX_DEPTH:
            stop = self._run(lines, i, lambda k: bool(lines[k].strip()))
            inner = [re.sub(r"^[ \t]*>[ \t]?", "", quoted) for quoted in lines[i:stop]]
            return stop, f"<blockquote>{self.render(inner, depth + 1)}</blockquote>"
        if _ITEM.match(line) and depth < _MAX_DEPTH:
            return self._list(lines, i, depth)
        if line.startswith(("    ", "\t")):
            stop = self._run(lines, i, lambda k: lines[k].startswith(("    ", "\t")) or not lines[k].strip())
            text = "\n".join(
                quoted[4:] if quoted.startswith("    ") else quoted[1:] for quoted in lines[i:stop]
            ).rstrip()
            return stop, f'<pre class="aside">{escape(text)}</pre>{self._after(text)}'
        return self._prose(lines, i)

    @staticmethod
    def _run(lines: list[str], i: int, goes_on: object) -> int:
        assert callable(goes_on)
        stop = i + 1
        while stop < len(lines) and goes_on(stop):
            stop += 1
        return stop

    def _after(self, text: str) -> str:
        numbers = [int(m.group(1)) for m in _SLOT.finditer(text)]
        return "".join(self.slots[n].after for n in numbers if n in self.slots)

    def _wrapped(self, tag: str, html: str, text: str) -> str:
        return f"<{tag}>{html}</{tag}>{self._after(text)}"

    def _heading(self, level: int, text: str) -> str:
        return self._wrapped(f"h{min(level + 1, 6)}", _inline(text), text)

    def _code(self, lines: list[str], i: int, sign: str) -> tuple[int, str]:
        stop = i + 1
        while stop < len(lines):
            stripped = lines[stop].strip()
            if stripped.startswith(sign) and not stripped.strip(sign[0]):
                break
            stop += 1
        text = "\n".join(lines[i + 1 : stop])
        return stop + 1, f"<pre><code>{escape(text)}</code></pre>{self._after(text)}"

    def _prose(self, lines: list[str], i: int) -> tuple[int, str]:
        stop = i + 1
        while stop < len(lines) and lines[stop].strip():
            following = lines[stop]
            if re.match(r"^ {0,3}(=+|-{2,})[ \t]*$", following):
                text = " ".join(lines[i:stop])
                return stop + 1, self._heading(1 if "=" in following else 2, text)
            if _FENCE.match(following) or _HEADING.match(following) or following.lstrip().startswith(("<!--", ">")):
                break
            if _ITEM.match(following) and not re.match(r"^[ \t]*(?:[-+*]|\d+[.)])[ \t]*\ue000", following):
                break
            stop += 1
        text = "\n".join(lines[i:stop]).strip()
        return stop, self.paragraph(text)

    def paragraph(self, text: str, kind: str = "", shown: Callable[[str], str] | None = None) -> str:
        """A paragraph, parted by the blocks in it, each part `shown` by itself (with its code, links and emphasis)."""
        shown = shown or _inline
        out: list[str] = []
        at = 0
        opened = f'<p class="{kind}">' if kind else "<p>"
        for match in _SLOT.finditer(text):
            found = self.slots.get(int(match.group(1)))
            if found is not None and found.block:
                before = shown(text[at : match.start()]).strip()
                out += [f"{opened}{before}</p>"] if before else []
                out.append(match.group())
                at = match.end()
        rest = shown(text[at:]).strip()
        out += [f"{opened}{rest}</p>"] if rest else []
        return "\n".join(out) + self._after(text)

    def _table(self, lines: list[str], i: int) -> tuple[int, str]:
        stop = i + 2
        while stop < len(lines) and "|" in lines[stop]:
            stop += 1
        rows = [_cells(line) for line in [lines[i], *lines[i + 2 : stop]]]
        width = len(rows[0])
        head = "".join(f"<th>{_inline(cell)}</th>" for cell in rows[0])
        body = []
        for row in rows[1:]:
            padded = [*row[:width], *[""] * (width - len(row))]
            body.append("<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in padded) + "</tr>")
        html = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
        return stop, f'<div class="wide">{html}</div>' + self._after("\n".join(lines[i:stop]))

    def _list(self, lines: list[str], i: int, depth: int) -> tuple[int, str]:
        first = _ITEM.match(lines[i])
        assert first is not None
        ordered = first.group(2)[0].isdigit()
        items: list[list[str]] = []
        stop, width = i, first.end()
        base = len(first.group(1))
        while stop < len(lines):
            line = lines[stop]
            item = _ITEM.match(line)
            if item and len(item.group(1)) <= base + 1 and not _RULE.match(line):
                if item.group(2)[0].isdigit() != ordered:
                    break
                width = item.end()
                items.append([line[width:]])
            elif not line.strip() or line.startswith(" " * min(width, base + 2)) or line.startswith("\t"):
                items[-1].append(line[width:] if line[:width].strip() == "" else line.lstrip())
            elif lines[stop - 1].strip() and not _FENCE.match(line) and not _HEADING.match(line):
                items[-1].append(line)  # a lazy line of its paragraph
            else:
                break
            stop += 1
        tag = "ol" if ordered else "ul"
        inner = "".join(f"<li>{self._item(item, depth)}</li>" for item in items)
        return stop, f"<{tag}>{inner}</{tag}>"

    def _item(self, lines: list[str], depth: int) -> str:
        html = self.render(lines, depth + 1)
        single = re.fullmatch(r"<p>((?:(?!<p>).)*)</p>(.*)", html, re.DOTALL)
        return single.group(1) + single.group(2) if single else html


def _cells(line: str) -> list[str]:
    """The cells of a row; a bar behind a backslash or in code parts nothing."""
    cells, code, at = [""], False, 0
    text = line.strip().removeprefix("|").removesuffix("|")
    while at < len(text):
        sign = text[at]
        if sign == "\\" and text[at + 1 : at + 2] == "|":
            cells[-1], at = cells[-1] + "|", at + 1
        elif sign == "|" and not code:
            cells.append("")
        else:
            code = code != (sign == "`")
            cells[-1] += sign
        at += 1
    return [cell.strip() for cell in cells]


def _inline(text: str) -> str:
    """What stands within a line: code, links, emphasis."""
    stash: list[str] = []

    def keep(html: str) -> str:
        stash.append(html)
        return f"{_STASH}{len(stash) - 1}{_CLOSE}"

    def token(match: re.Match[str]) -> str:
        code, sign, image, label, target, address, comment = match.group(2, 3, 4, 5, 6, 7, 8)
        if code is not None:
            return keep(f"<code>{escape(code.strip())}</code>")
        if sign is not None:
            return keep(escape(sign))
        if image is not None:
            return keep(f"<em>{escape(image)}</em>")
        if label is not None and re.match(r"(?:https?:|mailto:|#|[\w./-]+$|[\w./-]+#)", target):
            return keep(f'<a href="{escape(target)}">{_inline(label)}</a>')
        if address is not None:
            return keep(f'<a href="{escape(address)}">{escape(address)}</a>')
        if comment is not None:
            return ""
        return label if label is not None else keep("<br>")

    html = escape(_INLINE.sub(token, text))
    html = _BOLD.sub(r"<strong>\1</strong>", html)
    html = _ITALIC.sub(lambda m: f"<em>{m.group(1) or m.group(2)}</em>", html)
    return re.sub(f"{_STASH}(\\d+){_CLOSE}", lambda m: stash[int(m.group(1))], html)
