/* PGM and PPM, binary (P5, P6) and as text (P2, P3). https://netpbm.sourceforge.net/doc/ppm.html
 * Values are brought to 0..255 as PIL does: round(v / maxval * 255), half to even. PIL keeps grey of more than 8 bits
 * as 0..65535, and its convert("RGB") cuts that off at 255 instead of scaling it. */
#include <math.h>
#include <stdlib.h>

#include "image/decode.h"

typedef struct pnm {
    const hg_encoded *file;
    size_t at;
    bool text;              /* P2, P3 */
    int bands;              /* 1 or 3 in the file */
    int width, height, maxval;
} pnm;

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static hg_status damaged(const pnm *p, const char *why)
{
    return hg_error(HG_E_FORMAT, "pnm: %s: %s", p->file->path, why);
}

/* The next decimal number, spaces and comments before it passed over. */
static hg_status next_number(pnm *p, int *value)
{
    const uint8_t *bytes = p->file->bytes;
    size_t size = p->file->size;
    while (p->at < size && (is_space(bytes[p->at]) || bytes[p->at] == '#')) {
        if (bytes[p->at++] != '#') continue;
        while (p->at < size && bytes[p->at] != '\n' && bytes[p->at] != '\r') p->at++;
    }
    if (p->at >= size) return damaged(p, "the file is truncated");
    int n = 0, digits = 0;
    for (; p->at < size && bytes[p->at] >= '0' && bytes[p->at] <= '9'; p->at++, digits++) {
        if (digits == 9) return damaged(p, "a number is too long");
        n = 10 * n + (bytes[p->at] - '0');
    }
    if (!digits || (p->at < size && !is_space(bytes[p->at]) && bytes[p->at] != '#'))
        return damaged(p, "a number was expected");
    *value = n;
    return HG_OK;
}

static hg_status read_header(pnm *p)
{
    HG_TRY(next_number(p, &p->width));
    HG_TRY(next_number(p, &p->height));
    HG_TRY(next_number(p, &p->maxval));
    if (p->maxval < 1 || p->maxval > 65535) return damaged(p, "the largest value must be 1 to 65535");
    const char *why = hg_image_complaint(p->width, p->height, 3);
    if (why)
        return hg_error(HG_E_FORMAT, "pnm: %s: the image is %d x %d: %s", p->file->path, p->width, p->height, why);
    size_t least = (size_t)p->width * (size_t)p->height * (size_t)p->bands;
    if (p->text) {
        least = 2 * least - 1;              /* a digit each and a space between */
    } else {
        if (p->at == p->file->size) return damaged(p, "the file is truncated");
        p->at++;                            /* one space ends the header */
        if (p->maxval > 255) least *= 2;
    }
    if (p->file->size - p->at < least) return damaged(p, "the file is truncated");
    return HG_OK;
}

static hg_status next_value(pnm *p, int *value)
{
    if (p->text) {
        HG_TRY(next_number(p, value));
        return *value <= p->maxval ? HG_OK : damaged(p, "a value is larger than the header says");
    }
    const uint8_t *bytes = p->file->bytes + p->at;
    *value = p->maxval > 255 ? bytes[0] << 8 | bytes[1] : bytes[0];
    p->at += p->maxval > 255 ? 2 : 1;
    return HG_OK;
}

/* What each value becomes; entries beyond maxval are reached by binary files only. free() it. */
static uint8_t *make_table(const pnm *p, int channels)
{
    int entries = p->maxval > 255 ? 65536 : 256;
    double most = channels == 3 && p->bands == 1 && p->maxval > 255 ? 65535 : 255;
    uint8_t *table = malloc((size_t)entries);
    for (int v = 0; table && v < entries; v++) {
        double scaled = nearbyint((double)v / p->maxval * most);
        table[v] = scaled > 255 ? 255 : (uint8_t)scaled;
    }
    return table;
}

hg_status hg_pnm_decode(const hg_encoded *file, int channels, hg_image *image)
{
    *image = (hg_image){0};
    pnm p = {.file = file, .at = 2};
    char kind = file->size < 2 || file->bytes[0] != 'P' ? 0 : (char)file->bytes[1];
    if (kind != '2' && kind != '3' && kind != '5' && kind != '6') return damaged(&p, "not a PGM or PPM file");
    p.text = kind < '5';
    p.bands = kind == '2' || kind == '5' ? 1 : 3;
    HG_TRY(read_header(&p));
    uint8_t *table = make_table(&p, channels);
    if (!table) return hg_error(HG_E_MEMORY, "pnm: out of memory for %s", file->path);
    int copies = channels == 3 && p.bands == 1 ? 3 : 1;
    hg_status status = hg_image_new(image, p.width, p.height, p.bands * copies);
    size_t values = (size_t)p.width * (size_t)p.height * (size_t)p.bands;
    uint8_t *out = image->pixels;
    for (size_t i = 0; status == HG_OK && i < values; i++) {
        int value;
        if ((status = next_value(&p, &value)) != HG_OK) break;
        for (int c = 0; c < copies; c++) *out++ = table[value];
    }
    free(table);
    if (status != HG_OK) hg_image_free(image);
    return status;
}
