/* Text on a cairo surface, and the surface as an image. */
#include "image/canvas.h"

#include <math.h>
#include <string.h>

#include "image/image.h"

void hg_set_color(cairo_t *cr, uint32_t rgb, double alpha)
{
    cairo_set_source_rgba(cr, (rgb >> 16 & 255) / 255.0, (rgb >> 8 & 255) / 255.0, (rgb & 255) / 255.0, alpha);
}

void hg_set_font(cairo_t *cr, double size, bool bold)
{
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
}

double hg_text_width(cairo_t *cr, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cr, text, &extents);
    return extents.x_advance;
}

/* `text` in `out`, cut with an ellipsis if it is wider than `width` or longer than `out`. Returns its width. */
double hg_fit_text(cairo_t *cr, const char *text, double width, char out[256])
{
    size_t n = strlen(text);
    if (n < 252) {
        memcpy(out, text, n + 1);
        double whole = hg_text_width(cr, out);
        if (whole <= width) return whole;
    } else {
        n = 252;
    }
    for (;;) {
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80) n--;    /* back to the start of a character */
        memcpy(out, text, n);
        memcpy(out + n, "\u2026", sizeof "\u2026");
        double cut = hg_text_width(cr, out);
        if (!n || cut <= width) return cut;
        n--;
    }
}

/* Draws in the current font with the baseline at y; `anchor` 0 starts, 0.5 centres, 1 ends the text at x. */
void hg_draw_text(cairo_t *cr, const char *text, double x, double y, double anchor, double width)
{
    char line[256];
    double taken = hg_fit_text(cr, text, width, line);
    cairo_move_to(cr, round(x - anchor * taken), round(y));
    cairo_show_text(cr, line);
}

static hg_status surface_to_image(cairo_surface_t *surface, int width, int height, hg_image *image)
{
    HG_TRY(hg_image_new(image, width, height, 3));
    cairo_surface_flush(surface);
    const uint8_t *rows = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint32_t rgb;
            memcpy(&rgb, rows + (size_t)y * (size_t)stride + 4 * (size_t)x, sizeof rgb);
            uint8_t *out = image->pixels + 3 * ((size_t)y * (size_t)width + (size_t)x);
            out[0] = (uint8_t)(rgb >> 16);
            out[1] = (uint8_t)(rgb >> 8);
            out[2] = (uint8_t)rgb;
        }
    }
    return HG_OK;
}

static hg_status drawn(cairo_t *cr)
{
    cairo_status_t status = cairo_status(cr);
    if (status == CAIRO_STATUS_SUCCESS) return HG_OK;
    if (status == CAIRO_STATUS_INVALID_STRING)
        return hg_error(HG_E_ARG, "chart: a title or label is not UTF-8 text");
    return hg_error(status == CAIRO_STATUS_NO_MEMORY ? HG_E_MEMORY : HG_E_STATE, "chart: cairo: %s",
                    cairo_status_to_string(status));
}

hg_status hg_draw_image(int width, int height, hg_draw_fn draw, const void *user, hg_image *image)
{
    *image = (hg_image){0};
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *cr = cairo_create(surface);
    hg_status status;
    if (cairo_status(cr) != CAIRO_STATUS_SUCCESS) {
        status = hg_error(HG_E_MEMORY, "chart: out of memory for %d x %d pixels", width, height);
    } else {
        hg_set_color(cr, 0xffffff, 1);
        cairo_paint(cr);
        status = draw(cr, user);
    }
    if (status == HG_OK) status = drawn(cr);
    if (status == HG_OK) status = surface_to_image(surface, width, height, image);
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return status;
}
