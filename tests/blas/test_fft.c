/* Transforms against the sum that defines them; back again; two devices one after the other. */
#include <math.h>
#include <stdlib.h>

#include "blas/fft.h"
#include "suites.h"
#include "tensor/tensor.h"

/* The real and imaginary part of frequency (u, v) of an array of rows x n. */
static void frequency(const double *x, int rows, int n, int u, int v, double out[2])
{
    out[0] = out[1] = 0;
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < n; j++) {
            double angle = -2 * M_PI * ((double)(u * i % rows) / rows + (double)(v * j % n) / n);
            out[0] += x[i * n + j] * cos(angle);
            out[1] += x[i * n + j] * sin(angle);
        }
    }
}

static void check_transform(hg_device *dev, int rank, int n, int batch)
{
    const int rows = rank == 1 ? 1 : n, size = rows * n, half = n / 2 + 1, pitch = (int)hg_fft_pitch(batch);
    hg_fft t = {rank, n, batch, false};
    double *x = test_values((int64_t)size * batch), *zero = calloc((size_t)(2 * rows * half * pitch), sizeof *zero);
    ck_assert_ptr_nonnull(zero);
    hg_scope *scope = hg_scope_begin(dev);
    hg_tensor *a = hg_empty(dev, HG_F32, HG_SHAPE(size * batch)), *back = hg_empty(dev, HG_F32, HG_SHAPE(size * batch));
    hg_tensor *s = hg_empty(dev, HG_F32, HG_SHAPE(2 * rows * half * pitch));
    float *f = malloc(sizeof *f * (size_t)(size * batch));
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < size * batch; i++) x[i] = f[i] = (float)x[i];
    ck_assert_hg(hg_write(a, f));
    ck_assert_hg(hg_fft_run(dev, &t, a->storage->mem, 0, s->storage->mem, 0));
    double *got = test_read(s);
    for (int b = 0; b < batch; b += batch > 4 ? batch / 3 : 1) {
        for (int k = 0; k < rows * half; k += 7) {
            double expected[2];
            frequency(x + b * size, rows, n, k / half, k % half, expected);
            for (int part = 0; part < 2; part++)
                ck_assert_double_eq_tol(got[2 * (k * pitch + b) + part], expected[part], 1e-5 * n);
        }
    }
    t.inverse = true;
    ck_assert_hg(hg_fft_run(dev, &t, s->storage->mem, 0, back->storage->mem, 0));
    test_rms(back, HG_SHAPE(size * batch), x, 3e-7);
    hg_scope_end(scope);
    free(got);
    free(zero);
    free(f);
    free(x);
}

START_TEST(spectra_are_those_of_the_definition_and_lead_back)
{
    check_transform(test_device(), 2, 16, 8);
    check_transform(test_device(), 1, 32, 4);
}
END_TEST

START_TEST(the_library_behind_is_set_up_again_for_another_device)
{
    for (int i = 0; i < 2; i++) {
        hg_device *dev = hg_device_open(NULL);
        ck_assert_msg(dev != NULL, "%s", hg_last_error());
        check_transform(dev, 2, 16, 8);
        hg_device_close(dev);
    }
}
END_TEST

START_TEST(a_length_that_cannot_be_transformed_is_refused)
{
    hg_scope *scope = hg_scope_begin(test_device());
    hg_tensor *x = hg_empty(test_device(), HG_F32, HG_SHAPE(4096));
    hg_fft t = {1, 17, 2, false};
    ck_assert_int_eq(hg_fft_run(test_device(), &t, x->storage->mem, 0, x->storage->mem, 4096), HG_E_UNSUPPORTED);
    test_error(HG_E_UNSUPPORTED, "clFFT");
    hg_scope_end(scope);
}
END_TEST

Suite *fft_suite(void)
{
    return TEST_SUITE("fft", spectra_are_those_of_the_definition_and_lead_back,
                      the_library_behind_is_set_up_again_for_another_device,
                      a_length_that_cannot_be_transformed_is_refused);
}
