/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/diagnostics.h"

#include "base/time.h"
#include "sampling/rate_limit.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINES_PER_MINUTE = 5, TEXT_BYTES = 512 };

#define PREFIX "flowtrace: "

static void (*tell)(void *instance, ftr_str text);
static void *teller;
static struct ftri_rate_limit lines = {.period_ns = 60 * FTRI_NS_PER_S,
                                       .n_tokens = LINES_PER_MINUTE};

void ftri_diagnostics_set(void (*new_tell)(void *instance, ftr_str text), void *instance)
{
    tell = new_tell;
    teller = instance;
}

/* Of a text of any length what there is room for. */
static size_t length(int len, size_t room)
{
    return len < 0 ? 0 : ftri_size_min((size_t)len, room - 1);
}

void ftri_diagnose(const char *format, ...)
{
    char line[sizeof PREFIX + TEXT_BYTES] = PREFIX;
    char *const text = line + sizeof PREFIX - 1;
    va_list arguments;
    va_start(arguments, format);
    const size_t len = length(vsnprintf(text, TEXT_BYTES, format, arguments), TEXT_BYTES);
    va_end(arguments);
    if (tell) {
        tell(teller, (ftr_str){text, len});
        return;
    }
    if (!ftri_rate_limit_take(&lines, ftri_time_monotonic_ns()))
        return;
    text[len] = '\n';
    const ssize_t written = write(STDERR_FILENO, line, sizeof PREFIX + len);
    (void)written; /* there is nobody left to tell */
}
