/* SPDX-License-Identifier: Apache-2.0
 *
 * An exporter as the library holds it: a class and an instance. */
#pragma once

#include <flowtrace/exporter.h>

struct ftr_exporter {
    const ftr_exporter_class *exporter_class;
    void *instance;
};
