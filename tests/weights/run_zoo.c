/* Runs a network on weights and inputs of load_zoo.py: run_zoo ARCH STATE INPUTS STATE_OUT RESULTS
 *
 * INPUTS is {'input', 'labels', 'seed'}. STATE_OUT gets the state dict as it was loaded. RESULTS gets the logits in
 * evaluation mode, and of one training step the logits, all gradients and all buffers. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "hapgop/ops.h"
#include "weights/pth.h"
#include "weights/state.h"
#include "hapgop/weights.h"

typedef struct results {
    hg_value *gradients, *buffers;
    hg_status status;
} results;

static bool take(const char *name, hg_tensor *t, bool is_buffer, void *user)
{
    results *r = user;
    hg_tensor *from = is_buffer ? t : hg_grad(t);
    hg_value *v = NULL;
    if (!from) return true;
    r->status = hg_tensor_to_value(from, &v);
    if (r->status == HG_OK) r->status = hg_value_set(is_buffer ? r->buffers : r->gradients, name, v);
    return r->status == HG_OK;
}

static hg_status put(hg_value *out, const char *key, hg_tensor *t)
{
    hg_value *v;
    if (!hg_ok(t)) return hg_last_status();
    HG_TRY(hg_tensor_to_value(t, &v));
    return hg_value_set(out, key, v);
}

static hg_status evaluate(hg_module *net, hg_tensor *input, hg_value *out)
{
    hg_eval(net);
    hg_no_grad_begin();
    hg_status status = put(out, "eval", hg_forward(net, input));
    hg_no_grad_end();
    return status;
}

static hg_status train(hg_module *net, hg_tensor *input, hg_tensor *labels, hg_value *out)
{
    results r = {hg_value_dict(), hg_value_dict(), HG_OK};
    HG_TRY(hg_value_set(out, "gradients", r.gradients));
    HG_TRY(hg_value_set(out, "buffers", r.buffers));
    hg_train(net, true);
    hg_tensor *logits = hg_forward(net, input);
    HG_TRY(put(out, "train", logits));
    HG_TRY(hg_backward(hg_cross_entropy(logits, labels, NULL)));
    hg_each_state(net, take, &r);
    return r.status;
}

static hg_tensor *array(hg_device *dev, const hg_checkpoint *c, const char *name, hg_dtype dtype)
{
    hg_shape shape;
    const void *data;
    if (hg_checkpoint_get_array(c, name, dtype, &shape, &data) != HG_OK) return hg_error_tensor();
    return hg_from_data(dev, dtype, shape, data);
}

static hg_status run(char **argv, hg_device *dev, hg_value *out)
{
    hg_module *net = hg_model(dev, argv[1], &(hg_model_options){.aux_logits = !strcmp(argv[1], "googlenet")});
    hg_checkpoint *c = hg_checkpoint_read(argv[3]);
    int64_t seed;
    if (!net || !c) return hg_last_status();
    HG_TRY(hg_load_state(net, argv[2], true));
    HG_TRY(hg_save_state(net, argv[4]));
    HG_TRY(hg_checkpoint_get_int(c, "seed", &seed));
    hg_tensor *input = array(dev, c, "input", HG_F32), *labels = array(dev, c, "labels", HG_I64);
    HG_TRY(evaluate(net, input, out));
    HG_TRY(hg_manual_seed(dev, (uint64_t)seed, HG_RNG_TORCH));      /* dropout */
    HG_TRY(train(net, input, labels, out));
    HG_TRY(hg_pth_write(argv[5], out));
    hg_checkpoint_free(c);
    hg_module_free(net);
    return HG_OK;
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    hg_device *dev = hg_device_open(NULL);
    hg_value *out = hg_value_dict();
    hg_scope *s = dev ? hg_scope_begin(dev) : NULL;
    hg_status status = dev ? run(argv, dev, out) : hg_last_status();
    if (status != HG_OK) fprintf(stderr, "%s\n", hg_last_error());
    if (s) hg_scope_end(s);
    hg_value_free(out);
    if (status == HG_OK) hg_device_close(dev);
    return status != HG_OK;
}
