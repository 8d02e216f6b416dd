//! `healthcheck`, against what may stand at an admin port.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use super::{Folder, ipstamp};

/// Answers one request with this status and text, and gives its path.
fn answers(reply: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(reply.as_bytes()).unwrap();
        let request = String::from_utf8_lossy(&request[..read]).into_owned();
        request.split(' ').nth(1).unwrap().to_owned()
    });
    (at, asked)
}

const WELL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n";
const NOT_WELL: &str =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 18\r\n\r\n[-] group (worker)";

#[test]
fn a_process_that_lives_is_well() {
    let (at, asked) = answers(WELL);
    let ended = ipstamp(&["healthcheck", "--at", &at.to_string()], b"");
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "", ""));
    assert_eq!(asked.join().unwrap(), "/livez");
}

#[test]
fn one_that_is_not_ready_says_why() {
    let (at, asked) = answers(NOT_WELL);
    let ended = ipstamp(&["healthcheck", "--ready", "--at", &at.to_string()], b"");
    assert_eq!((ended.code, ended.out.as_str()), (1, "[-] group (worker)"), "{}", ended.err);
    assert_eq!(asked.join().unwrap(), "/readyz");
}

#[test]
fn where_nothing_answers_it_ends_with_69() {
    // Port 1 is nobody's.
    let ended = ipstamp(&["healthcheck", "--at", "127.0.0.1:1"], b"");
    assert_eq!(ended.code, 69);
    assert_eq!(ended.err, "127.0.0.1:1: no answer; does ipstamp run there?\n");
}

#[test]
fn the_configuration_says_where_and_an_address_of_all_is_this_machine() {
    let (at, asked) = answers(WELL);
    let folder = Folder::new();
    let listen = format!("admin: {{listen: '0.0.0.0:{}'}}", at.port());
    let config = folder.config("a:1", "logs", &listen);
    assert_eq!(ipstamp(&["healthcheck", "-c", &config], b"").code, 0);
    assert_eq!(asked.join().unwrap(), "/livez");
    let off = folder.config("a:1", "logs", "admin: {listen: 'off'}");
    let ended = ipstamp(&["healthcheck", "-c", &off], b"");
    assert_eq!(ended.code, 78);
    assert_eq!(ended.err, "admin.listen is off: there is no port to ask\n");
}
