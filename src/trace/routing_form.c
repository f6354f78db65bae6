/* SPDX-License-Identifier: Apache-2.0
 *
 * What routings say: any class is asked and its answer checked, since it becomes a header of a
 * request (RFC 9110, 5.5, without obs-text); the ready classes, of JSON and of plain text; and the
 * control header, which has a routing's text at its end. */
#include "trace/user.h"

#include "base/text.h"
#include "trace/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static bool is_field_text(ftr_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t byte = (uint8_t)text.data[i];
        if (byte != '\t' && (byte < ' ' || byte > '~'))
            return false;
    }
    return true;
}

const char *ftri_routing_ask(const ftr_routing *routing, struct ftri_routing_room *ret_room)
{
    if (!routing || !routing->routing_class || !routing->routing_class->group_key ||
        !routing->routing_class->encode)
        return "it has no routing";
    const ftr_routing_class *class = routing->routing_class;
    const size_t key_len = class->group_key(routing->instance, ret_room->key, FTR_ROUTING_KEY_MAX);
    const size_t len = class->encode(routing->instance, ret_room->value, FTR_ROUTING_VALUE_MAX);
    if (key_len > FTR_ROUTING_KEY_MAX)
        return "the routing's group key is longer than 4096 bytes";
    if (len > FTR_ROUTING_VALUE_MAX)
        return "the routing's text is longer than 4096 bytes";
    ret_room->texts = (struct ftri_routing_texts){{ret_room->key, key_len}, {ret_room->value, len}};
    if (len == 0)
        return "the routing's text is empty";
    if (!is_field_text(ret_room->texts.value))
        return "the routing's text has a byte that a header may not have";
    return NULL;
}

/* ---- JSON ---- */

struct writer {
    char *text;
    size_t room;
    size_t len; /* also of what did not fit */
};

static void put_byte(struct writer *self, char byte)
{
    if (self->len < self->room)
        self->text[self->len] = byte;
    self->len++;
}

static void put(struct writer *self, ftr_str text)
{
    for (size_t i = 0; i < text.len; i++)
        put_byte(self, text.data[i]);
}

static void put_printed(struct writer *self, const char *format, ...) FTRI_PRINTF(2, 3);

static void put_printed(struct writer *self, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(self, ftr_str_from(text));
}

/* A code point beyond ASCII at text, of at most n bytes; what is not UTF-8 is U+FFFD and one byte
 * long. */
static size_t read_rune(const uint8_t *text, size_t n, uint32_t *ret_rune)
{
    const size_t len = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t rune = text[0] & (0x7fU >> len);
    *ret_rune = 0xfffd;
    if (text[0] < 0xc0 || text[0] > 0xf4 || len > n)
        return 1;
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 1;
        rune = rune << 6 | (text[i] & 0x3f);
    }
    if (rune < least[len] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000))
        return 1;
    *ret_rune = rune;
    return len;
}

static void put_rune(struct writer *self, uint32_t rune)
{
    if (rune >= 0x10000)
        put_printed(self, "\\u%04" PRIx32 "\\u%04" PRIx32, 0xd800 + ((rune - 0x10000) >> 10),
                    0xdc00 + (rune & 0x3ff));
    else
        put_printed(self, "\\u%04" PRIx32, rune);
}

/* In ASCII alone: a header takes no other. */
static void put_string(struct writer *self, ftr_str text)
{
    put_byte(self, '"');
    for (size_t i = 0; i < text.len;) {
        const uint8_t byte = (uint8_t)text.data[i];
        uint32_t rune = byte;
        size_t len = 1;
        if (byte >= 0x80)
            len = read_rune((const uint8_t *)text.data + i, text.len - i, &rune);
        if (byte == '"' || byte == '\\')
            put_byte(self, '\\');
        if (rune >= ' ' && rune <= '~')
            put_byte(self, (char)byte);
        else
            put_rune(self, rune);
        i += len;
    }
    put_byte(self, '"');
}

static void put_destinations(struct writer *self, const ftr_json_routing *routing)
{
    put(self, FTR_STR(",\"destinations\":["));
    for (size_t i = 0; i < routing->n_destinations && self->len <= self->room; i++) {
        if (i > 0)
            put_byte(self, ',');
        put_string(self, routing->destinations[i]);
    }
    put_byte(self, ']');
}

/* Of an earlier version: what it does not have is not set. */
static ftr_json_routing complete(const ftr_json_routing *routing)
{
    ftr_json_routing known = {.size = sizeof known};
    memcpy(&known, routing, ftri_size_min(routing->size, sizeof known));
    return known;
}

static size_t write_json(const void *instance, char *ret_text, size_t room)
{
    const ftr_json_routing routing = complete(instance);
    const bool is_foundations =
        atomic_load_explicit(&ftri_record_form, memory_order_relaxed) == FTRI_FORM_FOUNDATIONS;
    struct writer writer = {ret_text, room, 0};
    put_printed(&writer, "{\"zoneId\":%" PRIu64, routing.zone_id);
    put_printed(&writer, ",\"accountId\":%" PRIu64, routing.account_id);
    put(&writer, is_foundations ? FTR_STR(",\"accountTag\":") : FTR_STR(",\"workspaceId\":"));
    put_string(&writer, is_foundations ? routing.account_tag : routing.workspace_id);
    put_destinations(&writer, &routing);
    put(&writer, is_foundations ? FTR_STR(",\"persist\":") : FTR_STR(",\"managed\":"));
    const bool flag = is_foundations ? routing.is_persisted : routing.is_managed;
    put(&writer, flag ? FTR_STR("true}") : FTR_STR("false}"));
    return writer.len;
}

/* The zone; what else differs makes another routing of the same key. */
static size_t write_zone(const void *instance, char *ret_text, size_t room)
{
    const ftr_json_routing routing = complete(instance);
    struct writer writer = {ret_text, room, 0};
    put_printed(&writer, "%" PRIu64, routing.zone_id);
    return writer.len;
}

ftr_routing ftr_json_routing_of(const ftr_json_routing *routing)
{
    static const ftr_routing_class json = {sizeof json, write_zone, write_json};
    return (ftr_routing){&json, routing};
}

/* ---- text ---- */

static size_t write_text(const void *instance, char *ret_text, size_t room)
{
    const ftr_str *text = instance;
    if (text->len > 0 && text->len <= room)
        memcpy(ret_text, text->data, text->len);
    return text->len;
}

ftr_routing ftr_text_routing_of(const ftr_str *text)
{
    static const ftr_routing_class plain = {sizeof plain, write_text, write_text};
    return (ftr_routing){&plain, text};
}

/* ---- the control header ---- */

bool ftr_user_control_parse(ftr_str header, ftr_user_control *ret_control)
{
    ftr_user_control control = {.has_inbound = true};
    const char *semicolon = header.len > 0 ? memchr(header.data, ';', header.len) : NULL;
    if (!semicolon)
        return false;
    const size_t len = (size_t)(semicolon - header.data);
    const ftr_str parent = ftri_trim((ftr_str){header.data, len});
    control.routing = ftri_trim((ftr_str){semicolon + 1, header.len - len - 1});
    if (ftri_text_is(parent, "-"))
        control.has_inbound = false;
    else if (!ftr_user_traceparent_parse(parent, &control.inbound))
        return false;
    if (control.routing.len == 0 || !is_field_text(control.routing))
        return false;
    *ret_control = control;
    return true;
}
