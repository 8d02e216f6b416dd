//! A real Chromium without a window, driven by its own protocol over a pipe. Where there is none it is
//! said, and with `IPSTAMP_REQUIRE_BROWSER` it is a failure.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::support::leash::Folder;
use super::support::patience::{seconds, wait_for};

/// The pipes of the protocol are the third and fourth file; it ends when they are closed.
const START: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";
/// For an answer, on a machine on which much else goes on.
const PATIENCE: Duration = seconds(60);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    write: ChildStdin,
    said: Receiver<Value>,
    session: String,
    number: u64,
    /// What it told by itself.
    told: Vec<Value>,
    _home: Folder,
}

impl Browser {
    /// Starts it with an empty page; none where there is no browser.
    pub(crate) fn start() -> Option<Self> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let mut programs = std::env::split_paths(&paths).flat_map(|folder| {
            ["chromium", "chromium-browser", "google-chrome"].map(|it| folder.join(it))
        });
        let Some(program) = programs.find(|path| path.is_file()) else {
            missing();
            return None;
        };
        let home = Folder::new(Path::new(env!("CARGO_TARGET_TMPDIR")), "browser-");
        let mut process = Command::new("sh")
            .args(["-c", START, "browser"])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-background-networking", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", home.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (write, read) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let (send, said) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(read).split(0).map_while(Result::ok) {
                let Ok(message) = serde_json::from_slice(&message) else { continue };
                if send.send(message).is_err() {
                    break;
                }
            }
        });
        let (session, told) = (String::new(), Vec::new());
        let mut browser = Self { process, write, said, session, number: 0, told, _home: home };
        let target = browser.ask("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", &attach);
        attached["sessionId"].as_str().unwrap().clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.ask(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Has it do something, and waits for what comes of it.
    pub(crate) fn ask(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        self.write.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let said = self.said.recv_timeout(PATIENCE);
            let mut said = said.unwrap_or_else(|error| panic!("{method}: the browser: {error}"));
            if said["id"] == self.number {
                assert!(said["error"].is_null(), "{method}: {}", said["error"]);
                return said["result"].take();
            }
            self.told.push(said);
        }
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let ask = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut came = self.ask("Runtime.evaluate", &ask);
        assert!(came["exceptionDetails"].is_null(), "{expression}: {}", came["exceptionDetails"]);
        came["result"]["value"].take()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, expression: &str) {
        let seen = std::cell::RefCell::new(String::new());
        wait_for(
            expression,
            PATIENCE,
            || seen.borrow().clone(),
            || {
                let is_true = self.value(expression) == true;
                if !is_true {
                    *seen.borrow_mut() = self.value("document.body.innerText").to_string();
                }
                is_true.then_some(())
            },
        );
    }

    /// Goes to an address.
    pub(crate) fn open(&mut self, address: &str) {
        let went = self.ask("Page.navigate", &json!({"url": address}));
        assert!(went["errorText"].is_null(), "{address}: {went}");
        self.until("document.readyState === 'complete'");
    }

    /// Of this width, in this theme.
    pub(crate) fn look(&mut self, width: u32, height: u32, theme: &str) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.ask("Emulation.setDeviceMetricsOverride", &metrics);
        let feature = json!({"name": "prefers-color-scheme", "value": theme});
        self.ask("Emulation.setEmulatedMedia", &json!({"features": [feature]}));
    }

    /// Presses a key, such as `Tab`.
    pub(crate) fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            _ => (0, key),
        };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.ask("Input.dispatchKeyEvent", &event);
        }
    }

    /// Types a text where the focus is.
    pub(crate) fn type_in(&mut self, text: &str) {
        self.ask("Input.insertText", &json!({"text": text}));
    }

    /// Writes a picture of the whole page into the folder that `IPSTAMP_SCREENSHOTS` names, if it does.
    pub(crate) fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("IPSTAMP_SCREENSHOTS") else { return };
        let shot = self.ask("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        let png = openssl::base64::decode_block(shot["data"].as_str().unwrap()).unwrap();
        std::fs::write(Path::new(&folder).join(name), png).unwrap();
    }

    /// What it told by itself under this name.
    pub(crate) fn told(&self, method: &str) -> Vec<&Value> {
        let named = self.told.iter().filter(|told| told["method"] == method);
        named.map(|told| &told["params"]).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[expect(clippy::print_stderr, reason = "a test that is left out is said")]
fn missing() {
    assert!(
        std::env::var_os("IPSTAMP_REQUIRE_BROWSER").is_none(),
        "there is no browser, and IPSTAMP_REQUIRE_BROWSER is set; apt-get install chromium"
    );
    eprintln!("SKIPPED: there is no browser; apt-get install chromium");
}
