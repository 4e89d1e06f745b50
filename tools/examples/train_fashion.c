/* Training a network on Fashion-MNIST: what `hapgop train` does, in one small program.
 * Build: cc train_fashion.c $(pkg-config --cflags --libs hapgop) -o train_fashion
 * Run:   ./train_fashion [fashion-dnn|fashion-cnn [ITERATIONS [FOLDER_OF_THE_DATA]]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hapgop/hapgop.h>

#define BATCH 100
#define EPOCHS 5

/* Forward, loss, backward, step. Nothing here waits for the device unless the loss is asked for. */
static hg_status train_step(hg_device *dev, hg_module *net, hg_optimizer *adam, const hg_batch *batch, float *loss_out)
{
    hg_scope *s = hg_scope_begin(dev);      /* owns the tensors made below */
    hg_tensor *loss = hg_cross_entropy(hg_forward(net, batch->inputs), batch->targets, NULL);
    hg_zero_grad(adam);
    hg_status status = hg_backward(loss);   /* one check for the whole chain: errors are passed on */
    if (status == HG_OK) status = hg_step(adam);
    if (status == HG_OK && loss_out) status = hg_read(loss, loss_out);
    hg_scope_end(s);
    return status;
}

/* Percent of the test set that the network gets right, in eval mode: dropout off, running statistics. */
static hg_status test(hg_device *dev, hg_module *net, hg_loader *images, double *percent)
{
    int64_t correct = 0, total = 0;
    hg_batch batch;
    hg_status status;
    hg_eval(net);
    hg_no_grad_begin();
    while ((status = hg_loader_next(images, &batch)) == HG_OK) {
        hg_scope *s = hg_scope_begin(dev);
        hg_tensor *predictions = hg_argmax(hg_forward(net, batch.inputs), 1, false);
        int64_t right;
        status = hg_read(hg_sum(hg_eq(predictions, batch.targets), HG_ALL, false), &right);
        hg_scope_end(s);
        if (status != HG_OK) break;
        correct += right;
        total += batch.size;
    }
    hg_no_grad_end();
    hg_train(net, true);
    if (status != HG_END) return status;
    *percent = 100.0 * (double)correct / (double)total;
    return HG_OK;
}

static hg_status train(hg_device *dev, hg_module *net, hg_loader *images, hg_loader *test_images, long iterations)
{
    hg_optimizer *adam = hg_adam(net, NULL);        /* learning rate 0.001 */
    hg_status status = adam ? HG_OK : hg_last_status();
    hg_batch batch;
    long iteration = 0;
    for (int epoch = 0; epoch < EPOCHS && status == HG_OK && iteration < iterations; epoch++) {
        while (iteration < iterations && (status = hg_loader_next(images, &batch)) == HG_OK) {
            float loss;
            double percent;
            bool report = ++iteration % 500 == 0 || iteration == iterations;
            status = train_step(dev, net, adam, &batch, report ? &loss : NULL);
            if (status == HG_OK && report) status = test(dev, net, test_images, &percent);
            if (status != HG_OK) break;
            if (report) printf("Iteration: %ld, Loss: %.6f, Accuracy: %.2f%%\n", iteration, loss, percent);
        }
        if (status == HG_END) status = HG_OK;       /* of the epoch */
    }
    hg_checkpoint *c = hg_checkpoint_new();
    if (status == HG_OK) hg_checkpoint_put_module(c, "model_state_dict", net);
    if (status == HG_OK) status = hg_checkpoint_write(c, "train_fashion.pth");     /* for torch.load() */
    hg_checkpoint_free(c);
    hg_optimizer_free(adam);
    return status;
}

int main(int argc, char **argv)
{
    bool dnn = argc > 1 && !strcmp(argv[1], "fashion-dnn");
    long iterations = argc > 2 ? strtol(argv[2], NULL, 10) : EPOCHS * 600;
    const char *folder = argc > 3 ? argv[3] : NULL;                 /* NULL: where the package puts them */

    hg_device *dev = hg_device_open(NULL);                          /* $HAPGOP_DEVICE, else the best GPU, else a CPU */
    hg_transform *to_tensor = hg_to_tensor();
    hg_dataset *train_set = hg_fashion_mnist(folder, true, to_tensor);
    hg_dataset *test_set = hg_fashion_mnist(folder, false, to_tensor);
    hg_loader_options o = HG_LOADER_DEFAULTS;
    o.batch_size = BATCH;
    o.shuffle = true;
    hg_loader *images = NULL, *test_images = NULL;
    hg_module *net = NULL;
    hg_status status = dev && train_set && test_set ? hg_manual_seed(dev, 0, HG_RNG_PHILOX) : hg_last_status();
    if (status == HG_OK) {
        net = dnn ? hg_fashion_dnn(dev) : hg_fashion_cnn(dev, NULL);
        images = hg_loader_new(dev, train_set, &o);
        o.shuffle = false;
        test_images = hg_loader_new(dev, test_set, &o);
        status = net && images && test_images ? train(dev, net, images, test_images, iterations) : hg_last_status();
    }
    if (status != HG_OK) fprintf(stderr, "%s\n", hg_last_error());

    hg_loader_free(images);
    hg_loader_free(test_images);
    hg_module_free(net);
    hg_dataset_free(train_set);
    hg_dataset_free(test_set);
    hg_transform_free(to_tensor);
    hg_device_close(dev);
    return status != HG_OK;
}
