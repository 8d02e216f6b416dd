//! The admin port: how the process is, for machines and for people, and with the token what runs through.
//! Read-only: nothing that is asked here changes what becomes of a record, and it is answered from what
//! `telemetry` has, on a thread of its own.

mod access;
mod answers;
mod events;
mod page;
mod refusal;
mod server;
mod tapping;
mod trying;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::routing::{get, post};

use crate::record::Secret;
use crate::telemetry::{Health, Metrics, Taps, Troubles};

pub use trying::{Tried, Trying};

use access::Access;
use events::Watchers;
use tapping::Seats;
use trying::Bench;

/// What the port shows.
pub struct Shown {
    /// Of `/livez`, `/readyz` and `/startupz`.
    pub health: Arc<Health>,
    /// Of `/metrics`.
    pub metrics: Arc<Metrics>,
    /// What was said of late that is no good news.
    pub troubles: Arc<Troubles>,
    /// Of `/config`: what is in force, secrets left out.
    pub config: String,
    /// Who may see records pass, and try events and see the configuration from another machine.
    pub token: Option<Secret>,
    /// What becomes of an event that is tried, as soon as the databases are open.
    pub trying: Arc<OnceLock<Trying>>,
    /// What runs through, for who has the token.
    pub taps: Arc<Taps>,
}

/// Listens at `address` and answers there until the process ends. The error says why it cannot listen: the
/// address is in use, or there is no right to it.
pub fn start(address: SocketAddr, shown: Shown) -> std::io::Result<()> {
    server::start(address, routes(address, shown))
}

/// What all answers are made from.
struct Port {
    shown: Shown,
    access: Access,
    watchers: events::Watchers,
    bench: trying::Bench,
    seats: tapping::Seats,
}

type SharedPort = Arc<Port>;

fn routes(address: SocketAddr, shown: Shown) -> Router {
    let access = Access::new(shown.token.clone(), address);
    let (bench, seats) = (Bench::default(), Seats::default());
    let port = Port { shown, access, watchers: Watchers::default(), bench, seats };
    Router::new()
        .route("/", get(page::page))
        .route("/livez", get(answers::livez))
        .route("/healthz", get(answers::livez))
        .route("/readyz", get(answers::readyz))
        .route("/startupz", get(answers::startupz))
        .route("/metrics", get(answers::metrics))
        .route("/version", get(answers::version))
        .route("/config", get(answers::config))
        .route("/events", get(events::events))
        .route("/tap", get(tapping::tap))
        .route("/try", post(trying::try_out))
        .fallback(answers::unknown)
        .layer(axum::middleware::map_response(answers::plainly))
        .with_state(Arc::new(port))
}
