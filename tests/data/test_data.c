/* The data room: transforms, IDX files, Fashion-MNIST, fetching. */
#include "test_data.h"

typedef struct numbers_self {
    int64_t bad;
} numbers_self;

static hg_status numbers_get(void *self, int64_t index, hg_sample *sample)
{
    if (index == ((numbers_self *)self)->bad) {
        snprintf(sample->error, sizeof sample->error, "picture-%d.png is damaged", (int)index);
        return HG_E_FORMAT;
    }
    if (index % 16 == 3) usleep(300);   /* workers overtake each other */
    float *x = sample->data;
    x[0] = (float)index;
    x[1] = (float)(10 * index);
    x[2] = (float)(sample->seed >> 48);
    sample->label = 7 * index;
    return HG_OK;
}

hg_dataset *numbers(int64_t n, int64_t bad)
{
    static const hg_dataset_type type = {"numbers", numbers_get, free};
    numbers_self *self = malloc(sizeof *self);
    ck_assert_ptr_nonnull(self);
    self->bad = bad;
    hg_dataset *d = hg_dataset_new(&type, self, n, HG_F32, HG_SHAPE(3), NULL);
    ck_assert_ptr_nonnull(d);
    return d;
}

int main(void)
{
    SRunner *runner = srunner_create(transform_suite());
    srunner_add_suite(runner, idx_suite());
    srunner_add_suite(runner, feed_suite());
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
