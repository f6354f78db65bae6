/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions of the program stand before those of the C library; they pass on to the next ones of
 * the same name. */
#include "sockets.h"

#include "base/nth_call.h"
#include "torture.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static struct ftri_nth_call calls;

void sockets_fail_at(uint64_t n)
{
    ftri_nth_call_set(&calls, n);
}

uint64_t sockets_count(void)
{
    return atomic_load(&calls.n_calls);
}

/* Whether the call that returns to `caller` is the one; errno is set then. */
static bool fails(const void *caller, int error)
{
    Dl_info place;
    if (atomic_load(&calls.fail_at) == 0 || dladdr(caller, &place) == 0 ||
        !strstr(place.dli_fname, "libcurl") || !ftri_nth_call_fails(&calls))
        return false;
    errno = error;
    return true;
}

/* The function of that name behind this program's. */
static void *behind(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    EXPECT(found != NULL);
    return found;
}

#pragma GCC visibility push(default) /* for libcurl to find them */

int socket(int domain, int type, int protocol)
{
    int (*next)(int, int, int);
    *(void **)&next = behind("socket");
    return fails(__builtin_return_address(0), EMFILE) ? -1 : next(domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int fds[2])
{
    int (*next)(int, int, int, int *);
    *(void **)&next = behind("socketpair");
    return fails(__builtin_return_address(0), EMFILE) ? -1 : next(domain, type, protocol, fds);
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
    int (*next)(int, const struct sockaddr *, socklen_t);
    *(void **)&next = behind("connect");
    return fails(__builtin_return_address(0), ENETUNREACH) ? -1
                                                           : next(fd, address.__sockaddr__, len);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    int (*next)(int, int, int, void *, socklen_t *);
    *(void **)&next = behind("getsockopt");
    return fails(__builtin_return_address(0), ENOBUFS) ? -1 : next(fd, level, name, value, len);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    int (*next)(int, int, int, const void *, socklen_t);
    *(void **)&next = behind("setsockopt");
    return fails(__builtin_return_address(0), ENOBUFS) ? -1 : next(fd, level, name, value, len);
}

int getpeername(int fd, __SOCKADDR_ARG address, socklen_t *len)
{
    int (*next)(int, struct sockaddr *, socklen_t *);
    *(void **)&next = behind("getpeername");
    return fails(__builtin_return_address(0), ENOTCONN) ? -1 : next(fd, address.__sockaddr__, len);
}

int getsockname(int fd, __SOCKADDR_ARG address, socklen_t *len)
{
    int (*next)(int, struct sockaddr *, socklen_t *);
    *(void **)&next = behind("getsockname");
    return fails(__builtin_return_address(0), ENOBUFS) ? -1 : next(fd, address.__sockaddr__, len);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    ssize_t (*next)(int, const void *, size_t, int);
    *(void **)&next = behind("send");
    return fails(__builtin_return_address(0), ECONNRESET) ? -1 : next(fd, data, len, flags);
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    ssize_t (*next)(int, void *, size_t, int);
    *(void **)&next = behind("recv");
    return fails(__builtin_return_address(0), ECONNRESET) ? -1 : next(fd, data, len, flags);
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    int (*next)(struct pollfd *, nfds_t, int);
    *(void **)&next = behind("poll");
    return fails(__builtin_return_address(0), ENOMEM) ? -1 : next(fds, n, timeout);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret_found)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&next = behind("getaddrinfo");
    return fails(__builtin_return_address(0), ENOMEM) ? EAI_MEMORY
                                                      : next(node, service, hints, ret_found);
}

#pragma GCC visibility pop
