//! Tests of downloads and uploads against a stand-in of the hub.

use super::stand_in::{self, Answer, Request};
use super::*;
use crate::package::hex;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

const COMMIT: &str = "0123abcd";
const TOKEN: &str = "hf_secret";
const WEIGHTS: &[u8] = &[7; 100_000];

/// The files on the stand-in, and every request that it got.
#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// Changes an answer, to make a fault.
    fault: Option<fn(&Request, &mut Answer)>,
    requests: Vec<Request>,
    /// Large files that were uploaded, by their SHA-256.
    large: BTreeMap<String, Vec<u8>>,
}

/// Starts a stand-in of the hub with the model `someone/model`.
fn hub_with(files: &[(&str, &[u8])], fault: Option<fn(&Request, &mut Answer)>) -> (String, Arc<Mutex<State>>) {
    let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    let state = Arc::new(Mutex::new(State { files, fault, ..State::default() }));
    let endpoint = Arc::new(Mutex::new(String::new()));
    let (shared, own_address) = (Arc::clone(&state), Arc::clone(&endpoint));
    let address = stand_in::start(move |request| {
        let mut state = shared.lock().unwrap();
        let mut answer = answer(&request, &mut state, &own_address.lock().unwrap());
        if let Some(fault) = state.fault {
            fault(&request, &mut answer);
        }
        state.requests.push(request);
        answer
    });
    *endpoint.lock().unwrap() = address.clone();
    (address, state)
}

fn git_id(bytes: &[u8]) -> String {
    use sha1::Digest;
    let mut sha1 = sha1::Sha1::new();
    sha1.update(format!("blob {}\0", bytes.len()));
    sha1.update(bytes);
    hex(&sha1.finalize())
}

fn is_large(name: &str) -> bool {
    name.ends_with(".safetensors")
}

/// Answers as the hub does.
fn answer(request: &Request, state: &mut State, endpoint: &str) -> Answer {
    let ok = |value: serde_json::Value| Answer::new(200, value.to_string());
    let body = || serde_json::from_slice::<serde_json::Value>(&request.body).unwrap();
    let has_token = request.headers.get("authorization").is_some_and(|value| *value == format!("Bearer {TOKEN}"));
    if request.line.starts_with("POST /") && !has_token {
        return Answer::new(401, json!({ "error": "Invalid username or password." }).to_string());
    }
    match request.line.as_str() {
        "GET /api/models/someone/model/revision/main?blobs=true" => {
            let file = |(name, bytes): (&String, &Vec<u8>)| {
                let mut file = json!({ "rfilename": name, "size": bytes.len(), "blobId": git_id(bytes) });
                if is_large(name) {
                    file["lfs"] = json!({ "sha256": hex(&Sha256::digest(bytes)), "size": bytes.len() });
                }
                file
            };
            ok(json!({ "sha": COMMIT, "siblings": state.files.iter().map(file).collect::<Vec<_>>() }))
        }
        "POST /api/repos/create" => {
            Answer::new(409, json!({ "error": "You already created this model repo" }).to_string())
        }
        "POST /api/models/someone/model/preupload/main" => {
            let mode = |file: &serde_json::Value| {
                let mode = if is_large(file["path"].as_str().unwrap()) { "lfs" } else { "regular" };
                json!({ "path": file["path"], "uploadMode": mode, "shouldIgnore": false })
            };
            ok(json!({ "files": body()["files"].as_array().unwrap().iter().map(mode).collect::<Vec<_>>() }))
        }
        "POST /someone/model.git/info/lfs/objects/batch" => {
            let object = &body()["objects"][0];
            let sum = object["oid"].as_str().unwrap();
            let upload = json!({ "href": format!("{endpoint}/storage/{sum}"), "header": { "x-part": "1" } });
            let verify = json!({ "href": format!("{endpoint}/verify") });
            let actions = json!({ "upload": upload, "verify": verify });
            ok(json!({ "objects": [{ "oid": sum, "size": object["size"], "actions": actions }] }))
        }
        "POST /verify" => {
            let found = state.large.get(body()["oid"].as_str().unwrap()).map(Vec::len);
            Answer::new(if found.map(|bytes| bytes as u64) == body()["size"].as_u64() { 200 } else { 422 }, "")
        }
        "POST /api/models/someone/model/commit/main" => {
            let text = String::from_utf8(request.body.clone()).unwrap();
            for line in text.lines().skip(1) {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let value = &line["value"];
                let bytes = match line["key"].as_str().unwrap() {
                    "file" => base64::Engine::decode(
                        &base64::engine::general_purpose::STANDARD,
                        value["content"].as_str().unwrap(),
                    )
                    .unwrap(),
                    "lfsFile" => state.large[value["oid"].as_str().unwrap()].clone(),
                    key => panic!("{key}"),
                };
                state.files.insert(value["path"].as_str().unwrap().to_owned(), bytes);
            }
            ok(json!({ "commitUrl": format!("{endpoint}/someone/model/commit/{COMMIT}") }))
        }
        line => {
            if let Some(sum) = line.strip_prefix("PUT /storage/") {
                assert!(!request.headers.contains_key("authorization"), "the token is for the hub alone");
                assert_eq!(request.headers["x-part"], "1");
                state.large.insert(sum.to_owned(), request.body.clone());
                return Answer::new(200, "");
            }
            let name = line.strip_prefix(&format!("GET /someone/model/resolve/{COMMIT}/"));
            match name.and_then(|name| state.files.get(name)) {
                Some(bytes) => Answer::new(200, bytes.clone()),
                None => Answer::new(404, json!({ "error": "Entry not found" }).to_string()),
            }
        }
    }
}

fn address() -> Address {
    "someone/model".parse().unwrap()
}

/// Downloads the model and returns the message of the error. The folder must then be missing.
fn pull_error(endpoint: &str, folder: &Path, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let error = pull(&Hub::new(endpoint, None), &address(), &folder.join("m"), &names, |_, _| {}).unwrap_err();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "files are left");
    format!("{error:#}")
}

#[test]
fn a_model_is_downloaded_with_its_checksums() {
    let files: [(&str, &[u8]); 3] = [("config.json", b"{}"), ("model.safetensors", WEIGHTS), (".gitattributes", b"x")];
    let (endpoint, state) = hub_with(&files, None);
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::new(&endpoint, Some(TOKEN.to_owned()));
    let shown = Mutex::new(Vec::new());
    let report = |name: &str, bytes| shown.lock().unwrap().push(format!("{name} {bytes}"));
    let written = pull(&hub, &address(), &folder.path().join("m"), &[], report).unwrap();
    assert_eq!(shown.into_inner().unwrap(), ["config.json 2", "model.safetensors 100000"]);
    assert_eq!(written, ["config.json", "model.safetensors"].map(|name| folder.path().join("m").join(name)));
    assert_eq!(std::fs::read(folder.path().join("m/model.safetensors")).unwrap(), WEIGHTS);
    assert!(state.lock().unwrap().requests.iter().all(|request| request.headers["authorization"].ends_with(TOKEN)));
    let again = pull(&hub, &address(), &folder.path().join("m"), &[], |_, _| {}).unwrap_err().to_string();
    assert!(again.contains("exists already"), "{again}");
    let one = pull(&hub, &address(), &folder.path().join("one"), &["config.json".to_owned()], |_, _| {}).unwrap();
    assert_eq!(one.len(), 1);
}

#[test]
fn a_download_with_a_fault_leaves_no_file_and_names_it() {
    let files: [(&str, &[u8]); 2] = [("model.safetensors", WEIGHTS), ("config.json", b"{}")];
    type Fault = fn(&Request, &mut Answer);
    let faults: [(Fault, &str); 9] = [
        (
            |request, answer| {
                if request.line.ends_with(".safetensors") {
                    answer.sent = 1000
                }
            },
            "the download ended after 1000 of 100000 bytes",
        ),
        (
            |request, answer| {
                if request.line.ends_with(".safetensors") {
                    *answer = Answer::new(200, &WEIGHTS[..1000])
                }
            },
            "1000 bytes, expected 100000",
        ),
        (
            |request, answer| {
                if request.line.ends_with(".safetensors") {
                    *answer = Answer::new(200, [WEIGHTS, &b"x"[..]].concat())
                }
            },
            "100001 bytes or more, expected 100000",
        ),
        (
            |request, answer| {
                if request.line.ends_with(".safetensors") {
                    answer.body[5] = 8
                }
            },
            "the checksum is",
        ),
        (
            |request, answer| {
                if request.line.ends_with("config.json") {
                    answer.body[0] = b'['
                }
            },
            "the checksum is",
        ),
        (
            |request, answer| {
                if request.line.ends_with("config.json") {
                    *answer = Answer::new(503, "busy")
                }
            },
            "status 503: the hub has a problem",
        ),
        (
            |request, answer| {
                if request.line.contains("/api/") {
                    *answer = Answer::new(401, "")
                }
            },
            "needs a token: `hf auth login`",
        ),
        (
            |request, answer| {
                if request.line.contains("/api/") {
                    *answer = Answer::new(200, "<html>")
                }
            },
            "the answer is not JSON",
        ),
        (
            |request, answer| {
                if request.line.contains("/api/") {
                    *answer = Answer::new(200, "{\"sha\": \"1\"}")
                }
            },
            "the answer is not a list of files",
        ),
    ];
    for (fault, expected) in faults {
        let (endpoint, _) = hub_with(&files, Some(fault));
        let folder = tempfile::tempdir().unwrap();
        let error = pull_error(&endpoint, folder.path(), &[]);
        assert!(error.contains(expected) && error.contains(&endpoint), "{expected}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, _) = hub_with(&files, None);
    let error = pull_error(&endpoint, folder.path(), &["weights.bin"]);
    assert!(error.contains("no file \"weights.bin\"; the files are config.json, model.safetensors"), "{error}");
    let (endpoint, _) = hub_with(&[("a/../../evil", b"x")], None);
    let error = pull_error(&endpoint, folder.path(), &[]);
    assert!(error.contains("leads out of the folder"), "{error}");
    let error = pull_error("http://127.0.0.1:9", folder.path(), &[]);
    assert!(error.contains("the hub cannot be reached"), "{error}");
}

/// A model directory with the files of a training.
fn model(folder: &Path) {
    for (name, bytes) in
        [("config.json", &b"{}"[..]), ("model.safetensors", WEIGHTS), ("validation.csv", b"text,label\n")]
    {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn a_model_is_uploaded_without_its_rows_and_comes_back() {
    let (endpoint, state) = hub_with(&[], None);
    let folder = tempfile::tempdir().unwrap();
    model(folder.path());
    let hub = Hub::new(&endpoint, Some(TOKEN.to_owned()));
    let options = Upload { message: "first".to_owned(), private: true, with_rows: false };
    let commit = upload(&hub, folder.path(), &address(), &options, |_, _| {}).unwrap();
    assert_eq!(commit, format!("{endpoint}/someone/model/commit/{COMMIT}"));
    {
        let state = state.lock().unwrap();
        assert_eq!(state.files.keys().collect::<Vec<_>>(), ["config.json", "model.safetensors"]);
        let create = serde_json::from_slice::<serde_json::Value>(&state.requests[0].body).unwrap();
        assert_eq!(create, json!({ "name": "model", "organization": "someone", "private": true }));
        let commit = String::from_utf8(state.requests.last().unwrap().body.clone()).unwrap();
        let header: serde_json::Value = serde_json::from_str(commit.lines().next().unwrap()).unwrap();
        assert_eq!(header["value"]["summary"], "first");
    }
    let copy = folder.path().join("copy");
    pull(&hub, &address(), &copy, &[], |_, _| {}).unwrap();
    assert_eq!(std::fs::read(copy.join("model.safetensors")).unwrap(), WEIGHTS);
    upload(&hub, folder.path(), &address(), &Upload { with_rows: true, ..options }, |_, _| {}).unwrap();
    assert!(state.lock().unwrap().files.contains_key("validation.csv"));
}

#[test]
fn a_refused_upload_names_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    model(folder.path());
    let try_with = |token: Option<&str>, fault: Option<fn(&Request, &mut Answer)>| {
        let (endpoint, state) = hub_with(&[], fault);
        let hub = Hub::new(&endpoint, token.map(str::to_owned));
        let error = upload(&hub, folder.path(), &address(), &Upload::default(), |_, _| {}).unwrap_err();
        assert!(state.lock().unwrap().files.is_empty());
        let error = format!("{error:#}");
        assert!(token.is_none_or(|token| !error.contains(token)), "the token is shown: {error}");
        error
    };
    let error = try_with(None, None);
    assert!(error.starts_with("an upload needs a token: `hf auth login`, or HF_TOKEN"), "{error}");
    let error = try_with(Some("hf_other"), None);
    assert!(
        error.contains("status 401: the token does not permit this") && error.contains("(Invalid username"),
        "{error}"
    );
    let error = try_with(
        Some(TOKEN),
        Some(|request, answer| {
            if request.line.starts_with("PUT ") {
                *answer = Answer::new(500, "")
            }
        }),
    );
    assert!(error.contains("/storage/") && error.contains("status 500"), "{error}");
    let error = try_with(
        Some(TOKEN),
        Some(|request, answer| {
            if request.line.ends_with("/verify") {
                *answer = Answer::new(422, "")
            }
        }),
    );
    assert!(error.contains("/verify: status 422"), "{error}");
    let error = try_with(
        Some(TOKEN),
        Some(|request, answer| {
            if request.line.ends_with("/batch") {
                *answer = Answer::new(200, r#"{"objects":[{"error":{"code":403,"message":"over quota"}}]}"#);
            }
        }),
    );
    assert!(error.contains("the hub refuses model.safetensors: over quota"), "{error}");
    let error = try_with(
        Some(TOKEN),
        Some(|request, answer| {
            if request.line.contains("/preupload/") {
                *answer = Answer::new(200, r#"{"files":[]}"#)
            }
        }),
    );
    assert!(error.contains("has no `uploadMode` for config.json"), "{error}");
}

#[test]
fn names_of_models_are_checked() {
    let parse =
        |text: &str| text.parse::<Address>().map(|address| format!("{}@{}", address.repository, address.revision));
    assert_eq!(parse("a/b").unwrap(), "a/b@main");
    assert_eq!(parse("hf:a/b.c@refs/pr/1").unwrap(), "a/b.c@refs/pr/1");
    for bad in ["a", "a/b/c", "/b", "a/", "a b/c", "a/b@", "a/b@x y", "a/b?c"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}
