/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP's JSON on standard output, one TracesData a line (OpenTelemetry specification, "File
 * Exporter"). Called by its sender's thread alone. */
#pragma once

struct ftr_exporter_class;

/* Its instance is NULL. */
const struct ftr_exporter_class *ftri_otlp_stdout_class(void);
