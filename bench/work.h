/* SPDX-License-Identifier: Apache-2.0
 *
 * Row 6: what a span adds to real work, with the exporter alive. */
#pragma once

void work_measure(void);
