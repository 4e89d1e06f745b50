/* The layout is APPNOTE.TXT's 4.3 to 4.5 (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT). libzip cannot
 * place data at multiples of 64 bytes, which lets PyTorch map a file; hence this writer. Like PyTorch's, it pads with
 * an extra field 'FB', and it always writes the zip64 end record. Equal content makes equal files: no times. */
#include "weights/zip_write.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ALIGNMENT 64
#define LOCAL_HEADER 30
#define CRC_IN_HEADER 14
#define LIMIT UINT32_C(0xffffffff)      /* from here on a field is in the zip64 extra */
#define VERSION_ZIP64 45
#define DATE_1980 0x21                  /* the first of January */

static void put(hg_str *s, uint64_t x, int bytes)
{
    unsigned char b[8];
    for (int i = 0; i < bytes; i++) b[i] = x >> 8 * i & 255;
    hg_str_add_bytes(s, b, (size_t)bytes);
}

static uint32_t field(uint64_t x)
{
    return x < LIMIT ? (uint32_t)x : LIMIT;
}

static hg_status no_memory(hg_zip_writer *z)
{
    hg_status status = hg_error(HG_E_MEMORY, "cannot write %s: out of memory", z->file.path);
    hg_zip_abandon(z);
    return status;
}

static hg_status out(hg_zip_writer *z, const void *data, size_t size)
{
    hg_status status = hg_new_file_put(&z->file, data, size);
    if (status != HG_OK) hg_zip_abandon(z);
    z->at += size;
    return status;
}

/* Writes the string and frees it. */
static hg_status out_str(hg_zip_writer *z, hg_str *s)
{
    if (s->failed) {
        hg_str_free(s);
        return no_memory(z);
    }
    hg_status status = out(z, s->text, s->length);
    hg_str_free(s);
    return status;
}

hg_status hg_zip_begin(hg_zip_writer *z, const char *path)
{
    *z = (hg_zip_writer){0};
    return hg_new_file_open(&z->file, path);
}

/* What the local header and the directory have in common, from "version needed" to the lengths of name and extra. */
static void put_common(hg_str *s, uint32_t crc, uint64_t size, size_t name, size_t extra)
{
    put(s, VERSION_ZIP64, 2);
    put(s, 1 << 11, 2);         /* names are UTF-8 */
    put(s, 0, 2);               /* stored */
    put(s, 0, 2);
    put(s, DATE_1980, 2);
    put(s, crc, 4);
    put(s, field(size), 4);
    put(s, field(size), 4);
    put(s, name, 2);
    put(s, extra, 2);
}

static void put_directory_entry(hg_zip_writer *z)
{
    hg_str *s = &z->directory;
    int large = (z->size >= LIMIT ? 16 : 0) + (z->header >= LIMIT ? 8 : 0);
    put(s, 0x02014b50, 4);
    put(s, 0, 2);
    put_common(s, z->crc, z->size, strlen(z->name), large ? (size_t)large + 4 : 0);
    put(s, 0, 6);               /* no comment, first disk, not text */
    put(s, 0, 4);               /* no attributes */
    put(s, field(z->header), 4);
    hg_str_add_bytes(s, z->name, strlen(z->name));
    if (!large) return;
    put(s, 1, 2);
    put(s, (uint64_t)large, 2);
    if (z->size >= LIMIT) {
        put(s, z->size, 8);
        put(s, z->size, 8);
    }
    if (z->header >= LIMIT) put(s, z->header, 8);
}

hg_status hg_zip_begin_entry(hg_zip_writer *z, const char *name, uint64_t size)
{
    size_t zip64 = size >= LIMIT ? 20 : 0;
    size_t before = LOCAL_HEADER + strlen(name) + zip64 + 4;
    size_t padding = (ALIGNMENT - (z->at + before) % ALIGNMENT) % ALIGNMENT;
    if (!(z->name = strdup(name))) return no_memory(z);
    z->header = z->at;
    z->size = size;
    z->crc = 0;
    hg_str s = {0};
    put(&s, 0x04034b50, 4);
    put_common(&s, 0, size, strlen(name), zip64 + 4 + padding);
    hg_str_add_bytes(&s, name, strlen(name));
    if (zip64) {
        put(&s, 1, 2);
        put(&s, 16, 2);
        put(&s, size, 8);
        put(&s, size, 8);
    }
    hg_str_add_bytes(&s, "FB", 2);
    put(&s, padding, 2);
    for (size_t i = 0; i < padding; i++) hg_str_add_bytes(&s, "Z", 1);
    return out_str(z, &s);
}

hg_status hg_zip_put(hg_zip_writer *z, const void *data, size_t size)
{
    z->crc = (uint32_t)crc32_z(z->crc, data, size);
    return out(z, data, size);
}

/* Now the checksum is known: it goes into the header, which is written already. */
hg_status hg_zip_end_entry(hg_zip_writer *z)
{
    unsigned char crc[4];
    for (int i = 0; i < 4; i++) crc[i] = z->crc >> 8 * i & 255;
    hg_status status = hg_new_file_patch(&z->file, z->header + CRC_IN_HEADER, crc, sizeof crc);
    if (status != HG_OK) {
        hg_zip_abandon(z);
        return status;
    }
    put_directory_entry(z);
    z->entries++;
    free(z->name);
    z->name = NULL;
    return HG_OK;
}

hg_status hg_zip_add(hg_zip_writer *z, const char *name, const void *data, size_t size)
{
    HG_TRY(hg_zip_begin_entry(z, name, size));
    HG_TRY(hg_zip_put(z, data, size));
    return hg_zip_end_entry(z);
}

hg_status hg_zip_finish(hg_zip_writer *z)
{
    uint64_t directory = z->at, size = z->directory.length;
    HG_TRY(out_str(z, &z->directory));
    hg_str s = {0};
    put(&s, 0x06064b50, 4);     /* the zip64 end record */
    put(&s, 44, 8);
    put(&s, VERSION_ZIP64, 2);
    put(&s, VERSION_ZIP64, 2);
    put(&s, 0, 8);
    put(&s, z->entries, 8);
    put(&s, z->entries, 8);
    put(&s, size, 8);
    put(&s, directory, 8);
    put(&s, 0x07064b50, 4);     /* where it is */
    put(&s, 0, 4);
    put(&s, directory + size, 8);
    put(&s, 1, 4);
    put(&s, 0x06054b50, 4);     /* the end record */
    put(&s, 0, 4);
    put(&s, z->entries < 0xffff ? z->entries : 0xffff, 2);
    put(&s, z->entries < 0xffff ? z->entries : 0xffff, 2);
    put(&s, field(size), 4);
    put(&s, field(directory), 4);
    put(&s, 0, 2);
    HG_TRY(out_str(z, &s));
    return hg_new_file_commit(&z->file);
}

void hg_zip_abandon(hg_zip_writer *z)
{
    hg_new_file_abandon(&z->file);
    hg_str_free(&z->directory);
    free(z->name);
    *z = (hg_zip_writer){0};
}
