//! `emofed federations`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use emofed::protocol::{FederationLinks, FederationSummary, NewFederation, Problem, operator_path};
use reqwest::{Client, Method, Response, header};
use serde::de::DeserializeOwned;

use super::http_client::client_of;
use super::{Failure, print, runtime};

/// How long the aggregator may take to make a connection, or to send something.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
#[command(after_help = "Examples:
  emofed federations list --url http://127.0.0.1:8787 --token-file DATA/operator-token
  emofed federations create 'Lecture 2' --url https://class.example.org --token-file operator-token
  emofed federations end kx7dq2mbw4ta --url https://class.example.org --token-file operator-token")]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// The aggregator's origin
    #[arg(long, global = true, env = "EMOFED_URL", default_value = "http://127.0.0.1:8787", value_name = "URL")]
    url: String,
    /// The file with the operator's token: `operator-token` in the aggregator's data folder
    #[arg(
        long,
        global = true,
        env = "EMOFED_OPERATOR_TOKEN_FILE",
        default_value = "operator-token",
        value_name = "FILE"
    )]
    token_file: PathBuf,
}

#[derive(Subcommand)]
enum Action {
    /// One line each: id, name, connected tabs, participants
    List,
    /// Make one, and print its links, which are told this once
    Create {
        /// Its name on the pages
        name: String,
    },
    /// End one: its tabs are told, and all that it has stored is deleted
    End {
        /// Its id
        id: String,
    },
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let token = read_token(&arguments.token_file)?;
    let origin = arguments.url.trim_end_matches('/').to_owned();
    // Where the token is in the data folder, the aggregator's own certificate is, too.
    let data = arguments.token_file.parent().unwrap_or(Path::new("."));
    let client = client_of(data, TIMEOUT)
        .map_err(|error| Failure::new(error.to_string(), "check the certificate beside the token's file"))?;
    let api = Api { client, origin, token };
    runtime()?.block_on(act(&api, &arguments.action))
}

async fn act(api: &Api, action: &Action) -> Result<(), Failure> {
    match action {
        Action::List => {
            let answer = api.call(Method::GET, operator_path::FEDERATIONS, None).await?;
            for FederationSummary { id, name, available, connected, participants, .. } in
                read::<Vec<FederationSummary>>(answer).await?
            {
                let name = name.filter(|_| available).unwrap_or_else(|| "(not available)".to_owned());
                print(format!("{id}  {name}  {connected} connected, {participants} participants"));
            }
        }
        Action::Create { name } => {
            let body = serde_json::to_vec(&NewFederation { name: name.clone() }).map_err(unreadable)?;
            let answer = api.call(Method::POST, operator_path::FEDERATIONS, Some(body)).await?;
            let FederationLinks { id, student_link, instructor_link, .. } = read(answer).await?;
            print(format!("Id          {id}\nStudent     {student_link}\nInstructor  {instructor_link}"));
        }
        Action::End { id } => {
            api.call(Method::DELETE, &operator_path::federation(id), None).await?;
        }
    }
    Ok(())
}

fn read_token(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map(|token| token.trim().to_owned()).map_err(|error| {
        let message = format!("the operator's token in {} cannot be read: {error}", file.display());
        Failure::new(message, "name the file operator-token of the aggregator's data folder with --token-file")
    })
}

struct Api {
    client: Client,
    origin: String,
    token: String,
}

impl Api {
    async fn call(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> Result<Response, Failure> {
        let request = self.client.request(method, format!("{}{path}", self.origin)).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(body),
            None => request,
        };
        let answer = request.send().await.map_err(|error| {
            let message = format!("the aggregator does not answer: {error}");
            Failure::new(message, "see that it runs at the address of --url")
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let problem = read::<Problem>(answer).await.map_err(|_| {
            Failure::new(format!("the aggregator answers with {status}"), "see that --url is the aggregator's origin")
        })?;
        Err(Failure::new(problem.detail, "an aggregator has an operator if it was started with --operator"))
    }
}

async fn read<T: DeserializeOwned>(answer: Response) -> Result<T, Failure> {
    let bytes = answer.bytes().await.map_err(unreadable)?;
    serde_json::from_slice(&bytes).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("the aggregator's answer cannot be read: {error}"), "see that --url is an emofed's origin")
}
