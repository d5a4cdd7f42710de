//! The page of `cargo xtask web` in a browser: the runtime in WebAssembly, and a board on a stand-in for the Web Serial
//! interface that is connected to the emulated device.
//!
//! `TERN_PICTURE=1 cargo test -p tern-tests --test path web` also makes docs/pictures/web.png.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tern_runtime::testing::{Aligned, Sizes, Spec};
use tern_runtime::{Cell, Input, Model};
use tern_tests::device::{COUNTED, Device, loader};
use tern_tests::{Browser, chromium, firmware, folder, root};

/// The timeout for a result on the page.
const TIMEOUT: Duration = Duration::from_secs(120);
const SIZES: [(u32, u32); 3] = [(1280, 900), (375, 800), (320, 640)];

/// JavaScript: a port whose two streams end in arrays, in place of the browser's serial ports.
const BRIDGE: &str = "(() => {
    globalThis.bridge = { toBoard: [] };
    const readable = new ReadableStream({ start: (to) => { bridge.give = (bytes) => to.enqueue(Uint8Array.from(bytes)); } });
    const writable = new WritableStream({ write: (bytes) => { bridge.toBoard.push(...bytes); } });
    const port = { open: async () => {}, readable, writable };
    Object.defineProperty(navigator, 'serial', { value: { requestPort: async () => port }, configurable: true });
    if (element('connect').disabled) { element('connect').disabled = false; offerBoard(); }
})()";

/// The page, built once.
fn page() -> &'static Path {
    static PAGE: OnceLock<PathBuf> = OnceLock::new();
    PAGE.get_or_init(|| xtask::web::build().expect("the page is built"))
}

/// The device file of a folder of `models/`.
fn model(name: &str) -> PathBuf {
    root().join("models").join(name).join(format!("{name}.safetensors"))
}

/// The logits of each text by tern-runtime.
fn expected(file: &Path, texts: &[String]) -> Vec<Vec<i32>> {
    let file = Aligned::new(&fs::read(file).unwrap());
    let model = Model::from_bytes(&file).unwrap();
    let mut scratch = vec![0; model.scratch_len()];
    let mut session = model.text_session(&mut scratch).unwrap();
    texts.iter().map(|text| session.classify(text.as_bytes()).iter().collect()).collect()
}

/// Chooses a model of the list.
fn choose(browser: &mut Browser, name: &str) {
    let choice = format!("element('shipped').value = {name:?}; element('shipped').dispatchEvent(new Event('change'))");
    browser.eval(&choice);
}

/// Types a text.
fn enter(browser: &mut Browser, text: &str) {
    browser.eval(&format!("element('input').value = {text:?}; element('input').dispatchEvent(new Event('input'))"));
}

/// The text of an element.
fn text_of(browser: &mut Browser, id: &str) -> String {
    browser.eval(&format!("element({id:?}).textContent")).as_str().unwrap().to_owned()
}

#[test]
fn the_page_has_the_logits_of_the_runtime() {
    let Some(program) = chromium() else { return };
    let mut browser = Browser::start(&program, &folder("web-logits"));
    browser.open(page(), 1280, 900, "light");
    let texts: Vec<String> = tern_messages::generate(tern_messages::SEED)
        .unwrap()
        .held_out
        .into_iter()
        .map(|message| message.text)
        .collect();
    assert_eq!(texts.len(), 1_000);
    for name in ["building", "sms_spam", "snips", "clinc150"] {
        choose(&mut browser, name);
        assert!(text_of(&mut browser, "summary").starts_with(&format!("{name}: ")));
        let found = browser.eval(&format!("{}.map((text) => shown.model.classify(text).logits)", json!(texts)));
        assert!(found == json!(expected(&model(name), &texts)), "{name}: other logits than the runtime's");
        assert!(browser.eval("shown.model.selfTest.isExact").as_bool().unwrap(), "{name}");
    }
}

#[test]
fn a_person_types_and_sees_tokens_and_labels() {
    let Some(program) = chromium() else { return };
    let pictures = folder("web");
    let mut browser = Browser::start(&program, &pictures);
    for (width, height) in SIZES {
        for scheme in ["light", "dark"] {
            browser.open(page(), width, height, scheme);
            assert_eq!(text_of(&mut browser, "answer"), "alarm", "the first model has an example");
            let overflow = browser.eval("document.documentElement.scrollWidth - window.innerWidth");
            assert!(overflow.as_i64().unwrap() <= 0, "{width} pixels: the page is wider than the window");
            browser.picture(&pictures.join(format!("page-{width}-{scheme}.png")), 0);
        }
    }
    enter(&mut browser, "free inspection offer, call zzyzx now");
    assert_eq!(text_of(&mut browser, "answer"), "spam");
    let tokens =
        browser.eval("[...document.querySelectorAll('#tokens li')].map((li) => [li.textContent, li.className])");
    let expected = ["free", "inspection", "offer", ",", "call", "zzyzx?", "now"];
    let expected: Vec<Value> = expected
        .iter()
        .map(|token| json!([token.trim_end_matches('?'), if token.ends_with('?') { "unknown" } else { "" }]))
        .collect();
    assert_eq!(tokens, json!(expected));
    let shares = browser.eval("[...document.querySelectorAll('td.share')].map((td) => parseFloat(td.textContent))");
    let shares: Vec<f64> = shares.as_array().unwrap().iter().map(|share| share.as_f64().unwrap()).collect();
    assert!(shares.len() == 5 && (shares.iter().sum::<f64>() - 100.0).abs() < 0.3 && shares[0] > 50.0, "{shares:?}");
    enter(&mut browser, "zzyzx");
    assert!(text_of(&mut browser, "answer").starts_with("Unknown input"));
    enter(&mut browser, "");
    assert_eq!(text_of(&mut browser, "answer"), "Type something.");

    // A file of numbers, and files that are refused.
    let spec =
        Spec { input: Input::Values, cell: Cell::Gru, ..Sizes { embedding_dim: 2, hidden_size: 6, classes: 3 }.into() };
    let open = |browser: &mut Browser, bytes: &[u8]| {
        browser.eval(&format!("open(Uint8Array.from({}), 'mine.safetensors')", json!(bytes)));
        text_of(browser, "summary")
    };
    assert!(open(&mut browser, &spec.file(5)).contains("3 labels"));
    enter(&mut browser, "1.5 -2\n0.25,3");
    assert!(text_of(&mut browser, "answer").starts_with("label"), "{}", text_of(&mut browser, "answer"));
    enter(&mut browser, "1.5");
    assert_eq!(text_of(&mut browser, "answer"), "Expected 2 numbers in each line.");
    let signed = [&fs::read(model("snips")).unwrap()[..], b"a signature"].concat();
    assert!(open(&mut browser, &signed).starts_with("snips: 7 labels"));
    assert_eq!(open(&mut browser, b"no model"), "mine.safetensors: no header of a device file");
    assert_eq!(open(&mut browser, &signed[..9_000]), "mine.safetensors: truncated");
    for event in browser.events() {
        let method = event["method"].as_str().unwrap_or_default();
        assert!(!["Runtime.exceptionThrown", "Log.entryAdded"].contains(&method), "{event}");
        if method == "Network.requestWillBeSent" {
            let url = event["params"]["request"]["url"].as_str().unwrap();
            assert_eq!(url, format!("file://{}", page().display()), "the page loads something");
        }
    }
    if std::env::var_os("TERN_PICTURE").is_some() {
        browser.open(page(), 800, 900, "light");
        enter(&mut browser, "free inspection offer for your fire alarm in 3B, call zzyzx now");
        browser.picture(&root().join("docs/pictures/web.png"), 0);
    }
}

/// Carries bytes between the page and the device until the state of the board on the page contains `expected`.
fn wait_for(browser: &mut Browser, device: &mut TcpStream, expected: &str) -> String {
    let start = Instant::now();
    let mut buffer = [0; 4096];
    loop {
        let sent = browser.eval("bridge.toBoard.splice(0)");
        let sent: Vec<u8> = sent.as_array().unwrap().iter().map(|byte| byte.as_u64().unwrap() as u8).collect();
        device.write_all(&sent).unwrap();
        match device.read(&mut buffer) {
            Ok(count) => drop(browser.eval(&format!("bridge.give({})", json!(buffer[..count])))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("the device ended: {error}"),
        }
        let state = text_of(browser, "board-status");
        if state.contains(expected) {
            return state;
        }
        let is_error = browser.eval("element('board-status').className == 'error'") == json!(true);
        assert!(!is_error && start.elapsed() < TIMEOUT, "{state}: expected {expected}");
    }
}

#[test]
fn the_board_is_compared_with_the_page_and_gets_its_model() {
    let Some(program) = chromium() else { return };
    let mut browser = Browser::start(&program, &folder("web-board"));
    browser.open(page(), 1280, 900, "light");
    let loader = loader(&model("building"));
    let options = [&COUNTED[..], &["-device", &loader]].concat();
    let mut device = Device::start(tern_boards::DEFAULT, firmware(), &options);
    let mut serial = TcpStream::connect(device.address()).unwrap();
    serial.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    browser.eval(BRIDGE);

    browser.eval("element('connect').click()");
    let state = wait_for(&mut browser, &mut serial, "mps2-an386");
    assert!(state.contains("model building, 135934 bytes"), "{state}");
    // A line, and a text that must be streamed.
    for text in ["there is a fire in my room", &"no smoke in 3B, detector 4 normal.\nall quiet. ".repeat(20)] {
        enter(&mut browser, text);
        browser.eval("element('compare').click()");
        let state = wait_for(&mut browser, &mut serial, "ticks;");
        assert!(state.ends_with("every logit equals this page's."), "{state}");
    }

    choose(&mut browser, "snips");
    browser.eval("element('compare').click()");
    let state = wait_for(&mut browser, &mut serial, "ticks;");
    assert!(state.ends_with("the logits differ from this page's (the board runs another model)."), "{state}");
    browser.eval("element('push').click()");
    let state = wait_for(&mut browser, &mut serial, "model snips, 18743 bytes");
    assert!(state.starts_with("mps2-an386"), "{state}");
    browser.eval("element('compare').click()");
    let state = wait_for(&mut browser, &mut serial, "ticks;");
    assert!(state.contains("PlayMusic") && state.ends_with("every logit equals this page's."), "{state}");
}
