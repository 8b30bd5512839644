// Reading a text: what each model says of each token, what may come next, and where a prediction's gradient comes from.

import { ask } from "./server.js";
import { startSampling } from "./sampling.js";
import { Panel, element, number, percent, visible } from "./tokens.js";
import { said } from "./words.js";

const WAIT = 200;  // ms without a key pressed before a text is read
const BARS = 12;
const DECADES = 3;  // of the norms: from no tint to the strongest
const MOST_DIFFERENCE = 6;  // bits: the strongest tint
const get = id => document.getElementById(id);
const value = name => document.querySelector(`input[name=${name}]:checked`).value;

export function startReading(models, report) {
  const text = get("text");
  let panels = [], place = 0, exact = null, target = null;
  let reading = null, looking = null, timer = 0;
  let seen = null;  // the text that the panels show

  /** The chosen models become panels. */
  function choose() {
    const ids = [get("model").value, get("other").value].filter((id, k, all) => id && all.indexOf(id) === k);
    panels = ids.map((id, k) => new Panel(models.find(model => model.id === id), k, token => chooseToken(k, token)));
    get("panels").replaceChildren(...panels.map(panel => panel.node));
    const layers = Math.max(...panels.map(panel => panel.model.layers));
    get("layer").replaceChildren(...Array.from({ length: layers }, (_, n) => element("option", { value: n }, n)));
    exact = target = seen = null;
    read();
  }

  /** Asks for the surprise of each token; a later text ends the question. */
  async function read() {
    reading?.abort();
    const own = reading = new AbortController(), current = text.value;
    get("state").textContent = said("Reading …");
    try {
      const answers = await Promise.all(panels.map(panel =>
        ask("/page/surprise", { model: panel.model.id, text: current }, own.signal)));
      if (own.signal.aborted) return;
      seen = current;
      panels.forEach((panel, k) => panel.show(answers[k]));
      get("state").textContent = "";
      report(null);
      showDifference();
      look();
    } catch (error) {
      failed(error);
    }
  }

  function failed(error) {
    if (error.name === "AbortError") return;
    get("state").textContent = "";
    report(error);
  }

  /** Whether the two models cut the text in the same tokens. */
  function alike() {
    const [a, b] = panels;
    return Boolean(b) && a.tokens.length === b.tokens.length && a.tokens.every((token, k) => token.begin === b.tokens[k].begin);
  }

  function showDifference() {
    const radio = get("tint-difference"), can = alike();
    radio.disabled = !can;
    radio.nextElementSibling.hidden = !can;
    if (!can && radio.checked) get("tint-surprise").checked = true;
  }

  function chooseToken(k, token) {
    const panel = panels[k];
    place = panel.tokens[token]?.begin ?? text.value.length;
    exact = { panel, token };
    target = null;
    if (document.activeElement !== text) text.setSelectionRange(place, place);
    look();
  }

  /** Asks what may come at the chosen place, and for its gradient where that is shown. */
  async function look() {
    if (seen === null) return;
    looking?.abort();
    const own = looking = new AbortController();
    for (const panel of panels) panel.choose(exact?.panel === panel ? exact.token : panel.tokensBefore(place));
    tint();
    const mode = value("tint");
    get("weight").hidden = mode !== "gradient";
    get("of-layer").hidden = mode !== "gradient" || get("layer").options.length < 2;
    get("panels").classList.toggle("dimmed", mode === "gradient");
    try {
      const found = await Promise.all(panels.map(panel => ask("/page/next",
        { model: panel.model.id, text: seen, at: panel.chosen, top: BARS }, own.signal)));
      if (own.signal.aborted) return;
      showNext(found);
      panels.forEach((panel, k) => panel.tell(sentence(panel, found[k])));
      if (mode !== "gradient") return;
      const flows = await Promise.all(panels.map((panel, k) => gradientOf(panel, k, own.signal)));
      if (own.signal.aborted) return;
      panels.forEach((panel, k) => showGradient(panel, flows[k]));
    } catch (error) {
      failed(error);
    }
  }

  async function gradientOf(panel, k, signal) {
    const wanted = target?.panel === k ? { target: target.id } : {};
    wanted.layer = Math.min(Number(get("layer").value), panel.model.layers - 1);
    return ask("/page/gradient", { model: panel.model.id, text: seen, at: panel.chosen, weight: value("weight"), ...wanted }, signal);
  }

  // --- what is shown ---

  function sentence(panel, next) {
    const token = panel.tokens[panel.chosen];
    if (!token) return said("After the text: {bits} bits of uncertainty.", { bits: number(next.entropy) });
    const name = token.known ? `“${visible(token.token)}”`
      : said("“{text}” is not in the vocabulary; {token}", { text: token.text.trim(), token: visible(token.token) });
    const { actual, rank } = next;
    return said("{token}: {bits} bits, probability {p}, rank {rank} of {all}; {expected} bits were expected.", {
      token: name, bits: number(token.bits), p: percent(actual.probability), rank: rank.toLocaleString("en"),
      all: panel.model.vocabulary.toLocaleString("en"), expected: number(next.entropy),
    });
  }

  function tint() {
    const mode = value("tint"), [a, b] = panels;
    showScale(mode);
    panels.forEach((panel, k) => panel.tint(i => {
      const token = panel.tokens[i];
      if (!token || mode === "gradient") return [null, 0, token ? bits(token) : ""];
      if (mode === "surprise") return ["surprise", Math.min(1, token.bits / Math.log2(panel.model.vocabulary)), bits(token)];
      const more = token.bits - (k ? a : b).tokens[i].bits;
      return [more > 0 ? "against" : "with", Math.min(1, Math.abs(more) / MOST_DIFFERENCE),
        more > 0 ? said("{bits}, {n} more than {model}", than(token, more, k ? a : b))
          : said("{bits}, {n} fewer than {model}", than(token, more, k ? a : b))];
    }));
  }

  const bits = token => token.known ? said("{bits} bits", { bits: number(token.bits) })
    : said("{bits} bits, not in the vocabulary", { bits: number(token.bits) });
  const than = (token, more, other) => ({ bits: bits(token), n: number(Math.abs(more)), model: other.model.id });

  function showGradient(panel, flow) {
    const norms = flow.log10_norms.map(norm => norm ?? -Infinity), top = Math.max(...norms);
    const signed = flow.shares !== null;
    panel.tint(k => {
      const i = k - flow.first, token = panel.tokens[k];
      if (!(i in norms)) return [null, 0, token ? bits(token) : ""];
      const strength = top > -Infinity ? Math.max(0, 1 - (top - norms[i]) / DECADES) : 0, share = signed ? flow.shares[i] : 1;
      const words = signed ? said("norm {norm}, share {share}", { norm: scientific(norms[i]), share: `${(100 * share).toFixed(1)}%` })
        : said("norm {norm}", { norm: scientific(norms[i]) });
      return [share < 0 ? "against" : "with", strength, words];
    });
    const cut = flow.first > 0 ? said(" Only the last {n} steps are decomposed.", { n: norms.length }) : "";
    const weight = panel.model.layers > 1 ? said("{weight} of layer {layer}", flow) : flow.weight;
    const values = { token: visible(flow.target.token), bits: number(flow.target.bits), weight, reach: flow.reach };
    panel.tell((flow.reach === 1
      ? said("The gradient of predicting “{token}” ({bits} bits) with respect to {weight}: 95% of the contributions’ norms are within 1 step.", values)
      : said("The gradient of predicting “{token}” ({bits} bits) with respect to {weight}: 95% of the contributions’ norms are within {reach} steps.",
        values)) + cut);
  }

  function showScale(mode) {
    const items = {
      surprise: panels.slice(0, 1).map(panel => ["ramp surprise", said("0 to {bits} bits, those of a guess among all {n} tokens",
        { bits: number(Math.log2(panel.model.vocabulary), 1), n: panel.model.vocabulary.toLocaleString("en") })]),
      gradient: [["ramp with", said("norm of the contribution, from a thousandth of the largest to the largest")],
        ["ramp against", said("the same, against this prediction’s gradient")]],
      difference: [["ramp with", said("fewer bits than the other model, up to {n}", { n: MOST_DIFFERENCE })],
        ["ramp against", said("more bits")]],
    }[mode];
    if (mode === "gradient" && !["W_h", "W_e"].includes(value("weight"))) items.pop();
    get("scale").replaceChildren(...[...items, ["box", mode === "gradient" ? said("predicted") : said("chosen")]].map(([kind, words]) =>
      element("li", {}, element("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), words)));
  }

  function showNext(found) {
    const before = panels[0].tokens.slice(Math.max(0, panels[0].chosen - 4), panels[0].chosen).map(token => visible(token.token));
    const joint = panels[0].model.level === "word" ? " " : "";
    const context = (panels[0].chosen > 4 ? "…" : "") + before.join(joint);
    get("next-where").textContent = (before.length ? said("After “{context}”. ", { context }) : said("At the beginning of a line. ")) +
      said("Choose one to see which tokens its gradient comes from.");
    const most = Math.max(...found.map(next => next.tokens[0].probability));
    get("next").replaceChildren(...found.flatMap((next, k) => bars(next, k, most)));
  }

  /** The bars of one model; the longest on the page is of the probability `most`. */
  function bars(next, k, most) {
    const rows = [...next.tokens];
    if (next.actual && !rows.some(token => token.id === next.actual.id)) rows.push(next.actual);
    const list = element("ul", { class: "bars", "aria-label": said("Next tokens of {model}", { model: panels[k].model.id }) });
    for (const token of rows) {
      const isActual = next.actual?.id === token.id, pressed = target?.panel === k && target.id === token.id;
      const bar = element("span", { class: "bar" });
      bar.style.width = `${100 * token.probability / most}%`;
      const button = element("button", {
        type: "button", "aria-pressed": String(pressed),
        "aria-label": `${visible(token.token)}, ${percent(token.probability)}${isActual ? said(", the text’s") : ""}`,
        title: said("{bits} bits", { bits: number(token.bits) }) + (isActual ? said(", the token of the text") : ""),
      }, element("span", { class: isActual ? "name actual" : "name" }, visible(token.token)),
      element("span", { class: "track" }, bar), element("span", { class: "p" }, percent(token.probability)));
      button.addEventListener("click", () => {
        target = pressed ? null : { panel: k, id: token.id };
        get("tint-gradient").checked = true;
        look().then(() => get("next").querySelectorAll("ul")[panels.length > 1 ? k : 0]?.querySelector("[aria-pressed=true]")?.focus());
      });
      list.append(element("li", {}, button));
    }
    return panels.length > 1 ? [element("h3", {}, panels[k].model.id), list] : [list];
  }

  function scientific(log10) {
    if (log10 === -Infinity) return "0";
    const exponent = Math.floor(log10);
    return exponent >= -3 && exponent < 4 ? Number((10 ** log10).toPrecision(3)).toString()
      : `${(10 ** (log10 - exponent)).toFixed(1)}e${exponent}`;
  }

  // --- what the reader does ---

  function describe(model) {
    const { level, vocabulary, hidden, layers, activation, mixture } = model;
    const parts = Object.entries(mixture ?? {}).map(([part, weight]) => `${part} ${weight.toFixed(3)}`).join(", ");
    const values = { model: model.id, level, n: vocabulary.toLocaleString("en"), hidden, activation, layers };
    return (layers > 1 ? said("{model}: level {level}, {n} tokens, {hidden} {activation} units in each of {layers} layers", values)
      : said("{model}: level {level}, {n} tokens, {hidden} {activation} units", values)) +
      (parts && said("; mixed: {parts} (the gradient is that of the network)", { parts }));
  }

  const options = () => models.map(model => element("option", { value: model.id }, model.id));
  get("model").append(...options());
  get("other").append(element("option", { value: "" }, said("none")), ...options());
  get("compare").hidden = models.length < 2;
  for (const select of [get("model"), get("other")]) {
    select.addEventListener("change", choose);
    select.title = models.map(describe).join("\n");
  }
  /** Soon after the last key: the text is read again where it has changed, else what comes at the cursor. */
  function soon() {
    place = text.selectionStart;
    exact = target = null;
    looking?.abort();
    clearTimeout(timer);
    timer = setTimeout(() => (text.value === seen ? look() : read()), WAIT);
  }

  text.addEventListener("input", soon);
  document.addEventListener("selectionchange", () => {
    if (document.activeElement === text && text.selectionStart !== place) soon();
  });
  for (const name of ["tint", "weight", "layer"]) get(name).addEventListener("change", look);

  startSampling(
    () => ({ models: panels.map(panel => panel.model), before: text.value.slice(0, place) }),
    taken => {
      text.value = taken;
      place = taken.length;
      exact = target = null;
      read();
    },
    report,
  );

  place = text.value.length;
  choose();
}
