/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/diagnostics.h"

#include "base/time.h"
#include "sampling/rate_limit.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { LINES_PER_MINUTE = 5, TEXT_BYTES = 1024 };

static struct ftri_teller general;
static _Atomic int level = FTRI_LOG_ALL; /* enum ftri_log_level: senders of before may ask */
static _Atomic uint32_t n_left_out;      /* lines, since the last that was printed */
static struct ftri_rate_limit lines = {.period_ns = 60 * FTRI_NS_PER_S,
                                       .n_tokens = LINES_PER_MINUTE};

void ftri_diagnostics_set(const struct ftri_teller *teller, enum ftri_log_level new_level)
{
    general = *teller;
    atomic_store(&level, (int)new_level);
}

static void print_line(const char *text)
{
    char line[TEXT_BYTES + 64];
    if (!ftri_rate_limit_take(&lines, ftri_time_monotonic_ns())) {
        atomic_fetch_add(&n_left_out, 1);
        return;
    }
    const uint32_t n = atomic_exchange(&n_left_out, 0);
    const int len = n ? snprintf(line, sizeof line, "flowtrace: %s (%u lines before it left out)\n",
                                 text, (unsigned)n)
                      : snprintf(line, sizeof line, "flowtrace: %s\n", text);
    const ssize_t written = write(STDERR_FILENO, line, (size_t)len);
    (void)written; /* there is nobody left to tell */
}

/* A text that does not fit is cut. */
static void tell(const struct ftri_teller *teller, enum ftri_log_level least, const char *format,
                 va_list arguments)
{
    char text[TEXT_BYTES] = "";
    vsnprintf(text, sizeof text, format, arguments);
    if (teller->tell)
        teller->tell(teller->argument, text);
    else if (atomic_load(&level) >= (int)least)
        print_line(text);
}

void ftri_tell(const struct ftri_teller *teller, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(teller, FTRI_LOG_ERRORS, format, arguments);
    va_end(arguments);
}

void ftri_warn(const struct ftri_teller *teller, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(teller, FTRI_LOG_ALL, format, arguments);
    va_end(arguments);
}

void ftri_diagnose(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(&general, FTRI_LOG_ALL, format, arguments);
    va_end(arguments);
}
