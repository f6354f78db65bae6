/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text through the JSON reader. What is accepted is written again token by token; reading and
 * writing that must give the same text. */
#include "codec/json_number.h"
#include "codec/json_reader.h"
#include "codec/json_writer.h"
#include "codec/utf8.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 64 << 20 };

static void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

static void try_numbers(ftr_str text)
{
    int64_t i64;
    uint64_t u64;
    double f64;
    require(ftri_json_to_f64(text, &f64) <= 0);
    if (ftri_json_to_i64(text, &i64) == 0 && i64 >= 0)
        require(ftri_json_to_u64(text, &u64) == 0 && u64 == (uint64_t)i64);
}

static void write_token(struct ftri_json_writer *out, const struct ftri_json_reader *reader,
                        int token)
{
    switch (token) {
    case FTRI_JSON_OBJECT:
        ftri_json_begin_object(out);
        break;
    case FTRI_JSON_OBJECT_END:
        ftri_json_end_object(out);
        break;
    case FTRI_JSON_ARRAY:
        ftri_json_begin_array(out);
        break;
    case FTRI_JSON_ARRAY_END:
        ftri_json_end_array(out);
        break;
    case FTRI_JSON_NAME:
        ftri_json_name(out, reader->text);
        break;
    case FTRI_JSON_STRING:
        require(ftri_utf8_is_valid(reader->text));
        try_numbers(reader->text);
        ftri_json_str(out, reader->text);
        break;
    case FTRI_JSON_NUMBER:
        try_numbers(reader->text);
        ftri_json_raw(out, reader->text);
        break;
    case FTRI_JSON_NULL:
        ftri_json_null(out);
        break;
    default:
        ftri_json_bool(out, token == FTRI_JSON_TRUE);
    }
}

static int rewrite(struct ftri_view text, struct ftri_bytes *out)
{
    struct ftri_json_reader reader;
    struct ftri_json_writer writer;
    ftri_json_reader_init(&reader, text);
    ftri_json_writer_init(&writer, out);
    int token = ftri_json_reader_next(&reader);
    for (; token > 0; token = ftri_json_reader_next(&reader))
        write_token(&writer, &reader, token);
    if (token < 0)
        require(reader.problem && reader.offset <= text.len);
    ftri_json_reader_deinit(&reader);
    require(ftri_json_writer_status(&writer) == 0);
    return token;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ftri_bytes once FTRI_CLEANUP(ftri_bytes_deinit);
    struct ftri_bytes twice FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&once, OUTPUT_MAX);
    ftri_bytes_init(&twice, OUTPUT_MAX);
    if (rewrite(ftri_view_of(data, size), &once) < 0)
        return 0;
    require(rewrite(ftri_bytes_view(&once), &twice) == 0);
    require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    return 0;
}
