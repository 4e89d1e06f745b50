#include <stdlib.h>
#include <string.h>

#include "suites.h"

static hg_status twice_backward(hg_node *n, hg_tensor *dy, hg_tensor **dx)
{
    (void)n;
    dx[0] = test_twice(dy);
    return hg_ok(dx[0]) ? HG_OK : hg_last_status();
}

hg_tensor *test_twice(hg_tensor *x)
{
    double *v = test_read(x);
    for (int64_t i = 0; i < hg_numel(x); i++) v[i] *= 2;
    hg_tensor *y = test_tensor(hg_tensor_dtype(x), hg_tensor_shape(x), v);
    free(v);
    return hg_record_custom(y, "Twice", twice_backward, (hg_tensor *[]){x}, 1, NULL, 0, NULL, 0);
}

static hg_tensor *unit_forward(hg_module *m, hg_tensor *x)
{
    (void)m;
    return test_twice(x);
}

static char *unit_text(const hg_module *m)
{
    (void)m;
    return strdup("one\ntwo");
}

hg_module *test_unit(void)
{
    static const hg_module_class unit_class = {.name = "Unit", .forward = unit_forward, .extra_text = unit_text};
    hg_device *dev = test_device();
    hg_module *m = hg_module_new(dev, &unit_class);
    ck_assert_ptr_nonnull(m);
    ck_assert_hg(hg_add_parameter(m, "weight", hg_full(dev, HG_F32, HG_SHAPE(3), 1)));
    ck_assert_hg(hg_add_buffer(m, "seen", hg_full(dev, HG_I64, HG_SHAPE(1), 5)));
    ck_assert_hg(hg_add_parameter(m, "bias", hg_full(dev, HG_F32, HG_SHAPE(1), 2)));
    return m;
}

uint64_t test_memory(void)
{
    hg_memory_info info;
    ck_assert_hg(hg_sync(test_device()));
    ck_assert_hg(hg_memory_get_info(test_device(), &info));
    return info.in_use;
}

int main(void)
{
    Suite *suites[] = {
        compile_suite(),
        fashion_suite(),
        finetune_suite(),
        forward_suite(),
        layers_suite(),
        memory_suite(),
        module_suite(),
        norms_suite(),
        zoo_suite(),
    };
    return test_main("nn", suites, (int)(sizeof suites / sizeof *suites));
}
