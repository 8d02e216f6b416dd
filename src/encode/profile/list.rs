//! A list of the whole event, compiled: where it stands, and what an item is made of.

use serde_json::Value;

use super::ProfileError;
use super::file::{Each, ListRule, ProfileFile};
use super::layout::opening;
use super::target::Target;
use crate::encode::json::quoted;

/// A list of the whole event.
#[derive(Debug)]
pub(in crate::encode) struct List {
    /// Where it stands.
    pub(in crate::encode) target: Target,
    /// What gets an item.
    pub(in crate::encode) each: Each,
    /// An item.
    pub(in crate::encode) item: Vec<Piece>,
    /// Whether items tell one path from the other.
    pub(in crate::encode) by_path: bool,
}

/// A piece of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::encode) enum Piece {
    /// As it stands.
    Text(Vec<u8>),
    /// The address, in quotes.
    Ip,
    /// Its path, in quotes.
    Path,
    /// The rest, as a member: what stands before its value.
    Rest(Vec<u8>),
    /// A member, with the comma before it.
    Slice(usize),
}

impl List {
    pub(super) fn new(
        target: Target,
        rule: &ListRule,
        members: &[(String, usize)],
        file: &ProfileFile,
    ) -> Result<Self, ProfileError> {
        let shape = |message: String| Err(ProfileError::Shape { message });
        let mut item = Vec::new();
        let mut text = Vec::new();
        let Value::Object(pairs) = &rule.item else {
            if rule.item != "$ip" || rule.each == Each::Rest {
                return shape("the item of a list is an object, or $ip".to_owned());
            }
            return Ok(Self { target, each: rule.each, item: vec![Piece::Ip], by_path: false });
        };
        for (nth, (name, value)) in pairs.iter().enumerate() {
            let quoted_name = quoted(name);
            let before: &[u8] = if nth == 0 { b"{" } else { b"," };
            let opened = [before, &quoted_name, b":"].concat();
            let token = value.as_str().and_then(|value| value.strip_prefix('$'));
            let is_of_facts = token.is_some_and(|token| !matches!(token, "ip" | "path"));
            if is_of_facts && (nth == 0 || rule.each == Each::Address) {
                return shape(format!(
                    "`{name}` of a list's item is of facts: it stands in a list of each rest, and \
                     not first"
                ));
            }
            match token {
                Some("rest") => {
                    item.push(Piece::Text(std::mem::take(&mut text)));
                    item.push(Piece::Rest(opening(name)));
                }
                Some(token @ ("ip" | "path")) => {
                    text.extend_from_slice(&opened);
                    item.push(Piece::Text(std::mem::take(&mut text)));
                    item.push(if token == "ip" { Piece::Ip } else { Piece::Path });
                }
                Some(token) if file.members.contains_key(token) => {
                    item.push(Piece::Text(std::mem::take(&mut text)));
                    let named = members.iter().find(|(name, _)| name == token);
                    item.extend(named.map(|(_, slice)| Piece::Slice(*slice)));
                }
                Some(token) => return shape(format!("${token} is no member of the profile")),
                None => {
                    text.extend_from_slice(&opened);
                    text.extend_from_slice(value.to_string().as_bytes());
                }
            }
        }
        text.push(b'}');
        item.push(Piece::Text(text));
        item.retain(|piece| *piece != Piece::Text(Vec::new()));
        let by_path = item.contains(&Piece::Path);
        Ok(Self { target, each: rule.each, item, by_path })
    }
}
