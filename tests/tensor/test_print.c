/* The texts of arrays against those of PyTorch and NumPy (tests/oracle/print.py).
 * test_print FILE checks the cases of another file of that script. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/print_numpy.h"
#include "tensor/print_torch.h"

static const char *cases = TEST_DATA "/print.txt";

typedef struct print_case {
    hg_dtype dtype;
    size_t size;            /* of an element */
    hg_shape shape;
    bool numpy;
    char suffix[32];
    void *data;
} print_case;

static void parse_dtype(print_case *c, const char *name)
{
    static const struct { const char *name; hg_dtype dtype; size_t size; } dtypes[] = {
        {"f32", HG_F32, 4}, {"f64", HG_F64, 8}, {"i32", HG_I32, 4}, {"i64", HG_I64, 8}, {"u8", HG_U8, 1},
        {"bool", HG_BOOL, 1}};
    size_t i = 0;
    while (i < 6 && strcmp(name, dtypes[i].name)) i++;
    ck_assert_uint_lt(i, 6);
    c->dtype = dtypes[i].dtype;
    c->size = dtypes[i].size;
}

static void ramp_element(const print_case *c, int64_t i, double scale)
{
    int64_t x = i * 7919 % 10007 - 5000, rest = (x % 251 + 251) % 251;
    double v = (double)x * scale;
    switch (c->dtype) {
    case HG_F32: ((float *)c->data)[i] = (float)v; break;
    case HG_F64: ((double *)c->data)[i] = v; break;
    case HG_I32: ((int32_t *)c->data)[i] = (int32_t)v; break;
    case HG_I64: ((int64_t *)c->data)[i] = (int64_t)v; break;
    case HG_U8: ((uint8_t *)c->data)[i] = (uint8_t)rest; break;
    case HG_BOOL: ((uint8_t *)c->data)[i] = (uint8_t)(rest % 2); break;
    }
}

static void parse_data(print_case *c, const char *data)
{
    if (!strcmp(data, "=")) return;
    int64_t n = 1;
    for (int d = 0; d < c->shape.ndim; d++) n *= c->shape.size[d];
    free(c->data);
    c->data = malloc((size_t)n * c->size + 1);
    ck_assert_ptr_nonnull(c->data);
    if (!strncmp(data, "ramp*", 5)) {
        for (int64_t i = 0; i < n; i++) ramp_element(c, i, strtod(data + 5, NULL));
        return;
    }
    if (!strcmp(data, "-")) data = "";
    ck_assert_uint_eq(strlen(data), 2 * (size_t)n * c->size);
    for (size_t i = 0; data[2 * i]; i++) {
        unsigned byte;
        ck_assert_int_eq(sscanf(data + 2 * i, "%2x", &byte), 1);
        ((unsigned char *)c->data)[i] = (unsigned char)byte;
    }
}

/* A "case" line; the data of the case before stays for one that repeats it. */
static void parse_case(print_case *c, const char *line)
{
    static char data[65536];
    char program[8], dtype[8], shape[64];
    ck_assert_msg(sscanf(line, "case %7s %7s %63s %65535s %31s", program, dtype, shape, data, c->suffix) == 5,
        "%.80s", line);
    c->numpy = !strcmp(program, "numpy");
    parse_dtype(c, dtype);
    c->shape.ndim = 0;
    for (char *p = shape; *p != '-' && *p; p += *p == 'x') {
        ck_assert_int_lt(c->shape.ndim, HG_MAX_DIMS);
        c->shape.size[c->shape.ndim++] = strtoll(p, &p, 10);
    }
    parse_data(c, data);
}

static void check_case(const print_case *c, const char *line, const char *expected)
{
    hg_str out = {0};
    hg_str_add(&out, "> ");     /* the text is appended */
    hg_print_options o = {.requires_grad = !strcmp(c->suffix, "requires_grad")};
    if (c->suffix[0] != '-' && !o.requires_grad) o.grad_fn = c->suffix;
    if (c->numpy) hg_print_numpy(&out, c->dtype, c->shape, c->data);
    else hg_print_torch(&out, c->dtype, c->shape, c->data, c->suffix[0] == '-' ? NULL : &o);
    ck_assert(!out.failed);
    ck_assert_msg(!strcmp(out.text + 2, expected), "%.300s\nexpected\n%s\ngot\n%s", line, expected, out.text + 2);
    hg_str_free(&out);
}

START_TEST(text_is_that_of_pytorch_and_numpy)
{
    FILE *f = fopen(cases, "r");
    ck_assert_ptr_nonnull(f);
    print_case c = {0};
    static char line[70000], header[70000];
    hg_str expected = {0};
    int count = 0;
    bool more = fgets(line, sizeof line, f);
    while (more) {
        strcpy(header, line);
        parse_case(&c, header);
        expected.length = 0;
        while ((more = fgets(line, sizeof line, f)) && line[0] == '|') {
            line[strcspn(line, "\n")] = 0;
            hg_str_add(&expected, "%s%s", expected.length ? "\n" : "", line + 1);
        }
        check_case(&c, header, expected.text);
        count++;
    }
    ck_assert_int_gt(count, 600);
    free(c.data);
    hg_str_free(&expected);
    fclose(f);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1) cases = argv[1];
    Suite *suite = suite_create("print");
    TCase *tests = tcase_create("print");
    tcase_add_test(tests, text_is_that_of_pytorch_and_numpy);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
