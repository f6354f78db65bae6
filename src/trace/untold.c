/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/untold.h"

#include "base/time.h"
#include "trace/diagnostics.h"

#include <inttypes.h>
#include <string.h>

void ftri_untold_note(struct ftri_untold *self, const ftr_export_result *result)
{
    self->n_delivered += result->n_delivered;
    self->n_rejected += result->n_rejected;
    self->n_lost += result->n_lost;
    if (result->text[0])
        memcpy(self->text, result->text, sizeof self->text);
}

bool ftri_untold_has_any(const struct ftri_untold *self, uint64_t n_queue_full)
{
    return self->n_rejected > 0 || self->n_lost > 0 || self->text[0] ||
           n_queue_full > self->n_queue_full_told;
}

/* "exporter otlp/http: 4 spans delivered, 3 rejected, ...: HTTP 400: bad id", summed up over what
 * came in the second after the last one. */
void ftri_untold_say(struct ftri_untold *self, const struct ftri_teller *teller, const char *name,
                     uint64_t n_queue_full, uint64_t now_ns)
{
    if (!ftri_untold_has_any(self, n_queue_full)) {
        self->n_delivered = 0;
        return;
    }
    ftri_tell(teller,
              "exporter %.64s: %" PRIu64 " spans delivered, %" PRIu64 " rejected, %" PRIu64
              " lost, %" PRIu64 " more lost to a full queue%s%.*s",
              name, self->n_delivered, self->n_rejected, self->n_lost,
              n_queue_full - self->n_queue_full_told, self->text[0] ? ": " : "",
              FTR_EXPORT_TEXT_BYTES - 1, self->text);
    *self = (struct ftri_untold){
        .next_ns = now_ns + FTRI_NS_PER_S,
        .n_queue_full_told = n_queue_full,
    };
}
