/* The networks that are measured. */
#ifndef BENCH_NETWORKS_H
#define BENCH_NETWORKS_H

#include "hapgop/nn.h"

typedef struct bench_network {
    const char *name;
    hg_module *(*make)(hg_device *dev);     /* NULL with an error on failure */
    int64_t channels, size, classes;        /* of its images, channels x size x size, and its output */
} bench_network;

extern const bench_network bench_networks[];    /* the name of the last is NULL */
const bench_network *bench_network_named(const char *name);    /* NULL if there is none */

#endif
