/* What commands that go on from a checkpoint share: the options that it keeps, and the state of a run beside its
 * network and optimizer.
 *
 *   options/...          of the command line, see RESUME_SAVED and RESUME_FIXED
 *   rng_state            uint8, of the device's generator
 *   loader/...           hg_loader_state
 *   device, driver       where it ran
 *   plans                hg_conv_plan_hash(), hexadecimal: results are the same bit for bit where these three are */
#ifndef TOOLS_RESUME_H
#define TOOLS_RESUME_H

#include <hapgop/hapgop.h>

#include "args.h"

/* What a checkpoint says about an option (arg_option.group). */
enum {
    RESUME_LOCAL,       /* nothing: it belongs to one run */
    RESUME_SAVED,       /* its value; the command line may give another */
    RESUME_FIXED        /* its value; another one would be another training */
};

typedef char resume_plans[17];

void resume_plans_now(hg_device *dev, resume_plans plans);

/* The option's value as text, as the command line has it; "yes" or "no" for a flag. */
void resume_option_text(const arg_option *o, char text[64]);

/* Errors of putting are kept in the checkpoint, whose writing fails then; false: memory ran out. */
void resume_put_options(hg_checkpoint *c, const arg_command *command);
bool resume_put_run(hg_checkpoint *c, hg_device *dev, const hg_loader *loader, const char *plans);

/* Takes the values of the options that were not given; false if there is a contradiction, which has been told. */
bool resume_take_options(const hg_checkpoint *c, arg_command *command);
/* The generator and the loader. */
hg_status resume_get_run(const hg_checkpoint *c, hg_device *dev, hg_loader *loader);

/* What makes the results other than they would have been is told on stderr. False: it is another device or driver, and
 * different plans are no news. */
bool resume_compare_device(const hg_checkpoint *c, hg_device *dev);
void resume_saved_plans(const hg_checkpoint *c, resume_plans plans); /* "" if there are none */
void resume_compare_plans(const char *then, const char *now);

#endif
