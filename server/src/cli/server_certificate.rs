//! The certificate that `emofed serve` shows, and the origins that follow from it.

use std::net::SocketAddr;
use std::path::Path;

use emofed_server::clock::{Clock as _, SystemClock};
use emofed_server::config::{CertificateSource, Config};
use emofed_server::serve::{Origins, authority};
use emofed_server::tls::{Tls, self_signed};

use super::Failure;
use super::configured::ConfiguredCertificate;

/// A certificate, and what it is valid for.
pub struct ServerCertificate {
    pub tls: Tls,
    /// Of one that is self-signed or an authority's by ACME: names and addresses, that of the links first.
    pub names: Vec<String>,
}

impl ServerCertificate {
    /// The `configured` certificate, if there is one, for an aggregator that listens on `address`.
    pub fn new(
        configured: ConfiguredCertificate,
        data: &Path,
        address: SocketAddr,
        more: &[String],
        config: &Config,
    ) -> Result<Option<Self>, Failure> {
        Ok(match configured {
            ConfiguredCertificate::None => None,
            ConfiguredCertificate::Files(tls) => Some(Self { tls, names: Vec::new() }),
            ConfiguredCertificate::SelfSigned => Some(Self::by_itself(data, address, more, config)?),
            ConfiguredCertificate::Acme(settings) => {
                let names = settings.domains.clone();
                Some(Self { tls: Tls::acme(settings, data)?, names })
            }
        })
    }

    /// A self-signed certificate for `more` names, those of the address that is listened on, and the public origin.
    fn by_itself(data: &Path, address: SocketAddr, more: &[String], config: &Config) -> Result<Self, Failure> {
        let mut names = more.to_vec();
        let public = config.public_origin.as_deref().and_then(authority).map(without_port);
        for name in self_signed::names(address)?.into_iter().chain(public) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let files = self_signed::certificate(data, &names, SystemClock.now_s())?;
        Ok(Self { tls: Tls::load(files)?, names })
    }
}

/// Where requests may come from. Beyond loopback a certificate that is self-signed says under which origins, if the configuration
/// does not; one that comes by ACME says it anywhere.
pub fn origins(config: &Config, address: SocketAddr, secured: Option<&ServerCertificate>) -> Origins {
    let is_acme = config.certificate == CertificateSource::Acme;
    let is_beyond = !address.ip().is_loopback() || config.public_origin.is_some() || is_acme;
    let names = secured.filter(|_| is_beyond && !config.trusted_proxy).map_or(&[][..], |secured| &secured.names);
    let derived: Vec<String> = names.iter().map(|name| self_signed::origin(name, address.port())).collect();
    let public = config.public_origin.clone().or_else(|| {
        let first = derived.first().cloned();
        first.inspect(|origin| {
            eprintln!("public_origin is not configured: by the certificate's names and the port that is listened on it is {origin}.");
            eprintln!("The certificate is valid for {}, and the page answers there, too.", names.join(", "));
        })
    });
    Origins {
        public,
        aliases: derived,
        is_tls: secured.is_some(),
        trusted_proxy: config.trusted_proxy,
        stage: config.stage.origins.clone(),
        embedders: config.stage.embedders.clone(),
    }
}

/// The host of an origin's authority.
fn without_port(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.to_owned()
}
