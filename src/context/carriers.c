/* SPDX-License-Identifier: Apache-2.0
 *
 * The ready carriers over a list of fields. They differ in how names are compared, which of several
 * fields comes first, and how a name is written. */
#include "base/text.h"

#include <ctype.h>
#include <flowtrace/propagation.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MOST = 256 };

typedef bool same_function(ftr_str field_name, ftr_str name);

/* ---- a list ---- */

static ftr_str find(const ftr_field_list *list, ftr_str name, size_t nth, same_function *is_same)
{
    for (size_t i = 0; i < list->n_fields; i++)
        if (is_same(list->fields[i].name, name) && nth-- == 0)
            return list->fields[i].value;
    return (ftr_str){0};
}

static ftr_str name_of(void *fields, size_t nth)
{
    const ftr_field_list *list = fields;
    return nth < list->n_fields ? list->fields[nth].name : (ftr_str){0};
}

static bool copy_text(ftr_field_list *list, ftr_str text, ftr_str *ret_copy)
{
    if (text.len > list->text_capacity - list->text_len)
        return false;
    char *to = list->text + list->text_len;
    if (text.len)
        memcpy(to, text.data, text.len);
    list->text_len += text.len;
    *ret_copy = (ftr_str){to, text.len};
    return true;
}

/* The field of that name, or a new one with that name; NULL: no room. */
static ftr_field *field_for(ftr_field_list *list, ftr_str name, same_function *is_same)
{
    for (size_t i = 0; i < list->n_fields; i++)
        if (is_same(list->fields[i].name, name))
            return &list->fields[i];
    if (list->n_fields >= list->capacity)
        return NULL;
    ftr_field *field = &list->fields[list->n_fields];
    if (!copy_text(list, name, &field->name))
        return NULL;
    field->value = (ftr_str){"", 0};
    list->n_fields++;
    return field;
}

static void put(ftr_field_list *list, ftr_str name, ftr_str value, same_function *is_same)
{
    const size_t n_before = list->n_fields;
    const size_t text_before = list->text_len;
    ftr_field *field = field_for(list, name, is_same);
    if (field && copy_text(list, value, &field->value))
        return;
    list->n_fields = n_before;
    list->text_len = text_before;
    list->n_left_out++;
}

/* ---- HTTP and gRPC ---- */

static ftr_str get_without_case(void *fields, ftr_str name, size_t nth)
{
    return find(fields, name, nth, ftri_text_same_word);
}

static void set_without_case(void *fields, ftr_str name, ftr_str value)
{
    put(fields, name, value, ftri_text_same_word);
}

static void set_lower(void *fields, ftr_str name, ftr_str value)
{
    char lower[NAME_MOST];
    ftr_field_list *list = fields;
    if (name.len > sizeof lower) {
        list->n_left_out++;
        return;
    }
    for (size_t i = 0; i < name.len; i++)
        lower[i] = (char)tolower((unsigned char)name.data[i]);
    put(list, (ftr_str){lower, name.len}, value, ftri_text_same);
}

/* ---- Kafka and maps ---- */

static ftr_str get_exact(void *fields, ftr_str name, size_t nth)
{
    return find(fields, name, nth, ftri_text_same);
}

static ftr_str get_last(void *fields, ftr_str name, size_t nth)
{
    const ftr_field_list *list = fields;
    for (size_t i = list->n_fields; nth == 0 && i > 0; i--)
        if (ftri_text_same(list->fields[i - 1].name, name))
            return list->fields[i - 1].value;
    return (ftr_str){0};
}

static void set_exact(void *fields, ftr_str name, ftr_str value)
{
    put(fields, name, value, ftri_text_same);
}

/* ---- environment ---- */

static char capital(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

/* False: too long. A digit in front keeps its place behind a '_'. */
static bool variable_name(ftr_str name, char ret_name[NAME_MOST])
{
    size_t len = 0;
    if (name.len == 0 || name.len + 2 > NAME_MOST)
        return false;
    if (name.data[0] >= '0' && name.data[0] <= '9')
        ret_name[len++] = '_';
    for (size_t i = 0; i < name.len; i++, len++)
        ret_name[len] = capital(name.data[i]);
    ret_name[len] = '\0';
    return true;
}

static ftr_str get_variable(void *fields, ftr_str name, size_t nth)
{
    char variable[NAME_MOST];
    if (!variable_name(name, variable))
        return (ftr_str){0};
    if (fields)
        return find(fields, ftr_str_from(variable), nth, ftri_text_same);
    const char *value = nth == 0 ? getenv(variable) : NULL;
    return value ? ftr_str_from(value) : (ftr_str){0};
}

static void set_variable(void *fields, ftr_str name, ftr_str value)
{
    char variable[NAME_MOST];
    if (fields && variable_name(name, variable))
        put(fields, ftr_str_from(variable), value, ftri_text_same);
}

static ftr_str variable_of(void *fields, size_t nth)
{
    return fields ? name_of(fields, nth) : (ftr_str){0};
}

const ftr_carrier ftr_http_carrier = {get_without_case, set_without_case, name_of};
const ftr_carrier ftr_grpc_carrier = {get_without_case, set_lower, name_of};
const ftr_carrier ftr_kafka_carrier = {get_last, set_exact, name_of};
const ftr_carrier ftr_map_carrier = {get_exact, set_exact, name_of};
const ftr_carrier ftr_environment_carrier = {get_variable, set_variable, variable_of};
