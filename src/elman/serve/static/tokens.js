// The tokens of a text as one model reads them: a list of which one is chosen, each tinted by a number.

import { said } from "./words.js";

const SIGNS = { " ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍", "<eos>": "⏎" };

/** A token with signs for what has no shape of its own. */
export function visible(token) {
  if (SIGNS[token]) return SIGNS[token];
  if (!token.trim()) return Array.from(token, c => SIGNS[c] || codePoint(c)).join("") || "⟨⟩";
  return token.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu, c => SIGNS[c] || codePoint(c));
}

const codePoint = c => `⟨${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;

export const number = (value, digits = 2) => value.toFixed(digits);

/** A probability as people read it. */
export function percent(p) {
  return p >= 0.9995 ? ">99.9%" : p >= 0.1 ? `${(100 * p).toFixed(1)}%` : p >= 0.001 ? `${(100 * p).toFixed(2)}%` : "<0.1%";
}

export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value;
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** One model's reading of the text. onChoose(k): a token was chosen, of n tokens k from 0 to n; n: what comes after. */
export class Panel {
  constructor(model, place, onChoose) {
    this.model = model;
    this.tokens = [];
    this.nodes = [];
    this.chosen = 0;
    this.said = "";
    this.id = `tokens-${place}`;
    this.heading = element("h3", { id: `${this.id}-name` }, model.id);
    this.figures = element("p", { class: "figures" });
    this.list = element("div", {
      class: model.level === "word" ? "text words" : "text", role: "listbox", tabindex: "0", dir: "auto", id: this.id,
      "aria-label": said("Tokens as {model} reads them; arrow keys choose one", { model: model.id }),
    });
    this.say = element("p", { class: "say", "aria-live": "polite" });
    this.node = element("section", { class: "panel", "aria-labelledby": this.heading.id },
      this.heading, this.figures, this.list, this.say);
    this.list.addEventListener("click", event => {
      const k = this.nodes.indexOf(event.target.closest("[role=option]"));
      if (k >= 0) onChoose(k);
    });
    this.list.addEventListener("pointerover", event => {
      const label = event.target.closest(".tok[role=option]")?.getAttribute("aria-label");
      if (label) this.say.textContent = label;
    });
    this.list.addEventListener("pointerleave", () => { this.say.textContent = this.said; });
    this.list.addEventListener("keydown", event => {
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity,
        PageUp: -20, PageDown: 20 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      onChoose(Math.min(this.tokens.length, Math.max(0, this.chosen + step)));
    });
  }

  /** Says a sentence about the chosen token, which stays until the next one; a pointer over others says their numbers. */
  tell(sentence) {
    this.said = this.say.textContent = sentence;
  }

  /** Shows an answer of /page/surprise. */
  show(answer) {
    this.tokens = answer.tokens;
    const begin = element("span", { class: "tok ws", title: said("the line end that is read before the text") }, "⏎");
    this.first = begin;
    const nodes = [begin, " ", shown(answer.before)];
    let at = answer.before.length;
    this.nodes = this.tokens.map((token, k) => {
      const own = ownLength(token);
      token.begin = at;
      token.end = at + own;
      at += token.text.length;
      const body = token.text.slice(0, own);
      const node = element("span", {
        class: `tok${body.trim() ? "" : " ws"}${token.known ? "" : " oov"}`, role: "option", id: `${this.id}-${k}`,
        "aria-selected": "false",
      }, body === "\n" ? "⏎" : body ? shown(body) : visible(token.token));
      nodes.push(node);
      if (body === "\n") nodes.push(element("br"));
      nodes.push(token.text.slice(own));
      return node;
    });
    const after = element("span", {
      class: "end", role: "option", id: `${this.id}-${this.tokens.length}`, "aria-selected": "false",
      "aria-label": said("what comes after the text"), title: said("what comes after the text"),
    }, "▏");
    this.nodes.push(after);
    this.list.replaceChildren(...nodes, after);
    this.summarise(at);
  }

  summarise(length) {
    const n = this.tokens.length, bits = this.tokens.reduce((sum, token) => sum + token.bits, 0);
    const unknown = this.tokens.filter(token => !token.known).length;
    const parts = [n === 1 ? said("1 token") : said("{n} tokens", { n: n.toLocaleString("en") })];
    if (n) {
      parts.push(said("{bits} bits", { bits: number(bits, 1) }),
        said("{bits} bits per token (perplexity {perplexity})", { bits: number(bits / n), perplexity: precise(2 ** (bits / n)) }),
        said("{bits} bits per character", { bits: number(bits / length) }));
    }
    if (unknown) parts.push(said("{n} not in the vocabulary", { n: unknown }));
    this.figures.textContent = parts.join(" · ");
  }

  /** How many tokens end at or before a place in the text (UTF-16 units). */
  tokensBefore(place) {
    let k = 0;
    while (k < this.tokens.length && this.tokens[k].end <= place) k++;
    return k;
  }

  choose(k) {
    this.chosen = k;
    for (const [i, node] of this.nodes.entries()) {
      node.classList.toggle("chosen", i === k);
      node.setAttribute("aria-selected", String(i === k));
      node.classList.toggle("later", i > k && i < this.tokens.length);
    }
    const node = this.nodes[k];
    if (!node) return;
    this.list.setAttribute("aria-activedescendant", node.id);
    const box = this.list.getBoundingClientRect(), own = node.getBoundingClientRect();
    if (own.top < box.top || own.bottom > box.bottom) this.list.scrollTop += own.top - box.top - box.height / 3;
  }

  /** Tints token k with a class for the colour and a strength from 0 to 1; `of(k)` returns both and the words. */
  tint(of) {
    for (const [k, node] of [this.first, ...this.nodes].entries()) {
      if (!node || node.classList.contains("end")) continue;
      const [colour, strength, words] = of(k - 1);
      node.classList.remove("surprise", "with", "against");
      if (colour) node.classList.add(colour);
      node.style.setProperty("--a", `${Math.round(62 * strength)}%`);
      if (node !== this.first) {
        node.setAttribute("aria-label", `${visible(this.tokens[k - 1].token)}, ${words}`);
      }
    }
  }
}

/** Of a token's text without the blanks that follow it. */
function ownLength({ text, token, known }) {
  if (text.startsWith(token)) return token.length;
  return known ? text.length : text.trimEnd().length || text.length;
}

const shown = text => text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}]/gu, c => (c === "\n" || c === "\t" ? c : codePoint(c)));

function precise(value) {
  return value >= 1e5 ? value.toExponential(2) : value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
