/* SPDX-License-Identifier: Apache-2.0 */
#include "api/metrics_page.h"

#include "api/reply.h"
#include "base/bytes.h"

#include <flowtrace/metrics.h>
#include <string.h>

enum { PAGE_BYTES = 256 << 20 };

static bool append(void *argument, const char *text, size_t len)
{
    return ftri_bytes_append(argument, text, len) == 0;
}

static bool accepts_openmetrics(const struct http_exchange *exchange)
{
    static const char type[] = "application/openmetrics-text";
    const ftr_str accept = http_exchange_header(exchange, "Accept");
    return accept.len && memmem(accept.data, accept.len, type, sizeof type - 1);
}

void metrics_page(struct store *unused, struct http_exchange *exchange, ftr_str argument)
{
    (void)unused;
    (void)argument;
    const bool is_open = accepts_openmetrics(exchange);
    struct ftri_bytes page;
    ftri_bytes_init(&page, PAGE_BYTES);
    const ftr_status status =
        ftr_metrics_text(is_open ? FTR_METRICS_OPENMETRICS : FTR_METRICS_PROMETHEUS, append, &page);
    if (status != FTR_OK)
        reply_error(exchange, 500, "memory is short, or there are too many metrics");
    else
        reply_typed(exchange, 200,
                    is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                            : "text/plain; version=0.0.4; charset=utf-8",
                    ftri_bytes_view(&page));
    ftri_bytes_deinit(&page);
}
