// The page: for each network its tokens and its heat map, which follow each other; then the charts.

const DECADES = 3;  // the range of tints, of heat maps and of the charts against the lag, from the largest value down
const state = { name: "W_h" };

class Network {
  constructor(data, root) {
    this.data = data;
    this.root = root;
    this.t = data.chosen;
    this.i = null;
    this.tokens = [...root.querySelectorAll(".tok")];
    this.canvas = $("canvas", root);
    this.tables = {};
    const text = $(".text", root);
    text.addEventListener("click", event => {
      const token = event.target.closest(".tok");
      if (token && Number(token.dataset.i) > 0) this.choose(Number(token.dataset.i) - 1);
    });
    text.addEventListener("pointerover", event => {
      const token = event.target.closest(".tok");
      if (token && event.pointerType !== "touch") this.point(Number(token.dataset.i));
    });
    text.addEventListener("pointerleave", () => this.point(null));
    for (const node of [text, this.canvas]) node.addEventListener("keydown", event => this.key(event));
    this.canvas.addEventListener("pointermove", event => {
      const at = this.place(event);
      if (at && at[0] <= at[1]) this.say(at[1], at[0]);
    });
    this.canvas.addEventListener("pointerleave", () => this.say(this.t, this.i));
    this.canvas.addEventListener("click", event => {
      const at = this.place(event);
      if (at) { this.choose(at[1]); this.point(Math.min(at[0], at[1])); }
    });
  }

  get T() { return this.data.T; }
  norm(t, i) { return (this.tables[state.name] ||= table(this.data.norms[state.name]))(t, i); }

  // The signed share of step i in the gradient of loss t; null for e and h, where the steps are not added up.
  share(t, i) {
    const shares = this.data.loss_shares[state.name];
    if (!shares) return null;
    this.cosines ||= {};
    const cosine = (this.cosines[state.name] ||= new Int16Array(bytes(shares.cosines)))[triangle(t, i)] / 32767;
    const whole = shares.log10_norms[t];
    return whole === null || cosine === 0 ? 0 : cosine * 10 ** (this.norm(t, i) - whole);
  }

  choose(t, alone) {
    this.t = Math.min(Math.max(t, 0), this.T - 1);
    if (this.i !== null && this.i > this.t) this.i = null;
    if (!alone) for (const other of networks) if (other !== this && DATA.linked) other.choose(this.t, true);
    this.tint();
    this.draw();
    this.say(this.t, this.i);
  }

  point(i) {
    this.i = i !== null && i <= this.t ? i : null;
    this.tokens.forEach((token, k) => token.classList.toggle("pointed", k === this.i));
    this.draw();
    this.say(this.t, this.i);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Home") this.choose(0);
    else if (event.key === "End") this.choose(this.T - 1);
    else if (!step) return;
    else if (event.shiftKey) this.point(Math.min(Math.max((this.i ?? this.t + 1) + step, 0), this.t));
    else this.choose(this.t + step);
    event.preventDefault();
    this.show();
  }

  // Scrolls the box of the text to the predicted token, without scrolling the page.
  show() {
    const box = $(".text", this.root), token = this.tokens[this.t + 1].getBoundingClientRect(), edge = box.getBoundingClientRect();
    if (token.top < edge.top || token.bottom > edge.bottom) box.scrollTop += token.top - edge.top - edge.height * 0.7;
  }

  // Tints each token up to t: its strength is the norm of the contribution, its hue the sign of the share.
  tint() {
    let top = -Infinity;
    for (let i = 0; i <= this.t; i++) top = Math.max(top, this.norm(this.t, i));
    this.tokens.forEach((token, i) => {
      token.classList.toggle("chosen", i === this.t + 1);
      token.classList.toggle("later", i > this.t + 1);
      token.setAttribute("aria-current", i === this.t + 1 ? "true" : "false");
      const strength = i <= this.t && top > -Infinity ? 1 - (top - this.norm(this.t, i)) / DECADES : 0;
      const share = strength > 0 ? this.share(this.t, i) : null;
      token.style.backgroundColor = strength > 0
        ? `color-mix(in srgb, var(${share !== null && share < 0 ? "--against" : "--with"}) ${Math.round(6 + 69 * strength)}%, transparent)`
        : "";
    });
  }

  draw() {
    const top = this.data.tops[state.name], low = Math.max(this.data.bottoms[state.name], top - DECADES);
    const marks = [{ row: this.t }];
    if (this.i !== null) marks.push({ row: this.t, column: this.i, strong: true });
    this.place = heatMap(this.canvas, {
      name: state.name, columns: this.T, rows: this.T, low, high: top, clipped: this.data.bottoms[state.name] < low,
      value: (i, t) => i <= t ? this.norm(t, i) : null, x: said("step i"), y: said("loss t"), marks,
    });
  }

  quoted(k) { return `“${this.tokens[k].textContent}”`; }

  say(t, i) {
    const norms = Array.from({ length: t + 1 }, (_, k) => this.norm(t, k)), top = Math.max(...norms);
    const sizes = norms.map(v => top > -Infinity ? 10 ** (v - top) : 0), sum = sizes.reduce((a, b) => a + b, 0);
    let partial = 0, lag = 0;
    for (; lag <= t; lag++) if ((partial += sizes[t - lag]) >= 0.95 * sum * (1 - 1e-12)) break;
    const J = this.data.J[t], shares = this.data.loss_shares[state.name], name = DATA.letters[state.name];
    const whole = shares ? [`‖∂J/∂${name}‖ = ${scientific(shares.log10_norms[t])}`] : [];
    const far = sum === 0 ? said("no gradient flows back") : lag === 0 ? said("95 % of the contributions’ norms come from this step alone")
      : said("95 % of the contributions’ norms come from the last {n} steps", { n: lag + 1 });
    const loss = said("Loss {t} predicts {token} with probability {p} ({nats} nats)",
      { t, token: this.quoted(t + 1), p: plain(Math.exp(-J)), nats: plain(J) });
    $(".loss", this.root).textContent = [loss, ...whole, far].join(said("; ")) + said(".");
    const out = $(".step", this.root);
    if (i === null) { out.textContent = said("Point at an earlier token for its numbers."); return; }
    const share = this.share(t, i), back = t - i;
    const values = { i, token: this.quoted(i), back, norm: scientific(norms[i]), share: percent(sum ? sizes[i] / sum : 0) };
    const step = back === 1 ? said("Step {i} reads {token}, 1 step back: norm {norm}, {share} of the sum of norms", values)
      : said("Step {i} reads {token}, {back} steps back: norm {norm}, {share} of the sum of norms", values);
    const signed = share === null || share === 0 ? [] : [share < 0
      ? said("its signed share of this loss’s gradient is {share}: it works against it", { share: percent(share, true) })
      : said("its signed share of this loss’s gradient is {share}: it works with it", { share: percent(share, true) })];
    out.textContent = [step, ...signed].join(said("; ")) + said(".");
  }
}

const networks = DATA.networks.map((data, k) => new Network(data, document.getElementById(`network-${k}`)));
const style = k => `s${k % 6}`;
const lags = values => values.map((_, k) => k);

function reachOf(byLag) {
  const top = Math.max(...byLag.map(v => v ?? -Infinity)), sizes = byLag.map(v => v === null ? 0 : 10 ** (v - top));
  const sum = sizes.reduce((a, b) => a + b, 0);
  let partial = 0;
  return sizes.findIndex(size => (partial += size) >= 0.95 * sum * (1 - 1e-12));
}

// The lags that matter: to ten times the reach, or where the last curve leaves the decades that are shown.
function lastLag(curves, low) {
  const far = Math.max(...curves.map(values => values.findLastIndex(v => v !== null && v >= low))) + 1;
  return Math.max(4, Math.min(far, 10 * Math.max(1, ...curves.map(reachOf))));
}

function drawLags() {
  const box = $("#by-lag");
  if (!box) return;
  const series = [], marks = [], curves = DATA.networks.map(network => network.by_lag[state.name]);
  const high = Math.max(...curves.flat().filter(v => v !== null)), low = high - DECADES, last = lastLag(curves, low);
  DATA.networks.forEach((network, k) => {
    const norms = curves[k].slice(0, last + 1), which = DATA.networks.length > 1 ? `${network.label}: ` : "";
    series.push({ x: lags(norms), y: norms, style: style(k), label: which + said("norm") });
    series.push({ x: lags(norms), y: network.bounds[state.name].slice(0, last + 1), style: style(k), label: which + said("bound"), dash: true,
      unscaled: true });
    marks.push({ x: reachOf(curves[k]), style: style(k), label: said("reach {n}", { n: reachOf(curves[k]) }) });
  });
  $("#by-lag-title").innerHTML = WEIGHT[state.name];
  lineChart(box, { x: said("lag k, steps back"), y: said("Σ over t of the norm"), log: true, series, marks, range: [low, high + 0.5] });
}
const WEIGHT = Object.fromEntries([...document.querySelectorAll("input[name=weight]")].map(
  input => [input.value, $(`label[for="${input.id}"]`).innerHTML]));

function drawSingular(network, k) {
  const box = document.getElementById(`singular-${k}`), s = network.singular;
  if (!box) return;
  const all = s.percentiles.map((_, n) => s.log10.map(row => row[n])), finite = all[0].filter(v => v !== null);
  const high = Math.max(0, ...finite), low = Math.min(-DECADES, high - DECADES);
  const far = s.lags[all[0].findLastIndex(v => v !== null && v >= low) + 1] ?? Infinity;
  const last = Math.max(4, Math.min(far, 10 * Math.max(1, reachOf(network.by_lag.W_h))));
  const n = s.lags.filter(lag => lag <= last).length, x = s.lags.slice(0, n);
  const [largest, ninety, seventyfive, median, twentyfive, ten] = all.map(values => values.slice(0, n));
  lineChart(box, { x: said("lag k, steps back"), y: said("singular value"), log: true, range: [low, high + 0.3], marks: [{ y: 0 }],
    series: [
      { x, low: ten, high: ninety, style: "s0 wide", label: said("10 to 90 %") },
      { x, low: twentyfive, high: seventyfive, style: "s0", label: said("25 to 75 %") },
      { x, y: largest, style: "s1", label: said("largest"), dots: true },
      { x, y: median, style: "s0", label: said("median"), dots: true },
    ] });
}

function drawHistory(h, k) {
  const at = name => document.getElementById(`${name}-${k}`);
  const log10 = values => values.map(v => v > 0 ? Math.log10(v) : null);
  if (at("norms")) lineChart(at("norms"), { x: said("training step"), y: said("‖gradient‖ before clipping"), log: true,
    series: [
      { x: h.step, low: log10(h.lowest), high: log10(h.highest), style: "s0", label: said("range") },
      { x: h.step, y: log10(h.gradient_norm), style: "s0", label: said("mean") },
    ],
    marks: [...(h.clip ? [{ y: Math.log10(h.clip), style: "s1", label: said("clip {limit}", { limit: plain(h.clip) }) }] : []),
      ...h.rescues.map(x => ({ x, style: "s2", label: said("rescue") }))] });
  if (at("clipped")) lineChart(at("clipped"), { x: said("training step"), y: said("share of the steps"), height: 170, range: [0, 1.02],
    series: [{ x: h.step, y: h.clipped, style: "s1", label: said("clipped") }, { x: h.step, y: h.skipped, style: "s2", label: said("skipped") }] });
  if (!h.flow_step.length) return;
  const line = (name, y, series, more) => lineChart(at(name), { x: said("training step"), y, height: 200, ...more,
    series: series.map(([key, label, s]) => ({ x: h.flow_step, y: h.flow[key], style: s, label, dots: true })) });
  line("reach", said("reach, steps"), [["reach", said("reach"), "s0"]], { zero: true });
  line("decay", said("factor per step back"), [["decay_rate", said("decay rate"), "s0"]], { marks: [{ y: 1 }] });
  line("radius", said("of {letter}", { letter: DATA.letters.W_h }),
    [["sigma_max", said("largest singular value"), "s1"], ["spectral_radius", said("spectral radius"), "s0"]]);
  const flat = h.log10_norms_by_lag.flat().filter(v => v !== null);
  if (!flat.length) return;
  const high = flat.reduce((a, b) => Math.max(a, b)), bottom = flat.reduce((a, b) => Math.min(a, b));
  const low = Math.max(bottom, high - DECADES), last = lastLag(h.log10_norms_by_lag, low);
  heatMap(at("lens"), { name: `lens ${k}`, columns: h.flow_step.length, rows: Math.min(last + 1, h.log10_norms_by_lag[0].length), up: true,
    low, high, clipped: bottom < high - DECADES, height: 260,
    value: (column, lag) => h.log10_norms_by_lag[column][lag], x: said("training step"), y: said("lag k, steps back"),
    columnLabel: column => h.flow_step[column].toLocaleString("en") });
}

function drawAll() {
  for (const each of networks) { each.tint(); each.draw(); each.say(each.t, each.i); }
  drawLags();
  DATA.networks.forEach(drawSingular);
  DATA.histories.forEach(drawHistory);
}
for (const input of document.querySelectorAll("input[name=weight]")) input.addEventListener("change", () => {
  state.name = input.value;
  for (const node of document.querySelectorAll(".signed")) node.hidden = !["W_h", "W_e"].includes(state.name);
  drawAll();
});
let waiting = 0, seen = 0;
addEventListener("resize", () => {
  if (innerWidth === seen) return;
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => { seen = innerWidth; drawAll(); });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
addEventListener("beforeprint", drawAll);
drawAll();
for (const each of networks) each.show();

// A button copies its value, or where it has none the rows of the tables, with tabs between the columns.
const rowsOf = table => [...table.rows].map(row => [...row.cells].filter(cell => !cell.classList.contains("m"))
  .map(cell => cell.textContent.trim()).join("\t")).join("\n");
for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = button.value || [...document.querySelectorAll(".numbers")].map(rowsOf).join("\n\n");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.classList.add("done");
    button.addEventListener("blur", () => button.classList.remove("done"), { once: true });
  });
}
