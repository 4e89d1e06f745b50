/* Line charts with cairo: panels side by side, each with title, legend, grid, axes and lines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/axis.h"
#include "image/canvas.h"
#include "image/image.h"

#define TITLE_SIZE 18.0
#define PANEL_TITLE_SIZE 15.0
#define LABEL_SIZE 13.0
#define TICK_SIZE 12.0
#define EDGE 16.0               /* free space around everything */
#define PANEL_GAP 28.0
#define OVERHANG 12.0           /* how far the last tick's label may reach into that space */
#define LEGEND_ROW 20.0
#define SWATCH 24.0
#define SMALLEST_PLOT 60.0      /* a plot area narrower or lower than this is an error */

static const uint32_t palette[] = {0x1f77b4, 0xff7f0e, 0x2ca02c, 0xd62728, 0x9467bd,
                                   0x8c564b, 0xe377c2, 0x7f7f7f, 0xbcbd22, 0x17becf};
#define PALETTE_SIZE ((int)(sizeof palette / sizeof *palette))

typedef struct rect {
    double left, top, right, bottom;
} rect;

typedef struct plot {
    cairo_t *cr;
    const hg_chart_panel *panel;
    rect area;                  /* inside the axes */
    hg_axis x, y;
} plot;

/* ---- Lines ------------------------------------------------------------------------------------------------------ */

static uint32_t series_color(const hg_chart_panel *panel, int index)
{
    return panel->series[index].color ? panel->series[index].color : palette[index % PALETTE_SIZE];
}

/* The point's values; false if it is a gap. */
static bool series_point(const hg_chart_series *s, int64_t i, double *x, double *y)
{
    *x = s->x ? s->x[i] : (double)i;
    *y = s->y[i];
    return fabs(*x) <= HG_AXIS_LIMIT && fabs(*y) <= HG_AXIS_LIMIT;
}

/* Where a value lies between two pixel positions; far outside, no further than cairo's coordinates reach. */
static double place(const hg_axis *axis, double value, double from, double to)
{
    double part = (value - axis->low) / (axis->high - axis->low);
    return from + fmin(fmax(part, -100), 100) * (to - from);
}

/* A path that keeps at most four points a pixel column: entry, lowest, highest, exit. */
typedef struct pen {
    cairo_t *cr;
    bool down;
    double column, low, high, last;
    int64_t waiting;            /* points of this column after its first */
} pen;

static void pen_flush(pen *p)
{
    if (!p->waiting) return;
    cairo_line_to(p->cr, p->column + 0.5, p->low);
    cairo_line_to(p->cr, p->column + 0.5, p->high);
    cairo_line_to(p->cr, p->column + 0.5, p->last);
    p->waiting = 0;
}

static void pen_to(pen *p, double x, double y)
{
    if (p->down && floor(x) == p->column) {
        p->low = fmin(p->low, y);
        p->high = fmax(p->high, y);
        p->last = y;
        p->waiting++;
        return;
    }
    pen_flush(p);
    if (p->down)
        cairo_line_to(p->cr, x, y);
    else
        cairo_move_to(p->cr, x, y);
    p->down = true;
    p->column = floor(x);
    p->low = p->high = y;
}

static void pen_up(pen *p)
{
    pen_flush(p);
    p->down = false;
}

static void draw_lines(const plot *g, const hg_chart_series *s)
{
    pen p = {.cr = g->cr};
    double x, y;
    for (int64_t i = 0; i < s->count; i++) {
        if (series_point(s, i, &x, &y))
            pen_to(&p, place(&g->x, x, g->area.left, g->area.right), place(&g->y, y, g->area.bottom, g->area.top));
        else
            pen_up(&p);
    }
    pen_up(&p);
    cairo_stroke(g->cr);
}

/* Dots on every point, or on those alone that have no neighbour to draw a line to. */
static void draw_dots(const plot *g, const hg_chart_series *s, double radius)
{
    double x, y, other, drawn_x = NAN, drawn_y = NAN;
    for (int64_t i = 0; i < s->count; i++) {
        if (!series_point(s, i, &x, &y)) continue;
        bool alone = (i == 0 || !series_point(s, i - 1, &other, &other)) &&
                     (i + 1 == s->count || !series_point(s, i + 1, &other, &other));
        if (!alone && !s->dots) continue;
        double px = place(&g->x, x, g->area.left, g->area.right), py = place(&g->y, y, g->area.bottom, g->area.top);
        if (fabs(px - drawn_x) < 0.5 && fabs(py - drawn_y) < 0.5) continue;     /* not a million on one spot */
        drawn_x = px;
        drawn_y = py;
        cairo_arc(g->cr, px, py, radius, 0, 2 * M_PI);
        cairo_fill(g->cr);
    }
}

static void draw_series(const plot *g)
{
    cairo_save(g->cr);
    cairo_rectangle(g->cr, g->area.left - 1, g->area.top - 1, g->area.right - g->area.left + 2,
                    g->area.bottom - g->area.top + 2);
    cairo_clip(g->cr);
    cairo_set_line_join(g->cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(g->cr, CAIRO_LINE_CAP_ROUND);
    for (int pass = 0; pass < 2; pass++) {      /* the faint ones lie behind */
        for (int i = 0; i < g->panel->series_count; i++) {
            const hg_chart_series *s = &g->panel->series[i];
            if (s->faint != (pass == 0)) continue;
            hg_set_color(g->cr, series_color(g->panel, i), s->faint ? 0.35 : 1);
            cairo_set_line_width(g->cr, s->faint ? 1 : 2);
            draw_lines(g, s);
            draw_dots(g, s, s->faint ? 2 : 3);
        }
    }
    cairo_restore(g->cr);
}

/* ---- Axes and legend -------------------------------------------------------------------------------------------- */

static bool fit_ranges(plot *g)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY, x, y;
    bool whole = true;
    for (int k = 0; k < g->panel->series_count; k++) {
        const hg_chart_series *s = &g->panel->series[k];
        for (int64_t i = 0; i < s->count; i++) {
            if (!series_point(s, i, &x, &y)) continue;
            x0 = fmin(x0, x);
            x1 = fmax(x1, x);
            y0 = fmin(y0, y);
            y1 = fmax(y1, y);
            whole = whole && x == floor(x);
        }
    }
    hg_axis_range(&g->x, x0, x1, 0.02);
    hg_axis_range(&g->y, y0, y1, 0.05);
    if (g->panel->y_min < g->panel->y_max) {
        g->y.low = g->panel->y_min;
        g->y.high = g->panel->y_max;
    }
    return whole && x1 > x0;
}

static double widest_label(cairo_t *cr, const hg_axis *axis)
{
    double widest = 0;
    char label[32];
    for (int i = 0; i < axis->ticks; i++) {
        hg_axis_label(axis, i, label);
        widest = fmax(widest, hg_text_width(cr, label));
    }
    return widest;
}

/* As many horizontal ticks as have room for their labels. */
static void fit_x_ticks(plot *g, bool whole)
{
    double room = g->area.right - g->area.left;
    for (int most = 10; most >= 2; most--) {
        hg_axis_ticks(&g->x, most, whole);
        if ((widest_label(g->cr, &g->x) + 16) * g->x.ticks <= room) return;
    }
}

/* Entries in rows from (left, top); only measured unless `draw`. Returns the height. */
static double legend(const plot *g, double left, double top, double right, bool draw)
{
    double x = left, y = top;
    bool any = false;
    char label[256];
    hg_set_font(g->cr, TICK_SIZE, false);
    for (int i = 0; i < g->panel->series_count; i++) {
        const hg_chart_series *s = &g->panel->series[i];
        if (!s->label) continue;
        double width = SWATCH + 6 + hg_fit_text(g->cr, s->label, right - left - SWATCH - 6, label);
        if (x > left && x + width > right) {
            x = left;
            y += LEGEND_ROW;
        }
        any = true;
        if (draw) {
            hg_set_color(g->cr, series_color(g->panel, i), s->faint ? 0.45 : 1);
            cairo_set_line_width(g->cr, s->faint ? 2 : 3);
            cairo_move_to(g->cr, x, y + 9.5);
            cairo_line_to(g->cr, x + SWATCH, y + 9.5);
            cairo_stroke(g->cr);
            hg_set_color(g->cr, 0x333333, 1);
            cairo_move_to(g->cr, round(x + SWATCH + 6), round(y + 14));
            cairo_show_text(g->cr, label);
        }
        x += width + 18;
    }
    return any ? y - top + LEGEND_ROW + 4 : 0;
}

static void draw_axis_lines(const plot *g)
{
    cairo_set_line_width(g->cr, 1);
    hg_set_color(g->cr, 0xe4e4e4, 1);
    for (int i = 0; i < g->x.ticks; i++) {
        double x = round(place(&g->x, (g->x.first + i) * g->x.step, g->area.left, g->area.right)) + 0.5;
        cairo_move_to(g->cr, x, g->area.top);
        cairo_line_to(g->cr, x, g->area.bottom);
    }
    for (int i = 0; i < g->y.ticks; i++) {
        double y = round(place(&g->y, (g->y.first + i) * g->y.step, g->area.bottom, g->area.top)) + 0.5;
        cairo_move_to(g->cr, g->area.left, y);
        cairo_line_to(g->cr, g->area.right, y);
    }
    cairo_stroke(g->cr);
    hg_set_color(g->cr, 0x888888, 1);
    cairo_move_to(g->cr, round(g->area.left) + 0.5, g->area.top);
    cairo_line_to(g->cr, round(g->area.left) + 0.5, round(g->area.bottom) + 0.5);
    cairo_line_to(g->cr, g->area.right, round(g->area.bottom) + 0.5);
    cairo_stroke(g->cr);
}

static void draw_axis_texts(const plot *g, rect box)
{
    char label[32];
    hg_set_font(g->cr, TICK_SIZE, false);
    hg_set_color(g->cr, 0x333333, 1);
    for (int i = 0; i < g->x.ticks; i++) {
        hg_axis_label(&g->x, i, label);
        double half = hg_text_width(g->cr, label) / 2;
        double x = place(&g->x, (g->x.first + i) * g->x.step, g->area.left, g->area.right);
        hg_draw_text(g->cr, label, fmin(x, box.right + OVERHANG - half), g->area.bottom + 18, 0.5, INFINITY);
    }
    for (int i = 0; i < g->y.ticks; i++) {
        hg_axis_label(&g->y, i, label);
        double y = place(&g->y, (g->y.first + i) * g->y.step, g->area.bottom, g->area.top);
        hg_draw_text(g->cr, label, g->area.left - 8, y + 4.5, 1, INFINITY);
    }
    hg_set_font(g->cr, LABEL_SIZE, false);
    if (g->panel->x_label)
        hg_draw_text(g->cr, g->panel->x_label, (g->area.left + g->area.right) / 2, box.bottom - 4, 0.5,
                     g->area.right - g->area.left);
    if (g->panel->y_label) {
        cairo_save(g->cr);
        cairo_translate(g->cr, box.left + 13, round((g->area.top + g->area.bottom) / 2));
        cairo_rotate(g->cr, -M_PI / 2);
        hg_draw_text(g->cr, g->panel->y_label, 0, 0, 0.5, g->area.bottom - g->area.top);
        cairo_restore(g->cr);
    }
}

static hg_status draw_panel(cairo_t *cr, const hg_chart_panel *panel, rect box)
{
    plot g = {.cr = cr, .panel = panel};
    bool whole = fit_ranges(&g);
    double top = box.top + (panel->title ? PANEL_TITLE_SIZE + 12 : 4), legend_left = box.left;
    g.area = (rect){box.left + 50, top, box.right - 6, box.bottom - 26 - (panel->x_label ? LABEL_SIZE + 10 : 0)};
    for (int pass = 0; pass < 3; pass++) {      /* the legend's rows and the labels' width depend on each other */
        legend_left = g.area.left;
        g.area.top = top + legend(&g, legend_left, top, box.right, false) + 4;
        hg_axis_ticks(&g.y, (int)fmin(fmax((g.area.bottom - g.area.top) / 40, 2), 10), false);
        g.area.left = ceil(box.left + (panel->y_label ? LABEL_SIZE + 12 : 0) + widest_label(cr, &g.y) + 10);
    }
    if (g.area.right - g.area.left < SMALLEST_PLOT || g.area.bottom - g.area.top < SMALLEST_PLOT)
        return hg_error(HG_E_ARG, "chart: %d pixels leave no room for a panel's lines; make the %s larger",
                        (int)(g.area.right - g.area.left < SMALLEST_PLOT ? box.right - box.left
                                                                           : box.bottom - box.top),
                        g.area.right - g.area.left < SMALLEST_PLOT ? "width" : "height");
    fit_x_ticks(&g, whole);
    if (panel->title) {
        hg_set_font(cr, PANEL_TITLE_SIZE, true);
        hg_set_color(cr, 0x222222, 1);
        hg_draw_text(cr, panel->title, g.area.left, box.top + PANEL_TITLE_SIZE, 0, box.right - g.area.left);
    }
    legend(&g, legend_left, top, box.right, true);
    draw_axis_lines(&g);
    draw_series(&g);
    draw_axis_texts(&g, box);
    return HG_OK;
}

/* ---- The whole -------------------------------------------------------------------------------------------------- */

static hg_status check_panel(const hg_chart_panel *p, int index)
{
    if (p->series_count < 0 || p->series_count > 64 || (p->series_count && !p->series))
        return hg_error(HG_E_ARG, "chart: panel %d has %d series; it takes 0 to 64", index, p->series_count);
    double largest = fmax(fabs(p->y_min), fabs(p->y_max)), length = p->y_max - p->y_min;
    bool usable = largest <= HG_AXIS_LIMIT && length > largest * 1e-9 && length > HG_AXIS_SMALLEST;
    if (!usable && (p->y_min != 0 || p->y_max != 0))
        return hg_error(HG_E_ARG, "chart: panel %d has a vertical range of %g to %g; y_min must lie below y_max", index,
                        p->y_min, p->y_max);
    for (int i = 0; i < p->series_count; i++) {
        if (p->series[i].count < 0 || (p->series[i].count && !p->series[i].y))
            return hg_error(HG_E_ARG, "chart: series %d of panel %d has %lld points%s", i, index,
                            (long long)p->series[i].count, p->series[i].count < 0 ? "" : " but no y");
    }
    return HG_OK;
}

static hg_status check_chart(const hg_chart *chart, int width, int height)
{
    if (chart->panel_count < 1 || chart->panel_count > 16 || !chart->panels)
        return hg_error(HG_E_ARG, "chart: %d panels; it takes 1 to 16", chart->panel_count);
    if (width < 100 || height < 100 || width > 8192 || height > 8192)
        return hg_error(HG_E_ARG, "chart: %d x %d pixels; each side takes 100 to 8192", width, height);
    for (int i = 0; i < chart->panel_count; i++) HG_TRY(check_panel(&chart->panels[i], i));
    return HG_OK;
}

static hg_status draw_all(cairo_t *cr, const hg_chart *chart, int width, int height)
{
    double top = EDGE;
    if (chart->title) {
        hg_set_font(cr, TITLE_SIZE, true);
        hg_set_color(cr, 0x111111, 1);
        hg_draw_text(cr, chart->title, width / 2.0, top + TITLE_SIZE - 2, 0.5, width - 2 * EDGE);
        top += TITLE_SIZE + 14;
    }
    int n = chart->panel_count;
    double each = (width - 2 * EDGE - (n - 1) * PANEL_GAP) / n;
    for (int i = 0; i < n; i++) {
        double left = EDGE + i * (each + PANEL_GAP);
        HG_TRY(draw_panel(cr, &chart->panels[i], (rect){left, top, left + each, height - EDGE}));
    }
    return HG_OK;
}

typedef struct sheet {
    const hg_chart *chart;
    int width, height;
} sheet;

static hg_status draw_sheet(cairo_t *cr, const void *user)
{
    const sheet *s = user;
    return draw_all(cr, s->chart, s->width, s->height);
}

hg_status hg_chart_draw(const hg_chart *chart, hg_image *image)
{
    *image = (hg_image){0};
    sheet s = {chart, chart->width ? chart->width : 1200, chart->height ? chart->height : 500};
    HG_TRY(check_chart(chart, s.width, s.height));
    return hg_draw_image(s.width, s.height, draw_sheet, &s, image);
}

hg_status hg_chart_write_png(const char *path, const hg_chart *chart)
{
    hg_image image;
    HG_TRY(hg_chart_draw(chart, &image));
    hg_status status = hg_image_write_png(path, &image);
    hg_image_free(&image);
    return status;
}

hg_status hg_chart_smooth(const double *y, int64_t count, double weight, double *out)
{
    if (count < 0 || (count && (!y || !out)))
        return hg_error(HG_E_ARG, "chart_smooth: %lld values%s", (long long)count, count < 0 ? "" : " at NULL");
    if (!(weight >= 0 && weight < 1))
        return hg_error(HG_E_ARG, "chart_smooth: weight is %g; it must be at least 0 and below 1", weight);
    double sum = 0, bias = 1;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(y[i])) {
            out[i] = y[i];
            continue;
        }
        sum = weight * sum + (1 - weight) * y[i];
        bias *= weight;
        out[i] = sum / (1 - bias);
    }
    return HG_OK;
}
