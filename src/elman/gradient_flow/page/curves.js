// The page of learning curves: one chart, of perplexities on a logarithmic axis.

function drawCurves() {
  const log = DATA.measure === "perplexity", scaled = values => log ? values.map(v => v > 0 ? Math.log10(v) : null) : values;
  const series = [];
  DATA.curves.forEach((curve, k) => {
    const style = `s${k % 6}`, dots = curve.at.length < 40;
    const name = what => DATA.curves.length > 1 ? `${curve.label}, ${what}` : what;
    series.push({ x: curve.at, y: scaled(curve.valid), style, label: name(said("validation")), dots });
    if (DATA.measure !== "wrong") series.push({ x: curve.at, y: scaled(curve.train), style, label: name(said("training")), dash: true });
  });
  lineChart($("#curves"), { x: DATA.x, y: DATA.y, log, series, height: 420, zero: DATA.measure === "wrong" });
}
drawCurves();
addEventListener("resize", drawCurves);
