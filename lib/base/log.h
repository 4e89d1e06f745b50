#ifndef HG_BASE_LOG_H
#define HG_BASE_LOG_H

#include "base/error.h"

/* Whether anyone listens to the topic: cheap, so that a message need not be built in vain. */
bool hg_log_wanted(const char *topic);
void hg_log_message(const char *topic, const char *format, ...) HG_PRINTF(2, 3);

/* A warning that is said once a process for each place: static int said; hg_warn_once(&said, "..."). */
void hg_warn_once(int *said, const char *format, ...) HG_PRINTF(2, 3);

#endif
