/* A confusion matrix as coloured cells: a row for each true class, a column for each answer, dark where there are many.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "image/canvas.h"
#include "image/image.h"

enum { MOST = 512, EDGE = 16, TITLE = 34, NAME_WIDTH = 150, LABEL = 24 };

typedef struct layout {
    const hg_matrix_chart *m;
    int cell, left, top, width, height;
    int names;    /* room for the longest of them */
    int64_t most; /* the largest count, at least 1 */
} layout;

static hg_status check(const hg_matrix_chart *m)
{
    if (m->size < 1 || m->size > MOST || !m->counts || !m->names)
        return hg_error(HG_E_ARG, "matrix: %d classes%s; it takes 1 to %d, with names and counts", m->size,
                        m->counts && m->names ? "" : " at NULL", MOST);
    for (int i = 0; i < m->size * m->size; i++)
        if (m->counts[i] < 0)
            return hg_error(HG_E_ARG, "matrix: count %d is %lld; it must not be negative", i, (long long)m->counts[i]);
    return HG_OK;
}

static layout lay_out(const hg_matrix_chart *m)
{
    layout l = {.m = m, .cell = m->size <= 12 ? 60 : 720 / m->size > 6 ? 720 / m->size : 6, .most = 1};
    for (int i = 0; i < m->size; i++) {
        size_t wide = 9 * strlen(m->names[i]) + 8;
        if (wide > (size_t)l.names) l.names = wide < NAME_WIDTH ? (int)wide : NAME_WIDTH;
    }
    l.left = EDGE + LABEL + l.names + 8;
    l.top = EDGE + TITLE;
    l.width = l.left + l.cell * m->size + EDGE;
    if (l.width < 360) l.width = 360;
    l.height = l.top + l.cell * m->size + 8 + l.names + LABEL + EDGE;
    for (int i = 0; i < m->size * m->size; i++)
        if (m->counts[i] > l.most) l.most = m->counts[i];
    return l;
}

/* From white to dark blue. */
static uint32_t shade(double share)
{
    uint32_t red = (uint32_t)(255 - 247 * share + 0.5), green = (uint32_t)(255 - 207 * share + 0.5);
    return red << 16 | green << 8 | (uint32_t)(255 - 148 * share + 0.5);
}

static void draw_cell(cairo_t *cr, const layout *l, int row, int column)
{
    int64_t count = l->m->counts[row * l->m->size + column];
    double share = sqrt((double)count / (double)l->most), x = l->left + column * l->cell, y = l->top + row * l->cell;
    hg_set_color(cr, shade(share), 1);
    cairo_rectangle(cr, x, y, l->cell, l->cell);
    cairo_fill(cr);
    if (l->cell < 26) return;
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)count);
    hg_set_color(cr, share > 0.55 ? 0xffffff : 0x222222, 1);
    hg_set_font(cr, l->cell < 40 ? 10 : 14, row == column);
    hg_draw_text(cr, text, x + l->cell / 2.0, y + l->cell / 2.0 + 5, 0.5, l->cell - 2);
}

/* Upright text that ends at the place. */
static void draw_turned(cairo_t *cr, const char *text, double x, double y, double anchor)
{
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_rotate(cr, -M_PI / 2);
    hg_draw_text(cr, text, 0, 0, anchor, NAME_WIDTH);
    cairo_restore(cr);
}

static void draw_names(cairo_t *cr, const layout *l)
{
    int n = l->m->size, every = 1 + 11 / l->cell; /* names that there is room for */
    double bottom = l->top + l->cell * n;
    hg_set_color(cr, 0x222222, 1);
    hg_set_font(cr, l->cell < 14 ? 9 : 13, false);
    for (int i = 0; i < n; i += every) {
        double middle = (i + 0.5) * l->cell + 4;
        hg_draw_text(cr, l->m->names[i], l->left - 8, l->top + middle, 1, NAME_WIDTH);
        draw_turned(cr, l->m->names[i], l->left + middle, bottom + 8, 1);
    }
}

static hg_status draw(cairo_t *cr, const void *user)
{
    const layout *l = user;
    const hg_matrix_chart *m = l->m;
    double side = l->cell * m->size, middle = l->left + side / 2;
    hg_set_color(cr, 0x111111, 1);
    hg_set_font(cr, 18, true);
    if (m->title) hg_draw_text(cr, m->title, l->width / 2.0, EDGE + 16, 0.5, l->width - 2 * EDGE);
    for (int row = 0; row < m->size; row++)
        for (int column = 0; column < m->size; column++) draw_cell(cr, l, row, column);
    hg_set_color(cr, 0x555555, 1);
    cairo_set_line_width(cr, 1);
    cairo_rectangle(cr, l->left - 0.5, l->top - 0.5, side + 1, side + 1);
    cairo_stroke(cr);
    draw_names(cr, l);
    hg_set_font(cr, 13, true);
    if (m->column_label) hg_draw_text(cr, m->column_label, middle, l->height - EDGE, 0.5, l->width - 2 * EDGE);
    if (m->row_label) draw_turned(cr, m->row_label, EDGE + 13, l->top + side / 2, 0.5);
    return HG_OK;
}

hg_status hg_matrix_write_png(const char *path, const hg_matrix_chart *m)
{
    hg_image image;
    HG_TRY(check(m));
    layout l = lay_out(m);
    HG_TRY(hg_draw_image(l.width, l.height, draw, &l, &image));
    hg_status status = hg_image_write_png(path, &image);
    hg_image_free(&image);
    return status;
}
