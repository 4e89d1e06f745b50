#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "hapgop/data.h"

Suite *transform_suite(void);
Suite *images_suite(void);
Suite *folder_suite(void);
Suite *idx_suite(void);
Suite *feed_suite(void);
Suite *loader_suite(void);

/* The thread's error has this code and all of these words (NULL ends them); it is cleared. */
#define ck_assert_error(code, ...)                                                                                     \
    do {                                                                                                               \
        ck_assert_int_eq(hg_last_status(), code);                                                                      \
        for (const char **word_ = (const char *[]){__VA_ARGS__, NULL}; *word_; word_++)                                \
            ck_assert_msg(strstr(hg_last_error(), *word_) != NULL, "\"%s\" is not in \"%s\"", *word_,                  \
                          hg_last_error());                                                                            \
        hg_clear_error();                                                                                              \
    } while (0)

/* `n` f32 items of 3 elements: {i, 10 i, the sample's seed cut to 16 bits}, label 7 i. `bad` (-1: none) fails. */
hg_dataset *numbers(int64_t n, int64_t bad);
