//! How virtual students' updates reach the aggregator: by a call, or over HTTP on loopback as tabs do.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use emofed::protocol::{JoinRequest, JoinResponse, SAFETENSORS, path, sha256_hex};
use reqwest::{Client, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::LabError;
use crate::clock::SystemClock;
use crate::round::Federation;
use crate::secret;
use crate::serve::{Admission, App, ConnectionBounds, EventStreams, JoinLimiter, Origins, Page, serve};
use crate::store::FederationRecord;

/// How updates travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// By a call of the aggregator's code. Students have ids in order, so that the same seed gives the same bits.
    #[default]
    InProcess,
    /// Over HTTP on loopback: each student joins with the join code and has a random id, so that updates are summed in
    /// another order each time, and the last bits differ.
    Http,
}

/// Hands updates over.
pub(super) enum Delivery {
    InProcess(Arc<Federation>),
    Http(HttpDelivery),
}

impl Delivery {
    pub fn over(transport: Transport, federation: Arc<Federation>) -> Result<Self, LabError> {
        match transport {
            Transport::InProcess => Ok(Self::InProcess(federation)),
            Transport::Http => HttpDelivery::start(federation).map(Self::Http),
        }
    }

    /// Hands over the body of `student`'s update; whether it was acknowledged.
    ///
    /// # Errors
    /// The aggregator could not take it, for another reason than the update itself.
    pub fn send(&self, student: usize, round: u64, body: Vec<u8>) -> Result<bool, LabError> {
        match self {
            // Ids of equal length, so that updates are summed in the students' order.
            Self::InProcess(federation) => match federation.submit(&format!("student-{student:08}"), round, &body) {
                Ok(_) => Ok(true),
                Err(error) if error.is_refusal() => Ok(false),
                Err(error) => Err(error.into()),
            },
            Self::Http(delivery) => delivery.send(student, round, body),
        }
    }
}

/// `emofed serve`'s own HTTP side on a free port, and clients of it.
pub(super) struct HttpDelivery {
    runtime: Runtime,
    client: Client,
    origin: String,
    join_code: String,
    /// Bearer tokens of the students that have joined.
    tokens: Mutex<HashMap<usize, String>>,
    stop: watch::Sender<bool>,
}

impl HttpDelivery {
    fn start(federation: Arc<Federation>) -> Result<Self, LabError> {
        let no_socket = |error| LabError::file(Path::new("a socket on loopback"), error);
        let runtime = Runtime::new().map_err(no_socket)?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).map_err(no_socket)?;
        let origin = format!("http://{}", listener.local_addr().map_err(no_socket)?);
        let join_code = secret::join_code()?;
        let instructor_token_sha256 = sha256_hex(secret::token()?.as_bytes());
        let record =
            FederationRecord { join_code: join_code.clone(), join_code_expires_at_s: None, instructor_token_sha256 };
        federation.records().put_federation(&record)?;
        let (stop, stopping) = watch::channel(false);
        let mut stopped = stopping.clone();
        let app = App {
            admission: Arc::new(Admission::new(federation.records().clone(), Arc::new(SystemClock), record, 1)),
            federation,
            joins: Arc::new(JoinLimiter::new(u32::MAX)),
            origins: Origins::default(),
            tls: None,
            connections: ConnectionBounds::for_this_process(usize::MAX),
            streams: EventStreams::default(),
            stopping,
        };
        runtime.spawn(serve(listener, app, Page::None, async move {
            // A sender that is gone is a stop, too.
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        Ok(Self { runtime, client: Client::new(), origin, join_code, tokens: Mutex::default(), stop })
    }

    fn send(&self, student: usize, round: u64, body: Vec<u8>) -> Result<bool, LabError> {
        self.runtime.block_on(async {
            let token = match self.known_token(student) {
                Some(token) => token,
                None => self.join(student).await?,
            };
            let request = self.client.put(format!("{}{}", self.origin, path::update(round)));
            let request = request.bearer_auth(token).header(header::CONTENT_TYPE, SAFETENSORS).body(body);
            let status = request.send().await.map_err(unreachable)?.status();
            if status.is_server_error() { Err(refused(status)) } else { Ok(status.is_success()) }
        })
    }

    fn known_token(&self, student: usize) -> Option<String> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&student).cloned()
    }

    async fn join(&self, student: usize) -> Result<String, LabError> {
        let request = JoinRequest { join_code: self.join_code.clone() };
        let body = serde_json::to_vec(&request).map_err(|error| unusable(&error))?;
        let request = self.client.post(format!("{}{}", self.origin, path::PARTICIPANTS));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        let response = request.send().await.map_err(unreachable)?;
        if !response.status().is_success() {
            return Err(refused(response.status()));
        }
        let bytes = response.bytes().await.map_err(unreachable)?;
        let joined: JoinResponse = serde_json::from_slice(&bytes).map_err(|error| unusable(&error))?;
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(student, joined.token.clone());
        Ok(joined.token)
    }
}

impl Drop for HttpDelivery {
    fn drop(&mut self) {
        // Nobody listening any more is a stop, too.
        let _ = self.stop.send(true);
    }
}

fn unreachable(error: reqwest::Error) -> LabError {
    LabError::file(Path::new("the aggregator on loopback"), std::io::Error::other(error))
}

fn refused(status: StatusCode) -> LabError {
    LabError::malformed(Path::new("the aggregator on loopback"), format!("it answers with {status}"))
}

fn unusable(error: &serde_json::Error) -> LabError {
    LabError::malformed(Path::new("the aggregator's answer"), error)
}
