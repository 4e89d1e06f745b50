/* The image room: image files, resizing and charts. */
#include "test_image.h"

#include <stdlib.h>

int main(void)
{
    SRunner *runner = srunner_create(png_suite());
    srunner_add_suite(runner, chart_suite());
    srunner_add_suite(runner, read_suite());
    srunner_add_suite(runner, resize_suite());
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
