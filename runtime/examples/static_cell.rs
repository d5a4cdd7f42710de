//! Keeps the model and the scratch in `StaticCell`s, because tasks of an async executor such as embassy take only
//! `'static` references.
//!
//! In firmware, `classify` would be marked `#[embassy_executor::task]` and read its text from a UART, and `main` would
//! spawn it.

use static_cell::StaticCell;
use tern_runtime::{Model, TextSession, include_model};

static FILE: &[u8] = include_model!("../tests/golden/lstm.safetensors");
static MODEL: StaticCell<Model<'static>> = StaticCell::new();
/// The length must be a constant here. It must be at least `Model::scratch_len`; otherwise `text_session` fails.
static SCRATCH: StaticCell<[i32; SCRATCH_WORDS]> = StaticCell::new();
const SCRATCH_WORDS: usize = 64;

async fn classify(mut session: TextSession<'static>, text: &'static [u8]) -> usize {
    session.reset();
    session.feed(text);
    session.finish();
    session.logits().best().class
}

fn main() {
    let model = MODEL.init(Model::from_bytes(FILE).expect("the file is a model that this build runs"));
    let scratch = SCRATCH.init([0; SCRATCH_WORDS]);
    let session = model.text_session(scratch).expect("the scratch is long enough, and the model reads text");
    // In place of an executor: `classify` never waits, so one poll completes it.
    let mut task = std::pin::pin!(classify(session, b"Free prize, call now!!"));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    if let std::task::Poll::Ready(class) = task.as_mut().poll(&mut context) {
        println!("{}", model.labels().get(class).unwrap_or_default());
    }
}
