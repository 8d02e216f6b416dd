//! HTTP/1.1 as far as a stand-in needs it.

use std::io::{BufRead, Write};

/// A request, read whole.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; None at its end.
    pub(super) fn read(reader: &mut impl BufRead) -> Option<Self> {
        let line = line(reader)?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut request = Self { method, target, headers: Vec::new(), body: Vec::new() };
        loop {
            let line = self::line(reader)?;
            let Some((name, value)) = line.split_once(':') else { break };
            request.headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let length = request.header("content-length").map_or(0, |text| text.parse().unwrap());
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim_end().to_owned()),
    }
}

/// An answer before it is sent.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }

    pub(super) fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The status line and the headers, for a body of so many bytes.
    pub(super) fn head(&self, length: usize) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} X\r\ncontent-length: {length}\r\n", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Sends it whole; false when nobody listens.
    pub(super) fn send(&self, mut to: impl Write) -> bool {
        let whole = [self.head(self.body.len()), self.body.clone()].concat();
        to.write_all(&whole).is_ok()
    }
}
