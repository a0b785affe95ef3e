/*
 * replay_html.c - the results of replays as one HTML page: no network, opens from disk.
 */
#include "replay_print.h"

#include "cli.h"
#include "numbers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>freehold replay</title>\n"
    "<style>\n"
    ":root { color-scheme: light dark; --ink: #1c1c1c; --faint: #8a8a8a; --rule: #d8d8d8; --paper: #ffffff; --live: "
    "#e9e9e4; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --faint: #9a9a9a; --rule: #3a3a3a; --paper: "
    "#161616; --live: #2a2a28; } }\n"
    "body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; "
    "margin: 2rem auto; padding: 0 1rem; }\n"
    "h1 { font-size: 1.25rem; margin: 0; overflow-wrap: anywhere; }\n"
    "h2 { font-size: 1rem; margin: 2rem 0 .4rem; }\n"
    "p { margin: .3rem 0; color: var(--faint); }\n"
    "svg { display: block; width: 100%; height: auto; }\n"
    "svg text { font: 12px system-ui, sans-serif; fill: var(--faint); }\n"
    "table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }\n"
    "th, td { text-align: right; padding: .25rem .5rem; border-bottom: 1px solid var(--rule); font-weight: normal; }\n"
    "td { white-space: nowrap; }\n"
    "th:first-child, td:first-child { text-align: left; }\n"
    "th { color: var(--faint); }\n"
    ".key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .5em; }\n"
    ".wide { overflow-x: auto; }\n"
    "#at { min-height: 1.5em; }\n"
    "</style>\n"
    "</head>\n"
    "<body>\n";

/* Draws from `data`: names, colours, samples [ns, calls, rss, live] of each allocator. */
static const char script[] =
    "<script>\n"
    "'use strict';\n"
    "const W = 960, H = 380, L = 62, R = 12, T = 12, B = 34, NS = 'http://www.w3.org/2000/svg';\n"
    "const svg = document.getElementById('chart'), at = document.getElementById('at');\n"
    "let axis = 'calls';\n"
    "const x_of = s => axis === 'calls' ? s[1] : s[0] / 1e6, mib = b => b / 1048576;\n"
    "function add(name, attributes, text) {\n"
    "  const e = document.createElementNS(NS, name);\n"
    "  for (const k in attributes) e.setAttribute(k, attributes[k]);\n"
    "  if (text !== undefined) e.textContent = text;\n"
    "  svg.appendChild(e);\n"
    "  return e;\n"
    "}\n"
    "function step(most) {\n"
    "  const s = Math.pow(10, Math.floor(Math.log10(most / 4)));\n"
    "  return [1, 2, 5, 10].map(n => n * s).find(n => most / n <= 6);\n"
    "}\n"
    "const short = v => v >= 1e9 ? +(v / 1e9).toFixed(2) + ' G' : v >= 1e6 ? +(v / 1e6).toFixed(2) + ' M'\n"
    "  : v >= 1e3 ? +(v / 1e3).toFixed(2) + ' k' : +v.toFixed(3);\n"
    "function draw() {\n"
    "  svg.replaceChildren();\n"
    "  const all = data.flatMap(d => d.samples);\n"
    "  const xm = Math.max(...all.map(x_of), 1e-9);\n"
    "  const ym = Math.max(...all.map(s => mib(Math.max(s[2], s[3]))), 1e-6) * 1.05;\n"
    "  const px = v => L + (W - L - R) * v / xm, py = v => H - B - (H - T - B) * v / ym;\n"
    "  if (axis === 'calls') {\n"
    "    const live = data[0].samples;\n"
    "    const points = live.map(s => px(x_of(s)) + ',' + py(mib(s[3])));\n"
    "    points.unshift(px(0) + ',' + py(0));\n"
    "    points.push(px(x_of(live[live.length - 1])) + ',' + py(0));\n"
    "    add('polygon', { points: points.join(' '), fill: 'var(--live)' });\n"
    "  }\n"
    "  for (let y = 0, s = step(ym); y <= ym; y += s) {\n"
    "    add('line', { x1: L, x2: W - R, y1: py(y), y2: py(y), stroke: 'var(--rule)' });\n"
    "    add('text', { x: L - 6, y: py(y) + 4, 'text-anchor': 'end' }, +y.toFixed(6));\n"
    "  }\n"
    "  add('text', { x: 4, y: T + 2 }, 'MiB');\n"
    "  for (let x = 0, s = step(xm); x <= xm; x += s)\n"
    "    add('text', { x: px(x), y: H - B + 18, 'text-anchor': 'middle' }, short(x));\n"
    "  add('text', { x: W - R, y: H - 2, 'text-anchor': 'end' }, axis === 'calls' ? 'calls' : 'ms');\n"
    "  for (const d of data)\n"
    "    add('polyline', { points: d.samples.map(s => px(x_of(s)) + ',' + py(mib(s[2]))).join(' '), fill: 'none',\n"
    "      stroke: d.color, 'stroke-width': 2, 'stroke-linejoin': 'round' });\n"
    "  const rule = add('line', { y1: T, y2: H - B, stroke: 'var(--faint)', visibility: 'hidden' });\n"
    "  svg.onmousemove = e => {\n"
    "    const box = svg.getBoundingClientRect();\n"
    "    const x = ((e.clientX - box.left) * W / box.width - L) / (W - L - R) * xm;\n"
    "    if (x < 0 || x > xm) return svg.onmouseleave();\n"
    "    rule.setAttribute('x1', px(x)); rule.setAttribute('x2', px(x)); rule.setAttribute('visibility', 'visible');\n"
    "    const near = d => d.samples.reduce((a, b) => Math.abs(x_of(b) - x) < Math.abs(x_of(a) - x) ? b : a);\n"
    "    at.textContent = 'at ' + short(x) + (axis === 'calls' ? ' calls: ' : ' ms: ') +\n"
    "      data.map(d => d.name + ' ' + mib(near(d)[2]).toFixed(1)).join(', ') +\n"
    "      (axis === 'calls' ? ', live ' + mib(near(data[0])[3]).toFixed(1) : '') + ' MiB';\n"
    "  };\n"
    "  svg.onmouseleave = () => { rule.setAttribute('visibility', 'hidden'); at.textContent = hint; };\n"
    "}\n"
    "const hint = 'Point at the chart for values. Grey: live bytes.';\n"
    "at.textContent = hint;\n"
    "for (const r of document.getElementsByName('axis')) r.onchange = () => { axis = r.value; draw(); };\n"
    "draw();\n"
    "</script>\n";

static const char *color(size_t index)
{
    static const char *const colors[] = {"#0a7d5a", "#c2571a", "#3b6fd4", "#a33b8f", "#b58a00", "#4f9fb5",
                                         "#8a5a3c", "#6f6fb0"};
    return colors[index % (sizeof(colors) / sizeof(colors[0]))];
}

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out);
        }
    }
}

static void put_script_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c >= 0x7f || strchr("\"\\<>&", c))
            fprintf(out, "\\u%04x", c < 0x80 ? c : '?');
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void put_name(FILE *out, const struct fh_replay *replay, size_t i)
{
    fprintf(out, "<td><span class=\"key\" style=\"background:%s\"></span>", color(i));
    put_text(out, replay->allocators[i].name);
    fprintf(out, "</td>");
}

static void put_figures(FILE *out, const struct fh_replay *replay)
{
    char a[FH_NUMBER_BYTES], b[FH_NUMBER_BYTES];
    fprintf(out, "<h2>Time and memory</h2>\n<div class=\"wide\"><table>\n<tr><th></th><th>time</th><th>CPU</th>"
                 "<th>peak MiB</th><th>final MiB</th><th>peak / live</th></tr>\n");
    for (size_t i = 0; i < replay->count; i++) {
        const struct fh_replay_result *result = &replay->results[i];
        fprintf(out, "<tr>");
        put_name(out, replay, i);
        fprintf(out, "<td>%s</td><td>%s</td><td>%.1f</td><td>%.1f</td><td>%.3f</td></tr>\n",
                fh_duration(a, result->wall_ns), fh_duration(b, result->cpu_ns),
                (double)result->peak_rss_bytes / (1 << 20), (double)result->final_rss_bytes / (1 << 20),
                fh_replay_fragmentation(result));
    }
    fprintf(out, "</table></div>\n");
}

static void put_latencies(FILE *out, const struct fh_replay *replay, int call)
{
    char text[FH_NUMBER_BYTES];
    if (replay->results[0].latency[call].count == 0)
        return;
    fprintf(out,
            "<h2>Latency of %s</h2>\n<div class=\"wide\"><table>\n<tr><th></th><th>p50</th><th>p99</th>"
            "<th>p99.9</th><th>p99.99</th><th>max</th></tr>\n",
            fh_replay_call_names[call]);
    for (size_t i = 0; i < replay->count; i++) {
        fprintf(out, "<tr>");
        put_name(out, replay, i);
        for (int j = 0; j < FH_REPLAY_PERCENTILES; j++)
            fprintf(out, "<td>%s</td>", fh_duration(text, replay->results[i].latency[call].ns[j]));
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</table></div>\n");
}

static void put_data(FILE *out, const struct fh_replay *replay)
{
    fprintf(out, "<script>\nconst data = [\n");
    for (size_t i = 0; i < replay->count; i++) {
        const struct fh_replay_result *result = &replay->results[i];
        fprintf(out, "{ name: ");
        put_script_string(out, replay->allocators[i].name);
        fprintf(out, ", color: \"%s\", samples: [", color(i));
        for (size_t j = 0; j < result->sample_count; j++) {
            const struct fh_replay_sample *sample = &result->samples[j];
            fprintf(out, "%s[%llu,%llu,%llu,%llu]", j ? "," : "", (unsigned long long)sample->ns,
                    (unsigned long long)sample->ops, (unsigned long long)sample->rss_bytes,
                    (unsigned long long)sample->live_bytes);
        }
        fprintf(out, "] },\n");
    }
    fprintf(out, "];\n</script>\n");
}

int fh_replay_write_html(const struct fh_replay *replay, const char *file)
{
    char calls[FH_NUMBER_BYTES];
    FILE *out = fopen(file, "w");
    if (!out) {
        fh_say("replay", "%s: cannot be written: %s", file, strerror(errno));
        return FH_EXIT_FAILED;
    }
    fputs(head, out);
    fprintf(out, "<h1>");
    put_text(out, replay->reader->command);
    fprintf(out, "</h1>\n<p>%s calls, %llu %s, at most %.1f MiB live</p>\n", fh_number(calls, replay->plan->calls),
            (unsigned long long)replay->plan->threads, replay->plan->threads == 1 ? "thread" : "threads",
            (double)replay->plan->peak_live_bytes / (1 << 20));
    fprintf(out, "<h2>Resident set</h2>\n"
                 "<p>over <label><input type=\"radio\" name=\"axis\" value=\"calls\" checked> calls</label> "
                 "<label><input type=\"radio\" name=\"axis\" value=\"time\"> time</label></p>\n"
                 "<svg id=\"chart\" viewBox=\"0 0 960 380\" role=\"img\" aria-label=\"resident set over time\"></svg>\n"
                 "<p id=\"at\"></p>\n");
    put_figures(out, replay);
    for (int call = 0; call < FH_REPLAY_CALLS; call++)
        put_latencies(out, replay, call);
    put_data(out, replay);
    fputs(script, out);
    fputs("</body>\n</html>\n", out);
    int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        fh_say("replay", "%s: cannot be written: %s", file, strerror(errno));
        return FH_EXIT_FAILED;
    }
    return 0;
}
