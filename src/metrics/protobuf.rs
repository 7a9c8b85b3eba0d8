//! How families are written as protobuf: messages of `io.prometheus.client`, each family after its length.
//!
//! The messages are few and the families' own lengths have to be known before they are streamed, so they are written
//! field by field. Numbers and types of the fields are those of `metrics.proto` in prometheus/client_model 0.6. As in
//! Go's client, a histogram has its classic buckets without the infinite one, and native ones beside them.

use super::catalogue::{Family, Kind};
use super::sample::{Labels, Samples, Value, shown};
use crate::model::{Histogram, Native, SCHEMA, ZERO_THRESHOLD};

/// How a field is written stands beside its number.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;

/// Appends a whole family of these metrics; nothing where there is none, as nobody else shows such a family, either.
pub(super) fn push_family(out: &mut Vec<u8>, family: &Family, metrics: &[u8]) {
    push_head(out, family, metrics.len());
    out.extend_from_slice(metrics);
}

/// Appends what stands before a family's metrics, which are so many bytes; nothing where there is none.
pub(super) fn push_head(out: &mut Vec<u8>, family: &Family, metrics: usize) {
    if metrics == 0 {
        return;
    }
    let mut head = Vec::new();
    text(&mut head, 1, family.name.chars());
    text(&mut head, 2, family.help.chars());
    let kind = match family.kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Histogram => 4,
    };
    varint(&mut head, 3, kind);
    push_varint(out, whole(head.len() + metrics));
    out.append(&mut head);
}

/// Appends label pairs, as a metric holds them.
pub(super) fn push_pairs(out: &mut Vec<u8>, labels: &Labels<'_>) {
    for (name, value) in labels {
        message(out, 1, |pair| {
            text(pair, 1, name.chars());
            text(pair, 2, shown(value));
        });
    }
}

/// Appends metrics of a family of that kind.
pub(super) struct Metrics<'a> {
    pub(super) kind: Kind,
    /// The pairs that every one of them begins with.
    pub(super) pairs: &'a [u8],
    pub(super) out: &'a mut Vec<u8>,
}

impl Metrics<'_> {
    fn metric(&mut self, labels: &Labels<'_>, value: u32, write: impl FnOnce(&mut Vec<u8>)) {
        message(self.out, 4, |metric| {
            metric.extend_from_slice(self.pairs);
            push_pairs(metric, labels);
            message(metric, value, write);
        });
    }
}

impl Samples for Metrics<'_> {
    fn sample(&mut self, labels: &Labels<'_>, value: Value) {
        let field = if self.kind == Kind::Counter { 3 } else { 2 };
        self.metric(labels, field, |out| double(out, 1, value.number()));
    }

    fn histogram(&mut self, labels: &Labels<'_>, histogram: &Histogram) {
        self.metric(labels, 7, |out| {
            varint(out, 1, histogram.count());
            double(out, 2, histogram.sum());
            for (bound, count) in histogram.cumulative().filter(|(bound, _)| bound.is_finite()) {
                message(out, 3, |bucket| {
                    varint(bucket, 1, count);
                    double(bucket, 2, bound);
                });
            }
            push_native(out, histogram.native());
        });
    }
}

fn push_native(out: &mut Vec<u8>, native: &Native) {
    varint(out, 5, zigzag(SCHEMA.into()));
    double(out, 6, ZERO_THRESHOLD);
    varint(out, 7, native.zero().into());
    for (offset, length) in native.spans() {
        message(out, 12, |span| {
            varint(span, 1, zigzag(offset.into()));
            varint(span, 2, whole(length));
        });
    }
    for delta in native.deltas() {
        varint(out, 13, zigzag(delta));
    }
}

/// Appends a message. Its length is known once it is written, and then put in front of it.
fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    push_tag(out, field, LENGTH);
    let start = out.len();
    write(out);
    let end = out.len();
    push_varint(out, whole(end - start));
    let length = out.len() - end;
    if let Some(written) = out.get_mut(start..) {
        written.rotate_right(length);
    }
}

fn text(out: &mut Vec<u8>, field: u32, characters: impl Iterator<Item = char>) {
    message(out, field, |out| {
        for character in characters {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    });
}

fn double(out: &mut Vec<u8>, field: u32, value: f64) {
    push_tag(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

fn varint(out: &mut Vec<u8>, field: u32, value: u64) {
    push_tag(out, field, VARINT);
    push_varint(out, value);
}

fn push_tag(out: &mut Vec<u8>, field: u32, wire: u32) {
    push_varint(out, u64::from(field << 3 | wire));
}

/// Seven bits a byte, the lowest first; the highest bit of a byte says that another follows.
fn push_varint(out: &mut Vec<u8>, value: u64) {
    let mut rest = value;
    while rest >= 0x80 {
        let [low, ..] = rest.to_le_bytes();
        out.push(low | 0x80);
        rest >>= 7;
    }
    let [low, ..] = rest.to_le_bytes();
    out.push(low);
}

/// A number near zero as a small one, whatever its sign.
const fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn whole(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
