// The page: its tabs, and what they have in common.

import { startChecking } from "./checking.js";
import { startReading } from "./reading.js";
import { ask } from "./server.js";
import { element } from "./tokens.js";
import { LANGUAGE, said } from "./words.js";

const problem = document.getElementById("problem");

/** Shows a sentence about what went wrong, or nothing for null. */
function report(error) {
  problem.hidden = !error;
  problem.textContent = error ? error.message : "";
}

/** Buttons for the panels, of which one is shown; each is started when it is first shown. */
function showTabs(tabs) {
  const list = document.querySelector(".tabs"), started = new Set();
  const buttons = tabs.map(({ id, title }, k) => {
    const button = element("button", { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": id }, title);
    button.addEventListener("click", () => show(k));
    button.addEventListener("keydown", event => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const other = (k + step + tabs.length) % tabs.length;
      show(other);
      buttons[other].focus();
    });
    return button;
  });

  function show(chosen) {
    report(null);
    for (const [k, { id, start }] of tabs.entries()) {
      document.getElementById(id).hidden = k !== chosen;
      buttons[k].setAttribute("aria-selected", String(k === chosen));
      buttons[k].tabIndex = k === chosen ? 0 : -1;
      if (k !== chosen || started.has(id)) continue;
      started.add(id);
      start();
    }
  }

  if (tabs.length > 1) {
    for (const { id } of tabs) document.getElementById(id).setAttribute("role", "tabpanel");
    list.append(...buttons);
    list.hidden = false;
  }
  show(Math.max(0, tabs.findIndex(({ id }) => location.hash === `#${id}`)));
}

/** Puts the texts of page.html into the language of the page; of a placeholder its first paragraph. */
function translate() {
  document.documentElement.lang = LANGUAGE;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode, words = node.nodeValue.trim();
    if (words) node.nodeValue = node.nodeValue.replace(words, () => said(words.replace(/\s+/g, " ")));
  }
  for (const node of document.querySelectorAll("[aria-label], [placeholder], [title]")) {
    for (const name of ["aria-label", "placeholder", "title"]) {
      if (!node.hasAttribute(name)) continue;
      const [first, ...others] = node.getAttribute(name).split("\n\n");
      node.setAttribute(name, [said(first), ...others].join("\n\n"));
    }
  }
}

translate();
try {
  const { models, notes } = await ask("/page/about");
  showTabs([
    ...(models.length ? [{ id: "reading", title: said("Read a text"), start: () => startReading(models, report) }] : []),
    { id: "checking", title: said("Check a derivation"), start: () => startChecking(notes, report) },
  ]);
} catch (error) {
  report(error);
}
