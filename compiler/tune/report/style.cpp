// The report's style sheet. It has no angle brackets and no ampersands, so that it stands in XML as it is.
#include "compiler/tune/report/markup.h"

namespace convc {

const char *const report_style = R"(
:root { --paper: #fff; --ink: #1f2430; --soft: #5f6875; --line: #dfe3e8; --band: #f4f6f8; --blue: #2f7bd6;
  --orange: #d9731a; --green: #23894f; --red: #cf4444; color-scheme: light dark; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #15181d; --ink: #e4e7eb; --soft: #9aa4b0; --line: #323944; --band: #1d2128; --blue: #5ea1f0;
    --orange: #ef9648; --green: #4bbd7f; --red: #f07272; }
}
body { margin: 0 auto; padding: 24px 28px 60px; max-width: 1240px; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
h1 { font-size: 22px; margin: 0 0 2px; }
h2 { font-size: 18px; margin: 44px 0 6px; padding-top: 12px; border-top: 2px solid var(--line); overflow-wrap: anywhere; }
h2 a { color: var(--soft); text-decoration: none; margin-right: 6px; }
h3 { font-size: 14px; margin: 26px 0 4px; }
h4 { font-size: 13px; margin: 18px 0 4px; color: var(--soft); font-weight: 600; }
a { color: var(--blue); }
code { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
code b { color: var(--orange); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1px 14px; margin: 8px 0 14px; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
small, .legend { color: var(--soft); font-size: 12px; font-weight: 400; }
.legend { margin: 4px 0 10px; }
.legend svg { vertical-align: -3px; margin-left: 10px; }
.totals { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0; }
.totals div { background: var(--band); border-radius: 6px; padding: 8px 16px; color: var(--soft); font-size: 12px; }
.totals b { display: block; color: var(--ink); font-size: 20px; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th { color: var(--soft); font-weight: 600; font-size: 12px; vertical-align: bottom; border-bottom: 1px solid var(--line); }
th, td { text-align: right; padding: 3px 10px 3px 0; }
td { vertical-align: top; border-bottom: 1px solid var(--band); white-space: nowrap; }
.wide { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 150px; }
.words { text-align: left; white-space: normal; min-width: 110px; }
.better { color: var(--green); font-weight: 600; }
.multiples { display: flex; flex-wrap: wrap; gap: 6px 8px; }
svg { max-width: 100%; height: auto; display: block; font: 12px system-ui, -apple-system, "Segoe UI", Helvetica, Arial,
  sans-serif; }
.legend svg { display: inline; }
.multiples svg { flex: none; }
/* What lies behind a text stays clear of it. */
text { fill: var(--ink); text-anchor: middle; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
text.small { font-size: 11px; fill: var(--soft); }
text.strong { font-weight: 600; fill: var(--ink); }
text.left { text-anchor: start; }
text.right { text-anchor: end; }
.grid { stroke: var(--line); fill: none; }
.default { stroke: var(--soft); stroke-width: 1.2; stroke-dasharray: 5 3; fill: none; }
.noise { fill: var(--soft); fill-opacity: 0.13; }
.roof { stroke: var(--soft); stroke-width: 1.4; fill: none; }
.new, .known { stroke-linecap: round; stroke-width: 5; fill: none; }
.new { stroke: var(--blue); stroke-opacity: 0.75; }
.known { stroke: var(--soft); stroke-opacity: 0.6; }
.slow { fill: var(--soft); fill-opacity: 0.75; }
.failed { stroke: var(--red); stroke-width: 1.5; fill: none; }
.best { stroke: var(--green); stroke-width: 1.6; fill: none; }
.least { stroke: var(--green); stroke-width: 2; fill: none; }
.winner { stroke: var(--orange); stroke-width: 2; fill: none; pointer-events: all; }
.arrow { fill: none; stroke: currentColor; stroke-width: 1.4; }
.arrow .tip { fill: currentColor; stroke: none; }
.key { margin-left: 12px; }
.key, .whole { white-space: nowrap; }
.key::before { content: "\25cf\a0"; }
.family0 { color: #3f8ae0; } .family1 { color: #e0822b; } .family2 { color: #36a269; } .family3 { color: #9668d8; }
.family4 { color: #1f9fa8; } .family5 { color: #d65454; } .family6 { color: #c45f9e; } .family7 { color: #8c8f2a; }
.family8 { color: #7a828e; }
@page { size: landscape; margin: 12mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 11px; }
  .scroll { overflow: visible; }
  table { font-size: 10px; }
  code { font-size: 9px; }
  .wide { min-width: 90px; }
  h2, h3, h4 { break-after: avoid; }
  svg, tr, .totals { break-inside: avoid; }
}
)";

}  // namespace convc
