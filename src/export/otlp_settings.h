/* SPDX-License-Identifier: Apache-2.0
 *
 * What an OTLP exporter needs to know, checked, whatever it was configured by.
 * The settings own all their strings (one arena). */
#pragma once

#include "base/arena.h"
#include "base/error.h"

#include <flowtrace/otlp.h>

enum {
    FTRI_OTLP_MAX_HEADERS = 64,
    FTRI_OTLP_SETTINGS_BYTES = 256 * 1024,
    FTRI_OTLP_TIMEOUT_MS = 10000
};

#define FTRI_OTLP_NO_TIMEOUT UINT32_MAX

/* PEM files. */
enum ftri_otlp_file_kind {
    FTRI_OTLP_CERTIFICATE, /* of the authorities to trust */
    FTRI_OTLP_CLIENT_CERTIFICATE,
    FTRI_OTLP_CLIENT_KEY,
    FTRI_OTLP_N_FILES
};

struct ftri_otlp_file {
    const char *path; /* NULL: none */
    const char *name; /* of the setting that named it */
};

enum ftri_otlp_signal { FTRI_OTLP_TRACES, FTRI_OTLP_METRICS, FTRI_OTLP_LOGS, FTRI_OTLP_N_SIGNALS };

/* Of one signal; signal, protocol and is_insecure are set before the endpoint. */
struct ftri_otlp_settings {
    struct ftri_arena arena;
    enum ftri_otlp_signal signal;
    const char *url;
    const char *unix_socket;                        /* NULL: the URL's host */
    const char *headers[FTRI_OTLP_MAX_HEADERS + 1]; /* "Name: value", NULL-terminated */
    size_t n_headers;
    const char *routing_header; /* its name, of user spans; else NULL */
    ftr_otlp_protocol protocol;
    ftr_otlp_compression compression;
    bool is_insecure;
    uint32_t timeout_ms;
    struct ftri_otlp_file files[FTRI_OTLP_N_FILES];
    void (*warn)(void *argument, const char *text); /* of what is ignored by rule; may be NULL */
    void *warn_argument;
};

/* Defaults; deinit also after failures of the others. */
void ftri_otlp_settings_init(struct ftri_otlp_settings *self);
void ftri_otlp_settings_deinit(struct ftri_otlp_settings *self);
void ftri_otlp_settings_warn(struct ftri_otlp_settings *self, const char *format, ...)
    FTRI_PRINTF(2, 3);
/* All: 0, -EINVAL, -ENOMEM with the error's text naming `name` (the option or variable). */
/* http://, https:// or unix:// followed by an absolute path of a socket (then /v1/traces, or that
 * of the signal); for gRPC also host:port, and the path is the service's. */
int ftri_otlp_settings_endpoint(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                                struct ftri_error *error) FTRI_MUST_CHECK;
/* The same for a base URL: /v1/traces, or that of the signal, is added to its path. */
int ftri_otlp_settings_base(struct ftri_otlp_settings *self, const char *name, ftr_str url,
                            struct ftri_error *error) FTRI_MUST_CHECK;
/* "name=value,name=value", values percent-encoded (W3C Baggage without properties). Adds. */
int ftri_otlp_settings_headers(struct ftri_otlp_settings *self, const char *name, ftr_str list,
                               struct ftri_error *error) FTRI_MUST_CHECK;
/* What frames the message is ours to set. */
bool ftri_otlp_header_is_reserved(ftr_str key);
/* Remembers a PEM file. */
int ftri_otlp_settings_file(struct ftri_otlp_settings *self, enum ftri_otlp_file_kind kind,
                            const char *name, ftr_str path,
                            struct ftri_error *error) FTRI_MUST_CHECK;
/* Opens the files and looks for what belongs into each: what is missing or garbage is named. */
int ftri_otlp_settings_check_files(const struct ftri_otlp_settings *self,
                                   struct ftri_error *error) FTRI_MUST_CHECK;
int ftri_otlp_settings_from_options(struct ftri_otlp_settings *self,
                                    const ftr_otlp_options *options,
                                    struct ftri_error *error) FTRI_MUST_CHECK;
/* Options with an endpoint for traces alone: false, they say nothing of metrics. */
bool ftri_otlp_options_have_metrics(const ftr_otlp_options *options);
