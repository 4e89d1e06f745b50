#include "cl/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/size.h"
#include "cl/device.h"

enum { CLASSES = 64 * 4 };

/* Vector loads of 16 floats may look past the last element of a row: no block ends flush with its data. */
enum { SLACK = 64 };

struct hg_pool {
    cl_context context;
    uint64_t limit, budget;
    uint64_t in_use, held, peak;
    hg_block *free[CLASSES];
};

/* Size classes: four to each power of two, from 256 bytes: at most a fifth is wasted. */
static int class_of(size_t bytes, size_t *size)
{
    if (bytes < 256) bytes = 256;
    int top = 63 - __builtin_clzll(bytes);
    size_t quarter = (size_t)1 << (top - 2);
    size_t steps = (bytes - ((size_t)1 << top) + quarter - 1) / quarter;
    *size = ((size_t)1 << top) + steps * quarter;
    return top * 4 + (int)steps;
}

hg_status hg_pool_new(hg_pool **pool, cl_context context, uint64_t limit)
{
    const char *budget = getenv("HAPGOP_MEMORY");
    *pool = calloc(1, sizeof **pool);
    if (!*pool) return hg_error(HG_E_MEMORY, "device: out of host memory");
    (*pool)->context = context;
    (*pool)->limit = limit;
    if (budget && *budget && !hg_parse_size(budget, &(*pool)->budget)) {
        free(*pool);
        *pool = NULL;
        return hg_error(HG_E_ARG, "HAPGOP_MEMORY=%s is not a size; write bytes, or a number with K, M or G", budget);
    }
    return HG_OK;
}

static void trim(hg_pool *pool)
{
    for (int c = 0; c < CLASSES; c++) {
        while (pool->free[c]) {
            hg_block *block = pool->free[c];
            pool->free[c] = block->next;
            pool->held -= block->size;
            clReleaseMemObject(block->mem);
            free(block);
        }
    }
}

void hg_pool_free(hg_pool *pool)
{
    if (!pool) return;
    trim(pool);
    free(pool);
}

static hg_status cannot(const hg_pool *pool, size_t bytes, const char *why)
{
    return hg_error(HG_E_MEMORY, "out of device memory: %.1f MB wanted with %.1f MB in use%s; use a smaller batch or raise %s",
                    (double)bytes / 1e6, (double)pool->in_use / 1e6, why, pool->budget ? "HAPGOP_MEMORY" : "the device's memory");
}

static hg_block *allocate(hg_pool *pool, size_t size, size_t asked)
{
    char why[96];
    if (size + SLACK > pool->limit) {
        snprintf(why, sizeof why, " (the device's largest allocation is %.1f MB)", (double)pool->limit / 1e6);
        cannot(pool, asked, why);
        return NULL;
    }
    if (pool->budget && pool->held + size > pool->budget) trim(pool);
    if (pool->budget && pool->held + size > pool->budget) {
        snprintf(why, sizeof why, " of HAPGOP_MEMORY's %.1f MB", (double)pool->budget / 1e6);
        cannot(pool, asked, why);
        return NULL;
    }
    hg_block *block = malloc(sizeof *block);
    if (!block) {
        hg_error(HG_E_MEMORY, "out of host memory");
        return NULL;
    }
    cl_int code;
    cl_mem mem = clCreateBuffer(pool->context, CL_MEM_READ_WRITE, size + SLACK, NULL, &code);
    if (code != CL_SUCCESS) {
        trim(pool);
        mem = clCreateBuffer(pool->context, CL_MEM_READ_WRITE, size + SLACK, NULL, &code);
    }
    if (code != CL_SUCCESS) {
        free(block);
        snprintf(why, sizeof why, " (%s)", hg_cl_name(code));
        cannot(pool, asked, why);
        return NULL;
    }
    *block = (hg_block){.mem = mem, .size = size};
    pool->held += size;
    hg_log_message("memory", "allocated %zu bytes, %llu held", size, (unsigned long long)pool->held);
    return block;
}

hg_block *hg_pool_take(hg_device *dev, size_t bytes)
{
    hg_pool *pool = dev->pool;
    bool outermost;
    if (hg_device_enter(dev, &outermost) != HG_OK) return NULL;
    hg_block *block = NULL;
    if (bytes > ((size_t)1 << 62)) {
        hg_error(HG_E_MEMORY, "out of device memory: %zu bytes wanted", bytes);
    } else {
        size_t size;
        int class = class_of(bytes, &size);
        block = pool->free[class];
        if (block)
            pool->free[class] = block->next;
        else
            block = allocate(pool, size, bytes);
        if (block) {
            pool->in_use += block->size;
            if (pool->in_use > pool->peak) pool->peak = pool->in_use;
        }
    }
    hg_device_leave(dev, outermost);
    return block;
}

void hg_pool_give(hg_device *dev, hg_block *block)
{
    if (!block) return;
    size_t size;
    int class = class_of(block->size, &size);
    dev->pool->in_use -= block->size;
    block->next = dev->pool->free[class];
    dev->pool->free[class] = block;
}

hg_status hg_memory_get_info(hg_device *dev, hg_memory_info *info)
{
    if (!dev || !info) return hg_error(HG_E_ARG, "hg_memory_get_info: NULL");
    *info = (hg_memory_info){dev->pool->in_use, dev->pool->held, dev->pool->peak, dev->pool->budget};
    return HG_OK;
}

void hg_memory_reset_peak(hg_device *dev)
{
    dev->pool->peak = dev->pool->in_use;
}

void hg_memory_trim(hg_device *dev)
{
    bool outermost;
    if (hg_device_enter(dev, &outermost) != HG_OK) return;
    trim(dev->pool);
    hg_device_leave(dev, outermost);
}
