//! Tests of the hub client against a small local server.

use super::*;
use crate::hub::stand_in::{self, Answer, Request};
use std::collections::HashMap;

/// Starts a hub with one data set, which answers until the test process ends. Returns its address.
fn hub(files: HashMap<&'static str, Vec<u8>>) -> String {
    stand_in::start(move |request| {
        let mut answer = answer(&request, &files);
        answer.headers.push(("X-Repo-Commit", "0123abcd".to_owned()));
        answer
    })
}

/// Answers one request: for the list of files, or for a part of a file.
fn answer(request: &Request, files: &HashMap<&'static str, Vec<u8>>) -> Answer {
    let path = request.line.strip_prefix("GET ").unwrap_or_default();
    if path.starts_with("/api/datasets/someone/messages") {
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        return Answer::new(200, serde_json::json!({ "sha": "0123abcd", "siblings": siblings }).to_string());
    }
    let name = path.strip_prefix("/datasets/someone/messages/resolve/main/");
    let Some((name, bytes)) = name.and_then(|name| files.get_key_value(name)) else {
        return Answer::new(404, "");
    };
    let range = request.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let (start, end) = range.map_or((0, None), |(start, end)| (start.parse().unwrap_or(0), end.parse::<usize>().ok()));
    let end = end.map_or(bytes.len(), |end| bytes.len().min(end + 1));
    let mut answer = Answer::new(206, &bytes[start..end]);
    answer.headers.push(("ETag", format!("\"{}\"", name.replace('/', "-"))));
    answer.headers.push(("Content-Range", format!("bytes {start}-{}/{}", end - 1, bytes.len())));
    answer
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
    assert!(error.contains("give the path of a downloaded file"), "{error}");
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
