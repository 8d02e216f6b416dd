//! A record's headers as librdkafka keeps them: any bytes, in order, doubles and nulls included.

use std::ffi::{CStr, CString};
use std::ptr::NonNull;

use rdkafka::bindings as sys;

/// A list of headers that this side owns. Names may be any bytes: nothing here assumes UTF-8.
pub struct Headers(NonNull<sys::rd_kafka_headers_t>);

impl Headers {
    /// An empty list with room for `expected` headers.
    pub fn new(expected: usize) -> Self {
        // SAFETY: no pointers are passed.
        let list = unsafe { sys::rd_kafka_headers_new(expected) };
        // librdkafka ends the process itself when it gets no memory.
        Self(NonNull::new(list).unwrap_or(NonNull::dangling()))
    }

    /// The list that librdkafka gave away with a message.
    ///
    /// # Safety
    /// The list is owned by nobody else.
    pub(super) unsafe fn from_raw(list: NonNull<sys::rd_kafka_headers_t>) -> Self {
        Self(list)
    }

    pub(super) fn into_raw(self) -> *mut sys::rd_kafka_headers_t {
        let list = self.0.as_ptr();
        std::mem::forget(self);
        list
    }

    /// Adds one at the end. Both are copied.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        // SAFETY: lengths belong to the pointers; librdkafka copies both. The only error is that the
        // list is read-only, which an owned one is not.
        let _ = unsafe {
            sys::rd_kafka_header_add(
                self.0.as_ptr(),
                name.as_ptr().cast(),
                name.len() as isize,
                value.as_ptr().cast(),
                value.len() as isize,
            )
        };
    }

    /// Removes all of this name and adds one.
    pub fn set(&mut self, name: &CStr, value: &[u8]) {
        // SAFETY: the name ends with a zero byte. "No such header" is fine.
        let _ = unsafe { sys::rd_kafka_header_remove(self.0.as_ptr(), name.as_ptr()) };
        // SAFETY: as in `add`.
        let _ = unsafe {
            sys::rd_kafka_header_add(
                self.0.as_ptr(),
                name.as_ptr(),
                name.count_bytes() as isize,
                value.as_ptr().cast(),
                value.len() as isize,
            )
        };
    }

    /// Removes all of this name.
    pub fn remove(&mut self, name: &CStr) {
        // SAFETY: the name ends with a zero byte. "No such header" is fine.
        let _ = unsafe { sys::rd_kafka_header_remove(self.0.as_ptr(), name.as_ptr()) };
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        // SAFETY: the list is alive.
        unsafe { sys::rd_kafka_header_cnt(self.0.as_ptr()) }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The headers in order; a null value is None.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], Option<&[u8]>)> {
        (0..self.len()).filter_map(move |index| {
            let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0usize);
            // SAFETY: the out-pointers are valid; what they are set to lives as long as the list.
            let error = unsafe {
                sys::rd_kafka_header_get_all(
                    self.0.as_ptr(),
                    index,
                    &raw mut name,
                    &raw mut value,
                    &raw mut size,
                )
            };
            if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || name.is_null() {
                return None;
            }
            // SAFETY: header names end with a zero byte.
            let name = unsafe { CStr::from_ptr(name) }.to_bytes();
            // SAFETY: librdkafka gives the value's length.
            let value = (!value.is_null())
                .then(|| unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) });
            Some((name, value))
        })
    }

    /// The value of the last header of this name; None where there is none, or it is null.
    pub fn last(&self, name: &CStr) -> Option<&[u8]> {
        let (mut value, mut size) = (std::ptr::null(), 0usize);
        // SAFETY: the name ends with a zero byte, and the out-pointers are valid; what they are set to lives
        // as long as the list.
        let error = unsafe {
            sys::rd_kafka_header_get_last(
                self.0.as_ptr(),
                name.as_ptr(),
                &raw mut value,
                &raw mut size,
            )
        };
        if error != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || value.is_null() {
            return None;
        }
        // SAFETY: librdkafka gives the value's length.
        Some(unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) })
    }

    /// About how many bytes they take in a batch.
    pub fn wire_bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len) + 6).sum()
    }
}

impl Clone for Headers {
    fn clone(&self) -> Self {
        // SAFETY: the list is alive; the copy is owned by nobody else.
        let copy = unsafe { sys::rd_kafka_headers_copy(self.0.as_ptr()) };
        Self(NonNull::new(copy).unwrap_or(NonNull::dangling()))
    }
}

impl Drop for Headers {
    fn drop(&mut self) {
        // SAFETY: owned and alive.
        unsafe { sys::rd_kafka_headers_destroy(self.0.as_ptr()) };
    }
}

impl std::fmt::Debug for Headers {
    /// Values may hold anything, so only the count is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Headers({})", self.len())
    }
}

/// A name that ends with a zero byte; a zero byte inside makes it end there.
pub(super) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text.as_bytes()[..end]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_doubles_and_any_bytes_are_kept() {
        let mut headers = Headers::new(2);
        headers.add("a", b"1");
        headers.add("b", &[0xff, 0x00]);
        headers.add("a", b"");
        let all: Vec<_> =
            headers.iter().map(|(n, v)| (n.to_vec(), v.map(<[u8]>::to_vec))).collect();
        assert_eq!(all[0], (b"a".to_vec(), Some(b"1".to_vec())));
        assert_eq!(all[1], (b"b".to_vec(), Some(vec![0xff, 0])));
        assert_eq!(all[2], (b"a".to_vec(), Some(Vec::new())));
        assert_eq!((headers.last(c"a"), headers.last(c"c")), (Some(&b""[..]), None));
    }

    #[test]
    fn set_leaves_one_of_the_name() {
        let mut headers = Headers::new(2);
        headers.add("a", b"1");
        headers.add("a", b"2");
        headers.set(c"a", b"3");
        assert_eq!(headers.len(), 1);
        assert_eq!(headers.iter().next(), Some((&b"a"[..], Some(&b"3"[..]))));
    }

    #[test]
    fn a_copy_is_independent() {
        let mut headers = Headers::new(1);
        headers.add("a", b"1");
        let copy = headers.clone();
        headers.add("b", b"2");
        assert_eq!((headers.len(), copy.len()), (2, 1));
    }
}
