/* SPDX-License-Identifier: Apache-2.0 */
#include "net/socket_file.h"

#include "base/error.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { DEFAULT_MODE = 0660 };

void socket_access_default(struct socket_access *ret_access)
{
    *ret_access = (struct socket_access){
        .mode = DEFAULT_MODE, .owner = SOCKET_KEEP_UID, .group = SOCKET_KEEP_GID};
}

static int credentials(int fd, struct ucred *ret_peer)
{
    socklen_t len = sizeof *ret_peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &len) < 0 ? -errno : 0;
}

/* 0: nobody listens at the address. */
static int probe(int fd, const struct sockaddr_un *address, size_t len, struct ftri_error *error)
{
    const int r = connect(fd, (const struct sockaddr *)address, (socklen_t)len) < 0 ? -errno : 0;
    struct ucred peer;
    if (r == -ECONNREFUSED || r == -ENOENT)
        return 0;
    if (r == 0 && credentials(fd, &peer) == 0)
        return ftri_error_set(error, -EADDRINUSE, "process %ld listens there already",
                              (long)peer.pid);
    if (r == 0 || r == -EAGAIN)
        return ftri_error_set(error, -EADDRINUSE, "another process listens there already");
    return ftri_error_errno(error, r, "finding out whether somebody listens there");
}

int socket_file_make_room(const struct sockaddr_un *address, size_t len, struct ftri_error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0)
        return 0; /* bind tells what else is wrong */
    if (!S_ISSOCK(status.st_mode))
        return ftri_error_set(error, -EEXIST,
                              "the file that is there is not a socket; it was left alone");
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ftri_error_errno(error, -errno, "finding out whether somebody listens there");
    const int r = probe(fd, address, len, error);
    close(fd);
    if (r < 0)
        return r;
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return ftri_error_errno(error, -errno, "removing the dead socket that is there");
    return 0;
}

int socket_file_own(struct socket_file *self, const char *path, const struct socket_access *access,
                    struct ftri_error *error)
{
    struct stat status;
    if (lstat(path, &status) < 0)
        return ftri_error_errno(error, -errno, "looking at the new socket");
    *self = (struct socket_file){status.st_dev, status.st_ino, true};
    if (chmod(path, access->mode) < 0)
        return ftri_error_errno(error, -errno, "setting its mode");
    const bool is_kept = access->owner == SOCKET_KEEP_UID && access->group == SOCKET_KEEP_GID;
    if (!is_kept && lchown(path, access->owner, access->group) < 0)
        return ftri_error_errno(error, -errno, "setting its owner");
    return 0;
}

void socket_file_remove(struct socket_file *self, const char *path)
{
    struct stat status;
    const bool is_ours = self->is_made && lstat(path, &status) == 0 &&
                         status.st_dev == self->device && status.st_ino == self->inode;
    if (is_ours)
        (void)unlink(path);
    self->is_made = false;
}

bool socket_access_allows(const struct socket_access *self, int fd, uid_t *ret_uid)
{
    struct ucred peer = {.uid = SOCKET_KEEP_UID};
    const bool is_known = credentials(fd, &peer) == 0;
    *ret_uid = peer.uid;
    for (size_t i = 0; is_known && i < self->n_uids; i++)
        if (self->uids[i] == peer.uid)
            return true;
    return self->n_uids == 0;
}
