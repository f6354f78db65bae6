/* SPDX-License-Identifier: Apache-2.0
 *
 *   -----BEGIN label-----
 *   base64 (older keys: header lines before it)
 *   -----END label----- */
#include "export/pem_file.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "codec/base64.h"

#include <errno.h>
#include <string.h>

enum { FILE_BYTES = 4 << 20 };

/* Labels of keys differ in their first words: "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY". */
static bool is_edge(ftr_str line, const char *word, const char *label)
{
    const size_t before = strlen("-----") + strlen(word) + 1;
    const size_t after = strlen(label) + strlen("-----");
    return line.len >= before + after && memcmp(line.data, "-----", 5) == 0 &&
           memcmp(line.data + 5, word, strlen(word)) == 0 &&
           memcmp(line.data + line.len - after, label, strlen(label)) == 0 &&
           memcmp(line.data + line.len - 5, "-----", 5) == 0;
}

static ftr_str without_end(ftr_str line)
{
    while (line.len > 0 && strchr(" \t\r", line.data[line.len - 1]))
        line.len--;
    return line;
}

/* Whether *rest goes on with base64 up to the block's end. Lines with a colon are headers. */
static int take_block(ftr_str *rest, const char *label, struct ftri_bytes *content)
{
    ftri_bytes_reset(content);
    for (ftr_str line; ftri_text_split(rest, '\n', &line);) {
        line = without_end(line);
        if (is_edge(line, "END", label))
            return content->len > 0 ? 0 : -EBADMSG;
        if (line.len == 0 || memchr(line.data, ':', line.len))
            continue;
        const int r = ftri_base64_decode(line, content);
        if (r < 0)
            return r;
    }
    return -EBADMSG;
}

static int find_block(ftr_str text, const char *label)
{
    struct ftri_bytes content;
    ftri_bytes_init(&content, FILE_BYTES);
    int r = -EBADMSG;
    for (ftr_str line; r == -EBADMSG && ftri_text_split(&text, '\n', &line);)
        if (is_edge(without_end(line), "BEGIN", label))
            r = take_block(&text, label, &content);
    ftri_bytes_deinit(&content);
    return r;
}

int ftri_pem_file_check(const char *path, enum ftri_pem_kind kind, struct ftri_error *error)
{
    const char *label = kind == FTRI_PEM_CERTIFICATE ? "CERTIFICATE" : "PRIVATE KEY";
    struct ftri_bytes file;
    ftri_bytes_init(&file, FILE_BYTES);
    int r = ftri_file_read(path, &file);
    if (r < 0) {
        char text[128];
        ftri_error_set(error, r, "%s", strerror_r(-r, text, sizeof text));
    } else if (find_block(ftri_view_str(ftri_bytes_view(&file)), label) < 0) {
        r = ftri_error_set(error, -EINVAL, "no %s in PEM form in it", label);
    }
    ftri_bytes_deinit(&file);
    return r;
}
