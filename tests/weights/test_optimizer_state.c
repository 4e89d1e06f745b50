/* State of optimizers: a training that was saved goes on bit by bit. */
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "test_state.h"

enum { KINDS = 6 };

static hg_optimizer *make_optimizer(hg_module *m, int kind)
{
    static const hg_sgd_options momentum = {0.1, 0.9, 0, 0.01, true};
    hg_adam_options amsgrad = {0.01, 0.8, 0.99, 1e-6, 0.1, true};
    hg_optimizer *opt = NULL;
    switch (kind) {
    case 0: opt = hg_adam(m, NULL); break;
    case 1: opt = hg_adam(m, &amsgrad); break;
    case 2: opt = hg_adamw(m, NULL); break;
    case 3: opt = hg_adamw(m, &amsgrad); break;
    case 4: opt = hg_sgd(m, NULL); break;
    case 5: opt = hg_sgd(m, &momentum); break;
    }
    ck_assert_msg(opt != NULL, "%s", hg_last_error());
    return opt;
}

static hg_optimizer *make_defaults(hg_module *m, int kind)
{
    return kind < 2 ? hg_adam(m, NULL) : kind < 4 ? hg_adamw(m, NULL) : hg_sgd(m, NULL);
}

static void set_grad(hg_tensor *p, int step)
{
    double g[6];
    for (int i = 0; i < 6; i++) g[i] = (i * 37 + step * 11) % 19 / 9.0 - 1;
    hg_tensor *t = test_tensor(HG_F32, hg_tensor_shape(p), g);
    ck_assert_hg(hg_set_grad(p, t));
    hg_release(t);
}

/* Steps first..last; the bias has a gradient from step 3 on. */
static void train(hg_module *m, hg_optimizer *opt, int first, int last)
{
    for (int step = first; step <= last; step++) {
        set_grad(hg_parameter(m, "weight"), step);
        if (step >= 3) set_grad(hg_parameter(m, "bias"), step);
        ck_assert_hg(hg_step(opt));
    }
}

static hg_value *state_of(const hg_optimizer *opt)
{
    hg_value *state;
    ck_assert_hg(hg_optimizer_to_value(opt, &state));
    return state;
}

START_TEST(training_goes_on_bit_by_bit)
{
    for (int kind = 0; kind < KINDS; kind++) {
        for (int saved = 2; saved <= 4; saved += 2) {       /* before and after the bias has a state */
            hg_module *a = make_pair(1), *b = make_pair(70);
            hg_optimizer *opt = make_optimizer(a, kind), *again = make_defaults(b, kind);
            train(a, opt, 1, saved);
            hg_value *weights, *state = state_of(opt);
            ck_assert_hg(hg_module_to_value(a, &weights));
            train(a, opt, saved + 1, 7);
            ck_assert_hg(hg_module_from_value(b, weights, "x"));
            ck_assert_hg(hg_optimizer_from_value(again, state, "x"));
            ck_assert_double_eq(hg_learning_rate(again), hg_learning_rate(opt));
            train(b, again, saved + 1, 7);
            ck_assert_msg(same_state(a, b), "kind %d saved after step %d", kind, saved);
            hg_value_free(weights);
            hg_value_free(state);
            hg_optimizer_free(opt);
            hg_optimizer_free(again);
            hg_module_free(a);
            hg_module_free(b);
        }
    }
}
END_TEST

static void check_keys(const hg_value *dict, const char *expected)
{
    char keys[512] = "";
    ck_assert_ptr_nonnull(dict);
    for (size_t i = 0; i < dict->dict.count; i++) strcat(strcat(keys, dict->dict.entries[i].key->string), " ");
    ck_assert_str_eq(keys, expected);
}

START_TEST(states_have_pytorchs_keys)
{
    static const char *const states[KINDS] = {"step exp_avg exp_avg_sq ", "step exp_avg exp_avg_sq max_exp_avg_sq ",
                                              "step exp_avg exp_avg_sq ", "step exp_avg exp_avg_sq max_exp_avg_sq ",
                                              "momentum_buffer ",         "momentum_buffer "};
    static const char *const groups[3] = {
        "lr betas eps weight_decay amsgrad maximize foreach capturable differentiable fused params ",
        "lr betas eps weight_decay amsgrad maximize foreach capturable params ",
        "lr momentum dampening weight_decay nesterov maximize foreach differentiable params "};
    for (int kind = 0; kind < KINDS; kind++) {
        hg_module *m = make_pair(1);
        hg_optimizer *opt = make_optimizer(m, kind);
        train(m, opt, 1, 2);
        hg_value *root = state_of(opt), *state = hg_value_find(root, "state");
        check_keys(root, "state param_groups ");
        ck_assert_uint_eq(state->dict.count, 1);        /* the bias had no gradient */
        check_keys(hg_value_find_at(state, 0), states[kind]);
        const hg_value *group = hg_value_find(root, "param_groups")->list.items[0];
        check_keys(group, groups[kind / 2]);
        ck_assert_uint_eq(hg_value_find(group, "params")->list.count, 2);
        if (kind == 4)
            ck_assert_int_eq(hg_value_find(hg_value_find_at(state, 0), "momentum_buffer")->kind, HG_VALUE_NONE);
        double step = 0;
        if (kind < 4)
            ck_assert_hg(hg_array_convert(&hg_value_find(hg_value_find_at(state, 0), "step")->array, 0, 1, HG_F64, &step));
        ck_assert(kind >= 4 || step == 2);
        hg_value_free(root);
        hg_optimizer_free(opt);
        hg_module_free(m);
    }
}
END_TEST

typedef void (*spoil_fn)(hg_value *root);

static hg_value *group_of(hg_value *root)
{
    return hg_value_find(root, "param_groups")->list.items[0];
}
static hg_value *state_0(hg_value *root)
{
    return hg_value_find_at(hg_value_find(root, "state"), 0);
}
static void two_groups(hg_value *root)
{
    ck_assert_hg(hg_value_append(hg_value_find(root, "param_groups"), hg_value_dict()));
}
static void more_params(hg_value *root)
{
    ck_assert_hg(hg_value_append(hg_value_find(group_of(root), "params"), hg_value_int(2)));
}
static void no_groups(hg_value *root)
{
    ck_assert_hg(hg_value_set(root, "param_groups", hg_value_int(1)));
}
static void text_id(hg_value *root)
{
    hg_value *params = hg_value_list();
    for (int i = 0; i < 2; i++) ck_assert_hg(hg_value_append(params, hg_value_string("p")));
    ck_assert_hg(hg_value_set(group_of(root), "params", params));
}
static void bad_rate(hg_value *root)
{
    ck_assert_hg(hg_value_set(group_of(root), "lr", hg_value_double(-2)));
}
static void bad_betas(hg_value *root)
{
    ck_assert_hg(hg_value_set(group_of(root), "betas", hg_value_double(0.9)));
}
static void maximize(hg_value *root)
{
    ck_assert_hg(hg_value_set(group_of(root), "maximize", hg_value_bool(true)));
}
static void no_maximum(hg_value *root)
{
    ck_assert_hg(hg_value_set(group_of(root), "amsgrad", hg_value_bool(true)));
}
static void no_step(hg_value *root)
{
    ck_assert_hg(hg_value_set(state_0(root), "step", hg_value_none()));
}
static void other_shape(hg_value *root)
{
    hg_array a;
    ck_assert_hg(hg_array_alloc(&a, HG_ARRAY_F32, HG_SHAPE(3, 2)));
    memset(a.data, 0, hg_array_bytes(&a));
    ck_assert_hg(hg_value_set(state_0(root), "exp_avg_sq", hg_value_array(&a)));
}
static void text_state(hg_value *root)
{
    ck_assert_hg(hg_value_set_at(hg_value_find(root, "state"), 1, hg_value_string("x")));
}

START_TEST(states_that_do_not_fit_change_nothing)
{
    static const struct {
        spoil_fn spoil;
        hg_status code;
        const char *text;
    } cases[] = {
        {two_groups, HG_E_FORMAT, "loaded state dict has a different number of parameter groups"},
        {more_params, HG_E_FORMAT, "contains a parameter group that doesn't match the size of optimizer's group"},
        {no_groups, HG_E_FORMAT, "param_groups"},
        {text_id, HG_E_FORMAT, "'params' holds a string"},
        {bad_rate, HG_E_ARG, "Invalid learning rate: -2"},
        {bad_betas, HG_E_FORMAT, "'betas' is not a pair"},
        {maximize, HG_E_UNSUPPORTED, "maximize=True is not supported"},
        {no_maximum, HG_E_FORMAT, "max_exp_avg_sq"},
        {no_step, HG_E_FORMAT, "'step' is missing or no count"},
        {other_shape, HG_E_FORMAT, "'exp_avg_sq' has shape [3, 2], its parameter [2, 3]"},
        {text_state, HG_E_FORMAT, "the state of parameter 1 is a string"},
    };
    hg_module *a = make_pair(1), *b = make_pair(1);
    hg_optimizer *opt = hg_adam(a, NULL), *other = hg_adam(b, NULL);
    train(a, opt, 1, 4);
    train(b, other, 1, 4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hg_value *state = state_of(opt);
        ck_assert_hg(hg_value_set(group_of(state), "eps", hg_value_double(0.5)));
        cases[i].spoil(state);
        ck_assert_int_eq(hg_optimizer_from_value(opt, state, "x"), cases[i].code);
        test_error(cases[i].code, cases[i].text);
        hg_value_free(state);
    }
    hg_value *list = hg_value_list(), *none;
    ck_assert_int_eq(hg_optimizer_from_value(opt, list, "x"), HG_E_FORMAT);
    test_error(HG_E_FORMAT, "an optimizer's state dict is expected, this is a list");
    ck_assert_int_eq(hg_optimizer_from_value(NULL, list, "x"), HG_E_ARG);
    test_error(HG_E_ARG, "NULL");
    ck_assert_int_eq(hg_optimizer_to_value(NULL, &none), HG_E_ARG);
    test_error(HG_E_ARG, "NULL");
    ck_assert_ptr_null(none);
    hg_value_free(list);
    train(a, opt, 5, 7);
    train(b, other, 5, 7);
    ck_assert(same_state(a, b));
    hg_optimizer_free(opt);
    hg_optimizer_free(other);
    hg_module_free(a);
    hg_module_free(b);
}
END_TEST

Suite *optimizer_state_suite(void)
{
    return TEST_SUITE("optimizer_state", training_goes_on_bit_by_bit, states_have_pytorchs_keys,
                      states_that_do_not_fit_change_nothing);
}
