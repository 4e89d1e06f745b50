/* hapgop-bench device: measured peaks. */
#include <stdio.h>

#include "../tools/args.h"
#include "bench.h"

static void print_peak(hg_device *dev, const bench_peak *p)
{
    hg_device_info info;
    if (hg_device_get_info(dev, &info) != HG_OK) return;
    printf("%s / %s\n", info.platform, info.name);
    printf("  fma, f32      %9.1f GFLOP/s  (vectors %.1f, lanes %.1f)\n", p->gflops, p->gflops_vectors,
           p->gflops_lanes);
    printf("  memory        %9.1f GB/s     (copy %.1f, triad %.1f)\n", p->gbps, p->gbps_copy, p->gbps_triad);
}

int device_main(int argc, char **argv)
{
    const char *spec = NULL, *json = NULL;
    arg_option options[] = {
        {"device", ARG_TEXT, &spec, "SPEC", "a device, several separated by commas, or all; default: all"},
        {"json", ARG_TEXT, &json, "FILE", "write the results as JSON"},
    };
    arg_command command = {"device", "[OPTIONS]",
                           "Measures what each device can do at most: multiply-adds of f32 in both shapes of kernels,\n"
                           "and memory traffic.",
                           options, sizeof options / sizeof *options, BENCH_PROGRAM};
    const char *rest[argc];
    int count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &count);
    if (parsed == ARGS_OK && count) args_complain(&command, "unknown argument %s", rest[0]);
    if (parsed != ARGS_OK || count) return parsed == ARGS_HELP ? 0 : 2;
    if (!bench_can_write(json)) return 1;
    bench_devices devices;
    json_t *list = json_array();
    hg_status status = bench_open_devices(spec ? spec : "all", &devices);
    for (int i = 0; i < devices.count && status == HG_OK; i++) {
        bench_peak peak;
        status = bench_measure_peak(devices.dev[i], &peak);
        if (status != HG_OK) break;
        print_peak(devices.dev[i], &peak);
        json_array_append_new(list, bench_device_json(devices.dev[i], &peak));
    }
    if (status != HG_OK) bench_complain("device");
    bool written = !json || status != HG_OK || bench_write_json(json_pack("{s:O}", "devices", list), json);
    json_decref(list);
    bench_close_devices(&devices);
    return status != HG_OK || !written;
}
