/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024 };

static enum log_level threshold = LOG_LEVEL_INFO;
static const char *const names[] = {"debug", "info", "warning", "error"};

void log_set_level(enum log_level level)
{
    threshold = level;
}

static int write_time(char *line, size_t size)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm utc;
    gmtime_r(&now.tv_sec, &utc);
    const size_t len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    return (int)len + snprintf(line + len, size - len, ".%03ldZ ", now.tv_nsec / 1000000);
}

/* What a peer sent must not steer the reader's terminal. */
static size_t escape(char *out, size_t size, const char *text)
{
    size_t len = 0;
    for (; *text && len + 6 < size; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c != 0x7f)
            out[len++] = (char)c;
        else
            len += (size_t)snprintf(out + len, size - len, "\\x%02x", c);
    }
    out[len++] = '\n';
    return len;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (level < threshold)
        return;
    char message[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    char line[LINE_BYTES + 64];
    int len = write_time(line, sizeof line);
    len += snprintf(line + len, sizeof line - (size_t)len, "%s ", names[level]);
    const size_t total = (size_t)len + escape(line + len, sizeof line - (size_t)len, message);
    if (write(STDERR_FILENO, line, total) < 0)
        return; /* nowhere left to say so */
}
