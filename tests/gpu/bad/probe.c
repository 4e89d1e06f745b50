/* Launches the kernels of kernels/memory.cl, which argument 2 names, for tests of tools/gpu-check. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hapgop/tensor.h"

enum { N = 4096 };

static char *text_of(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);
    if (file && text && !fread(text, 1, 65535, file)) text[0] = 0;
    if (file) fclose(file);
    return text;
}

static int is_wrong(hg_tensor *t, float first, float last)
{
    float *v = malloc(sizeof *v * (size_t)hg_numel(t));
    if (!v || hg_read(t, v) != HG_OK) {
        fprintf(stderr, "%s\n", hg_last_error());
        free(v);
        return 1;
    }
    int wrong = v[0] != first || v[hg_numel(t) - 1] != last;
    free(v);
    return wrong;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--list")) return puts("memory") < 0;
    hg_device *dev = hg_device_open(NULL);
    if (!dev) return 1;
    char *source = text_of(BAD_KERNELS "/memory.cl");
    const char *options = "-DHG_CPU=0 -DHG_LANES=256";
    hg_tensor *x = hg_zeros(dev, HG_F32, HG_SHAPE(N)), *y = hg_full(dev, HG_F32, HG_SHAPE(N), 2);
    hg_kernel_arg args[] = {HG_TENSOR_ARG(x), HG_TENSOR_ARG(y)};
    const size_t n = N, rows = N / 64, group = 256, warp = 32;
    int wrong = hg_run_kernel(dev, source, options, "one_bank", 1, &n, &warp, args, 1) != HG_OK || is_wrong(x, 0, 31);
    wrong |= hg_run_kernel(dev, source, options, "row_a_lane", 1, &rows, &warp, args, 1) != HG_OK || is_wrong(x, 0, 63);
    wrong |= hg_run_kernel(dev, source, options, "good", 1, &n, &group, args, 1) != HG_OK || is_wrong(x, 1, 1);
    wrong |= hg_run_kernel(dev, source, options, "read_again", 1, &n, &group, args, 2) != HG_OK || is_wrong(y, 16, 16);
    if (getenv("BAD_RESULT")) wrong = 1;
    if (wrong) fprintf(stderr, "wrong: %s\n", hg_last_error());
    hg_release(x);
    hg_release(y);
    hg_device_close(dev);
    free(source);
    return wrong;
}
