/* What the suites of this room share. */
#ifndef TEST_WEIGHTS_H
#define TEST_WEIGHTS_H

#include <check.h>

#include "base/error.h"
#include "weights/value.h"

Suite *npy_suite(void);
Suite *value_suite(void);
Suite *pickle_suite(void);
Suite *pth_suite(void);
Suite *safetensors_suite(void);
Suite *formats_suite(void);
Suite *zip_suite(void);

/* Deeply equal: kinds, order, metadata, types, shapes, every bit of the data. */
bool same_value(const hg_value *a, const hg_value *b);

/* hg_pth_read() and hg_weights_parse(), and all elements brought to memory; *out is NULL on failure. */
hg_status read_pth(const char *path, hg_value **out);
hg_status read_weights(const char *path, hg_value **out);

/* A path inside the run's own temporary folder, which main() makes and removes; valid until the next call. */
const char *scratch(const char *name);
/* A path in tests/data/weights; valid until the next call. */
const char *fixture(const char *name);

void write_bytes(const char *path, const void *bytes, size_t size);

/* The value of `call`, made while no file may grow beyond `bytes`, as on a full disk. Check itself writes a file at
 * each assertion, so that none may be inside. */
void limit_disk(size_t bytes);
void lift_disk_limit(void);
#define on_a_full_disk(bytes, call)                                                                                   \
    __extension__({                                                                                                   \
        limit_disk(bytes);                                                                                            \
        hg_status result_ = (call);                                                                                   \
        lift_disk_limit();                                                                                            \
        result_;                                                                                                      \
    })

/* The call fails with this code and its message has this text; the error is cleared before and after. */
#define fails_with(call, code, text)                                                                                  \
    do {                                                                                                              \
        hg_clear_error();                                                                                             \
        ck_assert_int_eq(call, code);                                                                                 \
        ck_assert_int_eq(hg_last_status(), code);                                                                     \
        ck_assert_msg(strstr(hg_last_error(), text), "'%s' lacks '%s'", hg_last_error(), text);                       \
        hg_clear_error();                                                                                             \
    } while (0)

#define succeeds(call) ck_assert_msg((call) == HG_OK, "%s", hg_last_error())

#endif
