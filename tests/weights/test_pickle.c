/* Pickles that no friend wrote: each is refused with a reason, none crashes or takes more than a moment. */
#include "test_weights.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"
#include "weights/pickle.h"

#define TENSOR "ctorch._utils\n_rebuild_tensor_v2\n"
#define DICT "ccollections\nOrderedDict\n)R"
#define STORAGE(count) "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0000X\3\0\0\0cpu" count "tQ"
#define BYTES(text) text, sizeof text - 1

/* Parses a copy that ends where its memory ends, so that a sanitizer sees one byte too far. */
static hg_status parse(const char *bytes, size_t size, hg_pickle *out)
{
    char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    hg_status status = hg_pickle_parse("t.pth", copy, size, NULL, out);
    free(copy);
    return status;
}

static void refused(const char *bytes, size_t size, const char *message)
{
    hg_pickle p;
    fails_with(parse(bytes, size, &p), HG_E_FORMAT, message);
    ck_assert_ptr_null(p.root);
}

START_TEST(numbers_and_containers)
{
    hg_pickle p;
    succeeds(parse(BYTES("\x80\2(K\xffM\xff\xffJ\xff\xff\xff\xff\x8a\0\x8a\1\xff\x8a\2\0\x80\x8a\x08\0\0\0\0\0\0\0\x80"
                         "G\xbf\xe0\0\0\0\0\0\0N\x88\x89" "t."), &p));
    static const int64_t expected[] = {255, 65535, -1, 0, -1, -32768, INT64_MIN};
    ck_assert_int_eq(p.root->kind, HG_VALUE_TUPLE);
    ck_assert_uint_eq(p.root->list.count, 11);
    for (int i = 0; i < 7; i++) ck_assert_int_eq(p.root->list.items[i]->integer, expected[i]);
    ck_assert(p.root->list.items[7]->real == -0.5);
    ck_assert_int_eq(p.root->list.items[8]->kind, HG_VALUE_NONE);
    ck_assert(p.root->list.items[9]->boolean && !p.root->list.items[10]->boolean);
    hg_pickle_free(&p);

    succeeds(parse(BYTES("\x80\2}q\0(X\1\0\0\0a]q\1(K\1K\2eK\5)K\6K\1\x85K\7K\1K\2\x86K\x08K\1K\2K\3\x87u."), &p));
    ck_assert_int_eq(hg_value_find(p.root, "a")->list.count, 2);
    for (int64_t k = 5; k <= 8; k++) {
        ck_assert_int_eq(hg_value_find_at(p.root, k)->kind, HG_VALUE_TUPLE);
        ck_assert_uint_eq(hg_value_find_at(p.root, k)->list.count, (size_t)k - 5);
    }
    hg_pickle_free(&p);
}
END_TEST

START_TEST(what_is_shared_becomes_several)
{
    hg_pickle p;
    succeeds(parse(BYTES("\x80\2](X\1\0\0\0xq\1]q\2K\1ah\1h\2h\2e."), &p));
    ck_assert_uint_eq(p.root->list.count, 5);
    hg_value **items = p.root->list.items;
    ck_assert_str_eq(items[2]->string, "x");
    ck_assert_ptr_ne(items[1], items[3]);
    ck_assert_ptr_ne(items[3], items[4]);
    ck_assert_int_eq(items[4]->list.items[0]->integer, 1);
    hg_pickle_free(&p);
}
END_TEST

START_TEST(a_view_is_described)
{
    hg_pickle p;
    succeeds(parse(BYTES("\x80\2" TENSOR "(" STORAGE("K\x0c") "K\6(K\2tK\4\x85\x89" DICT "tR."), &p));
    ck_assert_uint_eq(p.view_count, 1);
    ck_assert_uint_eq(p.storage_count, 1);
    ck_assert_ptr_eq(p.views[0].array, &p.root->array);
    ck_assert_int_eq(p.views[0].offset, 6);
    ck_assert_int_eq(p.views[0].stride[0], 4);
    ck_assert_int_eq(p.root->array.shape.size[0], 2);
    ck_assert_int_eq(p.storages[0].count, 12);
    ck_assert_int_eq(p.storages[0].dtype, HG_ARRAY_F32);
    hg_pickle_free(&p);
}
END_TEST

START_TEST(foreign_names_are_said)
{
    refused(BYTES("\x80\2cos\nsystem\n(X\4\0\0\0true\x85R."), "the Python object os.system");
    refused(BYTES("\x80\2ctorchvision.models.resnet\nResNet\n)\x81."),
            "torchvision.models.resnet.ResNet, which only Python can make; if this is a whole model, save "
            "model.state_dict() instead");
    refused(BYTES("\x80\2c\x1b[31m\nred\n."), "?[31m.red");
    refused(BYTES("\x80\4\x8c\2os\x8c\6system\x93."), "os.system");
    refused(BYTES("\x80\2ctorch\nFloatStorage2\n."), "torch.FloatStorage2");
    refused(BYTES("\x80\2ctorch\nFloatStorage"), "a name has no end");
    hg_str s = {0};
    hg_str_add(&s, "c");
    for (int i = 0; i < 100; i++) hg_str_add(&s, "0123456789");
    hg_str_add(&s, "\nx\n.");
    refused(s.text, s.length, "0123456789");
    hg_str_free(&s);
}
END_TEST

START_TEST(nonsense_is_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {
        {BYTES(""), "cut off"},
        {BYTES("\x80\1."), "protocol"},
        {BYTES("\x80\2."), "more or less than one object"},
        {BYTES("\x80\2NN."), "more or less than one object"},
        {BYTES("\x80\2N(."), "more or less than one object"},
        {BYTES("\x80\2N.N"), "bytes follow"},
        {BYTES("\x80\2i"), "opcode 0x69"},
        {BYTES("\x80\2\x8a\x09........."), "more than 64 bits"},
        {BYTES("\x80\2X\xff\xff\xff\xff" "a."), "cut off"},
        {BYTES("\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xff" "a."), "cut off"},
        {BYTES("\x80\2X\1\0\0\0\xff."), "not UTF-8"},
        {BYTES("\x80\2X\1\0\0\0\0."), "not UTF-8"},
        {BYTES("\x80\2t."), "a mark is missing"},
        {BYTES("\x80\2e."), "a mark is missing"},
        {BYTES("\x80\2(e."), "the stack is empty"},
        {BYTES("\x80\2a."), "the stack is empty"},
        {BYTES("\x80\2Na."), "the stack is empty"},
        {BYTES("\x80\2](K\1a."), "the stack is empty"},
        {BYTES("\x80\2NNs."), "the stack is empty"},
        {BYTES("\x80\2N\x87."), "the stack is empty"},
        {BYTES("\x80\2NNa."), "no list or dict"},
        {BYTES("\x80\2]NNs."), "no list or dict"},
        {BYTES("\x80\2}(Nu."), "a key without a value"},
        {BYTES("\x80\2}NNs."), "neither a string nor an int"},
        {BYTES("\x80\2}(K\1NK\1Nu."), "one key twice"},
        {BYTES("\x80\2}(X\1\0\0\0aNX\1\0\0\0bNX\1\0\0\0aNu."), "one key twice"},
        {BYTES("\x80\2h\0."), "never made"},
        {BYTES("\x80\2Nq\3h\1."), "never made"},
        {BYTES("\x80\2q\0."), "the stack is empty"},
        {BYTES("\x80\2Nr\xff\xff\xff\xff."), "memo index is too large"},
        {BYTES("\x80\2NNR."), "cannot be called"},
        {BYTES("\x80\2ctorch\nFloatStorage\n."), "a class or a bare storage"},
        {BYTES("\x80\2ctorch\nFloatStorage\n)R."), "calls a storage"},
        {BYTES("\x80\2" STORAGE("K\1") "."), "a class or a bare storage"},
        {BYTES("\x80\2ccollections\nOrderedDict\n]\x85R."), "has arguments"},
        {BYTES("\x80\2ccollections\nOrderedDict\nNR."), "has arguments"},
        {BYTES("\x80\2}}b."), "no OrderedDict"},
        {BYTES("\x80\2" DICT "Nb."), "no OrderedDict"},
        {BYTES("\x80\2" DICT "}X\x09\0\0\0_metadataNsb."), "_metadata is no dict"},
        {BYTES("\x80\2NQ."), "storage has wrong arguments"},
        {BYTES("\x80\2" STORAGE("J\xff\xff\xff\xff") "."), "storage has wrong arguments"},
        {BYTES("\x80\2ctorch\nSize\nNR."), "torch.Size"},
        {BYTES("\x80\2ctorch._utils\n_rebuild_parameter\n(N\x89NtR."), "a parameter is no tensor"},
        {BYTES("\x80\2" TENSOR ")R."), "wrong arguments"},
        {BYTES("\x80\2" TENSOR "(NK\0))\x89NtR."), "wrong arguments"},
        {BYTES("\x80\4\x93."), "the stack is empty"},
        {BYTES("\x80\4NN\x93."), "a name is no string"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(cases[i].bytes, cases[i].size, cases[i].message);
}
END_TEST

#define VIEW(offset, size, stride) "\x80\2" TENSOR "(" STORAGE("K\x0c") offset size stride "\x89" DICT "tR."
#define LARGE "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"

START_TEST(tensors_stay_inside_their_storage)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {
        {BYTES(VIEW("K\0", "K\x0d\x85", "K\1\x85")), "beyond its storage"},
        {BYTES(VIEW("K\1", "K\x0c\x85", "K\1\x85")), "beyond its storage"},
        {BYTES(VIEW("K\0", "K\4\x85", "K\4\x85")), "beyond its storage"},
        {BYTES(VIEW("K\x0c", ")", ")")), "beyond its storage"},
        {BYTES(VIEW("K\x0d", "K\0\x85", "K\1\x85")), "beyond its storage"},
        {BYTES(VIEW("K\0", "K\2\x85", ")")), "beyond its storage"},
        {BYTES(VIEW("K\0", LARGE "\x85", LARGE "\x85")), "beyond its storage"},
        {BYTES(VIEW("K\0", LARGE LARGE "\x86", "K\0K\0\x86")), "beyond its storage"},
        {BYTES(VIEW(LARGE, "K\2\x85", "K\1\x85")), "beyond its storage"},
        {BYTES(VIEW("J\xff\xff\xff\xff", ")", ")")), "wrong arguments"},
        {BYTES(VIEW("K\0", "J\xff\xff\xff\xff\x85", "K\1\x85")), "negative"},
        {BYTES(VIEW("K\0", "K\2\x85", "J\xff\xff\xff\xff\x85")), "negative"},
        {BYTES(VIEW("K\0", "N\x85", "K\1\x85")), "no integer"},
        {BYTES(VIEW("K\0", "N", ")")), "no tuple"},
        {BYTES(VIEW("K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", ")")), "9 dimensions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused(cases[i].bytes, cases[i].size, cases[i].message);
    hg_pickle p;
    succeeds(parse(BYTES(VIEW("K\x0b", ")", ")")), &p));
    hg_pickle_free(&p);
    succeeds(parse(BYTES(VIEW("K\x0c", "K\0" LARGE "\x86", "K\1K\1\x86")), &p));
    hg_pickle_free(&p);
}
END_TEST

START_TEST(cycles_depth_and_unfolding_end)
{
    refused(BYTES("\x80\2]q\0h\0a."), "contains itself");
    refused(BYTES("\x80\2}q\0K\1h\0s."), "contains itself");
    refused(BYTES("\x80\2]q\0(h\0\x85\x85" "e."), "contains itself");
    refused(BYTES("\x80\2" DICT "q\0}X\x09\0\0\0_metadatah\0sb."), "contains itself");

    hg_str s = {0};
    for (int i = 0; i < 100000; i++) hg_str_add(&s, "]");
    for (int i = 1; i < 100000; i++) hg_str_add(&s, "a");
    hg_str_add(&s, ".");
    refused(s.text, s.length, "nested deeper than 100");
    hg_str_free(&s);

    hg_str_add(&s, "]");                            /* list k + 1 = [list k, list k]: 2^90 lists */
    for (int i = 0; i < 90; i++) {
        char put_get[] = {'q', (char)i, ']', 'h', (char)i, 'a', 'h', (char)i, 'a'};
        hg_str_add_bytes(&s, put_get, sizeof put_get);
    }
    /* the lists below stay on the stack: fold them into one */
    char *body = hg_str_take(&s);
    hg_str_add(&s, "(");
    hg_str_add_bytes(&s, body, 1 + 9 * 90);
    hg_str_add(&s, "t.");
    refused(s.text, s.length, "unfold without end");
    free(body);
    hg_str_free(&s);
}
END_TEST

static const char sample[] =
    "\x80\2}q\0(X\5\0\0\0modelq\1" DICT "q\2(X\1\0\0\0wq\3" TENSOR "(" STORAGE("K\x0c")
    "K\0K\3K\4\x86q\4K\4K\1\x86q\5\x89" DICT "tRq\6X\1\0\0\0bh\6u}X\x09\0\0\0_metadata" DICT
    "X\0\0\0\0}X\7\0\0\0versionK\2sssbX\5\0\0\0betasG\x3f\xe0\0\0\0\0\0\0N\x86X\1\0\0\0l](K\1h\2eu.";

START_TEST(a_damaged_pickle_never_crashes)
{
    hg_pickle p;
    succeeds(parse(BYTES(sample), &p));
    ck_assert_uint_eq(p.view_count, 4);     /* w, b, and both again in l */
    hg_pickle_free(&p);
    for (size_t n = 0; n < sizeof sample - 1; n++) {
        ck_assert_int_eq(parse(sample, n, &p), HG_E_FORMAT);
        hg_clear_error();
    }
    char bytes[sizeof sample];
    int refusals = 0;
    for (size_t bit = 0; bit < 8 * (sizeof sample - 1); bit++) {
        memcpy(bytes, sample, sizeof sample);
        bytes[bit / 8] ^= 1 << bit % 8;
        if (parse(BYTES(bytes), &p) == HG_OK) {
            hg_pickle_free(&p);
        } else {
            ck_assert_int_eq(hg_last_status(), HG_E_FORMAT);
            refusals++;
        }
        hg_clear_error();
    }
    ck_assert_int_gt(refusals, 1000);
}
END_TEST

START_TEST(random_damage_never_crashes)
{
    unsigned seed = (unsigned)time(NULL);
    printf("random_damage_never_crashes: seed %u\n", seed);
    srand(seed);
    char bytes[sizeof sample];
    for (int i = 0; i < 20000; i++) {
        memcpy(bytes, sample, sizeof sample);
        for (int k = rand() % 6; k >= 0; k--) bytes[rand() % (sizeof sample - 1)] = (char)rand();
        size_t from = rand() % sizeof sample, to = rand() % sizeof sample, n = rand() % 40;
        if (from + n < sizeof sample && to + n < sizeof sample) memmove(bytes + to, bytes + from, n);
        hg_pickle p;
        if (parse(BYTES(bytes), &p) == HG_OK) hg_pickle_free(&p);
        else ck_assert_int_eq(hg_last_status(), HG_E_FORMAT);
        hg_clear_error();
    }
}
END_TEST

Suite *pickle_suite(void)
{
    Suite *suite = suite_create("pickle");
    TCase *tests = tcase_create("pickle");
    tcase_add_test(tests, numbers_and_containers);
    tcase_add_test(tests, what_is_shared_becomes_several);
    tcase_add_test(tests, a_view_is_described);
    tcase_add_test(tests, foreign_names_are_said);
    tcase_add_test(tests, nonsense_is_refused);
    tcase_add_test(tests, tensors_stay_inside_their_storage);
    tcase_add_test(tests, cycles_depth_and_unfolding_end);
    tcase_add_test(tests, a_damaged_pickle_never_crashes);
    tcase_add_test(tests, random_damage_never_crashes);
    suite_add_tcase(suite, tests);
    return suite;
}
