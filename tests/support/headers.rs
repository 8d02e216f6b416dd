//! Headers as bytes: rdkafka's own types want keys to be UTF-8 and panic where they are not.

use std::ffi::CStr;

use rdkafka::bindings;
use rdkafka::message::{BorrowedHeaders, OwnedHeaders};

/// One header: any bytes as its key (without NUL), a value or none.
pub(crate) type Header = (Vec<u8>, Option<Vec<u8>>);

/// For the producer.
pub(crate) fn to_native(headers: &[Header]) -> OwnedHeaders {
    let native = OwnedHeaders::new_with_capacity(headers.len());
    for (key, value) in headers {
        let (start, length) = match value {
            Some(value) => (value.as_ptr(), value.len()),
            None => (std::ptr::null(), 0),
        };
        #[expect(unsafe_code, reason = "rdkafka adds no header whose key is not UTF-8")]
        // SAFETY: a `BorrowedHeaders` is librdkafka's own list behind a reference. Nobody else has
        // it yet; key and value are copied before the call returns.
        let error = unsafe {
            bindings::rd_kafka_header_add(
                std::ptr::from_ref(native.as_borrowed()).cast_mut().cast(),
                key.as_ptr().cast(),
                key.len() as isize,
                start.cast(),
                length as isize,
            )
        };
        assert_eq!(error, bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    native
}

/// From the consumer.
pub(crate) fn from_native(headers: &BorrowedHeaders) -> Vec<Header> {
    let list = std::ptr::from_ref(headers).cast();
    (0..)
        .map_while(|index| {
            let (mut key, mut value, mut length) = (std::ptr::null(), std::ptr::null(), 0);
            #[expect(unsafe_code, reason = "rdkafka panics on a key that is not UTF-8")]
            // SAFETY: the list lives as long as `headers`, and what the call points at lives as
            // long as the list; both are copied here.
            unsafe {
                let error = bindings::rd_kafka_header_get_all(
                    list,
                    index,
                    &raw mut key,
                    &raw mut value,
                    &raw mut length,
                );
                let found = error == bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
                found.then(|| {
                    let value = (!value.is_null())
                        .then(|| std::slice::from_raw_parts(value.cast::<u8>(), length).to_vec());
                    (CStr::from_ptr(key).to_bytes().to_vec(), value)
                })
            }
        })
        .collect()
}
