/* `hapgop devices`: every OpenCL device, what it can do, and why one is left out. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "args.h"
#include "commands.h"
#include "hapgop/device.h"

static const char *yes(bool b)
{
    return b ? "yes" : "no";
}

static void print_device(const hg_device_info *d, int index)
{
    if (!d->name[0]) {
        printf("-   %s: %s\n", d->platform, d->skipped);
        return;
    }
    printf("%-3d %s / %s\n", index, d->platform, d->name);
    printf("    class          %s\n", d->device_class == HG_CLASS_CPU ? "CPU" : "GPU");
    printf("    compute units  %u at %u MHz, work-groups up to %zu\n", d->units, d->clock_mhz, d->max_work_group);
    printf("    memory         %.1f GiB, largest allocation %.1f GiB, local %.0f KiB%s\n",
           (double)d->memory / (1 << 30), (double)d->max_allocation / (1 << 30), (double)d->local_memory / 1024,
           d->unified_memory ? ", shared with the host" : "");
    printf("    version        %s, %s, driver %s\n", d->version, d->c_version, d->driver);
    printf("    fp16 / fp64    %s / %s, sub-groups %s\n", yes(d->fp16), yes(d->fp64), yes(d->sub_groups));
    printf("    quirks         %s\n", d->quirks[0] ? d->quirks : "none known");
    if (d->skipped[0]) printf("    skipped        %s\n", d->skipped);
}

static json_t *to_json(const hg_device_info *d)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:b, s:b, s:b, s:b, s:s, s:s}",
                     "platform", d->platform, "name", d->name, "vendor", d->vendor, "driver", d->driver, "version",
                     d->version, "opencl_c", d->c_version, "class", d->device_class == HG_CLASS_CPU ? "CPU" : "GPU",
                     "units", (int)d->units, "clock_mhz", (int)d->clock_mhz, "max_work_group",
                     (json_int_t)d->max_work_group, "memory", (json_int_t)d->memory, "max_allocation",
                     (json_int_t)d->max_allocation, "local_memory", (json_int_t)d->local_memory, "fp16",
                     d->fp16, "fp64", d->fp64, "sub_groups", d->sub_groups, "unified_memory",
                     d->unified_memory, "quirks", d->quirks, "skipped", d->skipped);
}

static int print_json(const hg_device_info *list, int count)
{
    json_t *devices = json_array();
    int failed = 0;
    for (int i = 0; i < count; i++) failed |= json_array_append_new(devices, to_json(&list[i]));
    json_t *root = json_pack("{s:o}", "devices", devices);
    failed |= !root || json_dumpf(root, stdout, JSON_INDENT(2)) || putchar('\n') == EOF;
    json_decref(root);
    if (failed) fprintf(stderr, "hapgop devices: cannot write JSON\n");
    return failed != 0;
}

int devices_command(int argc, char **argv)
{
    bool json = false;
    arg_option options[] = {{"json", ARG_FLAG, &json, .help = "as one JSON object"}};
    arg_command command = {"devices", "[--json]", "Lists every OpenCL device: what it can do, and why one is left out.",
                           options, 1};
    const char *rest[argc];
    int rest_count;
    arg_result parsed = args_parse(&command, argc, argv, rest, &rest_count);
    if (parsed == ARGS_OK && rest_count) args_complain(&command, "unknown argument %s", rest[0]);
    if (parsed != ARGS_OK || rest_count) return parsed == ARGS_HELP ? 0 : 2;
    hg_device_info *list;
    int count, usable = 0, result = 0;
    if (hg_device_list(&list, &count) != HG_OK) {
        fprintf(stderr, "hapgop devices: %s\n", hg_last_error());
        return 1;
    }
    if (json) {
        result = print_json(list, count);
    } else {
        for (int i = 0; i < count; i++) print_device(&list[i], list[i].skipped[0] ? -1 : usable++);
        hg_device *chosen = hg_device_open(NULL);
        hg_device_info info;
        if (chosen && hg_device_get_info(chosen, &info) == HG_OK)
            printf("\ndefault: %s / %s\n", info.platform, info.name);
        if (!chosen) printf("\nno default: %s\n", hg_last_error());
        hg_device_close(chosen);
    }
    free(list);
    return result;
}
