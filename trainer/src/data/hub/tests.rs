//! Tests of the hub client against a small local server.

use super::*;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

/// Starts a hub with one data set, which answers until the test process ends. Returns its address.
fn hub(files: HashMap<&'static str, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(stream, &files);
        }
    });
    endpoint
}

/// Answers one request: for the list of files, or for a part of a file.
fn answer(mut stream: TcpStream, files: &HashMap<&'static str, Vec<u8>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut range = None;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some((start, end)) = header.strip_prefix("range: bytes=").and_then(|range| range.split_once('-')) {
            range = Some((start.parse::<usize>().unwrap_or(0), end.parse::<usize>().ok()));
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let head = "X-Repo-Commit: 0123abcd\r\nConnection: close\r\n";
    if path.starts_with("/api/datasets/someone/messages") {
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({ "sha": "0123abcd", "siblings": siblings }).to_string();
        return write!(stream, "HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len());
    }
    let name = path.strip_prefix("/datasets/someone/messages/resolve/main/");
    let Some((name, bytes)) = name.and_then(|name| files.get_key_value(name)) else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\n{head}Content-Length: 0\r\n\r\n");
    };
    let (start, end) = range.unwrap_or((0, None));
    let end = end.map_or(bytes.len(), |end| bytes.len().min(end + 1));
    let etag = name.replace('/', "-");
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\n{head}ETag: \"{etag}\"\r\nContent-Range: bytes {start}-{}/{}\r\nContent-Length: {}\r\n\r\n",
        end - 1,
        bytes.len(),
        end - start
    )?;
    stream.write_all(&bytes[start..end])
}

fn builder(endpoint: &str, cache: &Path) -> ApiBuilder {
    ApiBuilder::new()
        .with_endpoint(endpoint.to_owned())
        .with_cache_dir(cache.to_owned())
        .with_token(None)
        .with_progress(false)
}

fn texts(endpoint: &str, cache: &Path, name: &str) -> Result<Vec<String>, String> {
    let rows = read_from(builder(endpoint, cache), Path::new(name), &Columns::default());
    rows.map(|rows| rows.into_iter().map(|row| format!("{}/{}", row.text, row.label)).collect())
        .map_err(|error| error.to_string())
}

#[test]
fn data_sets_come_over_http_and_stay_in_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let parquet = dir.path().join("t.parquet");
    super::super::parquet::tests::file(&parquet, &[("c", 1)], &["ham", "spam"]);
    let endpoint = hub(HashMap::from([
        ("README.md", b"---".to_vec()),
        ("data/train-00001-of-00002.csv", b"text,label\nb,ham\n".to_vec()),
        ("data/train-00000-of-00002.csv", b"text,label\na,spam\n".to_vec()),
        ("data/test.jsonl", b"{\"text\": \"t\", \"label\": 3}\n".to_vec()),
        ("more/one.parquet", std::fs::read(&parquet).unwrap()),
    ]));
    let get = |name: &str| texts(&endpoint, dir.path(), name);
    assert_eq!(get("hf:someone/messages").unwrap(), ["a/spam", "b/ham"]);
    assert_eq!(get("hf:someone/messages/data/te").unwrap(), ["t/3"]);
    assert_eq!(get("hf:someone/messages/more/one.parquet").unwrap(), ["c/spam"]);
    // Nobody listens there: what was downloaded is read all the same.
    let nowhere = texts("http://127.0.0.1:9", dir.path(), "hf:someone/messages/data/test.jsonl");
    assert_eq!(nowhere.unwrap(), ["t/3"]);

    let error = get("hf:someone/messages/data/none.csv").unwrap_err();
    assert!(error.starts_with("hf:someone/messages/data/none.csv: the hub answers 404"), "{error}");
    let error = get("hf:someone/messages/dev").unwrap_err();
    assert!(error.contains("no data file begins with \"dev\"; the files are \"data/test.jsonl\""), "{error}");
}

#[test]
fn without_a_network_the_error_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = texts("http://127.0.0.1:9", dir.path(), "hf:someone/messages").unwrap_err();
    assert!(error.starts_with("hf:someone/messages: the hub cannot be reached"), "{error}");
    assert!(error.contains("give a file that was downloaded elsewhere"), "{error}");
}

#[test]
fn names_are_checked() {
    let address = |repository: &str, revision: &str, file: Option<&str>| Address {
        repository: repository.to_owned(),
        revision: revision.to_owned(),
        file: file.map(str::to_owned),
    };
    assert_eq!(Address::parse("hf:a/b"), Some(address("a/b", "main", None)));
    assert_eq!(Address::parse("hf:a/b/c/d.csv@v1"), Some(address("a/b", "v1", Some("c/d.csv"))));
    for bad in ["hf:", "hf:a", "hf:a/", "hf:a/b c", "a/b", "hf:a/b@"] {
        assert_eq!(Address::parse(bad), None, "{bad}");
    }
    let error = texts("http://127.0.0.1:9", Path::new("."), "hf:imdb").unwrap_err();
    assert!(error.contains("expected hf:owner/name"), "{error}");
    assert!(is_train("plain_text/train-00000-of-00001.parquet") && !is_train("data/training.csv"));
}
