/* SPDX-License-Identifier: Apache-2.0 */
#include "library.h"

static const uint64_t DEADLINE_NS = UINT64_C(60) * 1000 * 1000 * 1000;

static void start(struct library *self, const struct library_use *use)
{
    ftr_exporter *exporters[FTR_EXPORTERS_MAX] = {NULL};
    self->spans = ftr_memory_spans_new();
    exporters[0] = self->spans ? ftr_memory_exporter_new(self->spans) : NULL;
    self->status = FTR_ERR_MEMORY;
    if (!exporters[0])
        return;
    ftr_config config = FTR_CONFIG_INIT;
    config.service_name = FTR_STR("torture");
    config.exporters = exporters;
    config.n_exporters = 1;
    if (use->configure)
        use->configure(&config, exporters);
    self->status = ftr_init(&config, &self->error);
    EXPECT(self->status == FTR_OK || self->error.text[0]);
    EXPECT(self->status == FTR_OK || self->status == FTR_ERR_MEMORY || self->status == FTR_ERR_IO);
    for (size_t i = 0; self->status != FTR_OK && i < config.n_exporters; i++)
        ftr_exporter_free(exporters[i]); /* still ours */
}

static void live(struct library *self, const struct library_use *use)
{
    start(self, use);
    use->act();
    if (self->status == FTR_OK) {
        EXPECT(ftr_flush(DEADLINE_NS) == FTR_OK);
        EXPECT(ftr_shutdown(DEADLINE_NS) == FTR_OK);
    }
    self->statistics.size = sizeof self->statistics;
    ftr_get_statistics(&self->statistics);
    EXPECT(self->status == FTR_OK || self->statistics.n_exporters == 0);
}

static void check_accounts(const struct library *self)
{
    const ftr_statistics *s = &self->statistics;
    EXPECT(s->started == s->ended + s->open);
    EXPECT(s->ended == s->recorded + s->lost_journal_full);
    EXPECT(s->waiting == 0);
    for (size_t i = 0; i < s->n_exporters; i++) {
        const ftr_exporter_statistics *e = &s->exporters[i];
        EXPECT(e->queued == 0);
        EXPECT_THAT(s->recorded + s->pending == e->delivered + e->rejected + e->lost_queue_full +
                                                    e->lost_export + s->sampled_out,
                    "%s: of %llu recorded and %llu pending %llu were delivered, %llu sampled out",
                    e->name, (long long)s->recorded, (long long)s->pending, (long long)e->delivered,
                    (long long)s->sampled_out);
    }
    EXPECT(s->exporters[0].delivered == ftr_memory_spans_count(self->spans));
}

static void check(struct library *self, const struct library_use *use, bool may_have_failed)
{
    const bool is_whole = self->status == FTR_OK && !may_have_failed;
    EXPECT_THAT(self->status == FTR_OK || may_have_failed, "%s", self->error.text);
    if (self->status == FTR_OK)
        check_accounts(self);
    if (is_whole && use->n_delivered != 0)
        EXPECT_THAT(self->statistics.exporters[0].delivered == use->n_delivered,
                    "%llu were delivered", (long long)self->statistics.exporters[0].delivered);
    if (use->check)
        use->check(self, is_whole);
    ftr_memory_spans_unref(self->spans);
}

void library_run(const struct library_use *use)
{
    struct library first = {.error = {FTR_OK, ""}};
    struct library second = first;
    torture_begin();
    live(&first, use);
    torture_end();
    check(&first, use, torture_has_struck());
    live(&second, use);
    check(&second, use, false);
}
