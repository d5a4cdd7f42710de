//! A small HTTP server on this computer that stands in for the hub in tests.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// A request that the server received.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method and the path with its query, such as `GET /api/models/a/b`.
    pub line: String,
    /// The values of the headers by their names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

/// An answer that the server sends.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The number of bytes of the body that are sent before the connection is closed. If it is below the body's length,
    /// the answer is incomplete.
    pub sent: usize,
}

impl Answer {
    /// An answer with this status and body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Answer { status, headers: Vec::new(), sent: body.len(), body }
    }
}

/// Starts a server that answers each request by `answer` until the test process ends. Returns its address.
pub fn start(mut answer: impl FnMut(Request) -> Answer + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // An error of a client that has closed the connection is ignored.
            let _ = serve(stream, &mut answer);
        }
    });
    endpoint
}

/// Answers one request.
fn serve(mut stream: TcpStream, answer: &mut impl FnMut(Request) -> Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    // The version of HTTP at the end of the line is left out.
    let line = line.rsplit_once(' ').map_or_else(String::new, |(line, _)| line.to_owned());
    let Answer { status, headers, body, sent } = answer(Request { line, headers, body });
    write!(stream, "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len())?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "\r\n")?;
    stream.write_all(&body[..sent])
}
