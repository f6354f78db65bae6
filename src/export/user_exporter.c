/* SPDX-License-Identifier: Apache-2.0
 *
 * The OTLP exporter of user spans: the one of HTTP on a Unix socket, with a header for each
 * routing. What foundations sends is on the wire: POST /v1/traces, Host: localhost, protobuf. */
#include <flowtrace/exporter.h>
#include <flowtrace/otlp.h>
#include <flowtrace/user.h>

#include "base/error.h"
#include "base/text.h"
#include "export/otlp_delivery.h"

#include <errno.h>
#include <string.h>

static int no_memory(struct ftri_error *error)
{
    return ftri_error_set(error, -ENOMEM, "otlp_exporter: out of memory");
}

/* The socket's path as the URL that the settings read. */
static int set_endpoint(struct ftri_otlp_settings *settings, ftr_str path, struct ftri_error *error)
{
    if (path.len == 0)
        return ftri_error_set(error, -EINVAL, "socket_path: missing");
    char *url = ftri_arena_alloc(&settings->arena, path.len + sizeof "unix://");
    if (!url)
        return no_memory(error);
    memcpy(url, "unix://", 7);
    memcpy(url + 7, path.data, path.len);
    return ftri_otlp_settings_endpoint(settings, "socket_path", (ftr_str){url, path.len + 7},
                                       error);
}

static int check_header(ftr_str name, struct ftri_error *error)
{
    if (!ftri_text_is_token(name))
        return ftri_error_set(error, -EINVAL, "routing_header: empty, or not a header's name");
    if (ftri_otlp_header_is_reserved(name))
        return ftri_error_set(error, -EINVAL,
                              "routing_header: %.*s is set by the protocol, choose another name",
                              (int)name.len, name.data);
    return 0;
}

static int fill(struct ftri_otlp_settings *settings, const ftr_user_config *config,
                struct ftri_error *error)
{
    if (!config || config->size < offsetof(ftr_user_config, otlp_exporter))
        return ftri_error_set(error, -EINVAL, "config: missing, or size not set");
    const int rc = check_header(config->routing_header, error);
    if (rc < 0)
        return rc;
    settings->protocol = FTR_OTLP_HTTP_PROTOBUF;
    settings->routing_header = ftri_arena_copy(&settings->arena, config->routing_header).data;
    if (config->timeout_ms)
        settings->timeout_ms = config->timeout_ms;
    return settings->routing_header ? set_endpoint(settings, config->socket_path, error)
                                    : no_memory(error);
}

/* Takes the settings over. */
static ftr_exporter *new_exporter(struct ftri_otlp_settings *settings, struct ftri_error *error,
                                  int *ret_rc)
{
    const ftr_exporter_class *user_class = ftri_otlp_delivery_user_class();
    struct ftri_otlp_delivery *instance = ftri_otlp_delivery_new(settings);
    ftr_exporter *exporter = instance ? ftr_exporter_new(user_class, instance) : NULL;
    if (instance && !exporter)
        user_class->close(instance);
    *ret_rc = exporter ? 0 : no_memory(error);
    return exporter;
}

ftr_exporter *ftr_otlp_user_exporter_new(const ftr_user_config *config, ftr_error *error)
{
    struct ftri_error why = {""};
    struct ftri_otlp_settings settings;
    ftr_exporter *exporter = NULL;
    ftri_otlp_settings_init(&settings);
    int rc = fill(&settings, config, &why);
    if (rc == 0)
        exporter = new_exporter(&settings, &why, &rc);
    ftri_otlp_settings_deinit(&settings);
    if (error) {
        error->status = rc == 0 ? FTR_OK : rc == -ENOMEM ? FTR_ERR_MEMORY : FTR_ERR_INVALID;
        memcpy(error->text, why.text, sizeof error->text);
    }
    return exporter;
}
