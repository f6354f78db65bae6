/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/initiator.h"

#include "base/error.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PLACE_BYTES = 160, SERVICE_BYTES = 60 };

/* "start_tracing+0x1f in libengine.so", or "libengine.so+0x1234" for addr2line. */
static void describe_address(const void *address, char *ret_text)
{
    Dl_info found;
    if (!dladdr(address, &found) || !found.dli_fname) {
        snprintf(ret_text, PLACE_BYTES, "code at %p", address);
        return;
    }
    const char *slash = strrchr(found.dli_fname, '/');
    const char *file = slash ? slash + 1 : found.dli_fname;
    const bool is_named = found.dli_sname && found.dli_saddr;
    const char *from = is_named ? found.dli_saddr : found.dli_fbase;
    const size_t offset = (size_t)((const char *)address - from);
    if (is_named)
        snprintf(ret_text, PLACE_BYTES, "%.70s+0x%zx in %.60s", found.dli_sname, offset, file);
    else
        snprintf(ret_text, PLACE_BYTES, "%.100s+0x%zx", file, offset);
}

/* Of a path that is too long the end is what tells. */
static void copy_place(const char *place, char *ret_text)
{
    const size_t len = strlen(place);
    const bool is_cut = len >= PLACE_BYTES;
    snprintf(ret_text, PLACE_BYTES, "%s%s", is_cut ? "..." : "",
             is_cut ? place + len - (PLACE_BYTES - 4) : place);
}

static void format_now(char *ret_text, size_t room)
{
    const time_t now = time(NULL);
    struct tm parts;
    if (!gmtime_r(&now, &parts) || strftime(ret_text, room, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(ret_text, room, "%lld", (long long)now);
}

void ftri_initiator_note(struct ftri_initiator *self, const char *place, const void *caller,
                         ftr_str service)
{
    char where[PLACE_BYTES];
    char thread[16] = "";
    char when[32];
    if (place)
        copy_place(place, where);
    else
        describe_address(caller, where);
    (void)pthread_getname_np(pthread_self(), thread, sizeof thread);
    format_now(when, sizeof when);
    self->process = getpid();
    snprintf(self->text, sizeof self->text, "%s (thread %ld '%s', service '%.*s', %s)", where,
             (long)syscall(SYS_gettid), thread, (int)ftri_size_min(service.len, SERVICE_BYTES),
             service.data, when);
}

int ftri_initiator_refuse(const struct ftri_initiator *self, bool is_stopping,
                          struct ftri_error *error)
{
    if (is_stopping)
        return ftri_error_set(error, -EBUSY,
                              "already initialised by %s; its ftr_shutdown has not returned yet",
                              self->text);
    if (self->process != getpid())
        return ftri_error_set(error, -EBUSY,
                              "already initialised by %s, in process %ld, which forked this one: "
                              "call ftr_shutdown first",
                              self->text, (long)self->process);
    return ftri_error_set(error, -EBUSY, "already initialised by %s: call ftr_shutdown first",
                          self->text);
}
