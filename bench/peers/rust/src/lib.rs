// SPDX-License-Identifier: Apache-2.0
//! What the peers in Rust share: the cases, and the line protocol of bench/peers.py. The program
//! reads `run CASE N` from standard input: records N spans of that case, flushes, and answers with
//! one JSON line. Time is CPU time: of the recording thread while it recorded; of the whole process
//! including the flush.

pub mod otel;

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};

pub const KEYS: [&str; 10] = [
    "attribute.key.numbr0",
    "attribute.key.numbr1",
    "attribute.key.numbr2",
    "attribute.key.numbr3",
    "attribute.key.numbr4",
    "attribute.key.numbr5",
    "attribute.key.numbr6",
    "attribute.key.numbr7",
    "attribute.key.numbr8",
    "attribute.key.numbr9",
];
/// N is a multiple of it: whole traces.
pub const TRACE: usize = 1000;
const BURST_MAX: usize = 10_000_000;

#[derive(Clone, Copy, PartialEq)]
pub enum Case {
    Trace1000,
    Trace10,
    Attributes4,
    Attributes10,
    Event,
    Root,
    Unsampled,
    Off,
}

impl Case {
    fn parse(name: &str) -> Option<Case> {
        Some(match name {
            "trace-1000" => Case::Trace1000,
            "trace-10" => Case::Trace10,
            "attributes-4" => Case::Attributes4,
            "attributes-10" => Case::Attributes10,
            "event" => Case::Event,
            "root" => Case::Root,
            "unsampled" => Case::Unsampled,
            "off" => Case::Off,
            _ => return None,
        })
    }

    fn is_recorded(self) -> bool {
        self != Case::Unsampled && self != Case::Off
    }

    /// Spans of one trace, with its root.
    pub fn trace_len(self) -> usize {
        if self == Case::Trace10 { 10 } else { TRACE }
    }
}

/// A value of 20 bytes that is not the one before, made as bench/loops.c makes it.
pub fn value(i: usize) -> [u8; 20] {
    let mut bytes = [b'v'; 20];
    let letters = (i as u32 & 0x3f3f3f3f) | 0x40404040;
    bytes[16..].copy_from_slice(&letters.to_ne_bytes());
    bytes
}

pub fn text(bytes: &[u8; 20]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

/// What has arrived at the sink in this process.
pub static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Keeps a loop whose spans record nothing from being optimised away.
pub fn barrier() {
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}

fn clock_ns(clock: libc::clockid_t) -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one of the constants below, and `now` is ours.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// A library, set up.
pub trait Peer {
    fn record(&mut self, case: Case, n: usize);
    fn flush(&mut self);
    /// False: the sink is another process, which counts itself.
    fn counts(&self) -> bool {
        true
    }
}

fn run(peer: &mut impl Peer, name: &str, case: Case, n: usize) -> String {
    let arrived = ARRIVED.load(Ordering::SeqCst);
    let process = clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID);
    let thread = clock_ns(libc::CLOCK_THREAD_CPUTIME_ID);
    peer.record(case, n);
    let thread = clock_ns(libc::CLOCK_THREAD_CPUTIME_ID) - thread;
    peer.flush();
    let process = clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID) - process;
    let delivered = match peer.counts() {
        true => (ARRIVED.load(Ordering::SeqCst) - arrived).to_string(),
        false => "null".to_string(),
    };
    let recorded = if case.is_recorded() { n } else { 0 };
    format!(
        "{{\"case\":\"{name}\",\"spans\":{n},\"recorded\":{recorded},\"delivered\":{delivered},\
         \"ns\":{:.3},\"process_ns\":{:.3}}}",
        thread / n as f64,
        process / n as f64
    )
}

fn answer(peer: &mut impl Peer, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["run", name, n] = words[..] else {
        return "{\"error\":\"a line is: run CASE N\"}".to_string();
    };
    let Some(case) = Case::parse(name) else {
        return "{\"error\":\"there is no such case\"}".to_string();
    };
    match n.parse::<usize>() {
        Ok(n) if n > 0 && n <= BURST_MAX && n % TRACE == 0 => run(peer, name, case, n),
        _ => "{\"error\":\"N is a multiple of 1000, at most 10000000\"}".to_string(),
    }
}

/// Answers every line of standard input.
pub fn serve(mut peer: impl Peer) -> std::io::Result<()> {
    for line in std::io::stdin().lock().lines() {
        let text = answer(&mut peer, &line?);
        let mut output = std::io::stdout().lock();
        output.write_all((text + "\n").as_bytes())?;
        output.flush()?;
    }
    Ok(())
}
