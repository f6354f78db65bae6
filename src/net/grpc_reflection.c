/* SPDX-License-Identifier: Apache-2.0
 *
 * gRPC server reflection (grpc.reflection.v1, v1alpha) out of two FileDescriptorSets: the built-in
 * services' and the handler's.
 *
 *   ServerReflectionRequest: host 1, file_by_filename 3, file_containing_symbol 4, extensions 5 and
 *     6 (proto3 has none), list_services 7
 *   ServerReflectionResponse: valid_host 1, original_request 2,
 *     file_descriptor_response 4 { file_descriptor_proto 1 },
 *     list_services_response 6 { service 1 { name 1 } },
 *     error_response 7 { error_code 1, error_message 2 }
 *   FileDescriptorSet: file 1 { name 1, package 2, message_type 4, enum_type 5, service 6 }
 *
 * A file is sent with those before it in its set, so with all that it imports. */
#include "net/grpc_connection.h"

#include "codec/wire.h"

#include <errno.h>
#include <string.h>

enum { BY_NAME = 3, BY_SYMBOL = 4, LIST_SERVICES = 7 };
enum { FILE_PACKAGE = 2, FILE_MESSAGES = 4, FILE_ENUMS = 5, FILE_SERVICES = 6 };
enum { NAME = 1, MEMBER = 2, NESTED_ENUMS = 4 };

/* Generated from net/schema. */
extern const struct ftri_view grpc_builtin_descriptors;

/* The next field that holds bytes; false: no more. What is read was compiled into the program. */
static bool next_bytes(struct ftri_view message, size_t *next, struct ftri_wire_field *ret_field)
{
    while (ftri_wire_next(message, next, ret_field) == FTRI_WIRE_FIELD)
        if (ret_field->type == FTRI_WIRE_BYTES)
            return true;
    return false;
}

static ftr_str text_of(struct ftri_view message, uint32_t number)
{
    struct ftri_wire_field field;
    for (size_t next = 0; next_bytes(message, &next, &field);)
        if (field.number == number)
            return ftri_view_str(field.bytes);
    return (ftr_str){0};
}

static bool is_same(ftr_str a, ftr_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Takes "head" off the front of a symbol "head" or "head.more", with its dot. */
static bool take_head(ftr_str *symbol, ftr_str head)
{
    if (symbol->len < head.len || memcmp(symbol->data, head.data, head.len) != 0)
        return false;
    if (symbol->len == head.len + 1 || (symbol->len > head.len && symbol->data[head.len] != '.'))
        return false;
    const size_t n = ftri_size_min(symbol->len, head.len + 1);
    *symbol = (ftr_str){symbol->data + n, symbol->len - n};
    return true;
}

/* Whether `symbol` is a definition, or a member of one, in the fields from first to last. */
static bool defines(struct ftri_view message, uint32_t first, uint32_t last, ftr_str symbol)
{
    struct ftri_wire_field field;
    for (size_t next = 0; next_bytes(message, &next, &field);) {
        ftr_str rest = symbol;
        if (field.number < first || field.number > last ||
            !take_head(&rest, text_of(field.bytes, NAME)))
            continue;
        if (rest.len == 0 || defines(field.bytes, MEMBER, NESTED_ENUMS, rest))
            return true;
    }
    return false;
}

static bool file_defines(struct ftri_view file, ftr_str symbol)
{
    return take_head(&symbol, text_of(file, FILE_PACKAGE)) && symbol.len &&
           defines(file, FILE_MESSAGES, FILE_SERVICES, symbol);
}

static bool is_wanted(struct ftri_view file, uint32_t by, ftr_str what)
{
    return by == BY_NAME ? is_same(text_of(file, NAME), what) : file_defines(file, what);
}

/* ---- services ---- */

/* The name of the next service of a file; false: no more. */
static bool next_service(struct ftri_view file, size_t *next, ftr_str *ret_name)
{
    struct ftri_wire_field field;
    while (next_bytes(file, next, &field)) {
        if (field.number != FILE_SERVICES)
            continue;
        *ret_name = text_of(field.bytes, NAME);
        return true;
    }
    return false;
}

static bool set_has_service(struct ftri_view set, ftr_str name)
{
    struct ftri_wire_field file;
    for (size_t next = 0; next_bytes(set, &next, &file);) {
        ftr_str rest = name;
        if (take_head(&rest, text_of(file.bytes, FILE_PACKAGE)) && rest.len &&
            !memchr(rest.data, '.', rest.len) &&
            defines(file.bytes, FILE_SERVICES, FILE_SERVICES, rest))
            return true;
    }
    return false;
}

bool grpc_reflection_has_service(const struct grpc_server *server, ftr_str name)
{
    return set_has_service(grpc_builtin_descriptors, name) ||
           set_has_service(server->descriptors, name);
}

static int put_service(struct ftri_bytes *out, ftr_str package, ftr_str name)
{
    size_t service;
    int r = ftri_wire_begin(out, 1, &service);
    if (r == 0)
        r = ftri_wire_put_header(out, NAME, package.len + 1 + name.len);
    if (r == 0)
        r = ftri_bytes_append_str(out, package);
    if (r == 0)
        r = ftri_bytes_append_char(out, '.');
    if (r == 0)
        r = ftri_bytes_append_str(out, name);
    return r < 0 ? r : ftri_wire_end(out, service);
}

static int put_services(struct ftri_bytes *out, struct ftri_view set)
{
    struct ftri_wire_field file;
    int r = 0;
    for (size_t next = 0; next_bytes(set, &next, &file);) {
        ftr_str name;
        for (size_t inner = 0; r == 0 && next_service(file.bytes, &inner, &name);)
            r = put_service(out, text_of(file.bytes, FILE_PACKAGE), name);
    }
    return r;
}

static int put_list(struct ftri_bytes *out, const struct grpc_server *server)
{
    size_t list;
    int r = ftri_wire_begin(out, 6, &list);
    if (r == 0)
        r = put_services(out, server->descriptors);
    if (r == 0)
        r = put_services(out, grpc_builtin_descriptors);
    return r < 0 ? r : ftri_wire_end(out, list);
}

/* ---- files ---- */

static int put_error(struct ftri_bytes *out)
{
    static const char text[] = "no such file or symbol here; list_services tells what there is";
    size_t error;
    int r = ftri_wire_begin(out, 7, &error);
    if (r == 0)
        r = ftri_wire_put_varint(out, 1, GRPC_NOT_FOUND);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 2, ftri_view_of(text, sizeof text - 1));
    return r < 0 ? r : ftri_wire_end(out, error);
}

/* The files of `set` up to the one at `end`, that one first. */
static int put_files(struct ftri_bytes *out, struct ftri_view set, size_t end,
                     struct ftri_view file)
{
    struct ftri_wire_field before;
    size_t files;
    int r = ftri_wire_begin(out, 4, &files);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 1, file);
    for (size_t next = 0; r == 0 && next_bytes(set, &next, &before) && next < end;)
        r = ftri_wire_put_bytes(out, 1, before.bytes);
    return r < 0 ? r : ftri_wire_end(out, files);
}

static int put_found(struct ftri_bytes *out, const struct grpc_server *server, uint32_t by,
                     ftr_str what)
{
    const struct ftri_view sets[] = {server->descriptors, grpc_builtin_descriptors};
    struct ftri_wire_field file;
    for (size_t i = 0; i < FTRI_COUNT(sets); i++)
        for (size_t next = 0; next_bytes(sets[i], &next, &file);)
            if (is_wanted(file.bytes, by, what))
                return put_files(out, sets[i], next, file.bytes);
    return put_error(out);
}

int grpc_reflection_answer(const struct grpc_server *server, struct ftri_view request,
                           struct ftri_bytes *out)
{
    struct ftri_wire_field field;
    struct ftri_view host = {0};
    ftr_str what = {0};
    uint32_t asked = 0;
    size_t next = 0;
    int r;
    while ((r = ftri_wire_next(request, &next, &field)) == FTRI_WIRE_FIELD) {
        if (field.type != FTRI_WIRE_BYTES)
            continue;
        if (field.number == 1) {
            host = field.bytes;
            continue;
        }
        asked = field.number;
        what = ftri_view_str(field.bytes);
    }
    if (r == 0 && host.len)
        r = ftri_wire_put_bytes(out, 1, host);
    if (r == 0)
        r = ftri_wire_put_bytes(out, 2, request);
    if (r < 0)
        return r;
    if (asked == LIST_SERVICES)
        return put_list(out, server);
    return asked == BY_NAME || asked == BY_SYMBOL ? put_found(out, server, asked, what)
                                                  : put_error(out);
}
