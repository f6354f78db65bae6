/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "trace/settings.h"

#include <errno.h>
#include <flowtrace/user.h>
#include <string.h>
#include <sys/un.h>

enum { BATCH_SPANS = 512, TIMEOUT_MS = 10000, TASKS_MAX = FTR_EXPORTERS_MAX };

#define QUEUE_BYTES ((size_t)256 << 20)

/* Of an earlier version: what it does not have is not set. */
static int complete(const ftr_user_config *user, ftr_user_config *ret_known,
                    struct ftri_error *error)
{
    if (user->size < sizeof user->size || user->size > sizeof *ret_known)
        return ftri_error_set(error, -EINVAL, "user: size is not set, or of a later version");
    *ret_known = (ftr_user_config){.size = sizeof *ret_known};
    memcpy(ret_known, user, user->size);
    return 0;
}

static int check_socket(ftr_str path, struct ftri_error *error)
{
    if (path.len == 0)
        return ftri_error_set(error, -EINVAL,
                              "user.socket_path: missing; it is the one thing to choose");
    if (path.data[0] != '/' || memchr(path.data, '\0', path.len))
        return ftri_error_set(error, -EINVAL,
                              "user.socket_path: expected the path of a Unix socket from / on: "
                              "user spans go over HTTP/1.1 on one, gRPC and TCP are not offered");
    if (path.len >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return ftri_error_set(error, -EINVAL, "user.socket_path: longer than %zu bytes",
                              sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    return 0;
}

/* What an exporter of the program's own takes the place of. */
static int check_output(const ftr_user_config *user, struct ftri_error *error)
{
    const int rc = check_socket(user->socket_path, error);
    if (rc < 0)
        return rc;
    if (user->routing_header.len == 0)
        return ftri_error_set(error, -EINVAL,
                              "user.routing_header: empty; FTR_USER_CONFIG_INIT sets "
                              "cf-trace-config");
    if (!ftri_text_is_token(user->routing_header))
        return ftri_error_set(error, -EINVAL, "user.routing_header: not a header's name");
    if (!user->otlp_exporter)
        return ftri_error_set(error, -ENOSYS,
                              "user.otlp_exporter: set it to ftr_otlp_user_exporter_new (library "
                              "flowtrace-export)");
    return 0;
}

static void choose_sender(struct ftri_user_settings *self, const ftr_user_config *user,
                          const struct ftri_sender_settings *common)
{
    struct ftri_sender_settings *sender = &self->sender;
    *sender = *common;
    sender->is_routed = true;
    sender->queue_bytes = (user->queue_bytes ? user->queue_bytes : QUEUE_BYTES) / self->tasks;
    sender->queue_spans = user->queue_spans;
    sender->batch_spans = user->batch_spans ? user->batch_spans : BATCH_SPANS;
    sender->timeout_ns = (user->timeout_ms ? user->timeout_ms : TIMEOUT_MS) * FTRI_NS_PER_MS;
    self->queue_spans = user->queue_spans;
    ftri_sender_settings_fit(sender);
}

int ftri_user_settings_init(struct ftri_settings *self, const ftr_config *config,
                            struct ftri_error *error)
{
    ftr_user_config user;
    self->user = (struct ftri_user_settings){.is_enabled = false};
    if (!config->user)
        return 0;
    int rc = complete(config->user, &user, error);
    if (rc < 0 || !user.is_enabled)
        return rc;
    if (user.tasks > TASKS_MAX)
        return ftri_error_set(error, -EINVAL, "user.tasks: more than %d", TASKS_MAX);
    rc = user.exporter ? 0 : check_output(&user, error);
    if (rc < 0)
        return rc;
    self->user.is_enabled = true;
    self->user.tasks = user.tasks && !user.exporter ? user.tasks : 1;
    choose_sender(&self->user, &user, &self->sender);
    return 0;
}
