/* What charts share: text on a cairo surface, and the surface as an image. */
#ifndef HG_IMAGE_CANVAS_H
#define HG_IMAGE_CANVAS_H

#include <cairo.h>

#include "hapgop/image.h"

void hg_set_color(cairo_t *cr, uint32_t rgb, double alpha);
void hg_set_font(cairo_t *cr, double size, bool bold);
double hg_text_width(cairo_t *cr, const char *text);
/* `text` in `out`, cut with an ellipsis if it is wider than `width` or longer than `out`. Returns its width. */
double hg_fit_text(cairo_t *cr, const char *text, double width, char out[256]);
/* Draws in the current font with the baseline at y; `anchor` 0 starts, 0.5 centres, 1 ends the text at x. */
void hg_draw_text(cairo_t *cr, const char *text, double x, double y, double anchor, double width);

/* Draws on a white surface and makes an RGB image of it. Errors: those of `draw`; HG_E_ARG for a text that is not
 * UTF-8; HG_E_MEMORY. On failure *image is empty. */
typedef hg_status (*hg_draw_fn)(cairo_t *cr, const void *user);
hg_status hg_draw_image(int width, int height, hg_draw_fn draw, const void *user, hg_image *image);

#endif
