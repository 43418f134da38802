//! Why an order gave no certificate, and what can be done about it.

use std::time::Duration;

use rustls_acme::OrderError;
use rustls_acme::acme::{AcmeError, Auth, Identifier};

/// Why there is no new certificate, or none that lasts.
#[derive(Debug, thiserror::Error)]
pub(super) enum FailedOrder {
    /// Nothing was heard for so long, and the certificate in use is due to be renewed, or there is none.
    #[error("the authority does not answer: nothing was heard from it for {} minutes", .0.as_secs() / 60)]
    Silent(Duration),
    /// The authority refuses, or cannot be spoken with.
    #[error("{}", told(.0))]
    Order(#[from] OrderError),
    /// What it has issued cannot be used.
    #[error("what the authority has issued cannot be used: {0}")]
    Unusable(String),
    /// Ordering at once again would never end.
    #[error("the certificate that the authority has issued is due to be renewed already")]
    DueAtOnce,
}

impl FailedOrder {
    pub(super) fn way_out(&self) -> &'static str {
        match self {
            Self::Silent(_) => {
                "see that the directory can be reached from this machine, that no firewall drops its answers, and whether the authority \
                 says that it is disturbed"
            }
            Self::Unusable(_) => "ask another authority",
            Self::DueAtOnce => {
                "see that this machine's clock is right, and how long the authority's certificates are valid"
            }
            Self::Order(OrderError::BadAuth(_) | OrderError::TooManyAttemptsAuth(_)) => {
                "see that the domain's addresses in DNS, those of IPv6, too, lead to this machine, and that the authority reaches port \
                 443 there, which has to lead to the port that is listened on"
            }
            Self::Order(OrderError::Acme(AcmeError::Io(_) | AcmeError::HttpRequest(_))) => {
                "see that the directory's address is right and can be reached from this machine, that acme.root_certificate names the \
                 root of a private authority, and what the directory says, if it has answered"
            }
            Self::Order(OrderError::Acme(AcmeError::KeyRejected(_))) => {
                "delete the files account-*.der in the folder tls/acme of the data folder, and start again"
            }
            Self::Order(_) => "see what the authority says, and [acme] of the configuration",
        }
    }
}

fn told(error: &OrderError) -> String {
    match error {
        OrderError::BadAuth(Auth { identifier: Identifier::Dns(domain), challenges, .. }) => {
            let said = challenges.iter().find_map(|challenge| challenge.error.as_ref()?.detail.clone());
            let said = said.unwrap_or_else(|| "it does not say why".to_owned());
            format!("the authority could not verify {domain}: {said}")
        }
        OrderError::TooManyAttemptsAuth(domain) => format!("the authority did not verify {domain} in time"),
        OrderError::Acme(AcmeError::KeyRejected(_)) => "the kept key of the account is damaged".to_owned(),
        _ => error.to_string(),
    }
}
