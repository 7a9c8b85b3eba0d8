//! Families that are written whole, in any format: those of groups and of the exporter itself.

use super::Format;
use super::catalogue::Family;
use super::protobuf::{self, Metrics};
use super::sample::Samples;
use super::write::{self, Lines};

/// Families being written.
#[derive(Debug)]
pub(super) struct Families {
    format: Format,
    bytes: Vec<u8>,
}

impl Families {
    /// None yet.
    pub(super) const fn new(format: Format) -> Self {
        Self { format, bytes: Vec::new() }
    }

    /// Appends a family with what is told of it.
    pub(super) fn push(&mut self, family: &Family, tell: impl FnOnce(&mut dyn Samples)) {
        if self.format == Format::Protobuf {
            let mut metrics = Vec::new();
            tell(&mut Metrics { kind: family.kind, pairs: &[], out: &mut metrics });
            protobuf::push_family(&mut self.bytes, family, &metrics);
        } else {
            let mut text = String::new();
            write::push_header(&mut text, self.format, family);
            tell(&mut Lines { name: family.name, text: &mut text });
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
