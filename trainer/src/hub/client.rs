//! The names of models on the hub, and its HTTP interface.

use anyhow::{Context, bail};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// The time to connect, and the longest silence of the hub.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read other than a file, in bytes.
const MAX_ANSWER: u64 = 16 << 20;

/// The name of a model on the hub: `owner/name`, optionally with `@revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `owner/name`
    pub repository: String,
    /// A branch, tag or commit.
    pub revision: String,
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (repository, revision) = text.trim_start_matches("hf:").split_once('@').unwrap_or((text, "main"));
        let repository = repository.trim_start_matches("hf:");
        let is_part = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let is_name = repository.split('/').count() == 2 && repository.split('/').all(is_part);
        let is_revision = revision.split('/').all(is_part);
        match is_name && is_revision {
            true => Ok(Address { repository: repository.to_owned(), revision: revision.to_owned() }),
            false => Err("expected OWNER/NAME or OWNER/NAME@REVISION".to_owned()),
        }
    }
}

impl Address {
    /// The last part of the name.
    pub fn name(&self) -> &str {
        self.repository.split('/').next_back().unwrap_or_default()
    }
}

/// A connection to the hub.
pub struct Hub {
    pub(super) agent: Agent,
    pub(super) endpoint: String,
    pub(super) token: Option<String>,
}

impl Hub {
    /// The hub that `HF_ENDPOINT` names, by default huggingface.co, with the token of `HF_TOKEN` or of `hf auth login`.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        let home = variable("HF_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cache").join("huggingface")));
        let saved = || std::fs::read_to_string(home?.join("token")).ok();
        let token = variable("HF_TOKEN").or_else(saved).map(|token| token.trim().to_owned());
        Hub::new(&endpoint, token.filter(|token| !token.is_empty()))
    }

    /// The hub at an address, with a token if there is one.
    pub fn new(endpoint: &str, token: Option<String>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(TIMEOUT))
            .timeout_recv_response(Some(TIMEOUT))
            .timeout_per_read(Some(TIMEOUT));
        Hub { agent: config.build().into(), endpoint: endpoint.trim_end_matches('/').to_owned(), token }
    }

    /// The address of a page of the hub.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.endpoint)
    }

    /// The value of the header that holds the token.
    pub(super) fn authorization(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// Gets a page. Fails for any status but success.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Response<Body>> {
        let url = self.url(path);
        let mut request = self.agent.get(&url);
        if let Some(value) = self.authorization() {
            request = request.header("Authorization", value);
        }
        self.checked(&url, request.call())
    }

    /// Sends a body to a page of the hub and returns its answer. Fails for any status but success and `allowed`.
    pub(super) fn post(&self, path: &str, kind: &str, body: &str, allowed: Option<u16>) -> anyhow::Result<Value> {
        let url = self.url(path);
        let token = self.authorization().context("no token")?;
        let request = self.agent.post(&url).header("Authorization", token).header("Content-Type", kind);
        let response = request.header("Accept", kind.replace("x-ndjson", "json")).send(body);
        let response = match response {
            Ok(response) if allowed == Some(response.status().as_u16()) => return Ok(Value::Null),
            response => self.checked(&url, response)?,
        };
        self.json(&url, response)
    }

    /// Reads an answer in JSON.
    pub(super) fn json(&self, url: &str, mut response: Response<Body>) -> anyhow::Result<Value> {
        let text = response.body_mut().with_config().limit(MAX_ANSWER).read_to_string();
        let text = text.with_context(|| format!("{url}: the answer ends early or is too long"))?;
        serde_json::from_str(&text).with_context(|| format!("{url}: the answer is not JSON"))
    }

    /// Returns an answer with a status of success, or an error that names the status and advice.
    pub(super) fn checked(
        &self,
        url: &str,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> anyhow::Result<Response<Body>> {
        let mut response = answer.with_context(|| format!("{url}: the hub cannot be reached"))?;
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
        let reason =
            serde_json::from_str::<Value>(&text).ok().and_then(|answer| Some(answer["error"].as_str()?.to_owned()));
        let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
        bail!("{url}: status {status}: {advice}{reason}")
    }
}
