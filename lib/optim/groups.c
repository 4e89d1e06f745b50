/* Groups of parameters, each with its own options. */
#include <stdlib.h>
#include <string.h>

#include "nn/module.h"
#include "optim/optim.h"

double *hg_option(const hg_optimizer *opt, int group, size_t which)
{
    return (double *)((char *)&opt->groups[group].o + which);
}

hg_status hg_check_group(const char *op, const hg_optimizer *opt, int group)
{
    if (!opt) return hg_error(HG_E_ARG, "%s: the optimizer is NULL", op);
    if (group >= 0 && group < opt->group_count) return HG_OK;
    return hg_error(HG_E_ARG, "%s: %s has no group %d; it has %d, counted from 0", op, opt->cls->name, group,
                    opt->group_count);
}

/* ---- dividing ---- */

/* The group of each parameter, into groups[i]; the rest's is `count`. Returns the number of groups, with the rest. */
static int assign(const hg_optimizer *opt, const hg_group_options *wanted, int count, int *group, int *members)
{
    for (int i = 0; i < opt->count; i++) {
        int g = 0;
        while (g < count && !hg_name_matches(wanted[g].pattern, opt->params[i].name)) g++;
        group[i] = g;
        members[g]++;
    }
    return count + (members[count] > 0);
}

static hg_status check(const hg_optimizer *opt, const hg_group_options *wanted, int count, const int *members)
{
    for (int g = 0; g < count; g++) {
        if (!members[g])
            return hg_error(
                HG_E_ARG,
                "set_groups: group %d is empty: none of the %d parameters that %s trains matches \"%s\" and "
                "no pattern before it",
                g, opt->count, opt->cls->name, wanted[g].pattern ? wanted[g].pattern : "*");
        if (wanted[g].lr != wanted[g].lr || wanted[g].weight_decay != wanted[g].weight_decay)
            return hg_error(HG_E_ARG, "set_groups: an option of group %d is not a number", g);
    }
    return HG_OK;
}

static void fill(const hg_optimizer *opt, const hg_group_options *wanted, int count, hg_optimizer_group *groups, int n)
{
    for (int g = 0; g < n; g++) {
        groups[g] = (hg_optimizer_group){.o = opt->groups[0].o};
        char *o = (char *)&groups[g].o;
        if (g < count && wanted[g].lr >= 0) *(double *)(o + opt->cls->lr) = wanted[g].lr;
        if (g < count && wanted[g].weight_decay >= 0) *(double *)(o + opt->cls->weight_decay) = wanted[g].weight_decay;
    }
}

/* Parameters keep their order within a group. */
static void sort(hg_optimizer *opt, const int *group, hg_optimized *sorted, int n)
{
    int at = 0;
    for (int g = 0; g < n; g++)
        for (int i = 0; i < opt->count; i++) {
            if (group[i] != g) continue;
            sorted[at] = opt->params[i];
            sorted[at++].group = g;
        }
}

hg_status hg_set_groups(hg_optimizer *opt, const hg_group_options *groups, int count)
{
    if (!opt) return hg_error(HG_E_ARG, "set_groups: the optimizer is NULL");
    if (count < 1 || !groups) return hg_error(HG_E_ARG, "set_groups: there is no group; give one at least");
    if (opt->groups[0].scheduled)
        return hg_error(HG_E_STATE, "set_groups: a scheduler works on the groups; divide them before it is made");
    int *group = calloc((size_t)opt->count + 1, sizeof *group), *members = calloc((size_t)count + 1, sizeof *members);
    hg_optimizer_group *made = calloc((size_t)count + 1, sizeof *made);
    hg_optimized *sorted = calloc((size_t)opt->count + 1, sizeof *sorted);
    hg_status status = HG_E_MEMORY;
    if (!group || !members || !made || !sorted) {
        hg_error(status, "set_groups: out of host memory");
    } else {
        int n = assign(opt, groups, count, group, members);
        status = check(opt, groups, count, members);
        if (status == HG_OK) {
            fill(opt, groups, count, made, n);
            sort(opt, group, sorted, n);
            memcpy(opt->params, sorted, sizeof *sorted * (size_t)opt->count);
            free(opt->groups);
            opt->groups = made;
            opt->group_count = n;
            made = NULL;
        }
    }
    free(group);
    free(members);
    free(made);
    free(sorted);
    return status;
}

/* ---- reading and changing ---- */

int hg_group_count(const hg_optimizer *opt)
{
    return opt ? opt->group_count : 0;
}

double hg_group_learning_rate(const hg_optimizer *opt, int group)
{
    return hg_check_group("group_learning_rate", opt, group) == HG_OK ? *hg_option(opt, group, opt->cls->lr) : 0;
}

hg_status hg_set_group_learning_rate(hg_optimizer *opt, int group, double lr)
{
    HG_TRY(hg_check_group("set_learning_rate", opt, group));
    if (!(lr >= 0)) return hg_error(HG_E_ARG, "%s: Invalid learning rate: %g", opt->cls->name, lr);
    *hg_option(opt, group, opt->cls->lr) = lr;
    return HG_OK;
}

double hg_learning_rate(const hg_optimizer *opt)
{
    return opt ? *hg_option(opt, 0, opt->cls->lr) : 0;
}

hg_status hg_set_learning_rate(hg_optimizer *opt, double lr)
{
    HG_TRY(hg_set_group_learning_rate(opt, 0, lr));
    for (int g = 1; g < opt->group_count; g++) *hg_option(opt, g, opt->cls->lr) = lr;
    return HG_OK;
}
