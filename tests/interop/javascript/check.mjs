// SPDX-License-Identifier: Apache-2.0
//
// Fetches every trace that send.mjs sent and compares each field of each span:
//
//     node check.mjs UI_URL EXPECTED...
//
// A trace may need a moment until all of it can be read; after DEADLINE_MS it is wrong.

import {readFileSync} from 'node:fs';
import {isDeepStrictEqual} from 'node:util';
import {receivedAttributes} from './values.mjs';

const DEADLINE_MS = 30000;
const POLL_MS = 50;
const MOST_PRINTED = 20;
const IN_FLIGHT = 8;

function event(found) {
    return {
        name: found.name ?? '', time: String(found.timeUnixNano), attributes: receivedAttributes(found.attributes),
        dropped: found.droppedAttributesCount ?? 0,
    };
}

function link(found) {
    return {
        traceId: found.traceId, spanId: found.spanId, traceState: found.traceState ?? '', flags: found.flags ?? 0,
        attributes: receivedAttributes(found.attributes), dropped: found.droppedAttributesCount ?? 0,
    };
}

/* A span of OTLP JSON in the form that send.mjs writes. */
function received(span, resource, scope) {
    return {
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        traceState: span.traceState ?? '',
        flags: span.flags ?? 0,
        name: span.name ?? '',
        kind: span.kind ?? 0,
        start: String(span.startTimeUnixNano),
        end: String(span.endTimeUnixNano),
        attributes: receivedAttributes(span.attributes),
        dropped: [span.droppedAttributesCount ?? 0, span.droppedEventsCount ?? 0, span.droppedLinksCount ?? 0],
        events: (span.events ?? []).map(event),
        links: (span.links ?? []).map(link),
        status: [span.status?.code ?? 0, span.status?.message ?? ''],
        resource,
        scope,
    };
}

function spansOf(body) {
    const spans = [];
    for (const group of (body.result ?? body).resourceSpans ?? []) {
        const resource = {attributes: receivedAttributes(group.resource?.attributes), schemaUrl: group.schemaUrl ?? ''};
        for (const part of group.scopeSpans ?? []) {
            const scope = {name: part.scope?.name ?? '', version: part.scope?.version ?? '', schemaUrl: part.schemaUrl ?? ''};
            spans.push(...(part.spans ?? []).map((span) => received(span, resource, scope)));
        }
    }
    return spans;
}

async function fetchTrace(ui, traceId, n) {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
        const response = await fetch(`${ui}/api/v3/traces/${traceId}`);
        const text = await response.text();
        const spans = response.ok ? spansOf(JSON.parse(text)) : [];
        if (spans.length >= n || Date.now() > deadline) {
            if (!response.ok)
                throw new Error(`trace ${traceId}: HTTP ${response.status}: ${text.slice(0, 200)}`);
            return spans;
        }
        await new Promise((done) => setTimeout(done, POLL_MS));
    }
}

/* Attributes are a set: order does not count, keys that come twice do. */
function sorted(value) {
    if (Array.isArray(value))
        return value;
    const copy = {...value};
    for (const [key, item] of Object.entries(copy)) {
        if (key === 'attributes')
            copy[key] = [...item].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
        else if (Array.isArray(item))
            copy[key] = item.map((part) => (typeof part === 'object' ? sorted(part) : part));
        else if (item !== null && typeof item === 'object')
            copy[key] = sorted(item);
    }
    return copy;
}

/* One line per field that differs. */
function differences(want, got) {
    const [left, right] = [sorted(want), sorted(got)];
    return Object.keys(left).filter((key) => !isDeepStrictEqual(left[key], right[key])).map((key) => {
        const [a, b] = narrowed(left[key], right[key]);
        return `span ${want.spanId} of trace ${want.traceId}: ${key}: sent ${a}, came back ${b}`;
    });
}

/* Of two lists, only the items that differ. */
function narrowed(a, b) {
    const text = (value) => JSON.stringify(value).slice(0, 300);
    if (!Array.isArray(a) || !Array.isArray(b))
        return [text(a), text(b)];
    const without = (list, other) => list.filter((item) => !other.some((one) => isDeepStrictEqual(one, item)));
    return [text(without(a, b)), text(without(b, a))];
}

async function checkTrace(ui, traceId, spans, problems) {
    const found = await fetchTrace(ui, traceId, spans.length);
    if (found.length !== spans.length)
        problems.push(`trace ${traceId}: ${spans.length} spans sent, ${found.length} came back`);
    const byId = new Map(found.map((span) => [span.spanId, span]));
    for (const span of spans) {
        const same = byId.get(span.spanId);
        problems.push(...(same ? differences(span, same) : [`span ${span.spanId} of trace ${traceId} is missing`]));
    }
}

async function main([ui, ...files]) {
    const traces = new Map();
    for (const line of files.flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'))) {
        const span = JSON.parse(line);
        traces.set(span.traceId, [...(traces.get(span.traceId) ?? []), span]);
    }
    const problems = [];
    const waiting = [...traces];
    await Promise.all(Array.from({length: IN_FLIGHT}, async () => {
        for (let next = waiting.pop(); next; next = waiting.pop())
            await checkTrace(ui, ...next, problems).catch((error) => problems.push(error.message));
    }));
    problems.slice(0, MOST_PRINTED).forEach((problem) => console.error(problem));
    const n = [...traces.values()].reduce((sum, spans) => sum + spans.length, 0);
    console.log(`check: ${n} spans of ${traces.size} traces, ${problems.length} differences`);
    process.exit(problems.length === 0 && n > 0 ? 0 : 1);
}

if (process.argv.length < 4) {
    console.error('usage: node check.mjs UI_URL EXPECTED...');
    process.exit(2);
}
await main(process.argv.slice(2));
