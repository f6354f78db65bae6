/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and what RFC 9112 (and RFC 9110) says of them, each fed whole, byte by byte and in
 * every cut into two. */
#include "net/http1.h"
#include "net/http_target.h"

#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HOST "Host: a\r\n"
/* An ftr_str in a table of constants. */
#define BYTES(literal)                                                                             \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define GET "GET / HTTP/1.1\r\n" HOST

enum { N_FIELDS = 8, TARGET_BYTES = 64, FIELD_BYTES = 256 };
static const struct http1_limits limits = {TARGET_BYTES, FIELD_BYTES, N_FIELDS};

struct outcome {
    enum http1_event last; /* END, REFUSED or MORE */
    int status;
    char text[1024]; /* method, target, authority, fields, body */
    size_t len;
};

static void note(struct outcome *outcome, ftr_str text, const char *end)
{
    const int n = snprintf(outcome->text + outcome->len, sizeof outcome->text - outcome->len,
                           "%.*s%s", (int)text.len, text.data ? text.data : "", end);
    outcome->len += (size_t)n;
    assert_true(outcome->len < sizeof outcome->text);
}

static void note_head(struct outcome *outcome, const struct http1_head *head)
{
    note(outcome, head->method, " ");
    note(outcome, head->target, " ");
    note(outcome, head->authority, head->keep_alive ? " keep" : " close");
    note(outcome, FTR_STR(""), head->expects_continue ? " continue\n" : "\n");
    for (size_t i = 0; i < head->n_fields; i++) {
        note(outcome, head->fields[i].name, "=");
        note(outcome, head->fields[i].value, "\n");
    }
}

/* False when the piece brought the parser to its end. */
static bool feed(struct http1_parser *parser, struct ftri_view piece, struct outcome *outcome)
{
    for (;;) {
        size_t used = 0;
        struct ftri_view body = {0};
        outcome->last = http1_next(parser, piece, &used, &body);
        assert_true(used <= piece.len);
        piece = ftri_view_of(piece.data + used, piece.len - used);
        if (outcome->last == HTTP1_HEAD)
            note_head(outcome, &parser->head);
        else if (outcome->last == HTTP1_BODY)
            note(outcome, ftri_view_str(body), "");
        else
            break;
    }
    outcome->status = parser->refusal_status;
    return outcome->last == HTTP1_MORE;
}

/* Feeds bytes in pieces of piece_len, the first of first_len. */
static void run(ftr_str bytes, size_t first_len, size_t piece_len, struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    char *room = ftri_alloc(http1_room_bytes(&limits));
    struct http1_field *fields = ftri_alloc_array(N_FIELDS, sizeof *fields);
    assert_non_null(room);
    assert_non_null(fields);
    struct http1_parser parser;
    http1_init(&parser, &limits, room, fields);
    size_t start = 0;
    size_t len = first_len;
    while (start < bytes.len) {
        const size_t n = ftri_size_min(len, bytes.len - start);
        /* A block of exactly this size, so that the sanitizer sees a read beyond it. */
        char *piece = ftri_strndup(bytes.data + start, n);
        assert_non_null(piece);
        const bool goes_on = feed(&parser, ftri_view_of(piece, n), outcome);
        ftri_free(piece);
        if (!goes_on)
            break;
        start += n;
        len = piece_len;
    }
    ftri_free(room);
    ftri_free(fields);
}

static void assert_same(const struct outcome *a, const struct outcome *b, ftr_str bytes)
{
    if (a->last == b->last && a->status == b->status && strcmp(a->text, b->text) == 0)
        return;
    fail_msg("cut differently, %.*s gives %d %d\n%s\nor %d %d\n%s", (int)bytes.len, bytes.data,
             a->last, a->status, a->text, b->last, b->status, b->text);
}

static void run_all_ways(ftr_str bytes, struct outcome *whole)
{
    struct outcome other;
    run(bytes, bytes.len, bytes.len, whole);
    run(bytes, 1, 1, &other);
    assert_same(whole, &other, bytes);
    for (size_t cut = 1; cut < bytes.len; cut++) {
        run(bytes, cut, bytes.len, &other);
        assert_same(whole, &other, bytes);
    }
}

static const struct {
    ftr_str bytes;
    const char *text;
} good[] = {
    {BYTES(GET "\r\n"), "GET / a keep\nHost=a\n"},
    {BYTES("\r\n" GET "\r\n"), "GET / a keep\nHost=a\n"},
    {BYTES("GET /a?b=c HTTP/1.1\r\nhOsT:a:80\r\n\r\n"), "GET /a?b=c a:80 keep\nhOsT=a:80\n"},
    {BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "GET /  keep\nHost=\n"},
    {BYTES("GET / HTTP/1.1\r\nHost: [::1]:4318\r\n\r\n"),
     "GET / [::1]:4318 keep\nHost=[::1]:4318\n"},
    {BYTES("GET / HTTP/1.0\r\n\r\n"), "GET /  close\n"},
    {BYTES("GET / HTTP/1.9\r\n" HOST "\r\n"), "GET / a keep\nHost=a\n"},
    {BYTES("GET http://b:1/x HTTP/1.1\r\n" HOST "\r\n"), "GET http://b:1/x b:1 keep\nHost=a\n"},
    {BYTES("GET https://b HTTP/1.1\r\n" HOST "\r\n"), "GET https://b b keep\nHost=a\n"},
    {BYTES("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), "OPTIONS * a keep\nHost=a\n"},
    {BYTES("M-Search~!#$%&'*+.^_`| / HTTP/1.1\r\n" HOST "\r\n"),
     "M-Search~!#$%&'*+.^_`| / a keep\nHost=a\n"},
    {BYTES(GET "X: \t two  words \t\r\n\r\n"), "GET / a keep\nHost=a\nX=two  words\n"},
    {BYTES(GET "X:\r\n\r\n"), "GET / a keep\nHost=a\nX=\n"},
    {BYTES(GET "X: \xc3\xa9\r\n\r\n"), "GET / a keep\nHost=a\nX=\xc3\xa9\n"},
    {BYTES(GET "X: a:b\r\n\r\n"), "GET / a keep\nHost=a\nX=a:b\n"},
    {BYTES(GET "Connection: x , Close\r\n\r\n"), "GET / a close\nHost=a\nConnection=x , Close\n"},
    {BYTES(GET "Connection: closed\r\n\r\n"), "GET / a keep\nHost=a\nConnection=closed\n"},
    {BYTES("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
     "GET /  close\nConnection=keep-alive\n"},
    {BYTES(GET "Content-Length: 0\r\n\r\n"), "GET / a keep\nHost=a\nContent-Length=0\n"},
    {BYTES(GET "Content-Length: 5\r\n\r\nhello"), "GET / a keep\nHost=a\nContent-Length=5\nhello"},
    {BYTES(GET "Content-Length: 0000000000000000000005\r\n\r\nhello"),
     "GET / a keep\nHost=a\nContent-Length=0000000000000000000005\nhello"},
    {BYTES(GET "Content-Length: 5\r\n\r\nhelloGET /next"),
     "GET / a keep\nHost=a\nContent-Length=5\nhello"},
    {BYTES(GET "Expect: 100-Continue\r\n\r\n"),
     "GET / a keep continue\nHost=a\nExpect=100-Continue\n"},
    {BYTES("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"),
     "GET /  close\nExpect=100-continue\n"},
    {BYTES(GET "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     "GET / a keep\nHost=a\nTransfer-Encoding=chunked\n"},
    {BYTES(GET "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n00a\r\n0123456789\r\n0\r\n\r\n"),
     "GET / a keep\nHost=a\nTransfer-Encoding=Chunked\nabc0123456789"},
    {BYTES(GET "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nT: x\r\nU: y\r\n\r\n"),
     "GET / a keep\nHost=a\nTransfer-Encoding=chunked\n0123456789"},
    {BYTES(GET "Transfer-Encoding: chunked\r\n\r\n2;a=b;c=\"d\"\r\nab\r\n0 ;x\r\n\r\n"),
     "GET / a keep\nHost=a\nTransfer-Encoding=chunked\nab"},
    {BYTES(GET "TE: trailers\r\n\r\n"), "GET / a keep\nHost=a\nTE=trailers\n"},
};

static void test_good_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(good); i++) {
        struct outcome outcome;
        run_all_ways(good[i].bytes, &outcome);
        if (outcome.last != HTTP1_END)
            fail_msg("request %zu: event %d, status %d", i, outcome.last, outcome.status);
        assert_string_equal(outcome.text, good[i].text);
    }
}

#define CHUNKED GET "Transfer-Encoding: chunked\r\n\r\n"
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

static const struct {
    int status;
    ftr_str bytes;
} bad[] = {
    /* request line */
    {400, BYTES("\r\n\r\nGET / HTTP/1.1\r\n")},
    {400, BYTES("GET /\r\n")},
    {400, BYTES("GET\r\n")},
    {400, BYTES(" GET / HTTP/1.1\r\n")},
    {400, BYTES("GET  / HTTP/1.1\r\n")},
    {400, BYTES("GET /  HTTP/1.1\r\n")},
    {400, BYTES("GET / HTTP/1.1 \r\n")},
    {400, BYTES("GET\t/ HTTP/1.1\r\n")},
    {400, BYTES("GET / x HTTP/1.1\r\n")},
    {400, BYTES("G(T / HTTP/1.1\r\n")},
    {400, BYTES("GET\xff / HTTP/1.1\r\n")},
    {400, BYTES("GET / http/1.1\r\n")},
    {400, BYTES("GET / HTTP/1.10\r\n")},
    {400, BYTES("GET / HTTP/11\r\n")},
    {400, BYTES("GET / HTTPS/1.1\r\n")},
    {505, BYTES("GET / HTTP/2.0\r\n")},
    {505, BYTES("PRI * HTTP/2.0\r\n")},
    {505, BYTES("GET / HTTP/0.9\r\n")},
    {400, BYTES("GET index HTTP/1.1\r\n")},
    {400, BYTES("GET * HTTP/1.1\r\n")},
    {400, BYTES("GET /a#b HTTP/1.1\r\n")},
    {400, BYTES("GET /\xc3\xa9 HTTP/1.1\r\n")},
    {400, BYTES("GET ftp://a/ HTTP/1.1\r\n")},
    {400, BYTES("GET http:///x HTTP/1.1\r\n")},
    {400, BYTES("GET http://user@a/ HTTP/1.1\r\n")},
    {501, BYTES("CONNECT a:443 HTTP/1.1\r\n")},
    {400, BYTES("M" FIFTY " / HTTP/1.1\r\n")},
    {400, BYTES(FIFTY FIFTY FIFTY)},
    {414, BYTES("GET /" FIFTY TEN TEN " HTTP/1.1\r\n")},
    {414, BYTES("GET /" FIFTY FIFTY FIFTY)},
    {400, BYTES("\x16\x03\x01\x02")}, /* TLS */
    /* line ends */
    {400, BYTES("GET / HTTP/1.1\n" HOST "\r\n")},
    {400, BYTES("GET / HTTP/1.1\r" HOST "\r\n")},
    {400, BYTES("GET / HTTP/1.1\r\nHost: a\n\r\n")},
    {400, BYTES("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n")},
    {400, BYTES("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n")},
    {400, BYTES(GET "\n")},
    {400, BYTES(GET "\r\r\n")},
    /* fields */
    {400, BYTES(GET "X : y\r\n\r\n")},
    {400, BYTES(GET "X\t: y\r\n\r\n")},
    {400, BYTES(GET " X: y\r\n\r\n")},
    {400, BYTES("GET / HTTP/1.1\r\n X: y\r\n" HOST "\r\n")},
    {400, BYTES(GET "X: y\r\n z\r\n\r\n")},
    {400, BYTES(GET "X: y\r\n\tz\r\n\r\n")},
    {400, BYTES(GET "X\r\n\r\n")},
    {400, BYTES(GET ": y\r\n\r\n")},
    {400, BYTES(GET "X(: y\r\n\r\n")},
    {400, BYTES(GET "X: a\0b\r\n\r\n")},
    {400, BYTES(GET "X: a\x01\r\n\r\n")},
    {400, BYTES(GET "X: a\x7f\r\n\r\n")},
    {431, BYTES(GET "A:1\r\nB:1\r\nC:1\r\nD:1\r\nE:1\r\nF:1\r\nG:1\r\nH:1\r\n\r\n")},
    {431, BYTES(GET "X: " FIFTY FIFTY FIFTY FIFTY FIFTY "\r\n\r\n")},
    {431, BYTES(GET "X: " FIFTY FIFTY FIFTY "\r\nY: " FIFTY FIFTY "\r\n\r\n")},
    /* Host */
    {400, BYTES("GET / HTTP/1.1\r\n\r\n")},
    {400, BYTES("GET http://a/ HTTP/1.1\r\n\r\n")},
    {400, BYTES(GET HOST "\r\n")},
    {400, BYTES("GET / HTTP/1.0\r\n" HOST HOST "\r\n")},
    {400, BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")},
    {400, BYTES("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n")},
    {400, BYTES("GET / HTTP/1.1\r\nHost: u@b\r\n\r\n")},
    /* framing */
    {400, BYTES(GET "Content-Length: 5\r\nContent-Length: 5\r\n\r\n")},
    {400, BYTES(GET "Content-Length: 5\r\ncontent-length: 6\r\n\r\n")},
    {400, BYTES(GET "Content-Length: 5, 5\r\n\r\n")},
    {400, BYTES(GET "Content-Length: +5\r\n\r\n")},
    {400, BYTES(GET "Content-Length: -1\r\n\r\n")},
    {400, BYTES(GET "Content-Length: 0x5\r\n\r\n")},
    {400, BYTES(GET "Content-Length: 5 5\r\n\r\n")},
    {400, BYTES(GET "Content-Length: \r\n\r\n")},
    {400, BYTES(GET "Content-Length: 18446744073709551616\r\n\r\n")},
    {400, BYTES(GET "Content-Length: 99999999999999999999\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding: xchunked\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding: chunked, identity\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding: identity\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding: gzip, chunked\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding: \"chunked\"\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding: \x0b"
                    "chunked\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding:\r\n\r\n")},
    {400, BYTES(GET "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n")},
    {400, BYTES(GET "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {400, BYTES("GET / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n")},
    {417, BYTES(GET "Expect: 200-ok\r\n\r\n")},
    {417, BYTES(GET "Expect: 100-continue, x\r\n\r\n")},
    /* chunks */
    {400, BYTES(CHUNKED "\r\n")},
    {400, BYTES(CHUNKED "g\r\n")},
    {400, BYTES(CHUNKED "0x3\r\nabc\r\n")},
    {400, BYTES(CHUNKED "-1\r\n")},
    {400, BYTES(CHUNKED " 3\r\nabc\r\n")},
    {400, BYTES(CHUNKED "3 \r\nabc\r\n")},
    {400, BYTES(CHUNKED "3 x\r\nabc\r\n")},
    {400, BYTES(CHUNKED "3\nabc\r\n")},
    {400, BYTES(CHUNKED "3;a\nb\r\nabc\r\n")},
    {400, BYTES(CHUNKED "3\r\nabcd\r\n")},
    {400, BYTES(CHUNKED "3\r\nabc\n")},
    {400, BYTES(CHUNKED "3\r\nabc0\r\n")},
    {400, BYTES(CHUNKED "ffffffffffffffff\r\n")},
    {400, BYTES(CHUNKED "10000000000000000\r\n")},
    {400, BYTES(CHUNKED "1;" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "\r\n")},
    {400, BYTES(CHUNKED "0\r\nX : y\r\n\r\n")},
    {400, BYTES(CHUNKED "0\r\n X: y\r\n\r\n")},
    {400, BYTES(CHUNKED "0\r\nX: y\n\r\n")},
    {431, BYTES(CHUNKED "0\r\nX: " FIFTY FIFTY FIFTY FIFTY FIFTY "\r\n\r\n")},
    {431, BYTES(CHUNKED "0\r\nA:1\r\nB:1\r\nC:1\r\nD:1\r\nE:1\r\nF:1\r\nG:1\r\n\r\n")},
};

static void test_bad_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < FTRI_COUNT(bad); i++) {
        struct outcome outcome;
        run_all_ways(bad[i].bytes, &outcome);
        if (outcome.last != HTTP1_REFUSED || outcome.status != bad[i].status)
            fail_msg("request %zu (%.*s): event %d, status %d, expected %d", i,
                     (int)bad[i].bytes.len, bad[i].bytes.data, outcome.last, outcome.status,
                     bad[i].status);
    }
}

/* Every proper prefix of a good request is unfinished, neither refused nor complete. */
static void test_prefixes_wait_for_more(void **state)
{
    (void)state;
    const ftr_str bytes = FTR_STR(CHUNKED "3;x\r\nabc\r\n0\r\nT: y\r\n\r\n");
    for (size_t len = 1; len < bytes.len; len++) {
        struct outcome outcome;
        run((ftr_str){bytes.data, len}, len, len, &outcome);
        assert_int_equal(outcome.last, HTTP1_MORE);
    }
}

/* 16 KiB of extensions over many chunks end the message, as CVE-2023-39326 taught. */
static void test_extensions_of_many_chunks_are_limited_together(void **state)
{
    (void)state;
    char room[TARGET_BYTES + HTTP1_LINE_OVERHEAD + FIELD_BYTES + HTTP1_CHUNK_LINE_BYTES];
    struct http1_field fields[N_FIELDS];
    struct http1_parser parser;
    http1_init(&parser, &limits, room, fields);
    struct outcome outcome = {0};
    assert_true(feed(&parser, ftri_view_of(CHUNKED, sizeof CHUNKED - 1), &outcome));
    /* ";" and 100 characters: 163 * 101 > 16384 >= 162 * 101 */
    const char chunk[] = "1;" FIFTY FIFTY "\r\na\r\n";
    size_t n_accepted = 0;
    while (feed(&parser, ftri_view_of(chunk, sizeof chunk - 1), &outcome))
        n_accepted++;
    assert_int_equal(n_accepted, 162);
    assert_int_equal(outcome.status, 400);
}

static void test_reset_starts_the_next_request(void **state)
{
    (void)state;
    char room[TARGET_BYTES + HTTP1_LINE_OVERHEAD + FIELD_BYTES + HTTP1_CHUNK_LINE_BYTES];
    struct http1_field fields[N_FIELDS];
    struct http1_parser parser;
    http1_init(&parser, &limits, room, fields);
    const char bytes[] = "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi"
                         "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
    struct ftri_view rest = ftri_view_of(bytes, sizeof bytes - 1);
    struct ftri_view piece;
    size_t used = 0;
    const enum http1_event expected[] = {HTTP1_HEAD, HTTP1_BODY, HTTP1_END};
    for (size_t i = 0; i < FTRI_COUNT(expected); i++) {
        assert_int_equal(http1_next(&parser, rest, &used, &piece), expected[i]);
        rest = ftri_view_of(rest.data + used, rest.len - used);
    }
    http1_reset(&parser);
    assert_int_equal(http1_next(&parser, rest, &used, &piece), HTTP1_HEAD);
    assert_int_equal(used, rest.len);
    assert_memory_equal(parser.head.target.data, "/2", 2);
    assert_false(http1_has_body(&parser));
    assert_int_equal(http1_next(&parser, ftri_view_of("", 0), &used, &piece), HTTP1_END);
}

static void assert_str(ftr_str text, const char *expected)
{
    assert_int_equal(text.len, strlen(expected));
    if (text.len)
        assert_memory_equal(text.data, expected, text.len);
}

static void test_targets_are_cut(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } rows[] = {
        {"/", "/", NULL},
        {"/a/b?c=d?e", "/a/b", "c=d?e"},
        {"/?", "/", ""},
        {"http://h", "/", NULL},
        {"http://h?q", "/", "q"},
        {"http://h:1/x?q", "/x", "q"},
        {"https://h/x", "/x", NULL},
        {"*", "*", NULL},
        {"//x", "//x", NULL},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        const struct http_target cut =
            http_target_cut((ftr_str){rows[i].target, strlen(rows[i].target)});
        assert_str(cut.path, rows[i].path);
        assert_int_equal(cut.query.data != NULL, rows[i].query != NULL);
        assert_str(cut.query, rows[i].query ? rows[i].query : "");
    }
}

static void test_escapes_are_decoded_strictly(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 64);
    assert_int_equal(http_target_decode(FTR_STR("/a%20b%2F%c3%A9+c"), &out), 0);
    assert_str(ftri_view_str(ftri_bytes_view(&out)), "/a b/\xc3\xa9+c");
    static const char *const refused[] = {"%", "%2", "/%g0", "/%0g", "%00", "a%2"};
    for (size_t i = 0; i < FTRI_COUNT(refused); i++)
        assert_true(http_target_decode((ftr_str){refused[i], strlen(refused[i])}, &out) < 0);
    ftri_bytes_deinit(&out);
}

static void test_parameters_are_found(void **state)
{
    (void)state;
    struct ftri_bytes out;
    ftri_bytes_init(&out, 64);
    const ftr_str query = FTR_STR("a=1&&b&c+d=x+y%26z&a=2&e=%zz");
    assert_true(http_target_parameter(query, "a", &out));
    assert_str(ftri_view_str(ftri_bytes_view(&out)), "1");
    assert_true(http_target_parameter(query, "b", &out));
    assert_int_equal(out.len, 0);
    assert_true(http_target_parameter(query, "c d", &out));
    assert_str(ftri_view_str(ftri_bytes_view(&out)), "x y&z");
    assert_false(http_target_parameter(query, "e", &out));
    assert_false(http_target_parameter(query, "f", &out));
    assert_false(http_target_parameter((ftr_str){0}, "a", &out));
    ftri_bytes_deinit(&out);
}

static void test_a_parameter_repeats(void **state)
{
    (void)state;
    static const struct {
        const char *value; /* NULL: the outcome alone */
        int r;
    } rows[] = {{"1", HTTP_TARGET_PARAMETER},
                {"", HTTP_TARGET_PARAMETER},
                {"3 4", HTTP_TARGET_PARAMETER},
                {NULL, -EBADMSG},
                {"5", HTTP_TARGET_PARAMETER},
                {NULL, 0},
                {NULL, 0}};
    struct ftri_bytes out;
    ftri_bytes_init(&out, 100);
    size_t next = 0;
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        const ftr_str query = FTR_STR("a=1&b=2&a&%61=3+4&a=%zz&ab=6&a=5");
        assert_int_equal(http_target_parameter_next(query, "a", &next, &out), rows[i].r);
        if (!rows[i].value)
            continue;
        assert_int_equal(out.len, strlen(rows[i].value));
        assert_memory_equal(out.data ? (const char *)out.data : "", rows[i].value, out.len);
    }
    ftri_bytes_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_requests),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_prefixes_wait_for_more),
        cmocka_unit_test(test_extensions_of_many_chunks_are_limited_together),
        cmocka_unit_test(test_reset_starts_the_next_request),
        cmocka_unit_test(test_targets_are_cut),
        cmocka_unit_test(test_escapes_are_decoded_strictly),
        cmocka_unit_test(test_parameters_are_found),
        cmocka_unit_test(test_a_parameter_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
