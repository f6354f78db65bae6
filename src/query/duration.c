/* SPDX-License-Identifier: Apache-2.0 */
#include "query/duration.h"

#include "base/check.h"
#include "base/time.h"

#include <stdio.h>

struct duration_unit {
    uint64_t ns;
    const char *name;
};

static const struct duration_unit *duration_unit(uint64_t ns)
{
    static const struct duration_unit units[] = {
        {86400 * FTRI_NS_PER_S, "d"},
        {3600 * FTRI_NS_PER_S, "h"},
        {60 * FTRI_NS_PER_S, "min"},
        {FTRI_NS_PER_S, "s"},
        {FTRI_NS_PER_MS, "ms"},
        {FTRI_NS_PER_US, "us"},
        {1, "ns"},
    };
    size_t i = 0;
    while (i + 1 < FTRI_COUNT(units) && ns < units[i].ns)
        i++;
    return &units[i];
}

static int duration_decimals(uint64_t ns, const struct duration_unit *unit)
{
    if (unit->ns == 1)
        return 0;
    return ns / unit->ns < 10 ? 2 : ns / unit->ns < 100 ? 1 : 0;
}

/* To the digits that will be shown. */
static uint64_t round_duration(uint64_t ns)
{
    const struct duration_unit *unit = duration_unit(ns);
    const int decimals = duration_decimals(ns, unit);
    const uint64_t step = unit->ns / (decimals == 2 ? 100 : decimals == 1 ? 10 : 1);
    return ns > UINT64_MAX - step / 2 ? ns : (ns + step / 2) / step * step;
}

int duration_format(uint64_t ns, char ret_text[16])
{
    /* 999.96 us is 1.00 ms: unit and digits are those of the rounded value. */
    const uint64_t rounded = round_duration(ns);
    const struct duration_unit *unit = duration_unit(rounded);
    return snprintf(ret_text, 16, "%.*f %s", duration_decimals(rounded, unit),
                    (double)rounded / (double)unit->ns, unit->name);
}
