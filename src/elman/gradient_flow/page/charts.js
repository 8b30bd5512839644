// Charts: lines and bands in SVG, coloured by the style sheet, and a heat map on a canvas.

const SVG = "http://www.w3.org/2000/svg";
function svg(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

// options: x, y: axis labels · log: y values are log10 · series {x, y, low, high, style, label, dash, unscaled} ·
// marks {x | y, label, style} · range [low, high] of y · height · zero: y starts at 0. A band has low and high instead
// of y; the y axis ignores `unscaled` series.
function lineChart(box, options) {
  box.textContent = "";
  const width = Math.max(box.clientWidth, 260), height = options.height || 250;
  const left = 58, right = 22, top = 12, bottom = 42;
  const known = values => (values || []).filter(v => v !== null && Number.isFinite(v));
  const xs = options.series.flatMap(s => known(s.x));
  const ys = options.series.filter(s => !s.unscaled).flatMap(s => [...known(s.y), ...known(s.low), ...known(s.high)]);
  if (!xs.length || !ys.length) { box.textContent = said("Nothing to draw: all values are zero."); return; }
  const xRange = [Math.min(...xs), Math.max(...xs)];
  if (xRange[0] === xRange[1]) { xRange[0] -= 1; xRange[1] += 1; }
  let range = options.range || [Math.min(...ys), Math.max(...ys)];
  if (!options.range) {
    for (const mark of options.marks || []) if (mark.y !== undefined) range = [Math.min(range[0], mark.y), Math.max(range[1], mark.y)];
    const more = (range[1] - range[0]) * 0.06 || (options.log ? 0.5 : Math.abs(range[1]) * 0.1 || 1);
    range = options.zero ? [0, range[1] * 1.08 || 1] : [range[0] - more, range[1] + more];
  }
  const X = x => left + (x - xRange[0]) / (xRange[1] - xRange[0]) * (width - left - right);
  const Y = y => top + (range[1] - y) / (range[1] - range[0]) * (height - top - bottom);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "chart", role: "img",
    "aria-label": said("{y} against {x}", { y: options.y, x: options.x }) }, box);
  const id = `clip-${lineChart.count = (lineChart.count || 0) + 1}`;
  svg("rect", { x: left, y: top, width: width - left - right, height: height - top - bottom },
    svg("clipPath", { id }, svg("defs", {}, root)));
  for (const x of ticks(...xRange, Math.min(8, width / 70), true)) {
    svg("line", { x1: X(x), x2: X(x), y1: top, y2: height - bottom, class: "grid" }, root);
    svg("text", { x: X(x), y: height - bottom + 16, class: "tick", "text-anchor": "middle" }, root, x.toLocaleString("en"));
  }
  const levels = options.log ? logTicks(...range, height / 45) : ticks(...range, height / 45).map(y => [y, plain(y)]);
  for (const [y, label] of levels) {
    svg("line", { x1: left, x2: width - right, y1: Y(y), y2: Y(y), class: "grid" }, root);
    svg("text", { x: left - 7, y: Y(y) + 4, class: "tick", "text-anchor": "end" }, root, label);
  }
  svg("text", { x: (left + width - right) / 2, y: height - 6, class: "axis", "text-anchor": "middle" }, root, options.x);
  svg("text", { transform: `translate(13 ${(top + height - bottom) / 2}) rotate(-90)`, class: "axis",
    "text-anchor": "middle" }, root, options.y);
  const plot = svg("g", { "clip-path": `url(#${id})` }, root);
  const floor = range[0] - (range[1] - range[0]);
  const finite = v => v === null || v === undefined || Number.isNaN(v) ? null : Math.max(v, floor);
  for (const s of options.series) {
    if (s.low) {
      const path = s.x.map((x, k) => [X(x), finite(s.high[k]), finite(s.low[k])]).filter(p => p[1] !== null && p[2] !== null);
      const points = [...path.map(p => `${p[0]},${Y(p[1])}`), ...path.reverse().map(p => `${p[0]},${Y(p[2])}`)];
      svg("polygon", { points: points.join(" "), class: `band ${s.style}` }, plot);
      continue;
    }
    let path = "", pen = "M";
    s.x.forEach((x, k) => {
      const y = finite(s.y[k]);
      if (y === null) { pen = "M"; return; }
      path += `${pen}${X(x).toFixed(1)} ${Y(y).toFixed(1)}`;
      pen = "L";
    });
    svg("path", { d: path, class: `line ${s.style}${s.dash ? " dash" : ""}` }, plot);
    const alone = k => finite(s.y[k - 1]) === null && finite(s.y[k + 1]) === null;  // a single point, of which a path shows nothing
    s.x.forEach((x, k) => {
      if (finite(s.y[k]) !== null && (s.dots || alone(k))) svg("circle", { cx: X(x), cy: Y(finite(s.y[k])), r: 2.5, class: `dot ${s.style}` }, plot);
    });
  }
  (options.marks || []).forEach((mark, k) => {
    const at = mark.y === undefined ? { x1: X(mark.x), x2: X(mark.x), y1: top, y2: height - bottom }
      : { x1: left, x2: width - right, y1: Y(mark.y), y2: Y(mark.y) };
    svg("line", { ...at, class: `mark ${mark.style || ""}` }, plot);
    if (!mark.label) return;
    const end = mark.y !== undefined || X(mark.x) > width - 120;
    svg("text", { x: mark.y === undefined ? X(mark.x) + (end ? -5 : 5) : width - right - 4,
      y: mark.y === undefined ? height - bottom - 7 - 15 * k : Y(mark.y) - 5, class: `tick ${mark.style || ""}`,
      "text-anchor": end ? "end" : "start" }, root, mark.label);
  });
  const named = options.series.filter(s => s.label);
  if (named.length > 1 || named.some(s => s.dash)) {
    const legend = document.createElement("p");
    legend.className = "legend";
    for (const s of named) {
      const item = document.createElement("span");
      item.className = `key ${s.style}${s.dash ? " dash" : ""}${s.low ? " band" : ""}`;
      item.textContent = s.label;
      legend.append(item, " ");
    }
    box.prepend(legend);
  }
  readOff(box, root, options, X, xRange, [left, top, height - bottom]);
}

// Shows the values under the pointer in a line below the chart.
function readOff(box, root, options, X, xRange, [left, top, low]) {
  const line = svg("line", { y1: top, y2: low, class: "cursor", visibility: "hidden" }, root);
  const out = document.createElement("p");
  out.className = "read";
  out.textContent = " ";
  box.append(out);
  root.addEventListener("pointermove", event => {
    const scale = root.viewBox.baseVal.width / root.getBoundingClientRect().width;
    const px = (event.clientX - root.getBoundingClientRect().left) * scale;
    const first = options.series.find(s => s.y);
    if (!first || px < left - 4) return;
    let at = first.x[0];
    for (const s of options.series) for (const x of s.x) if (Math.abs(X(x) - px) < Math.abs(X(at) - px)) at = x;
    line.setAttribute("x1", X(at));
    line.setAttribute("x2", X(at));
    line.setAttribute("visibility", "visible");
    const values = options.series.filter(s => s.y && s.label !== undefined && s.x.includes(at))
      .map(s => { const y = s.y[s.x.indexOf(at)]; return `${s.label || options.y} ${options.log ? scientific(y) : plain(y)}`; });
    out.textContent = `${options.x.replace(/,.*/, "")} ${at.toLocaleString("en")}: ${values.join(", ")}`;
  });
  root.addEventListener("pointerleave", () => { line.setAttribute("visibility", "hidden"); out.textContent = " "; });
}

// o.value(column, row) is a log10; row 0 is at the top unless o.up. Returns a function from a pointer event to
// [column, row], or null outside the map.
function heatMap(canvas, o) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = o.height || width - 34;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const c = canvas.getContext("2d"), left = 44, top = 6, right = 62, bottom = 36;
  const w = width - left - right, h = height - top - bottom;
  const key = `${o.name}|${o.columns}|${o.rows}|${o.low}`;
  if (canvas.key !== key) {  // the picture is drawn once for each table
    canvas.key = key;
    canvas.picture = new OffscreenCanvas(o.columns, o.rows);
    const image = new ImageData(o.columns, o.rows);
    for (let row = 0; row < o.rows; row++) for (let column = 0; column < o.columns; column++) {
      const v = o.value(column, row);
      if (v === null || !Number.isFinite(v)) continue;
      const rgb = viridis((v - o.low) / (o.high - o.low || 1)), at = 4 * ((o.up ? o.rows - 1 - row : row) * o.columns + column);
      image.data.set([...rgb, 255], at);
    }
    canvas.picture.getContext("2d").putImageData(image, 0, 0);
  }
  const soft = colour("--soft");
  c.scale(ratio, ratio);
  c.clearRect(0, 0, width, height);
  c.imageSmoothingEnabled = false;
  c.drawImage(canvas.picture, left, top, w, h);
  c.font = "12px system-ui, sans-serif";
  c.fillStyle = c.strokeStyle = soft;
  c.strokeRect(left - 0.5, top - 0.5, w + 1, h + 1);
  c.textAlign = "center";
  const at = (k, n, size) => (k + 0.5) / n * size;
  for (const k of ticks(0, o.columns - 1, Math.min(6, w / 55), true))
    c.fillText(o.columnLabel ? o.columnLabel(k) : k, left + at(k, o.columns, w), top + h + 15);
  c.fillText(o.x, left + w / 2, top + h + 31);
  c.textAlign = "right";
  for (const k of ticks(0, o.rows - 1, Math.min(6, h / 40), true))
    c.fillText(k, left - 6, top + at(o.up ? o.rows - 1 - k : k, o.rows, h) + 4);
  c.save();
  c.translate(11, top + h / 2);
  c.rotate(-Math.PI / 2);
  c.textAlign = "center";
  c.fillText(o.y, 0, 0);
  c.restore();
  for (let y = 0; y < h; y++) {  // the colour bar
    c.fillStyle = `rgb(${viridis(1 - y / h)})`;
    c.fillRect(left + w + 12, top + y, 10, 1.5);
  }
  c.fillStyle = soft;
  c.textAlign = "left";
  for (const [d, label] of logTicks(o.low, o.high, 6)) {
    c.fillText((o.clipped && d <= o.low + 1e-9 ? "≤" : "") + label, left + w + 25, top + (o.high - d) / (o.high - o.low || 1) * h + 4);
  }
  for (const { row, column, strong } of o.marks || []) {
    const x = column === undefined ? 0 : column / o.columns * w, y = row / o.rows * h;
    const box = [left + x - 1, top + y - 1, (column === undefined ? (row + 1) / o.columns * w : w / o.columns) + 2, h / o.rows + 2];
    for (const [wide, ink] of [[3, "#fff"], [1.2, strong ? colour("--mark") : "#000"]]) {  // visible on every colour
      c.lineWidth = wide;
      c.strokeStyle = ink;
      c.strokeRect(...box);
    }
  }
  c.setTransform(1, 0, 0, 1, 0, 0);
  return event => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - left) / w * o.columns);
    const row = Math.floor((event.clientY - box.top - top) / h * o.rows);
    return column >= 0 && column < o.columns && row >= 0 && row < o.rows ? [column, o.up ? o.rows - 1 - row : row] : null;
  };
}
