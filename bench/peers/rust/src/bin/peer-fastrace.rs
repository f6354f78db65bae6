// SPDX-License-Identifier: Apache-2.0
//! fastrace, with a reporter that counts.
//!
//! Keys and names are static, as its API wants them; values are copied into Strings.
//! "off": no local parent, which is how a process without tracing looks.

use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::local::LocalSpan;
use fastrace::{Event, Span};
use peers::{barrier, text, value, Case, Peer, ARRIVED, KEYS};
use std::sync::atomic::Ordering;

struct Counter;

impl Reporter for Counter {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        ARRIVED.fetch_add(spans.len() as u64, Ordering::SeqCst);
    }
}

fn children(n: usize) {
    for _ in 0..n {
        let _span = LocalSpan::enter_with_local_parent("child span");
        barrier();
    }
}

fn children_with(n: usize, n_attributes: usize) {
    for i in 0..n {
        let bytes = value(i);
        let _span = LocalSpan::enter_with_local_parent("child span").with_properties(|| {
            KEYS[..n_attributes].iter().map(|key| (*key, text(&bytes).to_owned()))
        });
    }
}

fn children_with_event(n: usize) {
    for _ in 0..n {
        let _span = LocalSpan::enter_with_local_parent("child span");
        LocalSpan::add_event(Event::new("event"));
    }
}

fn record_traces(case: Case, n: usize) {
    for _ in 0..n / case.trace_len() {
        let root = Span::root("request", SpanContext::random());
        let _guard = root.set_local_parent();
        let n_children = case.trace_len() - 1;
        match case {
            Case::Attributes4 => children_with(n_children, 4),
            Case::Attributes10 => children_with(n_children, 10),
            Case::Event => children_with_event(n_children),
            _ => children(n_children),
        }
    }
}

struct Fastrace;

impl Peer for Fastrace {
    fn record(&mut self, case: Case, n: usize) {
        match case {
            Case::Root => {
                for _ in 0..n {
                    let _span = Span::root("root span", SpanContext::random());
                }
            }
            Case::Unsampled => {
                let root = Span::root("request", SpanContext::random().sampled(false));
                let _guard = root.set_local_parent();
                children(n);
            }
            Case::Off => children(n),
            _ => record_traces(case, n),
        }
    }

    fn flush(&mut self) {
        fastrace::flush();
    }
}

fn main() -> std::io::Result<()> {
    fastrace::set_reporter(Counter, Config::default());
    peers::serve(Fastrace)
}
