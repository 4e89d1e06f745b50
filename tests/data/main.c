/* The data room: transforms, folders of images, IDX files, Fashion-MNIST, fetching, the loader. */
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
    Suite *suites[] = {transform_suite(), images_suite(), idx_suite(), feed_suite(), loader_suite(),
                        folder_suite()};
    return test_main("data", suites, (int)(sizeof suites / sizeof *suites));
}
