#include "probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hg_tensor *probe_tensor(hg_shape shape)
{
    double *v = test_values(test_numel(shape));
    hg_tensor *t = test_tensor(HG_F32, shape, v);
    free(v);
    return t;
}

hg_tensor *probe_leaf(hg_shape shape)
{
    hg_tensor *t = probe_tensor(shape);
    ck_assert_hg(hg_set_requires_grad(t, true));
    return t;
}

hg_tensor *probe_indices(hg_shape shape, int64_t limit)
{
    int64_t n = test_numel(shape);
    double *v = malloc(sizeof *v * (size_t)n);
    ck_assert_ptr_nonnull(v);
    for (int64_t i = 0; i < n; i++) v[i] = (double)((i * 7 + 3) % limit);
    hg_tensor *t = test_tensor(HG_I64, shape, v);
    free(v);
    return t;
}

void probe_backward(hg_tensor *y)
{
    ck_assert_hg_ok(y);
    ck_assert_hg(hg_backward_with(y, probe_tensor(hg_tensor_shape(y)), false));
}

bool probe_writes(void)
{
    return getenv("PROBE_WRITES") != NULL;
}

static FILE *results(void)
{
    static FILE *file;
    const char *folder = getenv("PROBE_FOLDER"), *suite = getenv("CK_RUN_SUITE");
    char path[4096];
    if (file) return file;
    ck_assert_msg(folder && suite, "PROBE_FOLDER and CK_RUN_SUITE have to be set");
    snprintf(path, sizeof path, "%s/%s.results", folder, suite);
    file = fopen(path, probe_writes() ? "wb" : "rb");
    ck_assert_msg(file != NULL, "%s does not open", path);
    return file;
}

double *probe_expected(int64_t n)
{
    int64_t kept;
    if (probe_writes()) return NULL;
    double *v = malloc(sizeof *v * (size_t)(n + 1));
    ck_assert_ptr_nonnull(v);
    ck_assert_msg(fread(&kept, sizeof kept, 1, results()) == 1 && kept == n, "another number of elements was kept");
    ck_assert(fread(v, sizeof *v, (size_t)n, results()) == (size_t)n);
    return v;
}

void probe_result(hg_tensor *t, double limit)
{
    ck_assert_hg_ok(t);
    int64_t n = hg_numel(t);
    double *expected = probe_expected(n);
    if (expected) {
        test_rms(t, hg_tensor_shape(t), expected, limit);
    } else {
        double *v = test_read(t);
        ck_assert(fwrite(&n, sizeof n, 1, results()) == 1 && fwrite(v, sizeof *v, (size_t)n, results()) == (size_t)n);
        ck_assert_int_eq(fflush(results()), 0);
        free(v);
    }
    free(expected);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {
        "convolutions", "elements", "layers", "losses", "products", "rows", "tensors", "train",
    };
    if (argc > 1 && !strcmp(argv[1], "--list")) {
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) puts(names[i]);
        return 0;
    }
    Suite *suites[] = {
        probe_convolutions_suite(), probe_elements_suite(), probe_layers_suite(), probe_losses_suite(),
        probe_products_suite(), probe_rows_suite(), probe_tensors_suite(), probe_train_suite(),
    };
    return test_main("probe", suites, (int)(sizeof suites / sizeof *suites));
}
