/**
 * The style of a page. `light-dark` follows what the reader's system wants, or what the reader picks at the
 * top; no script is needed for it.
 */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f4f5f7, #0e1116);
  --card: light-dark(#ffffff, #171b22);
  --ink: light-dark(#1c2128, #e4e8ee);
  --quiet: light-dark(#57606a, #a0a9b4);
  --rule: light-dark(#d9dde3, #323944);
  --source: light-dark(#c2570c, #f0a35e);
  --artifact: light-dark(#1f6feb, #6cb0ff);
  --good: light-dark(#116329, #5bd07f);
  --bad: light-dark(#b3261e, #ff9a90);
  --mark: light-dark(#fff0b8, #57460f);
}
:root:has(#light:checked) { color-scheme: light; }
:root:has(#dark:checked) { color-scheme: dark; }
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; overflow-wrap: anywhere;
}
header, main { max-width: 1120px; margin: 0 auto; padding: 0 16px; }
header { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: center; justify-content: space-between; padding-top: 20px; }
h1 { font-size: 22px; margin: 0; }
h2 { font-size: 19px; margin: 0 0 4px; }
h3 { font-size: 15px; margin: 0 0 2px; }
p { margin: 0; }
fieldset { border: 1px solid var(--rule); border-radius: 999px; margin: 0; padding: 2px 10px; display: flex; gap: 12px; font-size: 13px; }
fieldset label { display: flex; gap: 4px; align-items: center; }
legend { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
main > section { padding: 20px 0 28px; }
main > section + section { border-top: 1px solid var(--rule); }
.verdict b { padding: 1px 9px; border-radius: 999px; border: 1px solid currentcolor; font-size: 13px; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.failures { margin: 8px 0 0; padding-left: 20px; color: var(--bad); }
.measures { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; margin: 16px 0; }
.measures div, article, .facts { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
.measures div { padding: 10px 14px; }
.measures dt { color: var(--quiet); font-size: 13px; }
.measures dd { margin: 0; }
.measures .value { font-size: 23px; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
.measures small, .note, small { color: var(--quiet); font-size: 13px; }
.panels { display: grid; grid-auto-flow: dense; margin-top: 16px; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
article { padding: 14px 16px; min-width: 0; display: flex; flex-direction: column; gap: 10px; }
.wide { grid-column: 1 / -1; }
article > details { margin-top: auto; }
summary { cursor: pointer; color: var(--quiet); font-size: 13px; }
.scroll { overflow-x: auto; }
.plot { display: block; width: 100%; height: auto; }
svg text { fill: var(--quiet); font-size: 12px; font-family: inherit; }
.grid { stroke: var(--rule); stroke-width: 1; }
.axis { stroke: var(--quiet); stroke-width: 1; }
.line { fill: none; stroke: var(--artifact); stroke-width: 2; stroke-linejoin: round; }
.artifact { fill: var(--artifact); background: var(--artifact); }
.source { fill: var(--source); background: var(--source); }
.hollow { fill: var(--card); stroke: var(--artifact); stroke-width: 2; }
.marker line { stroke: var(--ink); stroke-dasharray: 4 3; }
.marker text { fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
.treemap rect { stroke: var(--card); stroke-width: 1; }
.treemap .outline { fill: none; stroke-width: 2.5; }
.treemap .name { fill: #000000; pointer-events: none; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0; padding: 0; font-size: 13px; }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; vertical-align: bottom; }
th, td { padding: 3px 12px 3px 0; }
tbody tr { border-top: 1px solid var(--rule); }
.right { text-align: right; }
.scroll td { overflow-wrap: normal; }
.scroll td.long { min-width: 220px; overflow-wrap: anywhere; }
.heat { border-collapse: separate; border-spacing: 2px; width: 100%; }
.heat.outside { width: auto; align-self: flex-start; }
.heat th { font-weight: 400; color: var(--quiet); overflow-wrap: normal; padding: 2px 6px 2px 0; line-height: 1.25; }
.heat td { text-align: center; padding: 4px 6px; border-radius: 4px; overflow-wrap: normal; min-width: 52px; }
.heat td[style] { box-shadow: inset 0 0 0 1px light-dark(transparent, #56698c); }
.heat thead th + th { text-align: center; padding: 2px; }
.ramp { display: flex; gap: 8px; align-items: center; font-size: 13px; color: var(--quiet); }
.ramp .bar { flex: 1; max-width: 220px; height: 10px; border-radius: 5px; }
.worst { margin: 0; padding: 0; list-style: none; display: grid; gap: 14px; }
.worst li + li { border-top: 1px solid var(--rule); padding-top: 12px; }
.where { font-size: 13px; color: var(--quiet); }
.where b { color: var(--ink); }
.text, .facts dd { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 13px; }
.text { white-space: pre-wrap; margin: 2px 0 4px; }
mark { background: var(--mark); color: inherit; border-radius: 3px; padding: 1px 0; box-shadow: inset 0 -2px var(--artifact); }
dl { margin: 0; }
.worst dl, .facts dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0 12px; font-size: 13px; }
.worst dt, .facts dt { color: var(--quiet); }
.worst dd, .facts dd { margin: 0; }
.facts { margin-top: 16px; padding: 14px 16px; }
.facts h3 { margin-bottom: 6px; }
.facts dl { row-gap: 3px; }
@media (max-width: 760px) {
  .panels { grid-template-columns: minmax(0, 1fr); }
  article { grid-row: auto !important; }
  .heat { font-size: 12px; }
  .heat td { min-width: 38px; padding: 4px 2px; }
  .measures { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .facts dl { grid-template-columns: minmax(0, 1fr); }
  .facts dd { margin-bottom: 6px; }
}
@media print {
  :root { color-scheme: light; }
  fieldset { display: none; }
  article { break-inside: avoid; }
}
`;
