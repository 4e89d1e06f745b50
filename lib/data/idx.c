#include "data/idx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/checked.h"

/* Fails unless exactly `n` bytes come; `have` of `total` came before. */
static hg_status read_bytes(gzFile file, const char *path, void *out, int64_t n, int64_t have, int64_t total)
{
    int64_t got = gzread(file, out, (unsigned)n);
    if (got == n) return HG_OK;
    int code;
    const char *reason = gzerror(file, &code);
    if (code == Z_ERRNO) return hg_error(HG_E_IO, "idx: cannot read %s: %s", path, strerror(errno));
    if (code != Z_OK && code != Z_BUF_ERROR)
        return hg_error(HG_E_FORMAT, "idx: %s: damaged gzip data: %s", path, reason);
    return hg_error(HG_E_FORMAT, "idx: %s is truncated: %lld bytes of %lld", path,
                    (long long)(have + (got > 0 ? got : 0)), (long long)total);
}

static hg_status read_header(gzFile file, const char *path, int ndim, hg_idx *idx, int64_t *bytes)
{
    uint8_t header[4 + 4 * HG_IDX_MAX_DIMS];
    int64_t n = 4 + 4 * (int64_t)ndim;
    HG_TRY(read_bytes(file, path, header, 4, 0, n));
    if (header[0] || header[1] || header[2] != 8 || header[3] != ndim)
        return hg_error(HG_E_FORMAT, "idx: %s starts with 0x%02x%02x%02x%02x, not with 0x0000080%d: it is no IDX file "
                        "of unsigned bytes with %d dimension%s", path, header[0], header[1], header[2], header[3], ndim,
                        ndim, ndim == 1 ? "" : "s");
    HG_TRY(read_bytes(file, path, header + 4, n - 4, 4, n));
    idx->ndim = ndim;
    *bytes = 1;
    for (int i = 0; i < ndim; i++) {
        const uint8_t *b = header + 4 + 4 * i;
        idx->size[i] = (int64_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
        if (!hg_mul_i64(*bytes, idx->size[i], bytes)) *bytes = INT64_MAX;
    }
    if (*bytes > HG_IDX_MAX_BYTES)
        return hg_error(HG_E_FORMAT, "idx: %s claims %lld x %lld x %lld x %lld bytes, more than 2 GiB", path,
                        (long long)idx->size[0], (long long)(ndim > 1 ? idx->size[1] : 1),
                        (long long)(ndim > 2 ? idx->size[2] : 1), (long long)(ndim > 3 ? idx->size[3] : 1));
    return HG_OK;
}

/* Memory grows with what the file holds, not with what its header claims. */
static hg_status read_elements(gzFile file, const char *path, int64_t bytes, hg_idx *idx)
{
    int64_t have = 0;
    do {
        int64_t part = hg_min_i64(hg_max_i64(have, 1 << 20), bytes - have);
        uint8_t *more = realloc(idx->data, (size_t)(have + part) + 1);
        if (!more) return hg_error(HG_E_MEMORY, "idx: out of memory for %s", path);
        idx->data = more;
        HG_TRY(read_bytes(file, path, idx->data + have, part, have, bytes));
        have += part;
    } while (have < bytes);
    int code = Z_OK, after = gzgetc(file);  /* also makes zlib check the sum at the end of a gzip file */
    const char *reason = gzerror(file, &code);
    if (after != -1)
        return hg_error(HG_E_FORMAT, "idx: %s has bytes behind the %lld that its header announces", path,
                        (long long)bytes);
    if (code != Z_OK)
        return hg_error(HG_E_FORMAT, "idx: %s: %s", path, code == Z_BUF_ERROR ? "the gzip data is truncated" : reason);
    return HG_OK;
}

hg_status hg_idx_read(const char *path, int ndim, hg_idx *idx)
{
    *idx = (hg_idx){0};
    errno = 0;
    gzFile file = gzopen(path, "rb");
    if (!file) return hg_error(HG_E_IO, "idx: cannot read %s: %s", path, strerror(errno ? errno : ENOMEM));
    gzbuffer(file, 1 << 17);
    int64_t bytes = 0;
    hg_status status = read_header(file, path, ndim, idx, &bytes);
    if (status == HG_OK) status = read_elements(file, path, bytes, idx);
    gzclose(file);
    if (status != HG_OK) {
        free(idx->data);
        *idx = (hg_idx){0};
    }
    return status;
}
