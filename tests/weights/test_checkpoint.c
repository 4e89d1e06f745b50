/* Checkpoints: what is put in comes out, in this process and for PyTorch; and what is wrong is told. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hapgop/weights.h"
#include "support.h"

static char folder[] = "/tmp/hapgop-checkpoint-XXXXXX";

static const char *file(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static hg_checkpoint *reread(hg_checkpoint *c, const char *name)
{
    ck_assert_hg(hg_checkpoint_write(c, file(name)));
    hg_checkpoint_free(c);
    c = hg_checkpoint_read(file(name));
    ck_assert_msg(c != NULL, "%s", hg_last_error());
    return c;
}

START_TEST(values_come_back)
{
    hg_checkpoint *c = hg_checkpoint_new();
    float x[] = {1.5f, -0.0f, INFINITY};
    int64_t y[] = {INT64_MIN, 0, INT64_MAX, 3};
    hg_checkpoint_put_bool(c, "yes", true);
    hg_checkpoint_put_int(c, "many", INT64_MIN);
    hg_checkpoint_put_double(c, "lr", 0.1);
    hg_checkpoint_put_text(c, "name", "합곱");
    hg_checkpoint_put_array(c, "x", HG_F32, HG_SHAPE(3), x);
    hg_checkpoint_put_array(c, "deep/er/y", HG_I64, HG_SHAPE(2, 2), y);
    hg_checkpoint_put_array(c, "deep/none", HG_U8, HG_SHAPE(0), NULL);
    c = reread(c, "values.pth");

    bool yes = false;
    int64_t many = 0;
    double lr = 0, as_double = 0;
    const char *name = NULL;
    const void *data = NULL;
    hg_shape shape;
    ck_assert_hg(hg_checkpoint_get_bool(c, "yes", &yes));
    ck_assert_hg(hg_checkpoint_get_int(c, "many", &many));
    ck_assert_hg(hg_checkpoint_get_double(c, "lr", &lr));
    ck_assert_hg(hg_checkpoint_get_double(c, "many", &as_double));
    ck_assert_hg(hg_checkpoint_get_text(c, "name", &name));
    ck_assert(yes && many == INT64_MIN && lr == 0.1 && as_double == (double)INT64_MIN);
    ck_assert_str_eq(name, "합곱");
    ck_assert_hg(hg_checkpoint_get_array(c, "x", HG_F32, &shape, &data));
    ck_assert(shape.ndim == 1 && shape.size[0] == 3 && !memcmp(data, x, sizeof x));
    ck_assert_hg(hg_checkpoint_get_array(c, "deep/er/y", HG_I64, &shape, &data));
    ck_assert(shape.ndim == 2 && shape.size[1] == 2 && !memcmp(data, y, sizeof y));
    ck_assert_hg(hg_checkpoint_get_array(c, "deep/none", HG_U8, &shape, &data));
    ck_assert(shape.ndim == 1 && shape.size[0] == 0 && data != NULL);
    ck_assert(hg_checkpoint_has(c, "deep/er/y") && hg_checkpoint_has(c, "deep") && !hg_checkpoint_has(c, "deep/y") &&
              !hg_checkpoint_has(c, "x/y"));
    hg_checkpoint_free(c);
}
END_TEST

START_TEST(the_last_value_of_a_name_stays)
{
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_int(c, "a/b", 1);
    hg_checkpoint_put_text(c, "a/b", "two");
    const char *text = NULL;
    ck_assert_hg(hg_checkpoint_get_text(c, "a/b", &text));
    ck_assert_str_eq(text, "two");
    hg_checkpoint_free(c);
}
END_TEST

START_TEST(missing_and_other_kinds_are_named)
{
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_int(c, "a/n", 1);
    hg_checkpoint_put_array(c, "x", HG_F32, HG_SCALAR, &(float){2});
    c = reread(c, "kinds.pth");
    int64_t n = 7;
    const char *text = "kept";
    const void *data;
    hg_shape shape;
    ck_assert_int_eq(hg_checkpoint_get_int(c, "b", &n), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "kinds.pth: key 'b' is missing");
    ck_assert_int_eq(hg_checkpoint_get_int(c, "c/n", &n), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "key 'c' is missing");
    ck_assert_int_eq(hg_checkpoint_get_int(c, "x/n", &n), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "key 'x' is a tensor, not a dict");
    ck_assert_int_eq(hg_checkpoint_get_text(c, "a/n", &text), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "key 'n' is an int");
    ck_assert_int_eq(hg_checkpoint_get_array(c, "x", HG_I64, &shape, &data), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "'x' is an array of float32, not of int64");
    ck_assert(n == 7 && !strcmp(text, "kept"));
    hg_checkpoint_free(c);
}
END_TEST

START_TEST(a_put_that_failed_stops_the_write)
{
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_int(c, "a", 1);
    ck_assert_int_eq(hg_checkpoint_put_int(c, "a/b", 1), HG_E_ARG);
    ck_assert_int_eq(hg_checkpoint_write(c, file("bad.pth")), HG_E_ARG);
    ck_assert_int_ne(access(file("bad.pth"), F_OK), 0);
    test_error(HG_E_ARG, "key 'a' is an int, not a dict");
    hg_checkpoint_free(c);
    c = hg_checkpoint_new();
    ck_assert_int_eq(hg_checkpoint_put_int(c, "", 1), HG_E_ARG);
    test_error(HG_E_ARG, "name is empty");
    hg_checkpoint_free(c);
    ck_assert_int_eq(hg_checkpoint_put_int(NULL, "a", 1), HG_E_ARG);
    test_error(HG_E_ARG, "NULL");
    ck_assert_int_eq(hg_checkpoint_write(NULL, file("bad.pth")), HG_E_ARG);
    test_error(HG_E_ARG, "NULL");
}
END_TEST

/* A training of two layers: state that differs from a fresh one. */
static void one_step(hg_module *m, hg_optimizer *opt)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_tensor *y = hg_forward(m, hg_randn(test_device(), HG_SHAPE(4, 3)));
    hg_zero_grad(opt);
    ck_assert_hg(hg_backward(hg_sum(y, HG_ALL, false)));
    ck_assert_hg(hg_step(opt));
    hg_scope_end(s);
}

static hg_module *layers(int64_t out)
{
    hg_module *m = hg_sequential(test_device());
    ck_assert_hg(hg_append(m, hg_linear_module(test_device(), 3, 5, true)));
    ck_assert_hg(hg_append(m, hg_linear_module(test_device(), 5, out, false)));
    return m;
}

static void weights_of(hg_module *m, float out[10])
{
    ck_assert_hg(hg_read(hg_parameter(m, "1.weight"), out));
}

START_TEST(modules_and_optimizers_come_back_and_go_on_alike)
{
    hg_module *m = layers(2), *n = layers(2);
    hg_optimizer *opt = hg_adam(m, NULL), *other = hg_adam(n, NULL);
    for (int i = 0; i < 3; i++) one_step(m, opt);
    hg_checkpoint *c = hg_checkpoint_new();
    ck_assert_hg(hg_checkpoint_put_module(c, "model_state_dict", m));
    ck_assert_hg(hg_checkpoint_put_optimizer(c, "optimizer_state_dict", opt));
    c = reread(c, "model.pth");
    ck_assert_hg(hg_checkpoint_get_module(c, "model_state_dict", n));
    ck_assert_hg(hg_checkpoint_get_optimizer(c, "optimizer_state_dict", other));
    hg_checkpoint_free(c);

    float x[10], y[10];
    ck_assert_hg(hg_manual_seed(test_device(), 1, HG_RNG_PHILOX));
    one_step(m, opt);
    weights_of(m, x);
    ck_assert_hg(hg_manual_seed(test_device(), 1, HG_RNG_PHILOX));
    one_step(n, other);
    weights_of(n, y);
    ck_assert(!memcmp(x, y, sizeof x));
    hg_optimizer_free(opt);
    hg_optimizer_free(other);
    hg_module_free(m);
    hg_module_free(n);
}
END_TEST

START_TEST(a_module_of_another_shape_is_refused_and_unchanged)
{
    hg_module *m = layers(2), *n = layers(4);
    hg_checkpoint *c = hg_checkpoint_new();
    ck_assert_hg(hg_checkpoint_put_module(c, "model", n));
    float before[10], after[10];
    weights_of(m, before);
    ck_assert_int_lt(hg_checkpoint_get_module(c, "model", m), 0);
    ck_assert_ptr_nonnull(strstr(hg_last_error(), "1.weight"));
    hg_clear_error();
    weights_of(m, after);
    ck_assert(!memcmp(before, after, sizeof before));
    hg_checkpoint_free(c);
    hg_module_free(m);
    hg_module_free(n);
}
END_TEST

START_TEST(a_full_disk_keeps_the_file_before)
{
    hg_checkpoint *c = hg_checkpoint_new();
    hg_checkpoint_put_int(c, "n", 1);
    ck_assert_hg(hg_checkpoint_write(c, file("full.pth")));
    size_t count = 1 << 20;
    float *big = calloc(count, sizeof *big);
    hg_checkpoint_put_array(c, "big", HG_F32, HG_SHAPE((int64_t)count), big);
    struct rlimit before, now;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    now = (struct rlimit){1 << 20, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
    hg_status status = hg_checkpoint_write(c, file("full.pth"));
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_int_eq(status, HG_E_IO);
    test_error(HG_E_IO, "full.pth");
    hg_checkpoint_free(c);
    free(big);
    c = hg_checkpoint_read(file("full.pth"));
    ck_assert(c && hg_checkpoint_has(c, "n") && !hg_checkpoint_has(c, "big"));
    hg_checkpoint_free(c);
}
END_TEST

START_TEST(files_that_hold_no_checkpoint)
{
    ck_assert_ptr_null(hg_checkpoint_read(file("none.pth")));
    test_error(HG_E_IO, "none.pth");
    FILE *f = fopen(file("junk.pth"), "w");
    fputs("junk", f);
    fclose(f);
    ck_assert_ptr_null(hg_checkpoint_read(file("junk.pth")));
    test_error(HG_E_FORMAT, "junk.pth");
    ck_assert_ptr_null(hg_checkpoint_read(TEST_DATA "/numpy_scalar.pth"));
    test_error(HG_E_FORMAT, "numpy_scalar.pth");
}
END_TEST

static void remove_folder(void)
{
    const char *names[] = {"values.pth", "kinds.pth", "model.pth", "full.pth", "junk.pth"};
    for (int i = 0; i < 5; i++) unlink(file(names[i]));
    rmdir(folder);
}

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    int code = test_main("checkpoint", (Suite *[]){TEST_SUITE("checkpoint", values_come_back,
        the_last_value_of_a_name_stays, missing_and_other_kinds_are_named, a_put_that_failed_stops_the_write,
        modules_and_optimizers_come_back_and_go_on_alike, a_module_of_another_shape_is_refused_and_unchanged,
        a_full_disk_keeps_the_file_before, files_that_hold_no_checkpoint)}, 1);
    remove_folder();
    return code;
}
