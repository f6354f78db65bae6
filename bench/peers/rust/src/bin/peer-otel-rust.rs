// SPDX-License-Identifier: Apache-2.0
//! OpenTelemetry's API and SDK for Rust, without a layer above. "off": the API's no-op provider.

use opentelemetry::trace::noop::NoopTracerProvider;
use opentelemetry::trace::{
    Span, SpanKind, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use peers::{barrier, otel, text, value, Case, Peer, KEYS};

fn children(tracer: &impl Tracer, n: usize) {
    for _ in 0..n {
        tracer.start("child span").end();
        barrier();
    }
}

fn children_with(tracer: &SdkTracer, n: usize, n_attributes: usize) {
    for i in 0..n {
        let mut span = tracer.start("child span");
        let bytes = value(i);
        for key in &KEYS[..n_attributes] {
            span.set_attribute(KeyValue::new(*key, text(&bytes).to_owned()));
        }
        span.end();
    }
}

fn children_with_event(tracer: &SdkTracer, n: usize) {
    for _ in 0..n {
        let mut span = tracer.start("child span");
        span.add_event("event", Vec::new());
        span.end();
    }
}

fn record_traces(tracer: &SdkTracer, case: Case, n: usize) {
    for _ in 0..n / case.trace_len() {
        let root = tracer.span_builder("request").with_kind(SpanKind::Server).start(tracer);
        let context = Context::current_with_span(root);
        let _guard = context.clone().attach();
        let n_children = case.trace_len() - 1;
        match case {
            Case::Attributes4 => children_with(tracer, n_children, 4),
            Case::Attributes10 => children_with(tracer, n_children, 10),
            Case::Event => children_with_event(tracer, n_children),
            _ => children(tracer, n_children),
        }
        context.span().end();
    }
}

struct Sdk {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    is_counting: bool,
}

impl Peer for Sdk {
    fn record(&mut self, case: Case, n: usize) {
        match case {
            Case::Root => {
                for _ in 0..n {
                    let builder = self.tracer.span_builder("root span").with_kind(SpanKind::Server);
                    builder.start(&self.tracer).end();
                }
            }
            Case::Unsampled => {
                let parent = Context::current().with_remote_span_context(otel::unsampled());
                let _guard = parent.attach();
                children(&self.tracer, n);
            }
            Case::Off => children(&NoopTracerProvider::new().tracer("bench"), n),
            _ => record_traces(&self.tracer, case, n),
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.provider.force_flush() {
            eprintln!("peer-otel-rust: flush: {error}");
        }
    }

    fn counts(&self) -> bool {
        self.is_counting
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = otel::url();
    let provider = otel::provider(&url)?;
    let tracer = provider.tracer("bench");
    Ok(peers::serve(Sdk { provider, tracer, is_counting: url.is_none() })?)
}
