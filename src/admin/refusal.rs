//! Why a request is refused, and what to do.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// See the head of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "this is only for who has the token: set admin.token to have it from other machines, or have \
         admin.listen be 127.0.0.1"
    )]
    Closed,
    #[error(
        "records are shown only to who has the token: set admin.token in the configuration and restart"
    )]
    NoTokenIsSet,
    #[error(
        "expected /tap?stage=out&limit=100: the stage is in, out or dead, the limit 1 to {0}; beside them, \
         where wanted, topic, match (a text), every (a number from 1 on), and outcome (such as partial or \
         budget, and not of the stage in)"
    )]
    NotTapped(u64),
    #[error("send the header `Authorization: Bearer …` with what admin.token is")]
    NoToken,
    #[error("that is not what admin.token is")]
    WrongToken,
    #[error("ask for it as 127.0.0.1, [::1] or localhost, or set admin.token and send that")]
    ForeignHost,
    #[error("send it with `Content-Type: application/json`")]
    NotJson,
    #[error("the body is longer than {0} bytes; try a shorter event")]
    TooLong(usize),
    #[error("the body did not come in time; send it again")]
    TooSlow,
    #[error("expected an object with `event` and perhaps `profile`: {0}")]
    NotTried(String),
    #[error("{0}")]
    CannotBeTried(String),
    #[error("the databases are not open yet; /readyz says what is waited for")]
    TooEarly,
    #[error("so many watch already; close another page, or look at /metrics")]
    Crowded,
    #[error("it broke down; the log says where")]
    Broken,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Closed | Self::ForeignHost | Self::NoTokenIsSet => StatusCode::FORBIDDEN,
            Self::NoToken | Self::WrongToken => StatusCode::UNAUTHORIZED,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotTried(_) | Self::NotTapped(_) => StatusCode::BAD_REQUEST,
            Self::CannotBeTried(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooEarly | Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let text = format!("{self}\n");
        if status == StatusCode::UNAUTHORIZED {
            return (status, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response();
        }
        (status, text).into_response()
    }
}
