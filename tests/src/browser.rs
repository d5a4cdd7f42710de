//! A headless Chromium, which the tests control over two pipes by the DevTools protocol.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

/// The timeout for an answer; the machine may be busy.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A browser with one page. Dropping it ends the process.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    commands: ChildStdin,
    /// The answers and events of the browser.
    messages: Receiver<Value>,
    /// The id of the protocol's session with the page; `None` before the session is attached.
    session: Option<String>,
    /// The id of the last command.
    last_id: u64,
    /// The events of the page since the last [`open`](Browser::open).
    events: Vec<Value>,
}

impl Browser {
    /// Starts `program` with its own profile in `folder`. Panics if the browser does not start or does not answer.
    pub fn start(program: &Path, folder: &Path) -> Self {
        // The protocol uses the file descriptors 3 and 4; the shell connects them to stdin and stdout.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null 1>/dev/null 2>&1"])
            .arg(program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-extensions"])
            .args(["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let commands = process.stdin.take().expect("stdin is a pipe");
        let mut output = BufReader::new(process.stdout.take().expect("stdout is a pipe"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                let text = message.strip_suffix(b"\0").unwrap_or(&message);
                if serde_json::from_slice(text).is_ok_and(|value: Value| sender.send(value).is_err()) {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Browser { process, commands, messages, session: None, last_id: 0, events: Vec::new() };
        let target = browser.ask("Target.createTarget", json!({ "url": "about:blank" }));
        let attached = browser.ask("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Opens a file in a window of `width` by `height` CSS pixels and waits until the page is loaded. `scheme`: the
    /// colour scheme, `light` or `dark`. A window narrower than 600 pixels emulates a phone. Panics if the browser does
    /// not answer.
    pub fn open(&mut self, file: &Path, width: u32, height: u32, scheme: &str) {
        let is_phone = width < 600;
        let scale = if is_phone { 2 } else { 1 };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": is_phone });
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", features);
        self.events.clear();
        self.ask("Page.navigate", json!({ "url": format!("file://{}", file.display()) }));
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let message = self.next("Page.loadEventFired");
            self.events.push(message);
        }
    }

    /// Evaluates a JavaScript expression in the page and returns its value. Panics if the expression throws.
    pub fn eval(&mut self, expression: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Returns the events of the page since it was opened.
    pub fn events(&self) -> &[Value] {
        &self.events
    }

    /// Writes a PNG of the uppermost `height` CSS pixels of the page to `path`; a `height` of 0 means the whole page.
    /// Panics if the picture cannot be taken or written.
    pub fn picture(&mut self, path: &Path, height: u32) {
        let metrics = self.ask("Page.getLayoutMetrics", json!({}));
        let size = |key: &str| metrics["cssContentSize"][key].as_f64().expect("a page has a size");
        let height = if height == 0 { size("height") } else { f64::from(height).min(size("height")) };
        let clip = json!({ "x": 0, "y": 0, "width": size("width"), "height": height, "scale": 1 });
        let picture = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let answer = self.ask("Page.captureScreenshot", picture);
        let data = answer["data"].as_str().expect("a picture in base64");
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).expect("a picture in base64");
        fs::write(path, bytes).expect("the picture can be written");
    }

    /// Sends a command and returns its result. Stores the events that arrive before the answer. Panics if the answer is
    /// an error.
    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let sent = self.commands.write_all(format!("{command}\0").as_bytes());
        sent.and_then(|()| self.commands.flush())
            .unwrap_or_else(|error| panic!("{method}: the browser has ended: {error}"));
        loop {
            let mut message = self.next(method);
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    /// Waits for the next answer or event. `expected`: the awaited message, for the error.
    fn next(&self, expected: &str) -> Value {
        let message = self.messages.recv_timeout(TIMEOUT);
        message.unwrap_or_else(|error| panic!("{expected}: the browser does not answer: {error}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The command ends the browser; a browser that still runs after five seconds is killed.
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        for _ in 0..50 {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
