/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes/receivers/otlp_metadata.h"

#include "base/error.h"
#include "engine/metadata.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A field's name by RFC 9110 5.6.2, in lower case as HTTP/2 has it. */
static bool is_name(const char *name)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
    return name[0] != '\0' && name[strspn(name, bytes)] == '\0';
}

static int check_name(const struct option_list *names, size_t i, struct ftri_error *error)
{
    const char *name = names->items[i];
    if (!is_name(name))
        return ftri_error_set(error, -EINVAL,
                              "metadata_headers: '%s' is no header's name in lower case", name);
    for (size_t j = 0; j < i; j++)
        if (strcmp(names->items[j], name) == 0)
            return ftri_error_set(error, -EINVAL, "metadata_headers: '%s' is there twice", name);
    return 0;
}

int otlp_metadata_check(const void *values, struct ftri_error *error)
{
    const struct otlp_options *options = values;
    const struct option_list *names = &options->metadata_headers;
    int r = 0;
    if (names->n_items > METADATA_FIELDS_MAX)
        r = ftri_error_set(error, -EINVAL, "metadata_headers: more than %d", METADATA_FIELDS_MAX);
    for (size_t i = 0; r == 0 && i < names->n_items; i++)
        r = check_name(names, i, error);
    return r;
}

/* The only field of this name; 0: there is none, or it is in ret_value. */
static int find(const struct otlp_arrival *arrival, const char *wanted, ftr_str *ret_value)
{
    ftr_str name, value;
    size_t n = 0;
    for (size_t next = 0; arrival->protocol->next_header(arrival->peer, &next, &name, &value);) {
        if (name.len != strlen(wanted) || strncasecmp(name.data, wanted, name.len) != 0)
            continue;
        if (n++ > 0)
            return -EBADMSG;
        *ret_value = value;
    }
    return n > 0;
}

static int read_all(const struct option_list *names, const struct otlp_arrival *arrival,
                    struct ftri_bytes *bytes, const char **ret_name)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < names->n_items; i++) {
        ftr_str value;
        *ret_name = names->items[i];
        r = find(arrival, *ret_name, &value);
        if (r > 0)
            r = metadata_add(bytes, ftr_str_from(*ret_name), value);
    }
    return r < 0 ? r : 0;
}

int otlp_metadata_read(const struct otlp_options *options, const struct otlp_arrival *arrival,
                       struct ftri_payload **ret_metadata, char *ret_problem, size_t problem_size)
{
    struct ftri_bytes bytes FTRI_CLEANUP(ftri_bytes_deinit);
    const char *name = "";
    ftri_bytes_init(&bytes, METADATA_BYTES_MAX);
    *ret_metadata = NULL;
    const int r = read_all(&options->metadata_headers, arrival, &bytes, &name);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        snprintf(ret_problem, problem_size, "header %s: %s", name,
                 r == -EMSGSIZE ? "it is too long" : "it is there more than once");
        return -EBADMSG;
    }
    if (bytes.len)
        *ret_metadata = ftri_payload_new(&bytes);
    return bytes.len && !*ret_metadata ? -ENOMEM : 0;
}
