/* SPDX-License-Identifier: Apache-2.0
 *
 * otlp-send's name service: libcurl finds this getaddrinfo before the C library's. For names that
 * end with ".invalid" (RFC 2606) it never returns, as where no server answers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#pragma GCC visibility push(default) /* for libcurl to find it */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_found)
{
    static const char never[] = ".invalid";
    const size_t len = node ? strlen(node) : 0;
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    while (len >= sizeof never && strcmp(node + len - (sizeof never - 1), never) == 0)
        pause();
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    return next ? next(node, service, hints, ret_found) : EAI_SYSTEM;
}

#pragma GCC visibility pop
