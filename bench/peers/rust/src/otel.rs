// SPDX-License-Identifier: Apache-2.0
//! OpenTelemetry's SDK for Rust: its batch processor before a sink that counts or, with a URL as
//! first argument, before its OTLP exporter (HTTP, protobuf). The queue holds a burst, so that
//! nothing is dropped; everything else is the default.

use crate::ARRIVED;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter,
};
use std::error::Error;
use std::sync::atomic::Ordering;

const QUEUE: usize = 32768;

#[derive(Debug)]
struct Counter;

impl SpanExporter for Counter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        ARRIVED.fetch_add(batch.len() as u64, Ordering::SeqCst);
        Ok(())
    }
}

fn batched(exporter: impl SpanExporter + 'static) -> SdkTracerProvider {
    let config = BatchConfigBuilder::default().with_max_queue_size(QUEUE).build();
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
    SdkTracerProvider::builder().with_span_processor(processor).build()
}

/// The URL, or none: this process counts.
pub fn url() -> Option<String> {
    std::env::args().nth(1)
}

pub fn provider(url: &Option<String>) -> Result<SdkTracerProvider, Box<dyn Error>> {
    let Some(url) = url else {
        return Ok(batched(Counter));
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(url)
        .build()?;
    Ok(batched(exporter))
}

/// A remote parent that was not sampled.
pub fn unsampled() -> SpanContext {
    SpanContext::new(
        TraceId::from_bytes([1; 16]),
        SpanId::from_bytes([2; 8]),
        TraceFlags::default(),
        true,
        TraceState::default(),
    )
}
