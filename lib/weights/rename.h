/* Rules that turn the names in a file into those of a module. */
#ifndef HG_WEIGHTS_RENAME_H
#define HG_WEIGHTS_RENAME_H

#include "hapgop/weights.h"
#include "weights/value.h"

/* Applies o->strip and o->renames to the string keys of a dict, and to the modules that its metadata names. `where`
 * begins the messages. Errors: HG_E_ARG for a rule that is none; HG_E_FORMAT if two names become one; HG_E_MEMORY. The
 * dict may be partly renamed then. */
hg_status hg_rename_keys(hg_value *dict, const hg_weights_options *o, const char *where);

#endif
