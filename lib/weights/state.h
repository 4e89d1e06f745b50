/* State dicts of modules and optimizers as documents, in PyTorch's layout. */
#ifndef HG_WEIGHTS_STATE_H
#define HG_WEIGHTS_STATE_H

#include "hapgop/optim.h"
#include "weights/value.h"

/* module.state_dict(): an ordered dict of arrays with its _metadata. hg_value_free(*out). Waits for the device.
 * Errors: HG_E_ARG for NULL, HG_E_MEMORY, those of hg_read(); *out is NULL then. */
hg_status hg_module_to_value(hg_module *m, hg_value **out);

/* module.load_state_dict(state). `where`, usually a file's name, begins the messages. Errors: HG_E_FORMAT with all that
 * does not fit, HG_E_MEMORY; nothing has changed then. */
hg_status hg_module_from_value(hg_module *m, const hg_value *state, const char *where);
/* Not strict: missing and unexpected names are a warning in the log. */
hg_status hg_module_load_value(hg_module *m, const hg_value *state, const char *where, bool strict);

/* optimizer.state_dict() and load_state_dict(): {'state': {0: {'step': ..., ...}}, 'param_groups': [{'lr': ...}]}. The
 * options come from the file too. A training goes on from it bit by bit as it would have. Errors as above. */
hg_status hg_optimizer_to_value(const hg_optimizer *opt, hg_value **out);
hg_status hg_optimizer_from_value(hg_optimizer *opt, const hg_value *state, const char *where);

/* scheduler.state_dict() and load_state_dict(), PyTorch's keys. The options in the file must be those that the scheduler
 * was made with; what it loads is where the schedule is. The learning rates are the optimizer's state. Errors as above. */
hg_status hg_scheduler_to_value(const hg_scheduler *s, hg_value **out);
hg_status hg_scheduler_from_value(hg_scheduler *s, const hg_value *state, const char *where);

/* ---- for these ---- */

/* The tensor's elements in host memory; *out is NULL on failure. */
hg_status hg_tensor_to_value(hg_tensor *t, hg_value **out);
/* Whether the shapes are the same; PyTorch's leave for a saved [1] in the place of a scalar included. */
bool hg_array_fits(const hg_array *a, const hg_tensor *t);
/* The array's elements as a tensor of `dtype` and `shape`, which has as many, in the open scope; chunk by chunk. */
hg_tensor *hg_tensor_from_array(hg_device *dev, const hg_array *a, hg_dtype dtype, hg_shape shape);

#endif
