#ifndef HG_DATA_FASHION_MNIST_H
#define HG_DATA_FASHION_MNIST_H

#include "hapgop/data.h"

/* hg_fashion_mnist with the folders to search; NULL and "" among them are passed over. */
hg_dataset *hg_fashion_mnist_in(const char *const *folders, int count, bool train, const hg_transform *transform);

#endif
