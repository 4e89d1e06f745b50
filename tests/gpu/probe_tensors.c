/* Filling, copying, joining, borders, elements by index, sizes, random numbers. */
#include "probe.h"

START_TEST(fills)
{
    const hg_dtype types[] = {HG_F32, HG_I64, HG_BOOL};
    hg_scope *s = hg_scope_begin(test_device());
    for (int i = 0; i < 3; i++) probe_result(hg_full(test_device(), types[i], PROBE_SHAPE, 1), 0);
    hg_tensor *x = probe_tensor(PROBE_SHAPE);
    ck_assert_hg(hg_fill_(hg_slice(x, 1, 1, 3, 1), 7));
    probe_result(x, 0);
    probe_result(hg_arange(test_device(), HG_F32, 0, 4096, 1), 0);
    hg_scope_end(s);
}
END_TEST

/* As they lie, rows and columns exchanged, channels last and back, a part, another type */
START_TEST(copies)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = probe_tensor(PROBE_SHAPE), *m = probe_tensor(HG_SHAPE(64, 64));
    hg_tensor *last = hg_contiguous(hg_permute(x, HG_DIMS(0, 2, 3, 1)));
    probe_result(hg_clone(x), 0);
    probe_result(hg_contiguous(hg_transpose(m, 0, 1)), 0);
    probe_result(last, 0);
    probe_result(hg_contiguous(hg_permute(last, HG_DIMS(0, 3, 1, 2))), 0);
    probe_result(hg_clone(hg_slice(x, 1, 1, 4, 1)), 0);
    probe_result(hg_clone(hg_expand(probe_tensor(HG_SHAPE(4, 1, 1)), PROBE_SHAPE)), 0);
    probe_result(hg_cast(x, HG_I32), 0);
    probe_result(hg_cast(x, HG_BOOL), 0);
    hg_scope_end(s);
}
END_TEST

START_TEST(joining)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = probe_leaf(PROBE_SHAPE), *b = probe_leaf(PROBE_SHAPE);
    for (int dim = 0; dim < 2; dim++) {
        hg_tensor *y = hg_cat((hg_tensor *[]){a, b}, 2, dim);
        probe_backward(y);
        probe_result(y, 0);
    }
    probe_result(hg_grad(a), 1e-6);
    hg_scope_end(s);
}
END_TEST

START_TEST(borders)
{
    for (int mode = HG_PAD_CONSTANT; mode <= HG_PAD_CIRCULAR; mode++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_tensor *x = probe_leaf(PROBE_IMAGES), *y = hg_pad(x, HG_PADS(4, 4, 4, 4), (hg_pad_mode)mode, 9);
        probe_backward(y);
        probe_result(y, 0);
        probe_result(hg_grad(x), 1e-6);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(elements_by_index)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *x = probe_leaf(HG_SHAPE(64, 64)), *y = hg_index_select(x, 0, probe_indices(HG_SHAPE(48), 64));
    probe_backward(y);
    probe_result(y, 0);
    probe_result(hg_grad(x), 1e-6);
    hg_tensor *z = probe_leaf(HG_SHAPE(64, 64)), *picked = hg_gather(z, 0, probe_indices(HG_SHAPE(64, 64), 64));
    probe_backward(picked);
    probe_result(picked, 0);
    probe_result(hg_grad(z), 1e-6);
    hg_scope_end(s);
}
END_TEST

START_TEST(sizes)
{
    for (int bilinear = 0; bilinear < 2; bilinear++) {
        hg_scope *s = hg_scope_begin(test_device());
        hg_interpolate_options o = HG_INTERPOLATE_DEFAULTS;
        o.size[0] = 64;
        o.mode = bilinear ? HG_INTERPOLATE_BILINEAR : HG_INTERPOLATE_NEAREST;
        hg_tensor *x = probe_leaf(PROBE_IMAGES), *y = hg_interpolate(x, &o);
        probe_backward(y);
        probe_result(y, 1e-6);
        probe_result(hg_grad(x), 1e-6);
        hg_scope_end(s);
    }
}
END_TEST

START_TEST(random_numbers)
{
    hg_scope *s = hg_scope_begin(test_device());
    ck_assert_hg(hg_manual_seed(test_device(), 3, HG_RNG_PHILOX));
    probe_result(hg_rand(test_device(), PROBE_SHAPE), 1e-6);
    probe_result(hg_randn(test_device(), PROBE_SHAPE), 1e-5);
    probe_result(hg_randint(test_device(), -2, 3, PROBE_SHAPE), 0);
    for (int channels = 0; channels < 2; channels++) {
        hg_tensor *x = probe_leaf(PROBE_SHAPE), *y = channels ? hg_dropout2d(x, 0.5, true) : hg_dropout(x, 0.5, true);
        probe_backward(y);
        probe_result(y, 0);
        probe_result(hg_grad(x), 0);
    }
    hg_scope_end(s);
}
END_TEST

Suite *probe_tensors_suite(void)
{
    return TEST_SUITE("tensors", fills, copies, joining, borders, elements_by_index, sizes, random_numbers);
}
