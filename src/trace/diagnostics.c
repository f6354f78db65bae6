/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/diagnostics.h"

#include "base/time.h"
#include "sampling/rate_limit.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINES_PER_MINUTE = 5, TEXT_BYTES = 1024 };

#define PREFIX "flowtrace: "
enum { PREFIX_LEN = sizeof PREFIX - 1 };

static struct ftri_teller general;
static struct ftri_rate_limit lines = {.period_ns = 60 * FTRI_NS_PER_S,
                                       .n_tokens = LINES_PER_MINUTE};

void ftri_diagnostics_set(const struct ftri_teller *teller)
{
    general = *teller;
}

static void print_line(char *line, size_t len)
{
    if (!ftri_rate_limit_take(&lines, ftri_time_monotonic_ns()))
        return;
    line[len] = '\n';
    const ssize_t written = write(STDERR_FILENO, line, len + 1);
    (void)written; /* there is nobody left to tell */
}

/* A text that does not fit is cut. */
static void tell(const struct ftri_teller *teller, const char *format, va_list arguments)
{
    char line[PREFIX_LEN + TEXT_BYTES] = PREFIX;
    char *const text = line + PREFIX_LEN;
    const int len = vsnprintf(text, TEXT_BYTES, format, arguments);
    if (teller->tell)
        teller->tell(teller->argument, text);
    else if (len > 0)
        print_line(line, PREFIX_LEN + ftri_size_min((size_t)len, TEXT_BYTES - 1));
}

void ftri_tell(const struct ftri_teller *teller, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(teller, format, arguments);
    va_end(arguments);
}

void ftri_diagnose(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(&general, format, arguments);
    va_end(arguments);
}
