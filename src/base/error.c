/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int ftri_error_set(struct ftri_error *self, int code, const char *format, ...)
{
    if (!self)
        return code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->text, sizeof self->text, format, arguments);
    va_end(arguments);
    return code;
}

/* "first: second", cut at the end of the room. */
static void join(struct ftri_error *self, const char *first, const char *second)
{
    char joined[FTRI_ERROR_TEXT_BYTES];
    const int len = snprintf(joined, sizeof joined, "%s: %s", first, second);
    if (len >= 0)
        memcpy(self->text, joined, sizeof joined);
}

int ftri_error_prefix(struct ftri_error *self, int code, const char *format, ...)
{
    if (!self)
        return code;
    char prefix[FTRI_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    join(self, prefix, self->text);
    return code;
}

int ftri_error_errno(struct ftri_error *self, int code, const char *format, ...)
{
    if (!self)
        return code;
    char doing[FTRI_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(doing, sizeof doing, format, arguments);
    va_end(arguments);
    char reason[128];
    join(self, doing, strerror_r(-code, reason, sizeof reason));
    return code;
}
