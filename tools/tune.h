/* `hapgop tune`: what its files share. tune.c reads the command line and does what it asks for, tune_problems.c finds
 * out which convolutions are meant, tune_report.c writes tables and JSON. */
#ifndef TOOLS_TUNE_H
#define TOOLS_TUNE_H

#include <hapgop/hapgop.h>

typedef struct tune_problems {
    char (*text)[256];
    int count;
} tune_problems;

enum { TUNE_ALL, TUNE_FORWARD, TUNE_BACKWARD_DATA, TUNE_BACKWARD_WEIGHTS };
extern const char *const tune_directions[];     /* as options and problems have them; ends with NULL */

/* Whether the argument is a shape or a problem, not a network's name. */
bool tune_is_shape(const char *argument);

/* Adds the problems of a shape, "8x64x56x56 64x3x3 p1x1", in the directions asked for, or of a whole problem. `batch`
 * replaces its images unless it is 0. False with a message in `wrong`. */
bool tune_add_shape(tune_problems *list, const char *shape, int64_t batch, int direction, char wrong[400]);

/* Adds the convolutions of a training step of a network. False if the library refused; hg_last_error() has it. */
bool tune_add_network(tune_problems *list, const char *name, const char *device, int64_t batch, int direction);

/* The results of problems that were tuned. */
typedef struct tune_result {
    hg_tuning_row *rows;
    int count;
} tune_result;

void tune_print_head(void);
/* One line, and one for each solver that was wrong. */
void tune_print_result(const tune_result *r);
void tune_print_list(const hg_tuning_row *rows, int count);
/* False with a message on stderr. */
bool tune_write_json(const char *path, hg_device *dev, const tune_result *results, int count);

#endif
