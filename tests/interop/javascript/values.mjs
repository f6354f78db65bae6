// SPDX-License-Identifier: Apache-2.0
//
// Values as compare.py wants them, from those of JavaScript.

/* What the SDK puts on the wire for a value of an attribute. Its types are JavaScript's: every
 * integral number is sent as an integer, -0 among them (as 0). In protobuf a number beyond int64 is a
 * double. In JSON an integer has the digits that JavaScript prints, which differ from its value from
 * 2^53 on, and NaN and the infinities become null, which is an empty value. */
export function sentValue(value, encoding) {
    if (value === null || value === undefined)
        return ['empty'];
    if (typeof value === 'string')
        return ['string', value];
    if (typeof value === 'boolean')
        return ['bool', value];
    if (Array.isArray(value))
        return ['array', value.map((item) => sentValue(item, encoding))];
    if (typeof value !== 'number')
        throw new Error(`the SDK carries no ${typeof value}`);
    const isInt = Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63;
    if (encoding === 'json')
        return isInt ? ['int', BigInt(JSON.stringify(value)).toString()] : Number.isFinite(value) ? ['double', double(value)] : ['empty'];
    return isInt ? ['int', BigInt(value).toString()] : ['double', double(value)];
}

/* The bits of a double: unlike its text, they tell -0 from 0. */
function double(value) {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    return Number.isNaN(value) ? 'NaN' : view.getBigUint64(0).toString(16).padStart(16, '0');
}

export function sentAttributes(attributes, encoding) {
    return Object.entries(attributes ?? {}).map(([key, value]) => [key, sentValue(value, encoding)]);
}
