/* Files of weights. */
#ifndef HAPGOP_WEIGHTS_H
#define HAPGOP_WEIGHTS_H

#include "hapgop/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- State dicts ---------------------------------------------------------------------------------------------------
 * Writes parameters and buffers as torch.save(model.state_dict(), path) does, for torch.load() and load_state_dict().
 * Waits for the device. The file is replaced whole or not at all.
 * Errors: HG_E_IO (a full disk), HG_E_MEMORY, those of hg_read(). */
HG_API hg_status hg_save_state(hg_module *m, const char *path);
/* Reads such a file into the module's own tensors, as load_state_dict(strict) does: names and shapes must fit, element
 * types are converted. All that does not fit is named in one HG_E_FORMAT, in PyTorch's words, and nothing has changed
 * then. Not strict: missing and unexpected names are a warning in the log; shapes must fit still.
 * Errors: HG_E_IO; HG_E_FORMAT for a damaged file, or one that holds no dict; HG_E_MEMORY. */
HG_API hg_status hg_load_state(hg_module *m, const char *path, bool strict);

#ifdef __cplusplus
}
#endif
#endif
