/* Files of weights, and checkpoints. */
#ifndef HAPGOP_WEIGHTS_H
#define HAPGOP_WEIGHTS_H

#include "hapgop/optim.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- State dicts ---------------------------------------------------------------------------------------------------
 * Writes parameters and buffers as torch.save(model.state_dict(), path) does, for torch.load() and load_state_dict().
 * Waits for the device. The file is replaced whole or not at all. A path that ends with .safetensors, .npz or .npy gets
 * that format.
 * Errors: HG_E_IO (a full disk), HG_E_MEMORY, those of hg_read(). */
HG_API hg_status hg_save_state(hg_module *m, const char *path);
/* Reads such a file, one from before PyTorch 1.6, safetensors, .npz or .npy (the content tells, not the name) into the
 * module's own tensors, as load_state_dict(strict) does: names and shapes must fit, element types are converted. All that
 * does not fit is named in one HG_E_FORMAT, in PyTorch's words, and nothing has changed then. Not strict: missing and unexpected names are a warning in the log; shapes must fit still.
 * Errors: HG_E_IO; HG_E_FORMAT for a damaged file, or one that holds no dict; HG_E_MEMORY. */
HG_API hg_status hg_load_state(hg_module *m, const char *path, bool strict);

/* ---- Files of weights ----------------------------------------------------------------------------------------------
 * An open file: what is in it, its elements as they are asked for, and what they are called. The content tells the
 * format: .pth of PyTorch (a zip, or from before 1.6), safetensors, .npz, .npy. The elements stay in the file, so that one
 * of any size needs little memory; the file may be replaced meanwhile, but not overwritten.
 *
 *   hg_weights *w = hg_weights_open("resnet.pth", &(hg_weights_options){.strip = "module."});
 *   if (w && hg_weights_load(w, net, true) == HG_OK) ...
 *   hg_weights_close(w); */
typedef struct hg_weights hg_weights;

/* A rule for names. `from` without '*' is the beginning of a name up to a dot, or all of it: "fc" makes "fc.weight" to
 * "head.weight", but is not in "fc1.weight"; "backbone." and "" takes a prefix off. With '*', which stands for any
 * text, it is a pattern of whole names, and the '*' of `to` are what those of `from` were, in their order: "*.gamma",
 * "*.weight". */
typedef struct hg_rename {
    const char *from, *to;
} hg_rename;

typedef struct hg_weights_options {
    const char *key;            /* the part of a checkpoint to open: "model_state_dict", "a/b"; NULL: the whole file */
    const char *strip;          /* taken off the names that begin with it, as it stands: "module."; NULL: nothing */
    const hg_rename *renames;   /* then all of them, each on what the one before it made; NULL: none */
    int rename_count;
} hg_weights_options;

/* NULL on failure: HG_E_IO; HG_E_FORMAT for a damaged file, an absent key, names that become one; HG_E_ARG for a rule
 * that is none; HG_E_MEMORY. NULL options: none. Nothing in a file is ever executed. */
HG_API hg_weights *hg_weights_open(const char *path, const hg_weights_options *o);
HG_API void hg_weights_close(hg_weights *w);                /* NULL is allowed */
/* "pth", "pth from before PyTorch 1.6", "safetensors", "npz" or "npy" */
HG_API const char *hg_weights_format(const hg_weights *w);

/* A tensor in the file. In what is no dict of tensors, the name is its path: "optimizer/state/0/exp_avg". */
typedef struct hg_weights_tensor {
    const char *name;           /* the handle's */
    const char *dtype;          /* PyTorch's name: "float32", "bfloat16" */
    size_t element_size;        /* bytes */
    hg_shape shape;
    int64_t count;              /* elements */
} hg_weights_tensor;

HG_API int64_t hg_weights_count(const hg_weights *w);                           /* tensors */
HG_API hg_weights_tensor hg_weights_at(const hg_weights *w, int64_t index);     /* in the order of the file */
/* `count` elements from the row-major index `first` on: as they are, little endian, or as another type. Errors:
 * HG_E_ARG for what is not there; HG_E_FORMAT if the checksum is wrong; HG_E_IO. */
HG_API hg_status hg_weights_read(const hg_weights *w, int64_t index, int64_t first, int64_t count, void *out);
HG_API hg_status hg_weights_read_as(const hg_weights *w, int64_t index, int64_t first, int64_t count, hg_dtype dtype,
                                    void *out);

/* Loads into a module's tensors as load_state_dict(strict) does; errors and messages are those of hg_load_state(). */
HG_API hg_status hg_weights_load(const hg_weights *w, hg_module *m, bool strict);

/* What would fit and what would not, without changing anything. */
typedef struct hg_weights_report {
    char **missing, **unexpected, **mismatched;     /* names; the last differ in shape, or are no tensors */
    int64_t missing_count, unexpected_count, mismatched_count;
    char *text;     /* what load_state_dict(strict=True) says: "<All keys matched successfully>", or all of its errors */
} hg_weights_report;

/* NULL on failure: HG_E_FORMAT for what is no state dict; HG_E_MEMORY. */
HG_API hg_weights_report *hg_weights_check(const hg_weights *w, hg_module *m);
HG_API void hg_weights_report_free(hg_weights_report *r);   /* NULL is allowed */

/* Writes what the handle has, renamed, in the format of the extension: .pth or .pt (all of a checkpoint), and if there
 * are only tensors .safetensors and .npz, or .npy for one tensor. Names, order, types and bits stay what they are. The
 * file is replaced whole or not at all, also the one that is read from. Errors: HG_E_ARG for another extension or what
 * the format cannot hold; HG_E_DTYPE for bfloat16 in NumPy's formats; HG_E_IO; HG_E_FORMAT; HG_E_MEMORY. */
HG_API hg_status hg_weights_save(const hg_weights *w, const char *path);

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

HG_API bool hg_checkpoint_has(const hg_checkpoint *c, const char *name);    /* false for a NULL `c` */

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
