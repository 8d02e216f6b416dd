//! Who may what. Records are shown to who has the token and to nobody else. Events may be tried and the
//! configuration seen by who has it, too; where none is set, by who sits at this machine, when the port
//! listens there only.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};
use openssl::memcmp;

use super::refusal::Refusal;
use crate::record::Secret;

/// See the head of the file.
pub(super) enum Access {
    /// To whoever sends it.
    Token(Secret),
    /// To whoever can reach a port that only this machine can.
    Here,
    /// To nobody.
    Closed,
}

impl Access {
    pub(super) fn new(token: Option<Secret>, address: SocketAddr) -> Self {
        match token {
            Some(token) => Self::Token(token),
            None if address.ip().is_loopback() => Self::Here,
            None => Self::Closed,
        }
    }

    /// What the page is to offer.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Here => "here",
            Self::Closed => "closed",
        }
    }

    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        match self {
            Self::Token(token) => {
                let sent = text(header::AUTHORIZATION).ok_or(Refusal::NoToken)?;
                let sent = sent.strip_prefix("Bearer ").ok_or(Refusal::NoToken)?.trim();
                let (sent, token) = (sent.as_bytes(), token.expose().as_bytes());
                // In the same time however much of it is right.
                let is_right = sent.len() == token.len() && memcmp::eq(sent, token);
                if is_right { Ok(()) } else { Err(Refusal::WrongToken) }
            }
            // A page of a stranger that has its own name point to this machine asks under that name.
            Self::Here if text(header::HOST).is_some_and(is_this_machine) => Ok(()),
            Self::Here => Err(Refusal::ForeignHost),
            Self::Closed => Err(Refusal::Closed),
        }
    }
}

impl Access {
    /// For what shows the records themselves: without a token nobody sees them, wherever he sits.
    pub(super) fn check_for_records(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match self {
            Self::Token(_) => self.check(headers),
            Self::Here | Self::Closed => Err(Refusal::NoTokenIsSet),
        }
    }
}

/// Whether the header `Host` names this machine and no name that somebody else gives out.
fn is_this_machine(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn with_a_token_only_who_sends_it_is_let_in_from_wherever() {
        let token = Some(Secret::new("a-token-of-length"));
        let access = Access::new(token, "0.0.0.0:1".parse().unwrap());
        let sent = |value: &str| access.check(&asked(header::AUTHORIZATION, value));
        assert_eq!(sent("Bearer a-token-of-length"), Ok(()));
        for wrong in ["Bearer a-token-of-lengti", "Bearer a-token", "Bearer "] {
            assert_eq!(sent(wrong), Err(Refusal::WrongToken), "{wrong}");
        }
        let right = asked(header::AUTHORIZATION, "Bearer a-token-of-length");
        assert_eq!(access.check_for_records(&right), Ok(()));
        let none = access.check_for_records(&asked(header::HOST, "localhost"));
        assert_eq!(none, Err(Refusal::NoToken));
        assert_eq!(sent("Basic YTpi"), Err(Refusal::NoToken));
        assert_eq!(access.check(&asked(header::HOST, "localhost")), Err(Refusal::NoToken));
    }

    #[test]
    fn without_one_only_this_machine_is_let_in_and_only_under_a_name_of_its_own() {
        let here = Access::new(None, "127.0.0.1:9464".parse().unwrap());
        let host = |host: &str| here.check(&asked(header::HOST, host));
        for own in ["127.0.0.1:9464", "localhost:9464", "localhost", "[::1]:9464", "127.0.0.1"] {
            assert_eq!(host(own), Ok(()), "{own}");
        }
        for foreign in ["evil.example:9464", "localhost.evil.example", "10.0.0.1:9464", ""] {
            assert_eq!(host(foreign), Err(Refusal::ForeignHost), "{foreign}");
        }
        let records = here.check_for_records(&asked(header::HOST, "localhost"));
        assert_eq!(records, Err(Refusal::NoTokenIsSet));
        let open = Access::new(None, "0.0.0.0:9464".parse().unwrap());
        assert_eq!(open.check(&asked(header::HOST, "localhost")), Err(Refusal::Closed));
    }
}
