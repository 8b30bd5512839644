"use strict";
// Numbers: unpacking, formatting, ticks and colours.

const DATA = JSON.parse(document.getElementById("data").textContent);
// A text of the page in its language, with its values: said("reach {n}", { n: 3 }). figure_text.py finds these calls.
const said = (text, values = {}) => (DATA.words[text] ?? text).replace(/\{(\w+)\}/g, (_, name) => values[name]);
const $ = (selector, root = document) => root.querySelector(selector);
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;
const triangle = (t, i) => t * (t + 1) / 2 + i;

// A table of the pairs i ≤ t in 16 bits each: 0 means a zero norm (-∞), n means low + (n - 1) · step.
function table(packed) {
  const codes = new Uint16Array(bytes(packed.codes));
  return (t, i) => { const n = codes[triangle(t, i)]; return n ? packed.low + (n - 1) * packed.step : -Infinity; };
}

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const power = n => "10" + String(n).replace(/./g, c => SUPERSCRIPT[c]);

// 10^log10 with three digits, also beyond the range of a float.
function scientific(log10) {
  if (log10 === -Infinity || log10 === null) return "0";
  let exponent = Math.floor(log10), mantissa = 10 ** (log10 - exponent);
  if (mantissa >= 9.995) { mantissa = 1; exponent++; }
  if (exponent >= -2 && exponent <= 3) return plain(10 ** log10);
  return `${mantissa.toFixed(2)}·${power(exponent)}`;
}
const plain = x => x === null || !Number.isFinite(x) ? "–" : 
  String(Number(x.toPrecision(3))).replace(/e\+?(-?\d+)/, (_, n) => `·${power(n)}`);
const percent = (x, sign) => {
  const p = Math.abs(100 * x), digits = p >= 9.95 || p === 0 ? 0 : p >= 0.095 ? 1 : 2;
  return (x < 0 ? "−" : sign ? "+" : "") + (p < 0.005 && p > 0 ? "<0.01" : p.toFixed(digits)) + " %";
};

// Viridis: its order is visible with every kind of colour vision, and in black and white.
const VIRIDIS = ["440154", "482475", "414487", "355f8d", "2a788e", "21918c", "22a884", "44bf70", "7ad151", "bddf26",
  "fde725"].map(c => [0, 2, 4].map(k => parseInt(c.slice(k, k + 2), 16)));
function viridis(share) {
  const x = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1), k = Math.min(Math.floor(x), VIRIDIS.length - 2);
  return VIRIDIS[k].map((c, n) => Math.round(c + (VIRIDIS[k + 1][n] - c) * (x - k)));
}

// About `count` round numbers between low and high.
function ticks(low, high, count, whole) {
  let step = (high - low) / Math.max(count, 1);
  if (!(step > 0)) return [low];
  const size = 10 ** Math.floor(Math.log10(step));
  step = [1, 2, 5, 10].map(n => n * size).find(n => n >= step * 0.999);
  if (whole) step = Math.max(1, Math.round(step));
  const found = [];
  for (let x = Math.ceil(low / step - 1e-9) * step; x <= high + step * 1e-9; x += step) {
    found.push(Math.abs(x) < step * 1e-9 ? 0 : Number(x.toPrecision(12)));
  }
  return found;
}
// For a logarithmic axis: [log10, label] of powers of ten, and of 2 and 5 times them where the axis has few.
function logTicks(low, high, count) {
  if (high - low > 2.2) return ticks(low, high, count, true).map(d => [d, power(d)]);
  const found = [];
  for (let d = Math.floor(low); d <= high; d++) for (const n of high - low > 1.2 ? [1, 3] : [1, 2, 5]) {
    const at = d + Math.log10(n);
    if (at >= low && at <= high) found.push([at, plain(n * 10 ** d)]);
  }
  return found.length > 1 ? found : ticks(low, high, count).map(d => [d, plain(10 ** d)]);
}
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
