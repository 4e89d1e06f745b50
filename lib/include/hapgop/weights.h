/* Files of weights, and checkpoints. */
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
/* Reads such a file, one from before PyTorch 1.6, safetensors, .npz or .npy (the content tells, not the name) into the
 * module's own tensors, as load_state_dict(strict) does: names and shapes must fit, element types are converted. All that
 * does not fit is named in one HG_E_FORMAT, in PyTorch's words, and nothing has changed then. Not strict: missing and unexpected names are a warning in the log; shapes must fit still.
 * Errors: HG_E_IO; HG_E_FORMAT for a damaged file, or one that holds no dict; HG_E_MEMORY. */
HG_API hg_status hg_load_state(hg_module *m, const char *path, bool strict);

/* ---- Checkpoints ---------------------------------------------------------------------------------------------------
 * A file that torch.load() reads (a dict, PyTorch's zip layout, weights_only=True is enough) with what a training needs
 * to go on: modules, optimizers, and named numbers, texts and arrays.
 *
 *   hg_checkpoint *c = hg_checkpoint_new();
 *   hg_checkpoint_put_module(c, "model_state_dict", net);
 *   hg_checkpoint_put_optimizer(c, "optimizer_state_dict", opt);
 *   hg_checkpoint_put_int(c, "epoch", epoch);
 *   hg_checkpoint_put_double(c, "options/lr", 1e-3);            // c["options"]["lr"]
 *   hg_status st = hg_checkpoint_write(c, "03.pth");            // fails if a put before it failed: one check is enough
 *   hg_checkpoint_free(c);
 *
 * Names are paths: "a/b" is the key "b" of the dict "a", which is made when something is put into it. */
typedef struct hg_checkpoint hg_checkpoint;

HG_API hg_checkpoint *hg_checkpoint_new(void);      /* empty; NULL with HG_E_MEMORY */
HG_API void hg_checkpoint_free(hg_checkpoint *c);   /* NULL is allowed */

/* Copies the state as it is now; module and optimizer wait for the device. Putting a name again replaces it.
 * Errors: HG_E_MEMORY; HG_E_ARG for an empty name, or a path through something that is no dict; those of hg_read().
 * A NULL `c` (an hg_checkpoint_new() that failed) gives HG_E_ARG. */
HG_API hg_status hg_checkpoint_put_module(hg_checkpoint *c, const char *name, hg_module *m);    /* its state_dict() */
HG_API hg_status hg_checkpoint_put_optimizer(hg_checkpoint *c, const char *name, hg_optimizer *opt);
HG_API hg_status hg_checkpoint_put_scheduler(hg_checkpoint *c, const char *name, hg_scheduler *s);
HG_API hg_status hg_checkpoint_put_bool(hg_checkpoint *c, const char *name, bool x);
HG_API hg_status hg_checkpoint_put_int(hg_checkpoint *c, const char *name, int64_t x);
HG_API hg_status hg_checkpoint_put_double(hg_checkpoint *c, const char *name, double x);
HG_API hg_status hg_checkpoint_put_text(hg_checkpoint *c, const char *name, const char *text);  /* UTF-8 */
/* A tensor from host memory: hg_numel(shape) elements, row-major. */
HG_API hg_status hg_checkpoint_put_array(hg_checkpoint *c, const char *name, hg_dtype dtype, hg_shape shape,
                                         const void *data);

/* Writes the file whole or not at all: the one that was there before survives any failure. Equal contents make equal
 * bytes. Errors: the first one of a put; HG_E_IO (a full disk); HG_E_FORMAT for a text that is not UTF-8;
 * HG_E_MEMORY. */
HG_API hg_status hg_checkpoint_write(const hg_checkpoint *c, const char *path);

/* Reads any file that torch.save() made of dicts with such contents; nothing in it is ever executed.
 * NULL on failure: HG_E_IO; HG_E_FORMAT for a damaged file, or one that holds no dict; HG_E_MEMORY. */
HG_API hg_checkpoint *hg_checkpoint_read(const char *path);

HG_API bool hg_checkpoint_has(const hg_checkpoint *c, const char *name);

/* Into a module or optimizer of the same structure; names, shapes and dtypes must fit exactly, else HG_E_FORMAT and
 * nothing has changed. */
HG_API hg_status hg_checkpoint_get_module(const hg_checkpoint *c, const char *name, hg_module *m);
HG_API hg_status hg_checkpoint_get_optimizer(const hg_checkpoint *c, const char *name, hg_optimizer *opt);
/* Where a schedule is; its options must be those it was made with. Get the optimizer too: the rates are its state. */
HG_API hg_status hg_checkpoint_get_scheduler(const hg_checkpoint *c, const char *name, hg_scheduler *s);
/* HG_E_FORMAT, naming file and key, if it is missing or of another kind; the result stays as it was then. A double
 * may be an int in the file. Texts and arrays belong to the checkpoint. */
HG_API hg_status hg_checkpoint_get_bool(const hg_checkpoint *c, const char *name, bool *x);
HG_API hg_status hg_checkpoint_get_int(const hg_checkpoint *c, const char *name, int64_t *x);
HG_API hg_status hg_checkpoint_get_double(const hg_checkpoint *c, const char *name, double *x);
HG_API hg_status hg_checkpoint_get_text(const hg_checkpoint *c, const char *name, const char **text);
HG_API hg_status hg_checkpoint_get_array(const hg_checkpoint *c, const char *name, hg_dtype dtype, hg_shape *shape,
                                         const void **data);

#ifdef __cplusplus
}
#endif
#endif
