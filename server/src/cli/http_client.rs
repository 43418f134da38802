//! A client of a running aggregator, for commands.

use std::path::Path;
use std::time::Duration;

use reqwest::{Certificate, Client};

/// A client that trusts, beside public authorities, the certificate that the aggregator of the data folder `data` has made itself.
/// `timeout` bounds connecting and each pause of an answer.
///
/// # Errors
/// The certificate is none, or TLS cannot be set up.
pub fn client_of(data: &Path, timeout: Duration) -> Result<Client, reqwest::Error> {
    let client = Client::builder().connect_timeout(timeout).read_timeout(timeout);
    match std::fs::read(data.join("tls/certificate.pem")) {
        Ok(pem) => client.tls_certs_merge([Certificate::from_pem(&pem)?]).build(),
        // The aggregator has another kind, or none.
        Err(_) => client.build(),
    }
}
