// Checking a page: its verdicts as it is typed, in a frame that has the look of the report of `elman check --html`.

import { ask } from "./server.js";
import { element } from "./tokens.js";
import { said } from "./words.js";

const WAIT = 500;  // ms without a key pressed before a page is checked
const get = id => document.getElementById(id);

export async function startChecking(notes, report) {
  const text = get("notes"), frame = get("report");
  if (frame.contentDocument.URL === "about:blank" || frame.contentDocument.readyState !== "complete") {
    await new Promise(loaded => frame.addEventListener("load", loaded, { once: true }));
  }
  let control = null, timer = 0, seen = null;

  async function check() {
    const current = text.value;
    if (current === seen) return;
    control?.abort();
    const own = control = new AbortController();
    if (!current.trim()) {
      seen = current;
      show({ claims: [], html: "" }, current);
      return;
    }
    get("checked").textContent = said("Checking …");
    try {
      const answer = await ask("/page/check", { text: current }, own.signal);
      if (own.signal.aborted) return;
      seen = current;
      report(null);
      show(answer, current);
    } catch (error) {
      if (error.name === "AbortError") return;
      get("checked").textContent = "";
      report(error);
    }
  }

  /** The report, which the server has escaped, and the repairs, which change the page. */
  function show(answer, current) {
    get("checked").textContent = answer.claims.length ? answer.summary[0].toUpperCase() + answer.summary.slice(1) + said(".")
      : said("No formula yet.");
    frame.contentDocument.body.innerHTML = answer.html;
    get("panes").classList.toggle("empty", !answer.claims.length);
    const points = Array.from(current);  // offsets of the answer count characters
    const rows = answer.claims.filter(claim => claim.fixes.length).map(claim => {
      const place = element("button", { type: "button", class: "place" }, said("line {line}", { line: claim.line }));
      place.addEventListener("click", () => select(points, claim.start, claim.end));
      const uses = claim.fixes.slice(0, 3).map(fix => {
        const use = element("button", { type: "button", title: fix.edits.join(said("; ")) }, element("code", {}, fix.formula));
        use.addEventListener("click", () => {
          select(points, fix.start, fix.end);
          replace(fix.replacement);
        });
        return use;
      });
      return element("li", {}, place, ` ${said("{verdict}: use", { verdict: said(claim.verdict) })} `, ...uses);
    });
    get("repairs").replaceChildren(...rows);
    get("repairs-part").hidden = !rows.length;
  }

  function select(points, start, end) {
    const before = points.slice(0, start).join("").length;
    text.focus();
    text.setSelectionRange(before, before + points.slice(start, end).join("").length);
  }

  /** Types into the selection, so that the browser can undo it. */
  function replace(words) {
    if (!document.execCommand("insertText", false, words)) {
      text.setRangeText(words);
      text.dispatchEvent(new Event("input"));
    }
  }

  frame.contentDocument.addEventListener("click", event => {
    const link = event.target.closest("a[href]");
    if (!link || link.getAttribute("href").startsWith("#")) return;
    event.preventDefault();
    open(link.href, "_blank", "noopener");
  });
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, WAIT);
  });
  if (!text.value) text.value = notes;
  check();
}
