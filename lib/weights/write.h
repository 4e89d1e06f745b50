/* What the writers of several formats share, and the choice between them. */
#ifndef HG_WEIGHTS_WRITE_H
#define HG_WEIGHTS_WRITE_H

#include "base/file.h"
#include "weights/value.h"

/* Writes a document in the format of the path's extension: .pth or .pt, and for a dict of arrays .safetensors, .npz;
 * .npy for a dict of one. The file is replaced whole or not at all.
 * Errors: HG_E_ARG for another extension, or a document that the format cannot hold; those of the writers. */
hg_status hg_weights_write(const char *path, const hg_value *v);

/* Whether the path's extension is one of these. */
bool hg_weights_names_format(const char *path);

/* HG_E_ARG unless it is a dict of arrays under strings, whose names are UTF-8 (else HG_E_FORMAT). */
hg_status hg_check_flat(const char *path, const hg_value *v);

/* Calls `put` with all elements in their order, a chunk at a time. Errors: put's, those of hg_array_read(), HG_E_MEMORY. */
hg_status hg_array_each_chunk(const hg_array *a, hg_status (*put)(void *user, const void *bytes, size_t size), void *user);
/* For hg_array_each_chunk(): `user` is an hg_new_file. */
hg_status hg_put_chunk(void *user, const void *bytes, size_t size);

#endif
