//! `emofed check-config`.

use std::path::PathBuf;

use emofed_server::config::{CertificateSource, Config};
use emofed_server::tls::with_colons;

use super::configured::{ConfiguredArguments, ConfiguredCertificate, configured_certificate};
use super::storage::SharedStorage;
use super::{Failure, print};

#[derive(clap::Args)]
#[command(after_help = "Example: emofed check-config emofed.toml --listen 0.0.0.0:8787")]
pub struct Arguments {
    /// The configuration, in TOML
    file: PathBuf,
    #[command(flatten)]
    configured: ConfiguredArguments,
    #[command(flatten)]
    shared: SharedStorage,
}

/// Prints the whole configuration as it would be in effect. Fails where `emofed serve` would not start with it.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut config = arguments.configured.read(Some(&arguments.file))?;
    let tls = match (configured_certificate(&config)?, config.trusted_proxy) {
        (ConfiguredCertificate::Files(tls), _) => {
            let sha256 = tls.fingerprint().as_deref().map(with_colons).unwrap_or_default();
            format!("with the configured certificate, SHA-256 {sha256}")
        }
        (ConfiguredCertificate::SelfSigned, _) => "with a self-signed certificate, kept in the data folder".to_owned(),
        (ConfiguredCertificate::Acme(acme), _) => {
            format!(
                "with a certificate for {} of the authority {}, kept in the data folder",
                acme.domains.join(", "),
                acme.directory
            )
        }
        (ConfiguredCertificate::None, true) => "left to the proxy".to_owned(),
        (ConfiguredCertificate::None, false) => "none; loopback only".to_owned(),
    };
    let is_acme = config.certificate == CertificateSource::Acme;
    let origin = config.public_origin.as_deref().unwrap_or(if is_acme {
        "by the domains"
    } else {
        "by the address it listens on"
    });
    print(format!("# Listens on {}. Origin: {origin}. TLS: {tls}.", arguments.configured.listen));
    if let Some(settings) = arguments.shared.settings() {
        let objects = settings.check()?;
        // Without the address, which has a password in it.
        print(format!("# Store: the federation `{}` in Postgres, objects in {objects}.", settings.federation));
    }
    if config.few_contributors {
        print("# A demonstration: fewer than three may contribute (--allow-few-contributors).");
    }
    if config.limits.max_norm.is_none() {
        print("# limits.max_norm: by what the learning settings can reach with the model.");
    }
    print(effective(&mut config)?);
    Ok(())
}

/// The configuration with all defaults, as it could be written into a file.
fn effective(config: &mut Config) -> Result<String, Failure> {
    config.name = Some(config.federation_config(0).name);
    config.limits.joins_per_address_per_hour = Some(config.limits.joins_per_address());
    let text = toml::Table::try_from(&*config).ok().and_then(|table| toml::to_string_pretty(&table).ok());
    text.ok_or_else(|| Failure::new("the configuration cannot be written as TOML", "report this as a defect"))
}
