#define _GNU_SOURCE
#include "cl/quirks.h"

#include <stdio.h>
#include <string.h>

/* Empty patterns match everything; others are parts of the text, any case. */
static const struct {
    const char *platform, *device;
    unsigned flag;
    const char *name;
    const char *skipped;
    /* source: where the bug is described */
} rows[] = {
    /* Reading program binaries makes PoCL build once more, and it has its own cache keyed by source.
     * source: pyopencl issue 731, mirgecom issue 288 */
    {"Portable Computing Language", "", HG_QUIRK_NO_BINARY_CACHE, "no-binary-cache", NULL},
    /* Keeps binaries in its own cache; binaries read back do not always load.
     * source: dlprimitives does the same; pyopencl's compiler cache notes */
    {"NVIDIA CUDA", "", HG_QUIRK_NO_BINARY_CACHE, "no-binary-cache", NULL},
    /* CLBlast 1.5.3 has GEMMK=1 with MWG != NWG for Intel GPUs: wrong results.
     * source: CLBlast issues 340, 533, 542, fixed in 1.6.3 */
    {"Intel", "Graphics", HG_QUIRK_CLBLAST_INTEL_GEMMK1, "clblast-gemmk1", NULL},
    /* llvmpipe makes a coroutine of each kernel, which LLVM 15 takes quadratic time for: five minutes of winograd.cl.
     * source: measured with Mesa 22.3.6; samples of it are in llvm::coro::buildCoroutineFrame */
    {"rusticl", "llvmpipe", HG_QUIRK_SLOW_LONG_KERNELS, "slow-long-kernels", NULL},
    /* Mesa's first OpenCL driver, abandoned for rusticl: no fp32 image-free path that passes its own tests.
     * source: Mesa's release notes 24.x, CLBlast issue 387 */
    {"Clover", "", HG_QUIRK_SKIP, "clover", "Mesa's Clover computes wrong results (CLBlast issue 387); use rusticl"},
};

unsigned hg_quirks_of(hg_device_info *info)
{
    unsigned quirks = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!strcasestr(info->platform, rows[i].platform) || !strcasestr(info->name, rows[i].device)) continue;
        quirks |= rows[i].flag;
        size_t used = strlen(info->quirks);
        snprintf(info->quirks + used, sizeof info->quirks - used, "%s%s", used ? ", " : "", rows[i].name);
        if (rows[i].skipped) snprintf(info->skipped, sizeof info->skipped, "%s", rows[i].skipped);
    }
    return quirks;
}
