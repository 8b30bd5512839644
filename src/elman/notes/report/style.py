"""The style sheet of the HTML report: system fonts, light and dark, narrow and print.

The colours (after Okabe and Ito) are distinct for every kind of colour vision; each verdict also has a sign and words.
"""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--page:#fdfdfb;--ink:#1d2126;--soft:#5d6672;--line:#dfe2e0;--card:#fff;--code:#f1f2ee;
--good:#00618f;--otherwise:#8a5a00;--unknown:#8d3a76;--bad:#b63a00;--neutral:#68717c;
--good-tint:#e5f1f8;--otherwise-tint:#fdf2d6;--unknown-tint:#f8e9f3;--bad-tint:#fdeae1;--neutral-tint:#eff1f2}
@media(prefers-color-scheme:dark){:root{--page:#15181c;--ink:#e4e6e8;--soft:#9aa4b0;--line:#30363d;--card:#1b1f25;
--code:#22272e;--good:#6cc0f0;--otherwise:#ecbe58;--unknown:#e29acb;--bad:#ff9466;--neutral:#98a2ad;
--good-tint:#132c3c;--otherwise-tint:#372c12;--unknown-tint:#37202f;--bad-tint:#3e2217;--neutral-tint:#262b31}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0 auto;padding:2.5rem 1.25rem 4rem;max-width:54rem;background:var(--page);color:var(--ink);
font:1.0625rem/1.65 ui-serif,"Iowan Old Style","Palatino Linotype",Palatino,"Source Serif 4","Noto Serif",
"Noto Serif CJK SC",
"Songti SC",Georgia,serif;overflow-wrap:break-word}
header,footer,.badge,.explanation,.label,.where,.edits,.counts,.kind,th{font-family:system-ui,-apple-system,"Segoe UI",
Roboto,
"Noto Sans","Noto Sans CJK SC","PingFang SC",sans-serif}
math{font-family:"Latin Modern Math","STIX Two Math","Cambria Math","Libertinus Math",
"STIX Math","XITS Math","TeX Gyre Termes Math","DejaVu Math TeX Gyre","Noto Sans Math",math;font-size:1.06em}
header{padding-bottom:1.5rem;margin-bottom:2rem;border-bottom:1px solid var(--line);font-size:.95rem;line-height:1.5}
header h1{margin:.1rem 0 .6rem;font-size:1.7rem;line-height:1.2;letter-spacing:-.01em}
header h2{margin:1.6rem 0 .4rem;font-size:.8rem;letter-spacing:.07em;text-transform:uppercase;color:var(--soft)}
.kind{margin:0;font-size:.8rem;letter-spacing:.07em;text-transform:uppercase;color:var(--soft)}
.sum{margin:.2rem 0 .9rem;font-size:1.05rem}
.bar{display:flex;gap:2px;height:.6rem;border-radius:.3rem;overflow:hidden}
.bar span{min-width:.4rem}
.bar .good{background:var(--good)}.bar .neutral{background:var(--neutral)}.bar .otherwise{background:var(--otherwise)}
.bar .unknown{background:var(--unknown)}.bar .bad{background:var(--bad)}
.counts{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:.6rem 0 0;padding:0;list-style:none;color:var(--soft)}
.counts b{color:var(--ink)}
.counts .sign{display:inline-block;width:1.2em;font-weight:700}
.counts .good .sign{color:var(--good)}.counts .otherwise .sign{color:var(--otherwise)}
.counts .bad .sign{color:var(--bad)}
.counts .unknown .sign{color:var(--unknown)}
.list,.reasons{margin:0;padding:0;list-style:none}
.list a[href]{display:grid;grid-template-columns:5.5rem 12.5rem minmax(0,1fr);gap:.2rem .8rem;align-items:center;
padding:.3rem .5rem;
margin:0 -.5rem;border-radius:.4rem;color:inherit;text-decoration:none}
.list a:hover,.list a:focus-visible{background:var(--neutral-tint)}
.list .badge{justify-self:start}
.list .what{overflow-x:auto;overflow-y:hidden;white-space:nowrap;padding:.2rem 0}
.list li+li a[href]{border-top:1px solid var(--line);border-radius:0}
.reasons li{padding:.3rem 0}
.reasons li+li{border-top:1px solid var(--line)}
header details{margin-top:1rem}
header details[open] summary{margin-bottom:.3rem}
button{font:600 .8rem/1.4 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;color:var(--soft);
background:var(--card);border:1px solid var(--line);border-radius:.4rem;cursor:pointer;display:none}
.scripted button{display:inline-block}
button:hover,button:focus-visible{color:var(--ink);border-color:var(--soft)}
.choose{display:flex;flex-wrap:wrap;gap:.4rem;margin:1rem 0 0}
.choose button{padding:.25rem .8rem}
.choose [aria-pressed=true]{color:var(--page);background:var(--ink);border-color:var(--ink)}
.copy{padding:0 .5rem;font-size:.7rem;font-weight:500;white-space:nowrap}
.copy.done::after{content:" ✓";color:var(--good)}
figure .copy{position:absolute;right:.8rem;bottom:-.65rem}
.explanation .copy{position:static;margin-left:auto}
.about .copy{margin-left:.4rem}
@media(hover:hover){figure>.copy{opacity:0}figure:hover>.copy,figure>.copy:focus-visible,figure>.done{opacity:1}}
[hidden]{display:none!important}
.where{color:var(--soft);font-variant-numeric:tabular-nums}
.remarks{margin:.2rem 0 0;padding-left:1.2rem}
.remarks li+li{margin-top:.3rem}
img{max-width:100%;height:auto}
main h2{margin:2.6rem 0 .8rem;font-size:1.6rem;line-height:1.25;letter-spacing:-.01em}
main h3{margin:2.2rem 0 .6rem;font-size:1.3rem;line-height:1.3}
main h4,main h5,main h6{margin:1.8rem 0 .5rem;font-size:1.1rem}
p{margin:.7rem 0}
.plain{white-space:pre-line}
a[href]{color:var(--good);text-underline-offset:.15em}
code{padding:.1em .3em;border-radius:.25em;background:var(--code);font:.88em/1.5 ui-monospace,"SF Mono",
"Cascadia Mono",
Menlo,Consolas,"DejaVu Sans Mono",monospace}
code.source{white-space:pre-wrap}
pre{margin:1rem 0;padding:.8rem 1rem;border-radius:.5rem;background:var(--code);overflow-x:auto;line-height:1.5}
pre code{padding:0;background:none}
pre.aside{white-space:pre-wrap;font-family:inherit;font-size:.97em}
pre .badge{margin-left:.6rem}
blockquote{margin:1rem 0;padding:0 1rem;border-left:3px solid var(--line);color:var(--soft)}
hr{margin:2rem 0;border:0;border-top:1px solid var(--line)}
.wide{overflow-x:auto;overflow-y:hidden;margin:1rem 0}
table{border-collapse:collapse;font-size:.95em}
th,td{padding:.35rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-size:.85em;color:var(--soft)}
.cell+.cell{margin-top:1rem}
figure{position:relative;display:grid;grid-template-columns:auto minmax(0,1fr) fit-content(16rem);margin:1.2rem 0;
padding:.35rem 0;background:var(--card);border:1px solid var(--line);border-radius:.6rem}
.row{scroll-margin-top:1.5rem}
figure .row{display:grid;grid-column:1/-1;grid-template-columns:subgrid;align-items:baseline;padding:.5rem 1rem;
border-left:4px solid transparent}
figure .row.none{border-left-color:transparent}
figure .row.good{border-left-color:var(--good)}figure .row.bad{border-left-color:var(--bad)}
figure .row.otherwise{border-left-color:var(--otherwise)}figure .row.unknown{border-left-color:var(--unknown)}
figure .row.neutral{border-left-color:var(--line)}
.row:target{outline:2px solid var(--soft);outline-offset:2px;border-radius:.4rem}
.lhs{text-align:right}
.rhs{overflow-x:auto;overflow-y:hidden;padding:.25rem .1rem}
.verdict{align-self:center;padding-left:1rem;text-align:right}
.verdict .badge{text-align:left}
.full{grid-column:1/-1;padding:.6rem 1rem;overflow-x:auto;overflow-y:hidden}
.badge{display:inline-block;padding:.12em .6em;border-radius:.7em;font-size:.8rem;line-height:1.45;font-weight:600;
vertical-align:middle;text-indent:0}
.badge.good{color:var(--good);background:var(--good-tint)}.badge.bad{color:var(--bad);background:var(--bad-tint)}
.badge.otherwise{color:var(--otherwise);background:var(--otherwise-tint)}
.badge.unknown{color:var(--unknown);background:var(--unknown-tint)}
.badge.neutral{color:var(--neutral);background:var(--neutral-tint);font-weight:500}
.quiet{display:block;margin-top:.15rem;font:.78rem/1.4 system-ui,sans-serif;color:var(--soft)}
.words{font-style:italic}
sub,sup{font-size:.75em;line-height:0}
.ref{text-decoration:none}
.explanation{grid-column:1/-1;margin:.1rem 1rem .7rem;padding:.55rem .9rem;border-radius:.45rem;font-size:.92rem;
line-height:1.55}
.explanation.good,.explanation.neutral{background:var(--neutral-tint)}.explanation.bad{background:var(--bad-tint)}
.explanation.otherwise{background:var(--otherwise-tint)}.explanation.unknown{background:var(--unknown-tint)}
.explanation p{margin:.25rem 0}
.explanation code{background:var(--card)}
.repair{display:flex;flex-wrap:wrap;gap:.2rem .9rem;align-items:center;margin:.4rem 0;padding:.45rem .8rem;
border-radius:.4rem;background:var(--card)}
.repair .label{min-width:3.6rem;font-size:.78rem;font-weight:700;color:var(--good)}
.repair .math{overflow-x:auto;overflow-y:hidden;padding:.4rem .1rem;max-width:100%}
.counterexample{font-variant-numeric:tabular-nums}
.values{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;align-items:center;overflow-x:auto;overflow-y:hidden;
padding:.4rem 0;font-size:.92em}
.edits{font-size:.82rem;color:var(--soft)}
aside.row{margin:.6rem 0 1rem;border:1px solid var(--line);border-left:4px solid var(--bad);border-radius:.5rem;
background:var(--card)}
aside.row.otherwise{border-left-color:var(--otherwise)}aside.row.unknown{border-left-color:var(--unknown)}
aside.row.good,aside.row.neutral{border-left-color:var(--good)}
.about{padding:.6rem 1rem .4rem;overflow-x:auto;overflow-y:hidden}
.shape{padding:.35em .3em 0;font-family:system-ui,sans-serif;font-size:.62em;color:var(--soft);math-style:compact}
details summary{cursor:pointer;color:var(--soft)}
footer{margin-top:3.5rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.85rem;color:var(--soft)}
@media(max-width:40rem){body{padding:1.4rem .9rem 3rem;font-size:1rem}
.list a[href]{grid-template-columns:auto 1fr}.list .what{grid-column:1/-1}
figure .row{padding:.5rem .7rem}
.verdict{grid-column:1/-1;padding:.2rem 0 0;text-align:left}.explanation{margin:.1rem .7rem .7rem}}
@media print{:root{color-scheme:light;--page:#fff}.rhs,.about,.wide,.full,.repair .math{overflow:visible}
body{max-width:none;padding:0;font-size:10.5pt}figure,aside.row,
.explanation{break-inside:avoid}
h2,h3,h4{break-after:avoid}.bar,.badge,.explanation{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.list a{break-inside:avoid}button{display:none!important}}
"""
