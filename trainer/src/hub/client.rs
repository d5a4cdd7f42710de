//! The names of models on the Hugging Face hub, and requests to the hub's HTTP interface.

use anyhow::{Context, bail};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// The longest time to connect, and the longest time in which the hub sends nothing.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The largest length in bytes of an answer other than a file.
const MAX_ANSWER: u64 = 16 << 20;

/// The name of a model on the hub, parsed from `owner/name` or `owner/name@revision`, with or without the prefix `hf:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The repository, `owner/name`.
    pub repository: String,
    /// A branch, tag or commit; `main` by default.
    pub revision: String,
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches("hf:");
        let (repository, revision) = text.split_once('@').unwrap_or((text, "main"));
        let is_part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let is_name = repository.split('/').count() == 2 && repository.split('/').all(is_part);
        let is_revision = revision.split('/').all(is_part);
        if !is_name || !is_revision {
            return Err("expected OWNER/NAME or OWNER/NAME@REVISION".to_owned());
        }
        Ok(Address { repository: repository.to_owned(), revision: revision.to_owned() })
    }
}

impl Address {
    /// The name without the owner.
    pub fn name(&self) -> &str {
        self.repository.split('/').next_back().unwrap_or_default()
    }
}

/// A client of the hub.
pub struct Hub {
    pub(super) agent: Agent,
    /// The hub's address, without a slash at its end.
    pub(super) endpoint: String,
    /// The access token; `None` for requests without one.
    pub(super) token: Option<String>,
}

impl Hub {
    /// Creates a client of the hub that the environment variable `HF_ENDPOINT` names, by default huggingface.co, with
    /// the token of `HF_TOKEN` or of `hf auth login`, if there is one.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let folder = match variable("HF_HOME") {
            Some(folder) => Some(PathBuf::from(folder)),
            None => std::env::home_dir().map(|home| home.join(".cache").join("huggingface")),
        };
        let saved_token = || std::fs::read_to_string(folder?.join("token")).ok();
        let token = variable("HF_TOKEN").or_else(saved_token).map(|token| token.trim().to_owned());
        Hub::new(&endpoint, token.filter(|token| !token.is_empty()))
    }

    /// Creates a client of the hub at the address `endpoint`, with an access token if there is one.
    pub fn new(endpoint: &str, token: Option<String>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(TIMEOUT))
            .timeout_recv_response(Some(TIMEOUT))
            .timeout_per_read(Some(TIMEOUT));
        Hub { agent: config.build().into(), endpoint: endpoint.trim_end_matches('/').to_owned(), token }
    }

    /// Returns the address of the page `path` of the hub.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    /// The value of the header `Authorization`; `None` without a token.
    pub(super) fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// Requests the page `path`. Fails for any status but success.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Response<Body>> {
        let url = self.url(path);
        let mut request = self.agent.get(&url);
        if let Some(value) = self.authorization() {
            request = request.header("Authorization", value);
        }
        self.checked(&url, request.call())
    }

    /// Sends `body` to the page `path` and returns the answer, which is JSON. Fails without a token, and for any status
    /// but success and `allowed`. An answer with the status `allowed` is not read: null is returned.
    pub(super) fn post(
        &self,
        path: &str,
        content_type: &str,
        body: &str,
        allowed: Option<u16>,
    ) -> anyhow::Result<Value> {
        let url = self.url(path);
        let token = self.authorization().context("no token")?;
        let request = self.agent.post(&url).header("Authorization", token).header("Content-Type", content_type);
        // The hub answers lines of JSON (`x-ndjson`) with one JSON object.
        let response = request.header("Accept", content_type.replace("x-ndjson", "json")).send(body);
        let response = match response {
            Ok(response) if allowed == Some(response.status().as_u16()) => return Ok(Value::Null),
            response => self.checked(&url, response)?,
        };
        self.json(&url, response)
    }

    /// Reads an answer in JSON. `url`: the address of the request, for the error.
    pub(super) fn json(&self, url: &str, mut response: Response<Body>) -> anyhow::Result<Value> {
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.with_context(|| format!("{url}: the answer ends early or is too long"))?;
        serde_json::from_str(&text).with_context(|| format!("{url}: the answer is not JSON"))
    }

    /// Returns the response if its status is one of success. The error names the address, the status, a remedy, and the
    /// reason that the hub gives.
    pub(super) fn checked(
        &self,
        url: &str,
        response: Result<Response<Body>, ureq::Error>,
    ) -> anyhow::Result<Response<Body>> {
        let mut response = response.with_context(|| format!("{url}: the hub cannot be reached"))?;
        let status = response.status().as_u16();
        if response.status().is_success() {
            return Ok(response);
        }
        let has_token = self.token.is_some();
        let advice = match status {
            401 | 403 if has_token => "the token does not permit this; `hf auth login` with a token that does",
            401 | 403 => "it does not exist, or needs a token: `hf auth login`, or HF_TOKEN",
            404 => "no such model, revision or file",
            429 => "too many requests; try again later",
            500.. => "the hub has a problem; try again later",
            _ => "the hub refuses the request",
        };
        // The hub explains some refusals, such as a name that is not allowed.
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string().unwrap_or_default();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let reason = answer["error"].as_str().map_or(String::new(), |reason| format!(" ({reason})"));
        bail!("{url}: status {status}: {advice}{reason}")
    }
}
