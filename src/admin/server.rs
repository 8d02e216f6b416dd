//! Connections of the admin port. They are bounded in number, in time and in size, and have a thread of
//! their own, so that whoever is slow, silent or many takes nothing from the records.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, yield_now};
use tokio::time::{Instant, sleep, timeout};

/// So many at a time. A further one takes the place of the oldest, if that has had its time: who only
/// asks how it goes gets in however many hold on to theirs.
const MOST: usize = 64;
/// What anybody may count on: his request may be on its way when others come.
const ITS_TIME: Duration = Duration::from_secs(1);
/// So many at a time while none of them has had its time; then who comes waits for that.
const AT_ONCE: usize = 384;
/// Until it is looked again whether somebody has gone.
const A_MOMENT: Duration = Duration::from_millis(10);
/// For the head of a request, and between two of them.
const HEAD: Duration = Duration::from_secs(10);
/// For the head of a request.
const HEAD_BYTES: usize = 16 << 10;
/// Of a connection, whatever it does. A page that watches comes again by itself.
const LONGEST: Duration = Duration::from_secs(600);
/// After a connection that could not be taken, mostly for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens, and answers on a thread of its own until the process ends.
pub(super) fn start(address: SocketAddr, routes: Router) -> std::io::Result<()> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let serve = move || runtime.block_on(serve(listener, routes));
    std::thread::Builder::new().name("admin".into()).spawn(serve).map(drop)
}

async fn serve(listener: std::net::TcpListener, routes: Router) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the admin port is closed"),
    };
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let mut open: VecDeque<(Instant, AbortHandle)> = VecDeque::with_capacity(AT_ONCE);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        loop {
            open.retain(|(_, connection)| !connection.is_finished());
            let Some((since, oldest)) = open.front().filter(|_| open.len() >= MOST) else { break };
            if since.elapsed() >= ITS_TIME {
                oldest.abort();
                open.pop_front();
            } else if open.len() < AT_ONCE {
                break;
            } else {
                sleep(A_MOMENT).await;
            }
        }
        let service = TowerToHyperService::new(routes.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        // How it ends is the other side's affair.
        let served = async move { drop(timeout(LONGEST, connection).await) };
        open.push_back((Instant::now(), tokio::spawn(served).abort_handle()));
        // What has come is answered before others come.
        yield_now().await;
    }
}
