"""What a reader does with the page: choose which formulas are shown, and copy one. One script, allowed by its hash.

Without scripts the page shows everything, and no button.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

from elman.notes.report.words import Tally
from elman.translation import translate

SCRIPT = """
"use strict";
const kinds = { wrong: ".bad,.otherwise", open: ".unknown", holds: ".good" };
const isHeading = node => /^H[1-6]$/.test(node.tagName);

/* Hides the blocks that have no claim of the kind; a heading stays where something under it is shown. */
function choose(kind) {
  const wanted = kinds[kind] && `:is(${kinds[kind]}):is(.row,.claim)`;
  for (const parent of [...document.querySelectorAll("main .cell"), document.querySelector("main")]) {
    let level = 0;
    for (const node of [...parent.children].reverse()) {
      if (isHeading(node)) {
        const own = Number(node.tagName[1]);
        node.hidden = Boolean(wanted) && own >= level;
        if (!node.hidden) level = own;
      } else {
        const has = !wanted || node.matches(wanted) || node.querySelector(wanted);
        node.hidden = !has;
        if (has) level = 9;
      }
    }
  }
  for (const list of document.querySelectorAll("header [data-kind]")) {
    list.hidden = Boolean(wanted) && list.dataset.kind !== kind;
    if (list.tagName === "DETAILS") list.open = list.dataset.kind === kind;
  }
  for (const button of document.querySelectorAll(".choose button"))
    button.setAttribute("aria-pressed", String(button.value === kind));
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.value);
  } catch {
    const area = document.createElement("textarea");
    area.value = button.value;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.classList.add("done");
  button.addEventListener("blur", () => button.classList.remove("done"), { once: true });
}

document.documentElement.classList.add("scripted");
document.addEventListener("click", event => {
  const button = event.target.closest("button"), link = event.target.closest("header a");
  if (button && button.matches(".copy")) copy(button);
  else if (button && button.matches(".choose button")) choose(button.value);
  else if (link) {
    const place = document.getElementById(link.hash.slice(1));
    if (place && place.closest("[hidden]")) choose("all");
  }
});
"""
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    f"script-src 'sha256-{b64encode(sha256(SCRIPT.encode()).digest()).decode()}'"
)


def choice(tally: Tally) -> str:
    """Buttons that choose which formulas are shown; none where there is nothing to choose."""
    counts = {
        "wrong": (translate("wrong"), len(tally.wrong)),
        "open": (translate("not checked"), len(tally.not_checked)),
        "holds": (translate("holds"), len(tally.holding)),
    }
    some = {kind: found for kind, found in counts.items() if found[1]}
    if len(some) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" value="{kind}" aria-pressed="false">{label} {n}</button>'
        for kind, (label, n) in some.items()
    )
    everything = '<button type="button" value="all" aria-pressed="true">' + translate("all") + "</button>"
    return f'<div class="choose" role="group" aria-label="{translate("Show")}">{everything}{buttons}</div>'


def copy_button(source: str, label: str = "copy LaTeX") -> str:
    """A button that copies the source of a formula."""
    return f'<button type="button" class="copy" value="{escape(source.strip())}">{translate(label)}</button>'
