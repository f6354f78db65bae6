/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of Unix sockets: mode, owner and group, and the users that may connect. */
#include "base/error.h"
#include "net/socket_file.h"
#include "nodes/receivers/otlp.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

enum { MODE_MOST = 0777, NAME_BYTES = 64 };

static int read_mode(const char *text, mode_t *ret_mode, struct ftri_error *error)
{
    const size_t len = strlen(text);
    mode_t mode = 0;
    for (size_t i = 0; i < len && mode <= MODE_MOST; i++)
        mode =
            text[i] >= '0' && text[i] <= '7' ? mode * 8 + (mode_t)(text[i] - '0') : MODE_MOST + 1;
    if (len == 0 || mode > MODE_MOST)
        return ftri_error_set(error, -EINVAL,
                              "socket_mode: expected an octal mode such as 0660, not '%s'", text);
    *ret_mode = mode;
    return 0;
}

/* A decimal number that is an id; the highest stands for "none". */
static bool read_id(const char *text, uint32_t *ret_id)
{
    uint64_t id = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9')
            return false;
        id = id * 10 + (uint64_t)(*c - '0');
        if (id >= UINT32_MAX)
            return false;
    }
    *ret_id = (uint32_t)id;
    return *text != '\0';
}

static int read_user(const char *option, const char *name, uid_t *ret_uid, struct ftri_error *error)
{
    if (read_id(name, ret_uid))
        return 0;
    const struct passwd *user = getpwnam(name);
    if (!user)
        return ftri_error_set(error, -EINVAL, "%s: there is no user '%s'", option, name);
    *ret_uid = user->pw_uid;
    return 0;
}

static int read_group(const char *name, gid_t *ret_gid, struct ftri_error *error)
{
    if (read_id(name, ret_gid))
        return 0;
    const struct group *group = getgrnam(name);
    if (!group)
        return ftri_error_set(error, -EINVAL, "socket_owner: there is no group '%s'", name);
    *ret_gid = group->gr_gid;
    return 0;
}

/* "user", "user:group", ":group"; empty: nothing changes. */
static int read_owner(const char *text, struct socket_access *access, struct ftri_error *error)
{
    char user[NAME_BYTES];
    const char *colon = strchr(text, ':');
    const size_t user_len = colon ? (size_t)(colon - text) : strlen(text);
    if (user_len >= sizeof user)
        return ftri_error_set(error, -EINVAL, "socket_owner: the user's name is too long");
    memcpy(user, text, user_len);
    user[user_len] = '\0';
    const int r = user_len ? read_user("socket_owner", user, &access->owner, error) : 0;
    return r == 0 && colon ? read_group(colon + 1, &access->group, error) : r;
}

int otlp_socket_access(struct otlp_state *state, const struct otlp_options *options,
                       struct ftri_error *error)
{
    struct socket_access *access = &state->access;
    socket_access_default(access);
    int r = read_mode(options->socket_mode, &access->mode, error);
    if (r == 0)
        r = read_owner(options->socket_owner, access, error);
    if (r == 0 && options->socket_users.n_items > OTLP_SOCKET_USERS_MOST)
        r = ftri_error_set(error, -EINVAL, "socket_users: more than %d", OTLP_SOCKET_USERS_MOST);
    for (size_t i = 0; r == 0 && i < options->socket_users.n_items; i++)
        r = read_user("socket_users", options->socket_users.items[i], &state->uids[i], error);
    access->uids = state->uids;
    access->n_uids = r == 0 ? options->socket_users.n_items : 0;
    return r;
}
