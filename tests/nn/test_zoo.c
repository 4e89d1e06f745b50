/* The networks by name against torchvision's: parameters, names, text, first values, logits, a training step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suites.h"

/* The input of tests/oracle/nn.py's numbers(). */
static hg_tensor *numbers(hg_shape shape, int salt)
{
    int64_t n = test_numel(shape);
    double *v = malloc(sizeof *v * (size_t)n);
    ck_assert_ptr_nonnull(v);
    for (int64_t i = 0; i < n; i++) v[i] = (float)((double)((i * 7919 + salt * 104729) % 2001) / 2000.0);
    hg_tensor *t = test_tensor(HG_F32, shape, v);
    free(v);
    return t;
}

static char *read_text(const char *name)
{
    char path[512], *text = calloc(1, 1 << 17);
    snprintf(path, sizeof path, "%s/zoo/%s", TEST_DATA, name);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    text[fread(text, 1, (1 << 17) - 1, f)] = 0;
    fclose(f);
    return text;
}

static hg_module *make(const char *name, const hg_model_options *o)
{
    hg_module *m = hg_model(test_device(), name, o);
    ck_assert_msg(m != NULL, "%s: %s", name, hg_last_error());
    return m;
}

/* torchvision's defaults: GoogLeNet has its two more heads. */
static hg_module *as_torchvision(const char *name)
{
    return make(name, &(hg_model_options){.aux_logits = !strcmp(name, "googlenet")});
}

static bool add_buffer(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    (void)name;
    if (is_buffer) *(int64_t *)user += hg_numel(t);
    return true;
}

static int64_t count_buffers(hg_module *m)
{
    int64_t n = 0;
    hg_each_state(m, add_buffer, &n);
    return n;
}

START_TEST(numbers_of_parameters_are_the_known_ones)
{
    static const struct {
        const char *name;
        int64_t parameters, buffers;
    } known[] = {{"fashion-dnn", 235146, 0},    {"fashion-cnn", 1475338, 194}, {"lenet5", 61706, 0},
                 {"xai", 14983106, 9486},       {"resnet18", 11689512, 9620},  {"resnet34", 21797672, 17060},
                 {"resnet50", 25557032, 53173}, {"vgg11", 132863336, 0},       {"vgg11_bn", 132868840, 5512},
                 {"vgg16", 138357544, 0},       {"vgg16_bn", 138365992, 8461}, {"googlenet", 6624904, 14617}};
    int count;
    hg_models(&count);
    ck_assert_int_eq(count, (int)(sizeof known / sizeof *known));
    for (int i = 0; i < count; i++) {
        ck_assert_str_eq(hg_models(NULL)[i].name, known[i].name);
        hg_module *m = make(known[i].name, NULL);
        ck_assert_int_eq(hg_count_parameters(m, true), known[i].parameters);
        ck_assert_int_eq(count_buffers(m), known[i].buffers);
        hg_module_free(m);
    }
    hg_memory_trim(test_device());
    hg_module *m = make("resnet18", &(hg_model_options){.classes = 2});
    ck_assert_int_eq(hg_count_parameters(m, true), 11177538);
    hg_module_free(m);
}
END_TEST

typedef struct lines {
    char *text;
    size_t used;
} lines;

static bool add_line(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    lines *l = user;
    (void)is_buffer;
    l->used += (size_t)sprintf(l->text + l->used, "%s [", name);
    for (int d = 0; d < hg_ndim(t); d++)
        l->used += (size_t)sprintf(l->text + l->used, "%s%lld", d ? ", " : "", (long long)hg_size(t, d));
    l->used += (size_t)sprintf(l->text + l->used, "]\n");
    return true;
}

START_TEST(names_and_shapes_are_torchvisions)
{
    static const char *const names[] = {"lenet5",    "xai",      "resnet18", "resnet50", "vgg11_bn",
                                        "googlenet", "resnet34", "vgg11",    "vgg16",    "vgg16_bn"};
    lines l = {calloc(1, 1 << 17), 0};
    char *expected = read_text("keys.txt");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        hg_module *m = as_torchvision(names[i]);
        l.used += (size_t)sprintf(l.text + l.used, "== %s\n", names[i]);
        hg_each_state(m, add_line, &l);
        hg_module_free(m);
    }
    ck_assert_str_eq(l.text, expected);
    free(l.text);
    free(expected);
    hg_memory_trim(test_device());
}
END_TEST

/* First values of every parameter: to the bit where they are uniform, to rounding where they are normal. */
typedef struct rows {
    const char *net;
    const double *expected;
    int count;
} rows;

static bool compare_first(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    rows *r = user;
    (void)is_buffer;
    double *v = test_read(t);
    for (int64_t i = 0; i < 3 && i < hg_numel(t); i++) {
        double e = r->expected[3 * r->count + i];
        ck_assert_msg(fabs(v[i] - e) <= 1e-6 * fabs(e), "%s: %s[%d]: %.9g, not %.9g", r->net, name, (int)i, v[i], e);
    }
    free(v);
    r->count++;
    return true;
}

static void from_seed_0(const char *name, int64_t channels, int64_t size, char **expected_text)
{
    char file[64];
    hg_shape shape;
    hg_scope *s = hg_scope_begin(test_device());
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_TORCH));
    hg_module *m = as_torchvision(name);
    char *text = hg_module_to_text(m);
    size_t length = strlen(text);
    ck_assert_msg(!strncmp(text, *expected_text, length) && (*expected_text)[length] == '\n', "%s prints\n%s", name,
                  text);
    *expected_text += length + 1;
    free(text);
    snprintf(file, sizeof file, "zoo/%s_first", name);
    rows r = {name, test_golden_values(file, &shape), 0};
    hg_each_parameter(m, compare_first, &r);
    ck_assert_int_eq(r.count, shape.size[0]);
    free((void *)r.expected);
    snprintf(file, sizeof file, "zoo/%s_logits", name);
    double *logits = test_golden_values(file, &shape);
    hg_eval(m);
    hg_no_grad_begin();
    test_rms(hg_forward(m, numbers(HG_SHAPE(2, channels, size, size), 5)), shape, logits, 1e-5);
    hg_no_grad_end();
    free(logits);
    hg_module_free(m);
    hg_scope_end(s);
}

START_TEST(seed_0_gives_torchvisions_networks_and_logits)
{
    char *text = read_text("repr.txt"), *at = text;
    from_seed_0("lenet5", 1, 32, &at);
    from_seed_0("xai", 3, 70, &at);
    from_seed_0("resnet18", 3, 64, &at);
    from_seed_0("resnet50", 3, 40, &at);
    from_seed_0("vgg11_bn", 3, 32, &at);
    from_seed_0("googlenet", 3, 64, &at);
    ck_assert_str_eq(at, "");
    free(text);
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_PHILOX));
    hg_memory_trim(test_device());
}
END_TEST

typedef struct norms {
    const double *expected;
    double tolerance;           /* of a norm, relative */
    int count;
} norms;

static bool compare_norm(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    norms *n = user;
    double sum = 0, e = n->expected[n->count++];
    (void)is_buffer;
    if (!hg_grad(t)) {
        ck_assert_msg(e == 0, "%s has no gradient", name);     /* of GoogLeNet's two more heads */
        return true;
    }
    double *v = test_read(hg_grad(t));
    for (int64_t i = 0; i < hg_numel(t); i++) sum += v[i] * v[i];
    ck_assert_msg(fabs(sqrt(sum) - e) <= n->tolerance * e, "%s: gradient of norm %.9g, not %.9g", name, sqrt(sum), e);
    free(v);
    return true;
}

static double *golden(const char *name, const char *what, hg_shape *shape)
{
    char file[64];
    snprintf(file, sizeof file, "zoo/%s_train_%s", name, what);
    return test_golden_values(file, shape);
}

/* `tolerance` is that of gradients, which a ReLU that rounding turns to the other side moves. */
static void train_step(const char *name, const char *mean, const char *variance, double tolerance)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_shape shape;
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_TORCH));
    hg_module *m = as_torchvision(name);
    ck_assert_hg(hg_manual_seed(test_device(), 5, HG_RNG_TORCH));      /* dropout */
    hg_tensor *y = hg_forward(m, numbers(HG_SHAPE(2, 3, 64, 64), 3));
    ck_assert_hg(hg_manual_seed(test_device(), 0, HG_RNG_PHILOX));
    double *expected = golden(name, "logits", &shape);
    test_rms(y, shape, expected, 1e-4);
    free(expected);
    ck_assert_hg(hg_backward(hg_cross_entropy(y, test_tensor(HG_I64, HG_SHAPE(2), (double[]){3, 500}), NULL)));
    expected = golden(name, "stats", NULL);
    test_close(hg_buffer(m, mean), HG_SHAPE(64), expected, 1e-6, 1e-5);
    int64_t channels = hg_numel(hg_buffer(m, variance));
    test_close(hg_buffer(m, variance), HG_SHAPE(channels), expected + 64, 1e-6, 1e-3);
    free(expected);
    norms n = {golden(name, "grads", &shape), tolerance, 0};
    hg_each_parameter(m, compare_norm, &n);
    ck_assert_int_eq(n.count, shape.size[0]);
    free((void *)n.expected);
    expected = golden(name, "conv1", NULL);
    hg_tensor *first = hg_parameter(m, !strcmp(name, "googlenet") ? "conv1.conv.weight" : "conv1.weight");
    test_rms(hg_slice(hg_grad(first), 0, 0, 2, 1), HG_SHAPE(2, 3, 7, 7), expected, tolerance);
    free(expected);
    hg_module_free(m);
    hg_scope_end(s);
}

START_TEST(a_training_step_is_torchvisions)
{
    train_step("resnet18", "bn1.running_mean", "layer4.1.bn2.running_var", 1e-3);
    /* PyTorch's own float32 is off by 7e-3 here. */
    train_step("googlenet", "conv1.bn.running_mean", "inception5b.branch4.1.bn.running_var", 1e-2);
    hg_memory_trim(test_device());
}
END_TEST

static hg_tensor *count_call(hg_module *m, hg_tensor *input, hg_tensor *output, void *user)
{
    (void)m;
    (void)input;
    (void)output;
    ++*(int *)user;
    return NULL;
}

/* One ReLU a block, used twice; the hooks see what they would see in PyTorch. */
START_TEST(hooks_work_on_children_of_blocks)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = make("resnet18", NULL);
    hg_eval(m);
    hg_no_grad_begin();
    hg_tensor *x = numbers(HG_SHAPE(1, 3, 32, 32), 1);
    double *plain = test_read(hg_forward(m, x));
    int relu = 0, norm = 0, block = 0;
    ck_assert_ptr_nonnull(hg_add_forward_hook(hg_child(m, "layer1.0.relu"), count_call, &relu));
    ck_assert_ptr_nonnull(hg_add_forward_hook(hg_child(m, "layer2.0.bn1"), count_call, &norm));
    ck_assert_ptr_nonnull(hg_add_forward_hook(hg_child(m, "layer3.1"), count_call, &block));
    test_rms(hg_forward(m, x), HG_SHAPE(1, 1000), plain, 1e-6);
    hg_no_grad_end();
    ck_assert_int_eq(relu, 2);
    ck_assert_int_eq(norm, 1);
    ck_assert_int_eq(block, 1);
    free(plain);
    hg_module_free(m);
    hg_scope_end(s);
}
END_TEST

START_TEST(googlenets_heads_run_in_training_and_its_input_can_be_transformed)
{
    hg_scope *s = hg_scope_begin(test_device());
    hg_module *m = make("googlenet", &(hg_model_options){.classes = 7, .aux_logits = true, .transform_input = true});
    int first = 0, second = 0;
    ck_assert_ptr_nonnull(hg_add_forward_hook(hg_child(m, "aux1"), count_call, &first));
    ck_assert_ptr_nonnull(hg_add_forward_hook(hg_child(m, "aux2.fc2"), count_call, &second));
    hg_tensor *x = numbers(HG_SHAPE(2, 3, 64, 64), 1);
    hg_tensor *y = hg_forward(m, x);
    ck_assert_hg_ok(y);
    ck_assert_int_eq(hg_size(y, 1), 7);
    ck_assert_int_eq(first, 1);
    ck_assert_int_eq(second, 1);
    hg_eval(m);
    hg_no_grad_begin();
    ck_assert_hg_ok(hg_forward(m, x));
    ck_assert_int_eq(first, 1);
    ck_assert_hg(hg_manual_seed(test_device(), 3, HG_RNG_PHILOX));
    hg_module *with = make("googlenet", &(hg_model_options){.transform_input = true});
    ck_assert_hg(hg_manual_seed(test_device(), 3, HG_RNG_PHILOX));
    hg_module *without = make("googlenet", NULL);
    hg_eval(with);
    hg_eval(without);
    hg_tensor *channel[3];
    for (int c = 0; c < 3; c++) {
        const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
        channel[c] = hg_add_scalar(hg_mul_scalar(hg_slice(x, 1, c, c + 1, 1), std[c] / 0.5), (mean[c] - 0.5) / 0.5);
    }
    double *expected = test_read(hg_forward(without, hg_cat(channel, 3, 1)));
    test_rms(hg_forward(with, x), HG_SHAPE(2, 1000), expected, 1e-6);
    hg_no_grad_end();
    free(expected);
    hg_module_free(m);
    hg_module_free(with);
    hg_module_free(without);
    hg_scope_end(s);
}
END_TEST

static void refused(const char *name, hg_model_options o, const char *part)
{
    ck_assert_ptr_null(hg_model(test_device(), name, &o));
    test_error(HG_E_ARG, part);
}

START_TEST(wrong_names_and_options_are_refused)
{
    uint64_t before = test_memory();
    refused("resnet19", HG_MODEL_DEFAULTS,
            "no network is called \"resnet19\"; there are fashion-dnn, fashion-cnn, lenet5,");
    refused(NULL, HG_MODEL_DEFAULTS, "no network is called \"\"");
    refused("resnet18", (hg_model_options){.classes = -1}, "resnet18 has 1000 classes, -1 cannot be had");
    refused("fashion-cnn", (hg_model_options){.classes = 3}, "fashion-cnn has 10 classes, 3 cannot be had");
    refused("vgg11", (hg_model_options){.aux_logits = true}, "aux_logits and transform_input are for googlenet");
    ck_assert_ptr_null(hg_model(NULL, "lenet5", NULL));
    test_error(HG_E_ARG, "a device");
    ck_assert_ptr_eq(hg_model_find("xai"), hg_models(NULL) + 3);
    ck_assert_uint_eq(test_memory(), before);
}
END_TEST

Suite *zoo_suite(void)
{
    return TEST_SUITE("zoo", numbers_of_parameters_are_the_known_ones, names_and_shapes_are_torchvisions,
                      seed_0_gives_torchvisions_networks_and_logits, a_training_step_is_torchvisions,
                      hooks_work_on_children_of_blocks,
                      googlenets_heads_run_in_training_and_its_input_can_be_transformed,
                      wrong_names_and_options_are_refused);
}
