// SPDX-License-Identifier: Apache-2.0
//
// Sends spans with the OpenTelemetry SDK for JavaScript and writes what it sent, one span a line:
//
//     node send.mjs grpc|http/protobuf|http/json URL none|gzip SEED OUTPUT
//
// The lines come from the SDK's own span objects, in the form of compare.py. The same seed gives the
// same ids and values.

import {createWriteStream} from 'node:fs';
import {ROOT_CONTEXT, SpanKind, SpanStatusCode, createTraceState, diag, trace} from '@opentelemetry/api';
import {OTLPTraceExporter as GrpcExporter} from '@opentelemetry/exporter-trace-otlp-grpc';
import {OTLPTraceExporter as JsonExporter} from '@opentelemetry/exporter-trace-otlp-http';
import {OTLPTraceExporter as ProtoExporter} from '@opentelemetry/exporter-trace-otlp-proto';
import {resourceFromAttributes} from '@opentelemetry/resources';
import {BasicTracerProvider, BatchSpanProcessor} from '@opentelemetry/sdk-trace-base';
import {sentAttributes} from './values.mjs';

const N_SPANS = 2000;
const SPANS_OF_A_TRACE = 20;
const BATCH = 150;
const LONG_TEXT = 10 * 1024;
const TIMEOUT_MS = 90000;
const FLAG_HAS_IS_REMOTE = 0x100;
const FLAG_IS_REMOTE = 0x200;

/* xorshift32: enough to vary ids and values. */
class Dice {
    constructor(seed) {
        this.state = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) >>> 0 || 1;
    }
    next() {
        this.state ^= this.state << 13;
        this.state ^= this.state >>> 17;
        this.state ^= this.state << 5;
        this.state >>>= 0;
        return this.state;
    }
    below(n) {
        return this.next() % n;
    }
    hex(digits) {
        let text = '';
        while (text.length < digits)
            text += this.next().toString(16).padStart(8, '0');
        return text.slice(0, digits);
    }
    text(length) {
        const letters = ['a', 'ß', '流', '😀', '"', '\\', '\n', '\u0001', ' ', 'z'];
        let text = '';
        while (text.length < length)
            text += letters[this.below(letters.length)];
        return text;
    }
}

class Ids {
    constructor(dice) {
        this.dice = dice;
    }
    generateTraceId() {
        return this.dice.hex(32);
    }
    generateSpanId() {
        return this.dice.hex(16);
    }
}

/* Hands everything to the real exporter and remembers spans and failures. */
class Watching {
    constructor(exporter) {
        this.exporter = exporter;
        this.spans = [];
        this.failures = [];
    }
    export(spans, done) {
        this.spans.push(...spans);
        this.exporter.export(spans, (result) => {
            if (result.code !== 0)
                this.failures.push(result.error);
            done(result);
        });
    }
    forceFlush() {
        return this.exporter.forceFlush();
    }
    shutdown() {
        return this.exporter.shutdown();
    }
}

/* One of each kind of value. Integers that JSON cannot carry within int64 are sent in protobuf only:
 * JavaScript prints -(2^63) as -9223372036854776000, which is no int64. */
function everyValue(dice, encoding) {
    const values = {
        'text': dice.text(1 + dice.below(40)),
        'text.empty': '',
        'text.emoji': '👩‍👩‍👧‍👦 🏳️‍🌈 𝒻𝓁ℴ𝓌 \u0000 end',
        'ключ 🔑': 'a key beyond ASCII',
        'bool.true': true,
        'bool.false': false,
        'int': dice.next(),
        'int.zero': 0,
        'int.negative': -1 - dice.next(),
        'int.32': 2 ** 32,
        'int.largest.safe': Number.MAX_SAFE_INTEGER,
        'int.smallest.safe': Number.MIN_SAFE_INTEGER,
        'int.above.53': 2 ** 53 + 2,
        'int.below.53': -(2 ** 53) - 4,
        'int.62': 2 ** 62,
        'double': dice.next() / 7 + 0.5 / 7,
        'double.tiny': Number.MIN_VALUE,
        'double.epsilon': 0.1 + 0.2,
        'double.negative': -1.5e-7,
        'zero.negative': -0,
        'nan': NaN,
        'infinity': Infinity,
        'infinity.negative': -Infinity,
        'array.empty': [],
        'array.text': ['a', '', '😀'],
        'array.int': [1, -1, 2 ** 53 + 2],
        'array.double': [0.5, NaN, -Infinity, 3],
        'array.bool': [true, false],
        'array.hole': ['a', null, 'b'],
    };
    if (encoding === 'protobuf')
        Object.assign(values, {'int.smallest': -(2 ** 63), 'double.beyond.int': 2 ** 63, 'double.huge': Number.MAX_VALUE});
    return values;
}

/* A time with nanoseconds, n microseconds after the start. */
function timeAfter(start, microseconds) {
    const nanos = 123 + (microseconds % 1e6) * 1000;
    return [start + Math.floor(microseconds / 1e6), nanos];
}

function fill(span, dice, encoding, n, start) {
    if (n % 4 === 0)
        span.setAttributes(everyValue(dice, encoding));
    if (n % 50 === 1)
        span.setAttribute('text.long', dice.text(LONG_TEXT));
    if (n % 100 === 2)
        for (let i = 0; i < 200; i++)
            span.setAttribute(`many.${i}`, i);
    for (let i = 0; i < n % 4; i++)
        span.addEvent(`event ${i} ⚡`, {i, 'text': dice.text(9), 'none': null, 'array': []}, timeAfter(start, n * 7 + i));
    if (n % 10 === 3)
        span.recordException(new RangeError('out of range: 流'), timeAfter(start, n * 7 + 9));
    const status = n % 3;
    if (status !== 0)
        span.setStatus({code: status === 1 ? SpanStatusCode.OK : SpanStatusCode.ERROR, message: `status ${n} 🚦`});
}

/* A context from elsewhere: remote, with a tracestate. */
function remoteContext(dice) {
    return {
        traceId: dice.hex(32), spanId: dice.hex(16), traceFlags: 1, isRemote: true,
        traceState: createTraceState('vendor=a:b-1,other@sys=2'),
    };
}

function links(dice, n, earlier) {
    const found = [];
    if (n % 5 === 0)
        found.push({context: remoteContext(dice), attributes: {'relation': 'remote 🔗', 'n': n}});
    for (let i = 0; i < n % 3 && earlier.length > 0; i++)
        found.push({context: earlier[dice.below(earlier.length)].spanContext()});
    return found;
}

function makeTrace(tracers, dice, encoding, first, earlier) {
    const start = Math.floor(Date.now() / 1000) - 60;
    const own = [];
    for (let n = first; n < first + SPANS_OF_A_TRACE; n++) {
        let parent = own.length === 0 ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, own[dice.below(own.length)]);
        if (own.length === 0 && n % 40 === 0)
            parent = trace.setSpanContext(ROOT_CONTEXT, remoteContext(dice));
        const tracer = tracers[dice.below(tracers.length)];
        const kind = [SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER][n % 5];
        const span = tracer.startSpan(`step ${n} — ${dice.text(5)}`,
            {kind, startTime: timeAfter(start, n * 7), links: links(dice, n, earlier)}, parent);
        fill(span, dice, encoding, n, start);
        own.push(span);
    }
    own.forEach((span, i) => span.end(timeAfter(start, (first + i) * 7 + 1 + dice.below(5e6))));
    earlier.push(...own.slice(0, 3));
}

function flags(context, isRemote) {
    return (context.traceFlags & 0xff) | FLAG_HAS_IS_REMOTE | (isRemote ? FLAG_IS_REMOTE : 0);
}

function nanos([seconds, nanoseconds]) {
    return (BigInt(seconds) * 1000000000n + BigInt(nanoseconds)).toString();
}

/* What the SDK's span object says, as it must come back. */
function expected(span, encoding) {
    const context = span.spanContext();
    return {
        traceId: context.traceId,
        spanId: context.spanId,
        parentSpanId: span.parentSpanContext?.spanId ?? '',
        traceState: context.traceState?.serialize() ?? '',
        flags: flags(context, span.parentSpanContext?.isRemote),
        name: span.name,
        kind: span.kind + 1,
        start: nanos(span.startTime),
        end: nanos(span.endTime),
        attributes: sentAttributes(span.attributes, encoding),
        dropped: [span.droppedAttributesCount, span.droppedEventsCount, span.droppedLinksCount],
        events: span.events.map((event) => ({
            name: event.name, time: nanos(event.time), attributes: sentAttributes(event.attributes, encoding),
            dropped: event.droppedAttributesCount ?? 0,
        })),
        links: span.links.map((link) => ({
            traceId: link.context.traceId, spanId: link.context.spanId,
            traceState: link.context.traceState?.serialize() ?? '',
            flags: flags(link.context, link.context.isRemote),
            attributes: sentAttributes(link.attributes, encoding), dropped: link.droppedAttributesCount ?? 0,
        })),
        status: [span.status.code, span.status.message ?? ''],
        resource: {attributes: sentAttributes(span.resource.attributes, encoding), schemaUrl: span.resource.schemaUrl ?? ''},
        scope: {
            name: span.instrumentationScope.name, version: span.instrumentationScope.version ?? '',
            attributes: [], schemaUrl: span.instrumentationScope.schemaUrl ?? '',
        },
    };
}

function makeExporter(protocol, url, compression) {
    const Exporter = {'grpc': GrpcExporter, 'http/protobuf': ProtoExporter, 'http/json': JsonExporter}[protocol];
    return new Exporter({
        url: protocol === 'grpc' ? url : `${url}/v1/traces`, timeoutMillis: TIMEOUT_MS, compression,
    });
}

async function main([protocol, url, compression, seed, output]) {
    diag.setLogger({error: console.error, warn: console.error, info() {}, debug() {}, verbose() {}});
    const dice = new Dice(Number(seed));
    const encoding = protocol === 'http/json' ? 'json' : 'protobuf';
    const exporter = new Watching(makeExporter(protocol, url, compression));
    const providers = ['first', 'second'].map((name) => new BasicTracerProvider({
        resource: resourceFromAttributes(
            {'service.name': `interop-js-${name}`, 'seed': Number(seed), 'ratio': 0.25, 'list': ['x', 'y'], 'host.name': '主机'},
            name === 'second' ? {schemaUrl: 'https://opentelemetry.io/schemas/1.30.0'} : undefined),
        idGenerator: new Ids(dice),
        spanProcessors: [new BatchSpanProcessor(exporter, {maxQueueSize: N_SPANS, maxExportBatchSize: BATCH})],
    }));
    const tracers = providers.flatMap((provider) => [
        provider.getTracer('plain'),
        provider.getTracer('versioned 📦', '1.2.3-β', {schemaUrl: 'https://opentelemetry.io/schemas/1.27.0'}),
    ]);
    const earlier = [];
    for (let first = 0; first < N_SPANS; first += SPANS_OF_A_TRACE)
        makeTrace(tracers, dice, encoding, first, earlier);
    await Promise.all(providers.map((provider) => provider.forceFlush()));
    await Promise.all(providers.map((provider) => provider.shutdown()));

    const lines = createWriteStream(output);
    for (const span of exporter.spans)
        lines.write(JSON.stringify(expected(span, encoding)) + '\n');
    await new Promise((done) => lines.end(done));
    if (exporter.failures.length > 0 || exporter.spans.length !== N_SPANS) {
        console.error(`send: ${exporter.failures.length} exports failed, ${exporter.spans.length} spans exported`);
        console.error(exporter.failures[0]);
        process.exit(1);
    }
}

if (process.argv.length !== 7) {
    console.error('usage: node send.mjs grpc|http/protobuf|http/json URL none|gzip SEED OUTPUT');
    process.exit(2);
}
await main(process.argv.slice(2));
