//! The configuration with the flags that win over it, checked: what `emofed serve` starts with and `emofed check-config` prints.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use clap::ValueEnum;
use emofed_server::config::{CertificateSource, Config, ConfigError};
use emofed_server::serve::authority;
use emofed_server::tls::acme::AcmeSettings;
use emofed_server::tls::{Tls, TlsError};

use super::Failure;

/// Flags that change what is configured, or what it is checked against.
#[derive(clap::Args)]
pub struct ConfiguredArguments {
    /// Where to listen
    #[arg(long, env = "EMOFED_LISTEN", default_value = "127.0.0.1:8787", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Close a round when so many updates are in, from the next round on [default: 3, or as configured]
    #[arg(long, env = "EMOFED_MINIMUM_CLIENTS", value_name = "N")]
    pub minimum_clients: Option<u32>,
    /// Let rounds publish what fewer than three students contributed: for demonstrations on loopback, where each could
    /// work out what another's update was; the pages say so. Rounds close with two unless told otherwise
    #[arg(long, env = "EMOFED_ALLOW_FEW_CONTRIBUTORS")]
    pub allow_few_contributors: bool,
    /// Have an operator's token, in the file operator-token of the data folder: who has it makes and ends further federations
    /// (classes) while the aggregator runs, see `emofed federations`. Replicas are given the same file
    #[arg(long, env = "EMOFED_OPERATOR")]
    pub operator: bool,
    /// Send spans of rounds and uploads to a collector by OTLP over HTTP, such as http://127.0.0.1:4318; no participant is named in them
    #[arg(long, env = "EMOFED_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Speak HTTPS with a certificate that is configured nowhere: made here, or taken from an authority. One in files is configured
    /// in [tls]
    #[arg(long, env = "EMOFED_TLS", value_name = "HOW")]
    pub tls: Option<TlsArgument>,
    /// A name or address that the self-signed certificate is valid for beside those it listens on; the first is in the links
    #[arg(long, env = "EMOFED_TLS_NAME", value_name = "NAME", value_delimiter = ',', requires = "tls")]
    pub tls_name: Vec<String>,
}

/// Where a certificate comes from, other than from the configuration.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TlsArgument {
    /// It is made here, once, and kept in the data folder: for a classroom's network. Browsers ask before they go on; compare the
    /// SHA-256 that is printed with the links
    SelfSigned,
    /// From the authority that [acme] of the configuration names (Let's Encrypt unless another), by ACME, and renewed while serving.
    /// The authority has to reach the port that is listened on as port 443 of the domains
    Acme,
}

impl ConfiguredArguments {
    /// Reads the file, if there is one, and checks what is effective with the flags.
    pub fn read(&self, file: Option<&Path>) -> Result<Config, Failure> {
        let mut config = file.map_or_else(|| Ok(Config::default()), Config::read)?;
        if self.allow_few_contributors && file.is_none() {
            config.rounds.minimum_clients = 2;
        }
        if let Some(minimum) = self.minimum_clients {
            config.rounds.minimum_clients = minimum;
        }
        config.few_contributors = self.allow_few_contributors;
        config.operator.enabled |= self.operator;
        if self.otlp_endpoint.is_some() {
            config.telemetry.otlp_endpoint.clone_from(&self.otlp_endpoint);
        }
        config.certificate = match self.tls {
            None => CertificateSource::Files,
            Some(TlsArgument::SelfSigned) => CertificateSource::SelfSigned,
            Some(TlsArgument::Acme) => CertificateSource::Acme,
        };
        config.check(self.listen)?;
        if let Some(folder) = config.stage.folder.as_deref().filter(|folder| !folder.is_dir()) {
            let message = format!("stage.folder of the configuration: there is no folder {}", folder.display());
            return Err(Failure::new(message, "make it, and put the lecture's files there, or leave stage.folder out"));
        }
        if self.tls == Some(TlsArgument::Acme) && !self.tls_name.is_empty() {
            return Err(Failure::new(
                "--tls-name is for --tls self-signed",
                "name the domains in [acme] of the configuration",
            ));
        }
        if let Some(name) = self.tls_name.iter().find(|name| !is_name(name)) {
            let message = format!("--tls-name {name}: this is no host name and no address");
            return Err(Failure::new(message, "name it as in a link, without https:// and port, in lower case"));
        }
        Ok(config)
    }
}

/// What the aggregator shows a certificate by, as far as it can be had before anything is listened on or asked.
pub enum ConfiguredCertificate {
    /// There is no TLS, or a proxy's alone.
    None,
    /// That of the files of `[tls]`.
    Files(Tls),
    /// One that is made at the start.
    SelfSigned,
    /// One of an authority.
    Acme(AcmeSettings),
}

/// The certificate that is configured; its files are read.
pub fn configured_certificate(config: &Config) -> Result<ConfiguredCertificate, Failure> {
    Ok(match (config.certificate, &config.tls, &config.acme) {
        (CertificateSource::SelfSigned, ..) => ConfiguredCertificate::SelfSigned,
        (CertificateSource::Acme, _, Some(acme)) => {
            let settings = AcmeSettings::from(acme.clone());
            // So that a root certificate that is none is told before the authority is asked.
            settings.client()?;
            ConfiguredCertificate::Acme(settings)
        }
        (CertificateSource::Files, Some(files), _) => ConfiguredCertificate::Files(Tls::load(files.clone().into())?),
        // A check has refused ACME without its section.
        (CertificateSource::Files, None, _) | (CertificateSource::Acme, _, None) => ConfiguredCertificate::None,
    })
}

fn is_name(name: &str) -> bool {
    let is_host = !name.contains([':', '[', ']']) && authority(&format!("https://{name}")).is_some();
    is_host || name.parse::<IpAddr>().is_ok()
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(error.to_string(), "change the configuration, then start again")
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        let way_out = match error {
            TlsError::File { .. } => {
                "check the path in [tls] or [acme] of the configuration, and that this user can read the file; those of the folder `tls` of \
                 the data folder, write, too"
            }
            TlsError::Unusable { .. } | TlsError::Mismatch { .. } => {
                "name the certificate chain and the private key that belongs to it, both in PEM; of the self-signed ones in the \
                 folder `tls` of the data folder, delete both: the next start makes new ones, with another fingerprint"
            }
            TlsError::Addresses(_) => "name one address with --listen instead of all",
            TlsError::Interrupted(_) => "start again",
            TlsError::Making(_) | TlsError::Setup(_) => {
                "see the message; the names of --tls-name are what may be at fault"
            }
        };
        Self::new(error.to_string(), way_out)
    }
}
