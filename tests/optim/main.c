#include <stdlib.h>
#include <string.h>

#include "suites.h"

double *test_numbers(int64_t n, int64_t salt)
{
    double *v = malloc(sizeof *v * (size_t)n);
    ck_assert_ptr_nonnull(v);
    for (int64_t i = 0; i < n; i++) v[i] = (float)((double)((i * 7919 + salt * 104729) % 2001 - 1000) / 500.0);
    return v;
}

void test_set_grad(hg_tensor *param, int64_t salt)
{
    double *v = test_numbers(hg_numel(param), salt);
    hg_tensor *g = test_tensor(hg_tensor_dtype(param), hg_tensor_shape(param), v);
    ck_assert_hg(hg_set_grad(param, g));
    hg_release(g);
    free(v);
}

static hg_tensor *box_forward(hg_module *m, hg_tensor *x)
{
    (void)m;
    return x;
}

hg_module *test_box(hg_dtype dtype)
{
    static const hg_module_class box_class = {.name = "Box", .forward = box_forward};
    static const int64_t sizes[] = {17, 4, 3};
    hg_module *m = hg_module_new(test_device(), &box_class);
    for (int k = 0; k < 3; k++) {
        double *v = test_numbers(sizes[k], k);
        ck_assert_hg(
            hg_add_parameter(m, (const char *[]){"a", "b", "c"}[k], test_tensor(dtype, HG_SHAPE(sizes[k]), v)));
        free(v);
    }
    return m;
}

void test_read_box(hg_module *m, double out[TEST_BOX])
{
    for (int k = 0; k < 3; k++) {
        hg_tensor *t = hg_parameter(m, (const char *[]){"a", "b", "c"}[k]);
        double *v = test_read(t);
        memcpy(out, v, sizeof *v * (size_t)hg_numel(t));
        out += hg_numel(t);
        free(v);
    }
}

int main(void)
{
    Suite *suites[] = {
        clip_suite(),
        groups_suite(),
        optimizer_suite(),
        scheduler_suite(),
    };
    return test_main("optim", suites, (int)(sizeof suites / sizeof *suites));
}
