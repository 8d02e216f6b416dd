//! What a registry answers, and what of it is of use. Pure.

use serde::{Deserialize, Serialize};

use super::error::RegistryError;
use crate::record::SchemaId;

/// What a schema is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// Avro.
    Avro,
    /// JSON Schema.
    Json,
    /// Protocol buffers.
    Protobuf,
    /// Something that is not known here.
    Other,
}

/// A schema that another one takes types from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Reference {
    /// How it is called there.
    pub name: String,
    /// Under which name it stands in the registry.
    pub subject: String,
    /// Which of those.
    pub version: i32,
}

/// A schema as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// What it is of.
    pub kind: SchemaKind,
    /// Its text.
    pub text: String,
    /// What it takes types from.
    pub references: Vec<Reference>,
    /// The texts of these and of those that they need, each behind those it needs.
    pub referenced: Vec<String>,
}

#[derive(Deserialize)]
struct SchemaReply {
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    schema: String,
    #[serde(default)]
    references: Option<Vec<Reference>>,
}

#[derive(Deserialize)]
struct IdReply {
    id: u32,
    guid: Option<String>,
}

#[derive(Deserialize)]
struct Association {
    subject: String,
}

/// A schema; its references are still to be fetched.
pub(super) fn schema(body: &[u8]) -> Result<Schema, RegistryError> {
    let reply: SchemaReply = serde_json::from_slice(body).map_err(|_| RegistryError::NoReply)?;
    let kind = match reply.kind.as_deref() {
        None | Some("AVRO") => SchemaKind::Avro,
        Some("JSON") => SchemaKind::Json,
        Some("PROTOBUF") => SchemaKind::Protobuf,
        Some(_) => SchemaKind::Other,
    };
    let references = reply.references.unwrap_or_default();
    Ok(Schema { kind, text: reply.schema, references, referenced: Vec::new() })
}

/// The id of a schema that was looked up or registered: its number, and what it has beside one.
pub(super) fn id(body: &[u8]) -> Result<(SchemaId, Option<SchemaId>), RegistryError> {
    let reply: IdReply = serde_json::from_slice(body).map_err(|_| RegistryError::NoReply)?;
    let guid = reply.guid.and_then(|guid| guid.parse::<uuid::Uuid>().ok());
    Ok((SchemaId::Number(reply.id), guid.map(|guid| SchemaId::Guid(*guid.as_bytes()))))
}

/// The subject that a topic is associated with.
pub(super) fn associated(body: &[u8]) -> Result<Option<String>, RegistryError> {
    let list: Vec<Association> =
        serde_json::from_slice(body).map_err(|_| RegistryError::NoReply)?;
    Ok(list.into_iter().next().map(|one| one.subject))
}

/// What a status means, where it is no success.
pub(super) fn judge(status: u16) -> Result<(), RegistryError> {
    match status {
        200..=299 => Ok(()),
        404 | 405 => Err(RegistryError::NotFound),
        401 | 403 => Err(RegistryError::Refused { status }),
        409 | 422 => Err(RegistryError::NotTaken { status }),
        _ => Err(RegistryError::Failed { status }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_as_they_come_and_others_are_none() {
        let avro = schema(br#"{"schema":"\"string\""}"#).unwrap();
        assert_eq!((avro.kind, avro.text.as_str()), (SchemaKind::Avro, "\"string\""));
        let json = schema(br#"{"schemaType":"JSON","schema":"{}","references":[{"name":"a","subject":"s","version":3}],"guid":"x"}"#).unwrap();
        assert_eq!((json.kind, json.references[0].version), (SchemaKind::Json, 3));
        let guid = "8f5c7a3e-1111-2222-3333-444455556666";
        let (number, other) = id(format!(r#"{{"id":7,"guid":"{guid}"}}"#).as_bytes()).unwrap();
        assert_eq!((number, other.unwrap().to_string().as_str()), (SchemaId::Number(7), guid));
        assert_eq!(id(br#"{"id":7}"#).unwrap(), (SchemaId::Number(7), None));
        assert_eq!(associated(br#"[{"subject":"s","lifecycle":"WEAK"}]"#), Ok(Some("s".into())));
        assert_eq!(associated(b"[]"), Ok(None));
        for none in [&b""[..], b"<html>", b"{}", b"[]"] {
            assert_eq!(schema(none).err(), Some(RegistryError::NoReply));
            assert_eq!(id(none).err(), Some(RegistryError::NoReply));
        }
    }
}
