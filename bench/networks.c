#include "networks.h"

#include <string.h>

static hg_module *fashion_cnn(hg_device *dev)
{
    return hg_fashion_cnn(dev, NULL);
}

const bench_network bench_networks[] = {
    {"fashion-cnn", fashion_cnn, 1, 28, 10},
    {"fashion-dnn", hg_fashion_dnn, 1, 28, 10},
    {0},
};

const bench_network *bench_network_named(const char *name)
{
    for (const bench_network *n = bench_networks; n->name; n++)
        if (!strcmp(n->name, name)) return n;
    return NULL;
}
