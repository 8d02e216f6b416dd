//! A librdkafka client: made, told what to call back, and destroyed last.

use std::collections::HashSet;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use rdkafka::ClientConfig;
use rdkafka::bindings as sys;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::partitions::PartitionList;

/// Why a client could not be made. Never holds a setting's value: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// librdkafka refuses a setting.
    #[error("librdkafka refuses the setting {name}: {reason}")]
    Setting {
        /// The setting.
        name: String,
        /// librdkafka's word for it, without the value.
        reason: String,
    },
    /// The settings do not go together, or a file that they name cannot be read.
    #[error("cannot make a Kafka client: {0}")]
    Create(String),
    /// A call failed.
    #[error("{call}: {fault}")]
    Call {
        /// What was tried.
        call: &'static str,
        /// What came of it.
        fault: Fault,
    },
}

/// An error code of Kafka or librdkafka. Kept as a number, because a broker newer than the bindings
/// may send one that they do not know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fault(i32);

/// The codes that librdkafka knows, asked once.
static KNOWN: LazyLock<HashSet<i32>> = LazyLock::new(|| {
    let (mut list, mut count) = (std::ptr::null(), 0);
    // SAFETY: sets both to a static list; a code is read as a number and never as an enum.
    unsafe {
        sys::rd_kafka_get_err_descs(&raw mut list, &raw mut count);
        (0..count)
            .map(|index| &raw const *list.add(index))
            .filter(|entry| !(*entry.cast::<sys::rd_kafka_err_desc>()).name.is_null())
            .map(|entry| (&raw const (*entry).code).cast::<i32>().read())
            .collect()
    }
});

impl Fault {
    /// As the rdkafka crate names it.
    pub fn code(self) -> RDKafkaErrorCode {
        if KNOWN.contains(&self.0) { self.raw().into() } else { RDKafkaErrorCode::Unknown }
    }

    /// Kafka's name for it: `UNKNOWN_TOPIC_OR_PART`.
    pub fn name(self) -> &'static str {
        if !KNOWN.contains(&self.0) {
            return "UNKNOWN";
        }
        // SAFETY: returns a static string.
        let name = unsafe { CStr::from_ptr(sys::rd_kafka_err2name(self.raw())) };
        name.to_str().unwrap_or("UNKNOWN")
    }

    /// As the bindings have it; for known codes only.
    fn raw(self) -> sys::rd_kafka_resp_err_t {
        debug_assert!(KNOWN.contains(&self.0), "code {} is not known", self.0);
        // SAFETY: librdkafka knows the code, and the bindings are of the same version.
        unsafe { std::mem::transmute::<i32, sys::rd_kafka_resp_err_t>(self.0) }
    }

    /// The code that stands at a place in librdkafka's memory; an error unless it says that there
    /// is none.
    ///
    /// # Safety
    /// The place is readable.
    pub(super) unsafe fn check_at(code: *const sys::rd_kafka_resp_err_t) -> Result<(), Self> {
        // SAFETY: as promised; read as a number, since it may be one that the bindings do not know.
        match unsafe { code.cast::<i32>().read() } {
            0 => Ok(()),
            code => Err(Self(code)),
        }
    }

    /// A code that came as a number.
    pub fn of_number(code: i32) -> Self {
        Self(code)
    }

    pub(super) fn check(code: sys::rd_kafka_resp_err_t) -> Result<(), Self> {
        match code {
            sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(()),
            code => Err(Self(code as i32)),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !KNOWN.contains(&self.0) {
            return write!(f, "error {} of the broker", self.0);
        }
        // SAFETY: returns a static string.
        let text = unsafe { CStr::from_ptr(sys::rd_kafka_err2str(self.raw())) };
        write!(f, "{} ({})", text.to_string_lossy(), self.name())
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a client reports of itself, beside records.
#[derive(Debug)]
pub enum Notice {
    /// Something is wrong between the client and the brokers; librdkafka goes on trying.
    Trouble {
        /// The code.
        fault: Fault,
        /// librdkafka's words.
        text: String,
    },
    /// A broker hung up in the way in which those do that expect another protocol.
    HungUp {
        /// librdkafka's words.
        text: String,
    },
    /// The client can do no more: it is to be made anew.
    Fatal {
        /// librdkafka's words.
        text: String,
    },
}

/// What callbacks note for the thread that owns the client. They only push to these lists: nothing
/// is decided inside a callback, and no panic leaves one.
#[derive(Default)]
pub(super) struct Noted {
    inner: Mutex<NotedLists>,
}

#[derive(Default)]
pub(super) struct NotedLists {
    pub(super) rebalances: Vec<(sys::rd_kafka_resp_err_t, PartitionList, Answered)>,
    pub(super) commits: Vec<(sys::rd_kafka_resp_err_t, PartitionList)>,
    pub(super) notices: Vec<Notice>,
    /// While closing, rebalances are answered where they are noted.
    pub(super) closing: bool,
}

/// Whether a rebalance still waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    No,
    Inline,
}

impl Noted {
    pub(super) fn lock(&self) -> MutexGuard<'_, NotedLists> {
        // A list that was being pushed to is still a list.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A native client. Everything made from it holds it, so that it is destroyed last.
pub(super) struct Client {
    rk: NonNull<sys::rd_kafka_t>,
    /// Not a box: callbacks look at it by the opaque pointer, and a box says that nobody else does.
    noted: Arc<Noted>,
}

impl Client {
    /// `prepare` sets what cannot be said by name: callbacks and events.
    pub(super) fn new(
        config: &ClientConfig,
        kind: sys::rd_kafka_type_t,
        prepare: impl FnOnce(*mut sys::rd_kafka_conf_t),
    ) -> Result<Self, ClientError> {
        let native = config.create_native_config().map_err(|error| match error {
            KafkaError::ClientConfig(_, reason, name, _) => ClientError::Setting {
                // librdkafka quotes the value in its reason.
                reason: reason.split(':').next().unwrap_or_default().to_owned(),
                name,
            },
            other => ClientError::Create(other.to_string()),
        })?;
        let noted = Arc::new(Noted::default());
        // SAFETY: the configuration is alive; `noted` is shared and outlives the client.
        unsafe {
            sys::rd_kafka_conf_set_opaque(native.ptr(), Arc::as_ptr(&noted).cast_mut().cast());
            sys::rd_kafka_conf_set_log_cb(native.ptr(), Some(on_log));
        }
        prepare(native.ptr());
        let mut text = [0 as c_char; 512];
        // SAFETY: `rd_kafka_new` takes the configuration over if it succeeds and only then, so a copy
        // is handed to it, and destroyed here if it fails.
        let rk = unsafe {
            let conf = sys::rd_kafka_conf_dup(native.ptr());
            // A copy loses nothing but what librdkafka documents: interceptors; we have none.
            let rk = sys::rd_kafka_new(kind, conf, text.as_mut_ptr(), text.len());
            if rk.is_null() {
                sys::rd_kafka_conf_destroy(conf);
            }
            rk
        };
        let Some(rk) = NonNull::new(rk) else {
            // SAFETY: librdkafka ends the text with a zero byte.
            let text = unsafe { CStr::from_ptr(text.as_ptr()) };
            return Err(ClientError::Create(text.to_string_lossy().into_owned()));
        };
        Ok(Self { rk, noted })
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    pub(super) fn noted(&self) -> &Noted {
        &self.noted
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Lists that were noted and not looked at hold their partitions, and destroying a client
        // waits for whoever holds one.
        *self.noted.lock() = NotedLists::default();
        // SAFETY: alive, and whatever was made from it is gone, since it would hold this. A consumer
        // has been closed, or is left behind on purpose: closing it here could block for ever.
        unsafe {
            sys::rd_kafka_destroy_flags(self.ptr(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        }
    }
}

/// What the callback's opaque pointer stands for.
///
/// # Safety
/// Called from a callback of a client made by [`Client::new`].
pub(super) unsafe fn noted_from<'a>(opaque: *mut c_void) -> &'a Noted {
    // SAFETY: the lists outlive the client.
    unsafe { &*opaque.cast::<Noted>() }
}

/// Runs a callback's body so that no panic leaves it.
pub(super) fn guarded(body: impl FnOnce()) {
    // What it would have noted is lost; the stall detector is there for that.
    let _ = catch_unwind(AssertUnwindSafe(body));
}

/// Errors of the client as a whole.
pub(super) unsafe extern "C" fn on_error(
    rk: *mut sys::rd_kafka_t,
    code: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    guarded(|| {
        // SAFETY: librdkafka passes a string that lives for the call, and our opaque.
        let (text, noted) = unsafe { (text_of(reason), noted_from(opaque)) };
        let notice = if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__FATAL as c_int {
            Notice::Fatal { text: fatal_text(rk).unwrap_or(text) }
        } else {
            Notice::Trouble { fault: Fault::of_number(code), text }
        };
        noted.lock().notices.push(notice);
    });
}

/// The fatal error of a client, if it has one.
pub(super) fn fatal_text(rk: *mut sys::rd_kafka_t) -> Option<String> {
    let mut text = [0 as c_char; 512];
    // SAFETY: the client is alive; the buffer's length is given.
    let code = unsafe { sys::rd_kafka_fatal_error(rk, text.as_mut_ptr(), text.len()) };
    Fault::check(code).err()?;
    // SAFETY: librdkafka ends the text with a zero byte.
    Some(unsafe { text_of(text.as_ptr()) })
}

/// Whether a broker has ended a connection before anything was said on it: those do that expect another
/// protocol.
fn is_hanging_up(text: &str) -> bool {
    let early = ["in state APIVERSION_QUERY", "in state SSL_HANDSHAKE", "in state AUTH"];
    text.contains("security.protocol")
        || (text.contains("Disconnected") && early.iter().any(|state| text.contains(state)))
}

/// librdkafka's own log lines, from any of its threads.
unsafe extern "C" fn on_log(
    rk: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    text: *const c_char,
) {
    guarded(|| {
        // SAFETY: both strings live for the call.
        let (facility, text) = unsafe { (text_of(facility), text_of(text)) };
        // Of this librdkafka says nothing but in its log.
        if facility == "FAIL" && is_hanging_up(&text) && !rk.is_null() {
            // SAFETY: the client is alive inside its callback, and the opaque pointer is ours.
            let noted = unsafe { noted_from(sys::rd_kafka_opaque(rk)) };
            let text = text.split_once("]: ").map_or(&*text, |(_, rest)| rest).to_owned();
            noted.lock().notices.push(Notice::HungUp { text });
        }
        // Broker trouble is said once by the worker, not by each client and thread again.
        if level <= 5 {
            tracing::debug!(target: "librdkafka", facility, "{text}");
        } else {
            tracing::trace!(target: "librdkafka", facility, "{text}");
        }
    });
}

/// # Safety
/// The string ends with a zero byte and lives for the call.
pub(super) unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The error object of newer calls: null when all went well.
pub(super) fn check_error(error: *mut sys::rd_kafka_error_t) -> Result<(), Fault> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null, ours, and destroyed once.
    unsafe {
        let code = sys::rd_kafka_error_code(error);
        sys::rd_kafka_error_destroy(error);
        Err(Fault(code as i32))
    }
}
