//! What `emofed serve` needs for several federations: their acceptance checks and their defaults.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use emofed::protocol::sha256_hex;
use emofed_server::clock::SystemClock;
use emofed_server::config::Config;
use emofed_server::lab::dataset::Dataset;
use emofed_server::lab::held_out::HeldOutCheck;
use emofed_server::round::{AcceptanceCheck, FederationConfig, SanityCheck};
use emofed_server::serve::{App, FederationDefaults, Federations, Host, ServerParts};
use emofed_server::store::{FederationRegistry, Records};

use super::Failure;

/// Makes the acceptance check of each federation.
pub struct Checks {
    held_out: Option<Dataset>,
    tolerance: f64,
}

impl Checks {
    /// Reads the clips that candidates are measured on, if there are any.
    pub fn new(records: &Records, cache: Option<&Path>, tolerance: f64) -> Result<Self, Failure> {
        let held_out = cache.map(|cache| held_out(records, cache)).transpose()?;
        Ok(Self { held_out, tolerance })
    }

    /// The check of a federation with this configuration.
    pub fn make(&self, config: &FederationConfig) -> Box<dyn AcceptanceCheck> {
        let sanity = SanityCheck { max_norm: config.limits.max_norm };
        match &self.held_out {
            Some(dataset) => Box::new(HeldOutCheck::new(dataset.clone(), self.tolerance, sanity)),
            None => Box::new(sanity),
        }
    }
}

/// Reads the clips that candidates are measured on.
fn held_out(records: &Records, cache: &Path) -> Result<Dataset, Failure> {
    let dataset = Dataset::read(cache)?;
    let in_use = records.backbone()?.map(|record| record.backbone.blob.sha256);
    if dataset.clips.is_empty() || in_use.as_ref() != Some(&dataset.provenance.backbone_sha256) {
        let message = format!("{} has no clips over the backbone in use", cache.display());
        return Err(Failure::new(message, "make it with `emofed features` over the same backbone"));
    }
    eprintln!("New models are measured on {} held-out clips of `{}`.", dataset.clips.len(), dataset.provenance.set);
    Ok(dataset)
}

/// Of what federations beside the first are made.
pub struct Hosting {
    /// The data folder.
    pub data: PathBuf,
    /// The first federation's records.
    pub records: Records,
    /// Which federations there are.
    pub registry: Arc<dyn FederationRegistry>,
    /// The operator's token, if one is configured.
    pub operator_token: Option<String>,
    /// The configuration.
    pub config: Config,
    /// Their acceptance checks.
    pub checks: Checks,
    /// What links begin with.
    pub link_origin: String,
}

/// What is served: `app`, the federations that an operator has made, and the operator's calls if they are configured.
pub fn host(app: App, hosting: Hosting) -> Result<Host, Failure> {
    let Hosting { data, records, registry, operator_token, config, checks, link_origin } = hosting;
    if operator_token.is_none() && !registry.is_used()? {
        return Ok(app.into());
    }
    let limits = config.limits.clone();
    let app = App { connections: app.connections.reserving(limits.max_federations), ..app };
    let parts = ServerParts {
        origins: app.origins.clone(),
        tls: app.tls.clone(),
        connections: app.connections,
        stopping: app.stopping.clone(),
    };
    let defaults = FederationDefaults {
        data,
        registry,
        operator_token_sha256: operator_token.map(|token| sha256_hex(token.as_bytes())),
        base: records,
        clock: Arc::new(SystemClock),
        configure: Box::new(move |name, values| FederationConfig { name, ..config.federation_config(values) }),
        acceptance: Box::new(move |config| checks.make(config)),
        code_days: limits.join_code_days,
        code_uses: limits.join_code_uses,
        joins_per_address: limits.joins_per_address(),
        max_federations: limits.max_federations,
        link_origin,
    };
    let federations = Arc::new(Federations::open(defaults, parts)?);
    let (found, unavailable) = federations.counts();
    if found > 0 {
        tracing::info!(found, unavailable, "federations beside the first");
    }
    let app = App { streams: federations.event_streams(), ..app };
    Ok(Host { app, federations: Some(federations) })
}
