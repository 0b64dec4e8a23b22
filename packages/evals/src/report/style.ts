/** The style sheet of reports: light and dark by the reader's choice, one column on a phone. */
import { Html } from './html.ts';

/** Lines in the order of Okabe and Ito's palette, which colour-blind people can tell apart; lighter on dark. */
export const style = new Html(`
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#59636e;--rule:#d5dbe1;--panel:#f6f8fa;--good:#1a7f37;--bad:#b3261e;--shade-color:#e8703a;
--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#b0578d;--c4:#9a7500;--c5:#3b9bd1;--c6:#6f4ec9;--c7:#555}
@media (prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e4e8ec;--soft:#9aa5b1;--rule:#333b45;--panel:#181e25;--good:#4fc26b;--bad:#ff7b72;--shade-color:#b4481a;
--c0:#56a8e0;--c1:#f08a3c;--c2:#2fc79a;--c3:#dd8fbd;--c4:#e0b93c;--c5:#9fd3f5;--c6:#a58cf0;--c7:#b5b5b5}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--rule)}
p{margin:.4rem 0;max-width:60rem}.tag,figcaption,.note{color:var(--soft);font-size:.875rem}
.verdict{font-size:1.15rem;font-weight:600;border-left:4px solid var(--soft);padding-left:.6rem}.verdict.better{border-color:var(--good)}.verdict.worse{border-color:var(--bad)}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.2rem 1rem;margin:1rem 0}dt{color:var(--soft)}dd{margin:0}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal;overflow-wrap:anywhere;min-width:7rem}thead th{color:var(--soft);font-weight:500}tr.sum td{font-weight:600;border-bottom:0}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));gap:1rem}
figure{margin:0}.chart{background:var(--panel);border-radius:.5rem;padding:.6rem}.chart svg{display:block;width:100%;height:auto}
.chart figcaption{color:var(--fg)}.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.tick{fill:var(--soft);font-size:11px}
.line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}.line.strong{stroke-width:3.2}.total{--c:var(--fg)}.line.raw{stroke-width:1;opacity:.35}.dashed{stroke-dasharray:4 3}.dot{fill:var(--c)}.band{fill:var(--c);opacity:.15}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}
.legend{display:flex;flex-wrap:wrap;gap:.1rem .9rem;list-style:none;margin:.4rem 0 0;padding:0;font-size:.8rem}.key{display:inline-block;width:1.1rem;border-top:3px solid var(--c);vertical-align:middle;margin-right:.3rem}.key.dashed{border-top-style:dashed}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,19rem),1fr));gap:1rem}.card,.trace{background:var(--panel);border-radius:.5rem;padding:.7rem}.card p{margin:0}.prompt{font-weight:600}
.row{display:flex;flex-wrap:wrap;gap:.7rem;margin-top:.4rem}.row figure{width:128px}.strips{display:grid;gap:1rem}
img{display:block;max-width:100%;height:auto;border-radius:.25rem}img.pixels{image-rendering:pixelated}
figcaption{margin-top:.3rem}figure.right img{outline:3px solid var(--good)}figure.wrong img{outline:3px solid var(--bad)}
.no-picture{display:flex;width:128px;height:128px;align-items:center;justify-content:center;border:1px dashed var(--rule);color:var(--soft);font-size:.8rem}
.traces{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,30rem),1fr));gap:1rem}.trace{display:flex;flex-wrap:wrap;align-items:flex-start;gap:.8rem}.trace>div{flex:1 1 14rem;min-width:0}.trace p:first-child{margin-top:0}
.tokens{line-height:2.9}.token{display:inline-flex;flex-direction:column;align-items:center;line-height:1.25;padding:.1rem .3rem;border-radius:.25rem;white-space:pre-wrap;vertical-align:middle;max-width:100%;background:color-mix(in srgb,var(--shade-color) var(--shade),transparent)}.token small{font-size:.7rem}
pre{overflow-x:auto;background:var(--panel);padding:.7rem;border-radius:.5rem;font-size:.8rem}code{font-family:ui-monospace,monospace}
.guard-stop{color:var(--bad)}
@media (max-width:34rem){body{padding:.7rem}table{font-size:.8rem}th,td{padding:.25rem .3rem;white-space:normal}th:first-child,td:first-child{min-width:5.6rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}}
`);
