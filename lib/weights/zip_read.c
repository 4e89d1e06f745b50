/* The layout is APPNOTE.TXT's 4.3 to 4.5 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT): the end record
 * is at the end, behind it only a comment; it tells where the directory is, which tells where the entries are. With
 * zip64 a field of all ones means that another place has it. libzip does not tell where an entry's bytes begin, which
 * mapping them needs. */
#include "weights/zip_read.h"

#include <stdlib.h>
#include <string.h>

enum { END = 22, LOCATOR = 20, END64 = 56, DIRECTORY = 46, LOCAL = 30, MOST_COMMENT = 65535 };
#define ALL32 0xffffffffu
#define LARGEST_RATIO 1040      /* of deflate: 1032, and a few bytes */

static uint64_t get(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < bytes; i++) x |= (uint64_t)p[i] << 8 * i;
    return x;
}

static bool is(const unsigned char *p, const char *signature)
{
    return !memcmp(p, signature, 4);
}

static hg_status damaged(const hg_map *map, const char *why)
{
    return hg_error(HG_E_FORMAT, "%s: the zip is cut off or damaged (%s); was the download complete?", map->path, why);
}

bool hg_is_zip(const unsigned char *start, size_t size)
{
    return size >= 4 && (is(start, "PK\3\4") || is(start, "PK\5\6"));
}

/* ---- The directory ---------------------------------------------------------------------------------------------- */

typedef struct place {
    uint64_t at, size, count;
} place;

static const unsigned char *find_end(const hg_map *map)
{
    for (size_t comment = 0; comment <= MOST_COMMENT && comment + END <= map->size; comment++) {
        const unsigned char *p = map->bytes + map->size - comment - END;
        if (is(p, "PK\5\6") && get(p + 20, 2) == comment) return p;
    }
    return NULL;
}

static hg_status find_directory(const hg_map *map, place *out)
{
    const unsigned char *end = find_end(map);
    if (!end) return damaged(map, "it has no end record");
    uint64_t before = (uint64_t)(end - map->bytes);
    *out = (place){get(end + 16, 4), get(end + 12, 4), get(end + 10, 2)};
    if (before >= LOCATOR && is(end - LOCATOR, "PK\6\7")) {
        uint64_t at = get(end - LOCATOR + 8, 8);
        if (at > before - LOCATOR || before - LOCATOR - at < END64 || !is(map->bytes + at, "PK\6\6"))
            return damaged(map, "its zip64 end record is missing");
        const unsigned char *p = map->bytes + at;
        *out = (place){get(p + 48, 8), get(p + 40, 8), get(p + 32, 8)};
        before = at;
    }
    if (out->at > before || out->size > before - out->at || out->count > out->size / DIRECTORY)
        return damaged(map, "its directory lies outside the file");
    return HG_OK;
}

/* The fields of all ones come from the zip64 extra, in this order. */
static bool read_zip64(const unsigned char *extra, size_t length, hg_zip_entry *e)
{
    uint64_t *fields[] = {&e->size, &e->stored, &e->header};
    size_t need = 0;
    for (int i = 0; i < 3; i++) need += *fields[i] == ALL32 ? 8 : 0;
    while (need && length >= 4) {
        size_t size = (size_t)get(extra + 2, 2);
        if (size > length - 4) return false;
        if (get(extra, 2) == 1) {
            if (size < need) return false;
            extra += 4;
            for (int i = 0; i < 3; i++) {
                if (*fields[i] != ALL32) continue;
                *fields[i] = get(extra, 8);
                extra += 8;
            }
            return true;
        }
        extra += 4 + size;
        length -= 4 + size;
    }
    return true;        /* without the extra these are the sizes */
}

/* One entry at `p`, before `end`; the bytes that it takes, or 0. */
static size_t read_entry(const unsigned char *p, const unsigned char *end, hg_zip_entry *e)
{
    size_t left = (size_t)(end - p);
    if (left < DIRECTORY || !is(p, "PK\1\2")) return 0;
    size_t name = (size_t)get(p + 28, 2), extra = (size_t)get(p + 30, 2), comment = (size_t)get(p + 32, 2);
    if (left - DIRECTORY < name + extra + comment) return 0;
    *e = (hg_zip_entry){
        .name = (const char *)p + DIRECTORY,
        .name_length = name,
        .header = get(p + 42, 4),
        .stored = get(p + 20, 4),
        .size = get(p + 24, 4),
        .crc = (uint32_t)get(p + 16, 4),
        .flags = (uint16_t)get(p + 8, 2),
        .method = (uint16_t)get(p + 10, 2),
    };
    return read_zip64(p + DIRECTORY + name, extra, e) ? DIRECTORY + name + extra + comment : 0;
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
    if (a_length != b_length) return a_length < b_length ? -1 : 1;
    return memcmp(a, b, a_length);
}

static int compare_entries(const void *a, const void *b)
{
    const hg_zip_entry *x = *(hg_zip_entry *const *)a, *y = *(hg_zip_entry *const *)b;
    return compare_names(x->name, x->name_length, y->name, y->name_length);
}

hg_status hg_zip_open(hg_map *map, hg_zip_reader *z)
{
    *z = (hg_zip_reader){.map = map};
    place directory;
    HG_TRY(find_directory(map, &directory));
    z->entries = calloc((size_t)directory.count + 1, sizeof *z->entries);
    z->sorted = calloc((size_t)directory.count + 1, sizeof *z->sorted);
    if (!z->entries || !z->sorted) return hg_error(HG_E_MEMORY, "%s: out of memory", map->path);
    const unsigned char *p = map->bytes + directory.at, *end = p + directory.size;
    for (uint64_t i = 0; i < directory.count; i++) {
        size_t taken = read_entry(p, end, &z->entries[i]);
        if (!taken) return damaged(map, "its directory is broken");
        p += taken;
        z->sorted[i] = &z->entries[i];
    }
    if (p != end) return damaged(map, "its directory has more than it says");
    z->count = (size_t)directory.count;
    qsort(z->sorted, z->count, sizeof *z->sorted, compare_entries);
    for (size_t i = 1; i < z->count; i++)
        if (!compare_entries(&z->sorted[i - 1], &z->sorted[i])) return damaged(map, "it has one name twice");
    return HG_OK;
}

void hg_zip_close(hg_zip_reader *z)
{
    free(z->entries);
    free(z->sorted);
    *z = (hg_zip_reader){0};
}

const hg_zip_entry *hg_zip_find(const hg_zip_reader *z, const char *name, size_t length)
{
    size_t low = 0, high = z->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const hg_zip_entry *e = z->sorted[middle];
        int order = compare_names(e->name, e->name_length, name, length);
        if (!order) return e;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return NULL;
}

/* ---- An entry --------------------------------------------------------------------------------------------------- */

static const char *find_bytes(const hg_map *map, const hg_zip_entry *e, const unsigned char **out)
{
    if (e->header > map->size || map->size - e->header < LOCAL) return "it lies outside the file";
    const unsigned char *p = map->bytes + e->header;
    if (!is(p, "PK\3\4")) return "it is not where the directory says";
    uint64_t left = map->size - e->header - LOCAL, before = get(p + 26, 2) + get(p + 28, 2);
    if (before > left || e->stored > left - before) return "it lies outside the file";
    if (e->flags & 1) return "it is encrypted";
    if (e->method != 0 && e->method != 8) return "it is packed in a way that PyTorch and NumPy do not use";
    if (e->method == 0 && e->stored != e->size) return "its two sizes differ";
    if (e->size / LARGEST_RATIO > e->stored) return "it could not have been packed so small";
    *out = p + LOCAL + before;
    return NULL;
}

hg_status hg_zip_extent(const hg_zip_reader *z, const hg_zip_entry *e, hg_extent **out)
{
    const unsigned char *bytes = z->map->bytes;
    const char *wrong = find_bytes(z->map, e, &bytes);
    hg_extent *b = hg_extent_new(z->map, bytes, wrong ? 0 : (size_t)e->stored, e->name, e->name_length);
    *out = NULL;
    if (!b) return HG_E_MEMORY;
    if (wrong) {
        hg_status status = hg_extent_damaged(b, wrong);
        hg_extent_release(b);
        return status;
    }
    b->size = (size_t)e->size;
    b->deflated = e->method == 8;
    b->has_crc = true;
    b->crc = e->crc;
    *out = b;
    return HG_OK;
}
