/*
 * replay_html.c - the results of replays as one HTML page: no network, opens from disk.
 */
#include "replay_print.h"

#include "cli.h"
#include "html.h"
#include "units.h"

#include <stdio.h>

static const char *color(size_t index)
{
    static const char *const colors[] = {"#0a7d5a", "#c2571a", "#3b6fd4", "#a33b8f", "#b58a00", "#4f9fb5",
                                         "#8a5a3c", "#6f6fb0"};
    return colors[index % (sizeof(colors) / sizeof(colors[0]))];
}

static void put_name(FILE *out, const struct fh_replay *replay, size_t i)
{
    fprintf(out, "<td><span class=\"key\" style=\"background:%s\"></span>", color(i));
    fh_html_text(out, replay->allocators[i].name);
    fprintf(out, "</td>");
}

static void put_figures(FILE *out, const struct fh_replay *replay)
{
    char a[FH_UNIT_BYTES], b[FH_UNIT_BYTES];
    fprintf(out, "<h2>Time and memory</h2>\n<div class=\"wide\"><table>\n<tr><th></th><th>time</th><th>CPU</th>"
                 "<th>peak MiB</th><th>final MiB</th><th>peak / live</th></tr>\n");
    for (size_t i = 0; i < replay->count; i++) {
        const struct fh_replay_result *result = &replay->results[i];
        fprintf(out, "<tr>");
        put_name(out, replay, i);
        fprintf(out, "<td>%s</td><td>%s</td><td>%.1f</td><td>%.1f</td><td>%.3f</td></tr>\n",
                fh_duration(result->wall_ns, a), fh_duration(result->cpu_ns, b),
                (double)result->peak_rss_bytes / (1 << 20), (double)result->final_rss_bytes / (1 << 20),
                fh_replay_fragmentation(result));
    }
    fprintf(out, "</table></div>\n");
}

static void put_latencies(FILE *out, const struct fh_replay *replay, int call)
{
    char text[FH_UNIT_BYTES];
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
            fprintf(out, "<td>%s</td>", fh_duration(replay->results[i].latency[call].ns[j], text));
        fprintf(out, "</tr>\n");
    }
    fprintf(out, "</table></div>\n");
}

static void put_chart(FILE *out, const struct fh_replay *replay)
{
    fprintf(out, "<h2>Resident set</h2>\n"
                 "<p>over <label><input type=\"radio\" name=\"axis\" value=\"calls\" checked> calls</label> "
                 "<label><input type=\"radio\" name=\"axis\" value=\"time\"> time</label></p>\n"
                 "<svg id=\"chart\" viewBox=\"0 0 960 380\" role=\"img\" aria-label=\"resident set over time\"></svg>\n"
                 "<p id=\"at\"></p>\n<script>\n%s\nfhReplay(document.getElementById('chart'), "
                 "document.getElementById('at'), [\n", fh_page_replay_js);
    for (size_t i = 0; i < replay->count; i++) {
        const struct fh_replay_result *result = &replay->results[i];
        fprintf(out, "{ name: ");
        fh_html_script_string(out, replay->allocators[i].name);
        fprintf(out, ", color: \"%s\", samples: [", color(i));
        for (size_t j = 0; j < result->sample_count; j++) {
            const struct fh_replay_sample *sample = &result->samples[j];
            fprintf(out, "%s[%llu,%llu,%llu,%llu]", j ? "," : "", (unsigned long long)sample->ns,
                    (unsigned long long)sample->ops, (unsigned long long)sample->rss_bytes,
                    (unsigned long long)sample->live_bytes);
        }
        fprintf(out, "] },\n");
    }
    fprintf(out, "]);\n</script>\n");
}

void fh_replay_put_html(const struct fh_replay *replay, FILE *out)
{
    put_chart(out, replay);
    put_figures(out, replay);
    for (int call = 0; call < FH_REPLAY_CALLS; call++)
        put_latencies(out, replay, call);
}

int fh_replay_write_html(const struct fh_replay *replay, const char *file)
{
    char calls[FH_UNIT_BYTES];
    FILE *out = fopen(file, "we");
    if (out) {
        fh_html_begin(out, "freehold replay");
        fprintf(out, "<main class=\"narrow\">\n<h1>");
        fh_html_text(out, replay->reader->command);
        fprintf(out, "</h1>\n<p>%s calls, %llu %s, at most %.1f MiB live</p>\n",
                fh_grouped(replay->plan->calls, calls), (unsigned long long)replay->plan->threads,
                replay->plan->threads == 1 ? "thread" : "threads",
                (double)replay->plan->peak_live_bytes / (1 << 20));
        fh_replay_put_html(replay, out);
        fputs("</main>\n", out);
        fh_html_end(out);
    }
    return fh_close_output("replay", out, file);
}
