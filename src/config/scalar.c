/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scalar.h"

#include "base/text.h"
#include "codec/json_number.h"
#include "config/document.h"

#include <string.h>

ftr_value config_scalar_value(const struct config_value *scalar)
{
    const ftr_str text = ftr_str_from(config_text(scalar));
    int64_t integer;
    double number;
    if (config_is_quoted(scalar))
        return ftr_value_str(text);
    if (ftri_text_is(text, "true") || ftri_text_is(text, "false"))
        return ftr_value_bool(text.data[0] == 't');
    if (!memchr(text.data, '.', text.len) && ftri_json_to_i64(text, &integer) == 0)
        return ftr_value_i64(integer);
    if (ftri_json_to_f64(text, &number) == 0)
        return ftr_value_f64(number);
    return ftr_value_str(text);
}
