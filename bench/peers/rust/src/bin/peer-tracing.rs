// SPDX-License-Identifier: Apache-2.0
//! tokio's tracing, with tracing-opentelemetry and OpenTelemetry's SDK for Rust behind it.
//!
//! Its layer adds nothing of its own to a span (source location, thread, busy time), so that the
//! spans are those of the other peers. "off": a span below the level that is wanted.

use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry::Context;
use opentelemetry_sdk::trace::SdkTracerProvider;
use peers::{barrier, otel, text, value, Case, Peer};
use tracing::level_filters::LevelFilter;
use tracing::{info_span, trace_span, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

fn children(n: usize) {
    for _ in 0..n {
        let _span = info_span!("child span");
    }
}

fn children_off(n: usize) {
    for _ in 0..n {
        let _span = trace_span!("child span");
        barrier();
    }
}

fn children_with_4(n: usize) {
    for i in 0..n {
        let bytes = value(i);
        let text = text(&bytes);
        let _span = info_span!(
            "child span",
            "attribute.key.numbr0" = text,
            "attribute.key.numbr1" = text,
            "attribute.key.numbr2" = text,
            "attribute.key.numbr3" = text,
        );
    }
}

fn children_with_10(n: usize) {
    for i in 0..n {
        let bytes = value(i);
        let text = text(&bytes);
        let _span = info_span!(
            "child span",
            "attribute.key.numbr0" = text,
            "attribute.key.numbr1" = text,
            "attribute.key.numbr2" = text,
            "attribute.key.numbr3" = text,
            "attribute.key.numbr4" = text,
            "attribute.key.numbr5" = text,
            "attribute.key.numbr6" = text,
            "attribute.key.numbr7" = text,
            "attribute.key.numbr8" = text,
            "attribute.key.numbr9" = text,
        );
    }
}

fn children_with_event(n: usize) {
    for _ in 0..n {
        let span = info_span!("child span");
        span.add_event("event", Vec::new());
    }
}

fn record_traces(case: Case, n: usize) {
    for _ in 0..n / case.trace_len() {
        let _root = info_span!(parent: None, "request", otel.kind = "server").entered();
        let n_children = case.trace_len() - 1;
        match case {
            Case::Attributes4 => children_with_4(n_children),
            Case::Attributes10 => children_with_10(n_children),
            Case::Event => children_with_event(n_children),
            _ => children(n_children),
        }
    }
}

fn record_unsampled(n: usize) {
    let root: Span = info_span!(parent: None, "request");
    let parent = Context::new().with_remote_span_context(otel::unsampled());
    if let Err(error) = root.set_parent(parent) {
        eprintln!("peer-tracing: parent: {error}");
    }
    let _entered = root.entered();
    children(n);
}

struct Layered {
    provider: SdkTracerProvider,
    is_counting: bool,
}

impl Peer for Layered {
    fn record(&mut self, case: Case, n: usize) {
        match case {
            Case::Root => {
                for _ in 0..n {
                    let _span = info_span!(parent: None, "root span", otel.kind = "server");
                }
            }
            Case::Unsampled => record_unsampled(n),
            Case::Off => children_off(n),
            _ => record_traces(case, n),
        }
    }

    fn flush(&mut self) {
        if let Err(error) = self.provider.force_flush() {
            eprintln!("peer-tracing: flush: {error}");
        }
    }

    fn counts(&self) -> bool {
        self.is_counting
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = otel::url();
    let provider = otel::provider(&url)?;
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("bench"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false);
    tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).try_init()?;
    Ok(peers::serve(Layered { provider, is_counting: url.is_none() })?)
}
