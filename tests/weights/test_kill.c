/* A process that is killed while it writes a file, at any moment, leaves one that is whole: the old or the new. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weights/read.h"
#include "weights/write.h"

static const char *const extensions[] = {"pth", "safetensors", "npz", "npy"};
enum { FORMATS = sizeof extensions / sizeof *extensions, KILLS = 15, COUNT = 50000 };

static char folder[] = "/tmp/hapgop-kill-XXXXXX", path[64];

/* {"a": COUNT times `value`} */
static hg_status write_file(float value)
{
    static float data[COUNT];
    for (int i = 0; i < COUNT; i++) data[i] = value;
    hg_array a = {HG_ARRAY_F32, HG_SHAPE(COUNT), data, true};
    hg_value *v = hg_value_dict();
    hg_status status = hg_value_set(v, "a", hg_value_array(&a));
    if (status == HG_OK) status = hg_weights_write(path, v);
    hg_value_free(v);
    return status;
}

/* The value that all elements have. */
static float read_file(void)
{
    hg_value *v;
    const hg_array *a;
    const char *format;
    ck_assert_msg(hg_weights_parse(path, &format, &v) == HG_OK, "%s", hg_last_error());
    ck_assert_msg(hg_value_get_array("test", v, "a", &a) == HG_OK, "%s", hg_last_error());
    ck_assert_int_eq(hg_array_count(a), COUNT);
    ck_assert_msg(hg_array_load((hg_array *)a) == HG_OK, "%s", hg_last_error());
    const float *data = a->data, first = data[0];
    for (int i = 1; i < COUNT; i++) ck_assert(data[i] == first);
    hg_value_free(v);
    return first;
}

START_TEST(a_killed_writer_leaves_a_whole_file)
{
    float last = 1;
    snprintf(path, sizeof path, "%s/a.%s", folder, extensions[_i]);
    ck_assert_int_eq(write_file(last), HG_OK);
    for (int i = 0; i < KILLS; i++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
            for (float value = last + 1; write_file(value) == HG_OK; value++) {}
            _exit(1);
        }
        usleep((useconds_t)(1000 + 1900 * i));
        ck_assert_int_eq(kill(child, SIGKILL), 0);
        int how;
        ck_assert_int_eq(waitpid(child, &how, 0), child);
        ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);    /* it was still writing */
        float now = read_file();
        ck_assert(now >= last);
        last = now;
    }
    ck_assert(last > 1);        /* some were replaced */
}
END_TEST

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    Suite *suite = suite_create("kill");
    TCase *tests = tcase_create("kill");
    tcase_add_loop_test(tests, a_killed_writer_leaves_a_whole_file, 0, FORMATS);
    tcase_set_timeout(tests, 60);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return failed != 0 || system(command) != 0;
}
