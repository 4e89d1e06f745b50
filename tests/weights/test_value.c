/* The document: putting together, taking apart, messages. */
#include "test_weights.h"

#include <string.h>

#include "weights/pth.h"
#include "weights/read.h"

bool same_value(const hg_value *a, const hg_value *b)
{
    if (!a || !b || a->kind != b->kind) return a == b;
    switch (a->kind) {
    case HG_VALUE_NONE: return true;
    case HG_VALUE_BOOL: return a->boolean == b->boolean;
    case HG_VALUE_INT: return a->integer == b->integer;
    case HG_VALUE_DOUBLE: return !memcmp(&a->real, &b->real, sizeof a->real);
    case HG_VALUE_STRING: return !strcmp(a->string, b->string);
    case HG_VALUE_LIST:
    case HG_VALUE_TUPLE:
        if (a->list.count != b->list.count) return false;
        for (size_t i = 0; i < a->list.count; i++)
            if (!same_value(a->list.items[i], b->list.items[i])) return false;
        return true;
    case HG_VALUE_DICT:
        if (a->dict.count != b->dict.count || a->dict.ordered != b->dict.ordered) return false;
        for (size_t i = 0; i < a->dict.count; i++)
            if (!same_value(a->dict.entries[i].key, b->dict.entries[i].key) ||
                !same_value(a->dict.entries[i].item, b->dict.entries[i].item))
                return false;
        return same_value(a->dict.metadata, b->dict.metadata);
    case HG_VALUE_ARRAY:
        return a->array.dtype == b->array.dtype && a->array.shape.ndim == b->array.shape.ndim &&
               !memcmp(a->array.shape.size, b->array.shape.size, sizeof(int64_t) * (size_t)a->array.shape.ndim) &&
               !memcmp(a->array.data, b->array.data, hg_array_bytes(&a->array));
    }
    return false;
}

static hg_status load(hg_value *v)
{
    hg_status status = HG_OK;
    if (v->kind == HG_VALUE_ARRAY) return hg_array_load(&v->array);
    if (v->kind == HG_VALUE_LIST || v->kind == HG_VALUE_TUPLE)
        for (size_t i = 0; i < v->list.count && status == HG_OK; i++) status = load(v->list.items[i]);
    if (v->kind == HG_VALUE_DICT)
        for (size_t i = 0; i < v->dict.count && status == HG_OK; i++) status = load(v->dict.entries[i].item);
    return status;
}

static hg_status load_or_free(hg_status status, hg_value **v)
{
    if (status == HG_OK) status = load(*v);
    if (status == HG_OK) return HG_OK;
    hg_value_free(*v);
    *v = NULL;
    return status;
}

hg_status read_pth(const char *path, hg_value **out)
{
    hg_status status = hg_pth_read(path, out);
    return load_or_free(status, out);
}

hg_status read_weights(const char *path, hg_value **out)
{
    const char *format;
    hg_status status = hg_weights_parse(path, &format, out);
    return load_or_free(status, out);
}

START_TEST(a_dict_keeps_its_order_and_replaces_in_place)
{
    hg_value *d = hg_value_dict();
    succeeds(hg_value_set(d, "b", hg_value_int(1)));
    succeeds(hg_value_set(d, "a", hg_value_int(2)));
    succeeds(hg_value_set_at(d, 7, hg_value_int(3)));
    succeeds(hg_value_set(d, "b", hg_value_string("new")));
    ck_assert_uint_eq(d->dict.count, 3);
    ck_assert_str_eq(d->dict.entries[0].key->string, "b");
    ck_assert_str_eq(d->dict.entries[0].item->string, "new");
    ck_assert_int_eq(hg_value_find(d, "a")->integer, 2);
    ck_assert_int_eq(hg_value_find_at(d, 7)->integer, 3);
    ck_assert_ptr_null(hg_value_find(d, "7"));
    ck_assert_ptr_null(hg_value_find_at(d, 2));
    hg_value_free(d);
}
END_TEST

START_TEST(getters_give_what_is_there)
{
    float x[2] = {1, 2};
    hg_array a = {HG_ARRAY_F32, HG_SHAPE(2), x, true};
    hg_value *d = hg_value_dict();
    succeeds(hg_value_set(d, "b", hg_value_bool(true)));
    succeeds(hg_value_set(d, "i", hg_value_int(-3)));
    succeeds(hg_value_set(d, "f", hg_value_double(0.5)));
    succeeds(hg_value_set(d, "s", hg_value_string("text")));
    succeeds(hg_value_set(d, "t", hg_value_array(&a)));
    ck_assert_ptr_null(a.data);     /* handed over */
    bool b;
    int64_t i;
    double f;
    const char *s;
    const hg_array *t;
    succeeds(hg_value_get_bool("test", d, "b", &b));
    succeeds(hg_value_get_int("test", d, "i", &i));
    succeeds(hg_value_get_double("test", d, "f", &f));
    succeeds(hg_value_get_string("test", d, "s", &s));
    succeeds(hg_value_get_array("test", d, "t", &t));
    ck_assert(b && i == -3 && f == 0.5 && !strcmp(s, "text") && t->data == x);
    succeeds(hg_value_get_double("test", d, "i", &f));
    ck_assert(f == -3);
    hg_value_free(d);
}
END_TEST

START_TEST(getters_name_the_key)
{
    hg_value *d = hg_value_dict(), *out = NULL;
    int64_t i = 5;
    double f;
    succeeds(hg_value_set(d, "epoch", hg_value_string("three")));
    fails_with(hg_value_get_int("checkpoint", d, "epoch", &i), HG_E_FORMAT,
               "checkpoint: key 'epoch' is a string, not an int");
    fails_with(hg_value_get_double("checkpoint", d, "epoch", &f), HG_E_FORMAT,
               "checkpoint: key 'epoch' is a string, not a float");
    fails_with(hg_value_get("a.pth", d, "optimizer", HG_VALUE_DICT, &out), HG_E_FORMAT,
               "a.pth: key 'optimizer' is missing");
    fails_with(hg_value_get_int("checkpoint", hg_value_find(d, "epoch"), "x", &i), HG_E_FORMAT, "in a string");
    fails_with(hg_value_get_int("checkpoint", NULL, "x", &i), HG_E_FORMAT, "in nothing");
    ck_assert_int_eq(i, 5);
    ck_assert_ptr_null(out);
    hg_value_free(d);
}
END_TEST

START_TEST(items_are_owned_even_when_refused)
{
    hg_value *i = hg_value_int(1), *l = hg_value_list(), *d = hg_value_dict();   /* a leak would show in valgrind */
    fails_with(hg_value_append(i, hg_value_string("x")), HG_E_ARG, "cannot append to an int");
    fails_with(hg_value_set(l, "k", hg_value_string("x")), HG_E_ARG, "cannot set a key of a list");
    fails_with(hg_value_append(l, NULL), HG_E_MEMORY, "out of memory");
    fails_with(hg_value_set(d, "k", NULL), HG_E_MEMORY, "out of memory");
    fails_with(hg_value_set(NULL, "k", hg_value_string("x")), HG_E_MEMORY, "out of memory");
    fails_with(hg_value_set_metadata(d, hg_value_dict()), HG_E_ARG, "metadata");
    ck_assert_uint_eq(l->list.count, 0);
    ck_assert_uint_eq(d->dict.count, 0);
    hg_value_free(i);
    hg_value_free(l);
    hg_value_free(d);
    hg_value_free(NULL);
}
END_TEST

START_TEST(utf8_is_told_from_other_bytes)
{
    static const char *const good[] = {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\xfc", "\xc3", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                                      "\xf4\x90\x80\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\x80", "a\xff"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) ck_assert(hg_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) ck_assert(!hg_is_utf8(bad[i], strlen(bad[i])));
    ck_assert(!hg_is_utf8("a\0b", 3));
}
END_TEST

Suite *value_suite(void)
{
    Suite *suite = suite_create("value");
    TCase *tests = tcase_create("value");
    tcase_add_test(tests, a_dict_keeps_its_order_and_replaces_in_place);
    tcase_add_test(tests, getters_give_what_is_there);
    tcase_add_test(tests, getters_name_the_key);
    tcase_add_test(tests, items_are_owned_even_when_refused);
    tcase_add_test(tests, utf8_is_told_from_other_bytes);
    suite_add_tcase(suite, tests);
    return suite;
}
