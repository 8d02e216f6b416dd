//! The little Avro that is written here: numbers, texts, and records whose fields may all be absent.

/// The branch of an optional field that is null.
pub(super) const ABSENT: u8 = 0;
/// The branch that is not.
pub(super) const PRESENT: u8 = 2;

/// Appends a number that is not negative.
pub(super) fn append_count(out: &mut Vec<u8>, count: u64) {
    // Its sign is the lowest bit. None of ours comes near the highest.
    let mut bits = count << 1;
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// Appends a text.
pub(super) fn append_text(out: &mut Vec<u8>, text: &[u8]) {
    append_count(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Writes the fields of a record, each of which may be absent, in the order of the schema.
pub(super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    /// Those that may be written, the next one in the lowest bit.
    mask: u32,
    /// Whether any was there.
    any: bool,
}

impl Fields<'_> {
    pub(super) fn text(&mut self, value: Option<&String>) {
        if let Some(value) = self.present(value) {
            append_text(self.out, value.as_bytes());
        }
    }

    pub(super) fn whole(&mut self, value: Option<u32>) {
        if let Some(value) = self.present(value) {
            append_count(self.out, u64::from(value));
        }
    }

    pub(super) fn flag(&mut self, value: Option<bool>) {
        if let Some(value) = self.present(value) {
            self.out.push(u8::from(value));
        }
    }

    /// As in JSON, infinity is absent.
    pub(super) fn decimal(&mut self, value: Option<f64>) {
        if let Some(value) = self.present(value.filter(|value| value.is_finite())) {
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// A list; nothing where it is empty.
    pub(super) fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
        if let Some(items) = self.present(Some(items).filter(|items| !items.is_empty())) {
            append_count(self.out, items.len() as u64);
            for item in items {
                write(self.out, item);
            }
            self.out.push(0);
        }
    }

    /// Latitude and longitude, both or neither.
    pub(super) fn location(&mut self, location: Option<(f64, f64)>) {
        let finite = location.filter(|(lat, lon)| lat.is_finite() && lon.is_finite());
        if let Some((lat, lon)) = self.present(finite) {
            self.out.extend_from_slice(&lat.to_le_bytes());
            self.out.extend_from_slice(&lon.to_le_bytes());
        }
    }

    fn present<T>(&mut self, value: Option<T>) -> Option<T> {
        let value = value.filter(|_| self.mask & 1 == 1);
        self.mask >>= 1;
        self.out.push(if value.is_some() { PRESENT } else { ABSENT });
        self.any |= value.is_some();
        value
    }
}

/// Appends a record as the second branch of an optional field; nothing at all when none of its fields
/// is there. `mask`: a bit for each that may be.
pub(super) fn append_optional(out: &mut Vec<u8>, mask: u32, write: impl FnOnce(&mut Fields<'_>)) {
    let before = out.len();
    out.push(PRESENT);
    let mut fields = Fields { out: &mut *out, mask, any: false };
    write(&mut fields);
    if !fields.any {
        out.truncate(before);
    }
}

/// Appends a record of which all fields may be there.
pub(super) fn append_record(out: &mut Vec<u8>, write: impl FnOnce(&mut Fields<'_>)) {
    write(&mut Fields { out, mask: u32::MAX, any: false });
}
