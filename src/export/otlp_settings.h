/* SPDX-License-Identifier: Apache-2.0
 *
 * What an OTLP exporter over HTTP needs to know, checked, whatever it was configured by.
 * Sans-I/O. The settings own all their strings (one arena). */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#include <flowtrace/otlp.h>

enum {
    FTRI_OTLP_MAX_HEADERS = 64,
    FTRI_OTLP_SETTINGS_BYTES = 256 * 1024,
    FTRI_OTLP_TIMEOUT_MS = 10000
};

struct ftri_otlp_settings {
    struct ftri_arena arena;
    const char *url;
    const char *unix_socket;                        /* NULL: the URL's host */
    const char *headers[FTRI_OTLP_MAX_HEADERS + 1]; /* "Name: value", NULL-terminated */
    size_t n_headers;
    bool use_gzip;
    uint32_t timeout_ms;
    const char *ca_file; /* PEM files, or NULL */
    const char *client_certificate;
    const char *client_key;
    struct ftri_error warning; /* of a value that was ignored by rule; may be empty */
};

/* Defaults; deinit also after failures of the others. */
void ftri_otlp_settings_init(struct ftri_otlp_settings *self);
void ftri_otlp_settings_deinit(struct ftri_otlp_settings *self);
/* All: 0, -EINVAL, -ENOMEM with the error's text naming `name` (the option or variable). */
/* http://, https:// or unix:// followed by an absolute path of a socket (then /v1/traces). */
int ftri_otlp_settings_endpoint(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                                struct ftri_error *error) FTRI_MUST_CHECK;
/* The same for a base URL: /v1/traces is added to its path. */
int ftri_otlp_settings_base(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                            struct ftri_error *error) FTRI_MUST_CHECK;
/* "name=value,name=value", values percent-encoded (W3C Baggage without properties). Adds. */
int ftri_otlp_settings_headers(struct ftri_otlp_settings *self, const char *name, ftr_str list,
                               struct ftri_error *error) FTRI_MUST_CHECK;
int ftri_otlp_settings_from_options(struct ftri_otlp_settings *self,
                                    const ftr_otlp_options *options,
                                    struct ftri_error *error) FTRI_MUST_CHECK;
