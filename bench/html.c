/* The results as one page of HTML: charts drawn here as SVG, style and script from report.css and report.js inside. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "cl/device.h"
#include "problems.h"
#include "results.h"

enum { COLORS = 8, WIDTH = 1000, LEFT = 190, RIGHT = 190, BAR = 14, STEP = 17, HEAD = 22, TOP = 30 };

typedef struct page {
    hg_str out;
    const bench_results *list;
    int count;
    const char *solver[COLORS];     /* that have a colour, in order of appearance */
    int solvers;
} page;

static void add_escaped(hg_str *s, const char *text)
{
    for (; *text; text++) {
        if (*text == '<') hg_str_add(s, "&lt;");
        else if (*text == '>') hg_str_add(s, "&gt;");
        else if (*text == '&') hg_str_add(s, "&amp;");
        else if (*text == '"') hg_str_add(s, "&quot;");
        else hg_str_add_bytes(s, text, 1);
    }
}

static int color_of(page *p, const char *solver)
{
    int i = 0;
    while (i < p->solvers && strcmp(p->solver[i], solver)) i++;
    if (i == p->solvers && i < COLORS) p->solver[p->solvers++] = solver;
    return i % COLORS;
}

/* ---- charts ---- */

/* A multiple of 1, 2 or 5 times a power of ten, for about five lines up to `most`. */
static double grid_step(double most)
{
    double power = pow(10, floor(log10(most / 5))), share = most / 5 / power;
    return power * (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10);
}

static void open_chart(page *p, int height, double most, const char *unit, const char *what)
{
    hg_str *s = &p->out;
    hg_str_add(s, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH, height, what);
    for (double at = 0, step = grid_step(most); at <= most; at += step) {
        double x = LEFT + at / most * (WIDTH - LEFT - RIGHT);
        hg_str_add(s, "<line x1=\"%.1f\" y1=\"20\" x2=\"%.1f\" y2=\"%d\"/>"
                      "<text class=\"muted middle\" x=\"%.1f\" y=\"14\">%g%s%s</text>\n",
                   x, x, height, x, at, at > 0 ? "" : " ", at > 0 ? "" : unit);
    }
}

static void add_bar(page *p, int y, int color, double share, const char *label)
{
    hg_str *s = &p->out;
    double width = share * (WIDTH - LEFT - RIGHT);
    if (width < 1) width = 1;
    hg_str_add(s, "<path class=\"s%d\" d=\"M%d %dh%.1fa2 2 0 0 1 2 2v%da2 2 0 0 1 -2 2H%dz\"><title>", color, LEFT, y,
               width, BAR - 4, LEFT);
    add_escaped(s, label);
    hg_str_add(s, "</title></path>");
}

static void add_text(page *p, const char *class, double x, int y, const char *text)
{
    hg_str_add(&p->out, "<text class=\"%s\" x=\"%.1f\" y=\"%d\">", class, x, y);
    add_escaped(&p->out, text);
    hg_str_add(&p->out, "</text>\n");
}

/* One algorithm: its bar and figures, or why there are none. */
static void add_algorithm(page *p, const bench_row *r, int y, double most)
{
    char text[300], label[200];
    snprintf(label, sizeof label, "%s%s", r->algorithm, r->chosen ? " *" : "");
    add_text(p, "end", LEFT - 8, y + 11, label);
    if (r->status != BENCH_OK) {
        snprintf(text, sizeof text, "%s: %.90s", bench_status_names[r->status], r->reason);
        add_text(p, "muted", LEFT + 6, y + 11, text);
        return;
    }
    snprintf(text, sizeof text, "%.4g ms, %.3g GFLOP/s", r->ms_median, r->gflops);
    add_bar(p, y, color_of(p, r->solver), r->gflops / most, text);
    add_text(p, "muted", LEFT + 8 + r->gflops / most * (WIDTH - LEFT - RIGHT), y + 11, text);
}

/* The problems of one device in one direction: a group of bars each. */
static void add_direction(page *p, const bench_results *r, int direction)
{
    int height = TOP, y = TOP, shown = 0;
    double most = 0;
    const char *problem = "";
    for (int i = 0; i < r->count; i++) {
        const bench_row *row = &r->rows[i];
        if (row->direction != direction) continue;
        height += STEP + (strcmp(problem, row->problem) ? HEAD : 0);
        problem = row->problem;
        if (row->status == BENCH_OK) most = fmax(most, row->gflops);
        shown++;
    }
    if (!shown) return;
    most = fmax(most, r->peak.gflops) * 1.02;
    hg_str_add(&p->out, "<h2>%s</h2>\n", bench_directions[direction]);
    open_chart(p, height + 8, most > 0 ? most : 1, "GFLOP/s", "speed of each algorithm by problem");
    double peak = LEFT + r->peak.gflops / most * (WIDTH - LEFT - RIGHT);
    hg_str_add(&p->out, "<line class=\"peak\" x1=\"%.1f\" y1=\"20\" x2=\"%.1f\" y2=\"%d\"/>\n", peak, peak, height + 8);
    add_text(p, "muted", peak + 6, 26, "measured peak");
    problem = "";
    for (int i = 0; i < r->count; i++) {
        const bench_row *row = &r->rows[i];
        if (row->direction != direction) continue;
        if (strcmp(problem, row->problem)) {
            add_text(p, "", LEFT, y + 16, row->problem);
            y += HEAD;
        }
        problem = row->problem;
        add_algorithm(p, row, y, most);
        y += STEP;
    }
    hg_str_add(&p->out, "</svg>\n");
}

/* ---- one device against another ---- */

static const bench_row *best_of(const bench_results *r, const bench_row *like)
{
    const bench_row *best = NULL;
    for (int i = 0; i < r->count; i++) {
        const bench_row *row = &r->rows[i];
        if (row->status == BENCH_OK && row->direction == like->direction && !strcmp(row->problem, like->problem) &&
            (!best || row->ms_median < best->ms_median))
            best = row;
    }
    return best;
}

static bool begins_group(const bench_results *r, int i)
{
    return !i || r->rows[i].direction != r->rows[i - 1].direction || strcmp(r->rows[i].problem, r->rows[i - 1].problem);
}

static void add_devices(page *p)
{
    const bench_results *first = p->list;
    int groups = 0, y = TOP;
    double most = 1;
    for (int i = 0; i < first->count; i++) {
        groups += begins_group(first, i);
        for (int d = 0; d < p->count; d++) {
            const bench_row *best = best_of(&p->list[d], &first->rows[i]);
            if (best) most = fmax(most, best->gflops);
        }
    }
    hg_str_add(&p->out, "<h2>One device against another</h2>\n<p class=\"muted\">The fastest algorithm of each.</p>\n"
                        "<div class=\"legend\">");
    for (int d = 0; d < p->count; d++) {
        hg_str_add(&p->out, "<span><i class=\"s%d\"></i>%d: ", d % COLORS, d + 1);
        add_escaped(&p->out, p->list[d].dev->info.name);
        hg_str_add(&p->out, "</span>");
    }
    hg_str_add(&p->out, "</div>\n");
    most *= 1.02;
    open_chart(p, TOP + groups * (HEAD + p->count * STEP) + 8, most, "GFLOP/s", "the fastest algorithm of each device");
    for (int i = 0; i < first->count; i++) {
        char text[HG_CONV_KEY + 200];
        if (!begins_group(first, i)) continue;
        snprintf(text, sizeof text, "%s  %s", bench_directions[first->rows[i].direction], first->rows[i].problem);
        add_text(p, "", LEFT, y + 16, text);
        y += HEAD;
        for (int d = 0; d < p->count; d++, y += STEP) {
            const bench_row *best = best_of(&p->list[d], &first->rows[i]);
            snprintf(text, sizeof text, "device %d", d + 1);
            add_text(p, "end", LEFT - 8, y + 11, text);
            if (!best) continue;
            snprintf(text, sizeof text, "%.4g ms by %s", best->ms_median, best->algorithm);
            add_bar(p, y, d % COLORS, best->gflops / most, text);
            add_text(p, "muted", LEFT + 8 + best->gflops / most * (WIDTH - LEFT - RIGHT), y + 11, text);
        }
    }
    hg_str_add(&p->out, "</svg>\n");
}

/* ---- the table ---- */

static void add_cell(page *p, const char *text)
{
    hg_str_add(&p->out, "<td>");
    add_escaped(&p->out, text);
    hg_str_add(&p->out, "</td>");
}

static void add_number(page *p, const bench_row *r, const char *format, double value)
{
    char text[40] = "";
    if (r->status == BENCH_OK && isfinite(value)) snprintf(text, sizeof text, format, value);
    hg_str_add(&p->out, "<td class=\"number\">%s</td>", text);
}

static void add_table(page *p)
{
    static const char *const columns[] = {"device", "problem", "direction", "algorithm", "status", "#first ms",
                                          "#median ms", "#quartiles apart ms", "#min ms", "#new weights ms",
                                          "#device ms", "#GFLOP/s", "#% of peak", "#workspace KB", "#RMS error"};
    hg_str_add(&p->out, "<h2>Figures</h2>\n<div class=\"scroll\"><table><thead><tr>");
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        bool number = *columns[c] == '#';
        hg_str_add(&p->out, "<th%s><button>%s</button></th>", number ? " class=\"number\"" : "", columns[c] + number);
    }
    hg_str_add(&p->out, "</tr></thead><tbody>\n");
    for (int d = 0; d < p->count; d++) {
        for (int i = 0; i < p->list[d].count; i++) {
            const bench_row *r = &p->list[d].rows[i];
            char status[300];
            snprintf(status, sizeof status, "%s%s%s", bench_status_names[r->status], *r->reason ? ": " : "", r->reason);
            hg_str_add(&p->out, r->status == BENCH_FAILED ? "<tr class=\"failed\">" : "<tr>");
            add_cell(p, p->list[d].dev->info.name);
            add_cell(p, r->problem);
            add_cell(p, bench_directions[r->direction]);
            add_cell(p, r->algorithm);
            add_cell(p, status);
            add_number(p, r, "%.1f", r->first_ms);
            add_number(p, r, "%.4g", r->ms_median);
            add_number(p, r, "%.2g", r->ms_p75 - r->ms_p25);
            add_number(p, r, "%.4g", r->ms_min);
            add_number(p, r, "%.4g", r->ms_new_weights);
            add_number(p, r, "%.4g", r->device_ms);
            add_number(p, r, "%.1f", r->gflops);
            add_number(p, r, "%.1f", r->percent_of_peak);
            add_number(p, r, "%.0f", 1e-3 * (double)r->workspace);
            add_number(p, r, "%.1e", r->rms_error);
            hg_str_add(&p->out, "</tr>\n");
        }
    }
    hg_str_add(&p->out, "</tbody></table></div>\n");
}

/* ---- the page ---- */

static void add_device(page *p, const bench_results *r)
{
    const hg_device_info *info = &r->dev->info;
    int failed = 0;
    for (int i = 0; i < r->count; i++) failed += r->rows[i].status == BENCH_FAILED;
    hg_str_add(&p->out, "<h1>");
    add_escaped(&p->out, info->name);
    hg_str_add(&p->out, "</h1>\n<p class=\"muted\">");
    add_escaped(&p->out, info->platform);
    hg_str_add(&p->out, ", driver ");
    add_escaped(&p->out, info->driver);
    hg_str_add(&p->out, "</p>\n<div class=\"tiles\"><div class=\"tile\"><b>%.0f GFLOP/s</b>measured peak, f32</div>"
                        "<div class=\"tile\"><b>%.1f GB/s</b>memory, measured</div>"
                        "<div class=\"tile\"><b>%d</b>rows</div><div class=\"tile\"><b>%d</b>failed</div></div>\n",
               r->peak.gflops, r->peak.gbps, r->count, failed);
    hg_str_add(&p->out, "<div class=\"legend\">");
    for (int i = 0; i < r->count; i++) color_of(p, r->rows[i].solver);
    for (int i = 0; i < p->solvers; i++) hg_str_add(&p->out, "<span><i class=\"s%d\"></i>%s</span>", i, p->solver[i]);
    hg_str_add(&p->out, "</div>\n<p class=\"muted\">Speed by the operations of the definition, weights unchanged from "
                        "call to call; longer is faster. * is what the library runs.</p>\n");
    for (int d = 0; bench_directions[d]; d++) add_direction(p, r, d);
}

char *bench_results_html(const bench_results *list, int count)
{
    page p = {.list = list, .count = count};
    char date[40] = "";
    time_t now = time(NULL);
    struct tm day;
    if (localtime_r(&now, &day)) strftime(date, sizeof date, "%Y-%m-%d %H:%M", &day);
    hg_str_add(&p.out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width\"><title>hapgop-bench conv</title>\n"
                       "<style>\n%s</style></head>\n<body>\n", bench_text_named("report.css"));
    for (int i = 0; i < count; i++) add_device(&p, &list[i]);
    if (count > 1) add_devices(&p);
    add_table(&p);
    hg_str_add(&p.out, "<p class=\"muted\">hapgop %s, %s</p>\n<script>\n%s</script>\n</body>\n</html>\n",
               hg_version(), date, bench_text_named("report.js"));
    return hg_str_take(&p.out);
}
