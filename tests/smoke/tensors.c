/* Copies, views, casts, joining, random numbers, batches of images. */
#include <math.h>
#include <stdlib.h>

#include "data/finish.h"
#include "smoke.h"

START_TEST(fills_and_ranges)
{
    const hg_dtype types[] = {HG_F32, HG_I32, HG_I64, HG_U8};
    hg_scope *s = hg_scope_begin(test_device());
    for (int i = 0; i < 4; i++)
        test_equal(hg_full(test_device(), types[i], HG_SHAPE(5), 3), HG_SHAPE(5), ((double[]){3, 3, 3, 3, 3}));
    hg_tensor *t = hg_zeros(test_device(), HG_F32, HG_SHAPE(2, 4));
    ck_assert_hg(hg_fill_(hg_slice(t, 1, 0, 4, 2), 7));
    test_equal(t, HG_SHAPE(2, 4), ((double[]){7, 0, 7, 0, 7, 0, 7, 0}));
    test_equal(hg_arange(test_device(), HG_I64, 1, 10, 3), HG_SHAPE(3), ((double[]){1, 4, 7}));
    hg_scope_end(s);
}
END_TEST

/* A transposed view is copied, and the gradient goes back through both. */
START_TEST(copies_of_views)
{
    double *x = smoke_values(SMOKE_N, 1), *g = smoke_values(SMOKE_N, 2), y[SMOKE_N], d[SMOKE_N];
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = smoke_leaf(HG_F32, SMOKE_SHAPE, 1), *c = hg_contiguous(hg_permute(t, HG_DIMS(1, 3, 0, 2)));
    smoke_backward(c, 2);
    for (int i = 0; i < SMOKE_N; i++) {     /* i = ((c 8 + w) 2 + n) 8 + h */
        int from = i / 8 % 2 * 192 + i / 128 * 64 + i % 8 * 8 + i / 16 % 8;
        y[i] = x[from];
        d[from] = g[i];
    }
    test_equal(c, HG_SHAPE(3, 8, 2, 8), y);
    test_equal(hg_grad(t), SMOKE_SHAPE, d);
    hg_scope_end(s);
    free(x);
    free(g);
}
END_TEST

START_TEST(casts)
{
    const double v[4] = {-2.75, 0, 1.5, 3};
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *t = test_tensor(HG_F32, HG_SHAPE(4), v), *whole = hg_cast(t, HG_I32);
    test_equal(whole, HG_SHAPE(4), ((double[]){-2, 0, 1, 3}));
    test_equal(hg_cast(whole, HG_I64), HG_SHAPE(4), ((double[]){-2, 0, 1, 3}));
    test_equal(hg_cast(t, HG_BOOL), HG_SHAPE(4), ((double[]){1, 0, 1, 1}));
    test_equal(hg_cast(hg_cast(whole, HG_U8), HG_F32), HG_SHAPE(4), ((double[]){254, 0, 1, 3}));
    hg_scope_end(s);
}
END_TEST

START_TEST(joining)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *a = test_tensor(HG_F32, HG_SHAPE(2, 1), (double[]){1, 2});
    hg_tensor *b = test_tensor(HG_F32, HG_SHAPE(2, 2), (double[]){3, 4, 5, 6});
    ck_assert_hg(hg_set_requires_grad(b, true));
    hg_tensor *y = hg_cat((hg_tensor *[]){a, b}, 2, 1);
    ck_assert_hg(hg_backward_with(y, test_tensor(HG_F32, HG_SHAPE(2, 3), (double[]){1, 2, 3, 4, 5, 6}), false));
    test_equal(y, HG_SHAPE(2, 3), ((double[]){1, 3, 4, 2, 5, 6}));
    test_equal(hg_grad(b), HG_SHAPE(2, 2), ((double[]){2, 3, 5, 6}));
    hg_scope_end(s);
}
END_TEST

/* The same seed gives the same numbers, in their range. */
START_TEST(random_numbers)
{
    double *first = NULL;
    for (int run = 0; run < 2; run++) {
        hg_scope *s = hg_scope_begin(test_device());
        ck_assert_hg(hg_manual_seed(test_device(), 3, HG_RNG_PHILOX));
        double *u = test_read(hg_rand(test_device(), HG_SHAPE(99))),
               *n = test_read(hg_randn(test_device(), HG_SHAPE(99)));
        double *k = test_read(hg_randint(test_device(), -2, 3, HG_SHAPE(99))), sum = 0;
        for (int i = 0; i < 99; i++) {
            ck_assert(u[i] >= 0 && u[i] < 1 && fabs(n[i]) < 6 && k[i] >= -2 && k[i] <= 2);
            ck_assert(!first || first[i] == u[i]);
            sum += u[i];
        }
        ck_assert(sum > 30 && sum < 70);
        hg_scope_end(s);
        free(n);
        free(k);
        free(first);
        first = u;
    }
    free(first);
}
END_TEST

/* Two packed images of 1 x 3 pixels in two channels, the second one to be flipped. */
START_TEST(batches_of_images)
{
    hg_finish *f;
    hg_transform *t = hg_compose((hg_transform *[]){hg_random_horizontal_flip(0.5), hg_to_tensor(),
                                 hg_normalize((double[]){0, 1}, (double[]){1, 2}, 2)}, 3);
    ck_assert_hg(hg_finish_new(t, &(hg_item_spec){HG_U8, HG_SHAPE(1, 3, 2)}, &f));
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *packed = test_tensor(HG_U8, HG_SHAPE(2, 7), (double[]){0, 255, 51, 0, 255, 255, 0,
                                                                      0, 255, 51, 0, 255, 255, 1});
    test_equal(hg_finish_run(f, packed), HG_SHAPE(2, 2, 1, 3),
               ((double[]){0, 0.2f, 1, 0, -0.5, 0, 1, 0.2f, 0, 0, -0.5, 0}));
    hg_scope_end(s);
    hg_finish_free(f);
    hg_transform_free(t);
}
END_TEST

Suite *tensors_suite(void)
{
    return TEST_SUITE("tensors", fills_and_ranges, copies_of_views, casts, joining, random_numbers, batches_of_images);
}
