/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of a Unix socket, and who may use it (unix(7)).
 *
 * A file is replaced only when it is a socket that refuses a connection: nobody listens there. It
 * is removed only while it is the one that we made. Abstract names ("@name") have no file, and no
 * mode: for them only the list of users holds. */
#pragma once

#include "base/check.h"

#include <sys/types.h>

struct ftri_error;
struct sockaddr_un;

#define SOCKET_KEEP_UID ((uid_t)-1)
#define SOCKET_KEEP_GID ((gid_t)-1)

struct socket_access {
    mode_t mode;
    uid_t owner; /* SOCKET_KEEP_UID: as made */
    gid_t group; /* SOCKET_KEEP_GID: as made */
    const uid_t *uids;
    size_t n_uids; /* who may connect; 0: whom the mode lets */
};

/* Mode 0660, the owner as made, no list. */
void socket_access_default(struct socket_access *ret_access);

/* Which file is ours. */
struct socket_file {
    dev_t device;
    ino_t inode;
    bool is_made;
};

/* Removes a socket that nobody listens on. -EADDRINUSE: somebody does; -EEXIST: another kind of
 * file, left alone. The error says so without naming the address. */
int socket_file_make_room(const struct sockaddr_un *address, size_t len,
                          struct ftri_error *error) FTRI_MUST_CHECK;
/* The socket was just bound to path: mode and owner. *self is set also on failure. */
int socket_file_own(struct socket_file *self, const char *path, const struct socket_access *access,
                    struct ftri_error *error) FTRI_MUST_CHECK;
/* Only if it is still the same file. */
void socket_file_remove(struct socket_file *self, const char *path);

/* Whether the process behind a connected socket may use it; *ret_uid is who it is. */
bool socket_access_allows(const struct socket_access *self, int fd, uid_t *ret_uid);
