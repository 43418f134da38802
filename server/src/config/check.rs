//! What the configuration must say, and why it is refused.

use std::net::{IpAddr, SocketAddr};

use emofed::learning::StrategyError;
use emofed::protocol::MINIMUM_CONTRIBUTORS;

use super::{AcmeConfig, CertificateSource, Config, DeploymentConfig};
use crate::round::{Refusal, Stage};
use crate::serve::{authority, is_loopback};

/// Why the aggregator does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {file} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// A value makes no sense.
    #[error("the configuration: {0}")]
    Value(&'static str),
    /// The configured lecture may not be on the stage.
    #[error("stage.lecture: {0}")]
    Lecture(#[from] Refusal),
    /// The strategy cannot be used.
    #[error("the configuration: strategy: {0}")]
    Strategy(#[from] StrategyError),
    /// Rounds may close with fewer updates than the strategy takes.
    #[error(
        "rounds.minimum_clients is {found}, and the strategy {strategy} with these parameters needs at least {needed} clients: \
         raise one or change the other"
    )]
    TooFewForStrategy {
        /// The strategy's name.
        strategy: &'static str,
        /// The configured minimum.
        found: u32,
        /// The strategy's.
        needed: u32,
    },
    /// The model would be made of so few updates that it gives them away.
    #[error(
        "the strategy {strategy} makes a model of {found} of the updates, and fewer than {MINIMUM_CONTRIBUTORS} give single \
         updates away: use multi-krum with selected = {MINIMUM_CONTRIBUTORS} or more (a demonstration on loopback may go below \
         with --allow-few-contributors)"
    )]
    StrategyDiscloses {
        /// The strategy's name.
        strategy: &'static str,
        /// Updates that it selects.
        found: u32,
    },
    /// Few contributors, and others are served.
    #[error(
        "--allow-few-contributors is for demonstrations on loopback: with fewer than {MINIMUM_CONTRIBUTORS} contributors a \
         published model gives single updates away. Leave it out, or listen on 127.0.0.1 without a proxy"
    )]
    FewBeyondLoopback,
    /// Others are served, and under which origin is not known.
    #[error(
        "public_origin is missing: beyond loopback, or with a proxy in front, name the origin that browsers see, such as \
         public_origin = 'https://class.example.org' (no path, no default port, lower case)"
    )]
    NoPublicOrigin,
    /// Beyond loopback without a deployment statement.
    #[error(
        "{0} is not loopback, or a proxy or ACME is configured. Inferring emotions of other people needs a written statement: add a [deployment] section \
         with purpose, jurisdiction, legal_basis and contact to the configuration (see docs/PRIVACY.md), or listen on 127.0.0.1 without trusted_proxy and --tls acme"
    )]
    NoDeployment(IpAddr),
    /// Beyond loopback without TLS, our own or a proxy's.
    #[error(
        "{0} is not loopback, or public_origin is set, and there is no TLS: browsers give no page a camera without it. Add a [tls] section with \
         certificate and key, or start with --tls self-signed or --tls acme; or put a reverse proxy that ends TLS in front and set \
         trusted_proxy = true in the configuration; or listen on 127.0.0.1"
    )]
    NoTls(IpAddr),
}

impl Config {
    /// Checks that the aggregator may listen on `address` with this configuration.
    ///
    /// # Errors
    /// What is missing or makes no sense.
    pub fn check(&self, address: SocketAddr) -> Result<(), ConfigError> {
        let (learning, capture) = (&self.learning, &self.capture);
        let (rounds, limits) = (&self.rounds, &self.limits);
        let fewest = if self.few_contributors { 1 } else { MINIMUM_CONTRIBUTORS };
        let share = |value: f64| (0.0..=1.0).contains(&value);
        // Comparisons with NaN are false; infinities have to be asked for.
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let frames = capture.max_frames_per_second * capture.clip_ms as f64 / 1_000.0;
        let rules = [
            (
                rounds.minimum_clients >= fewest,
                "rounds.minimum_clients must be at least 3 (a demonstration on loopback may have fewer with \
                 --allow-few-contributors)",
            ),
            (
                rounds.minimum_clients <= limits.max_participants,
                "rounds.minimum_clients is above limits.max_participants: no round could close",
            ),
            (
                rounds.target_clients <= limits.max_participants,
                "rounds.target_clients is above limits.max_participants: no round could have so many updates",
            ),
            ((1..=366 * 86_400).contains(&rounds.duration_s), "rounds.duration_s must be between 1 and a year"),
            (
                limits.shortest_round_s <= rounds.duration_s,
                "limits.shortest_round_s is above rounds.duration_s: lower one or raise the other",
            ),
            (
                self.telemetry
                    .otlp_endpoint
                    .as_ref()
                    .is_none_or(|endpoint| endpoint.starts_with("http://") || endpoint.starts_with("https://")),
                "telemetry.otlp_endpoint must begin with http:// or https://, such as http://127.0.0.1:4318",
            ),
            (
                share(limits.max_loss_increase),
                "limits.max_loss_increase must be in 0..1 (1: a version is never rolled back by itself)",
            ),
            (share(learning.confidence_threshold), "learning.confidence_threshold must be in 0..1"),
            (positive(learning.learning_rate), "learning.learning_rate must be above 0 and finite"),
            (positive(learning.adam_epsilon), "learning.adam_epsilon must be above 0 and finite"),
            (learning.epochs > 0, "learning.epochs must be at least 1"),
            (learning.batch_size > 0, "learning.batch_size must be at least 1"),
            (
                learning.proximal >= 0.0 && learning.proximal.is_finite(),
                "learning.proximal must be at least 0 and finite",
            ),
            (share(learning.distillation), "learning.distillation must be in 0..1"),
            (share(learning.video_share), "learning.video_share must be in 0..1"),
            ((0.0..=2.0).contains(&learning.prior_correction), "learning.prior_correction must be in 0..2"),
            (positive(learning.minimum_face_px), "learning.minimum_face_px must be above 0 and finite"),
            (share(learning.maximum_face_outside), "learning.maximum_face_outside must be in 0..1"),
            (learning.maximum_face_aspect >= 1.0, "learning.maximum_face_aspect must be at least 1"),
            (
                share(learning.minimum_brightness)
                    && share(learning.maximum_brightness)
                    && learning.minimum_brightness < learning.maximum_brightness,
                "learning.minimum_brightness must be below learning.maximum_brightness, both in 0..1",
            ),
            ((0.0..=0.5).contains(&learning.minimum_contrast), "learning.minimum_contrast must be in 0..0.5"),
            (
                learning.minimum_sharpness >= 0.0 && learning.minimum_sharpness.is_finite(),
                "learning.minimum_sharpness must be at least 0 and finite",
            ),
            (
                learning.collapse_share > 0.0 && share(learning.collapse_share),
                "learning.collapse_share must be above 0 and at most 1",
            ),
            ((0.0..=0.5).contains(&learning.hold_out_share), "learning.hold_out_share must be in 0..0.5"),
            (
                learning.minimum_clips <= limits.max_examples,
                "learning.minimum_clips is above limits.max_examples: every update would be refused",
            ),
            (positive(capture.max_frames_per_second), "capture.max_frames_per_second must be above 0 and finite"),
            (capture.clip_ms > 0, "capture.clip_ms must be above 0"),
            ((0.0..=0.5).contains(&capture.clip_overlap), "capture.clip_overlap must be in 0..0.5"),
            (
                capture.minimum_frames as f64 <= frames,
                "capture.minimum_frames is more than capture.max_frames_per_second gives in capture.clip_ms: no clip \
                 would be kept",
            ),
            (limits.max_norm.is_none_or(positive), "limits.max_norm must be above 0 and finite"),
            (limits.max_examples > 0, "limits.max_examples must be at least 1"),
            (limits.max_participants > 0, "limits.max_participants must be at least 1"),
            (limits.kept_models > 0, "limits.kept_models must be at least 1"),
            (limits.max_federations <= 1_000, "limits.max_federations must be at most 1000"),
            (limits.join_code_days > 0, "limits.join_code_days must be at least 1"),
            (limits.joins_per_address() > 0, "limits.joins_per_address_per_hour must be at least 1"),
            (limits.connections_per_address >= 8, "limits.connections_per_address must be at least 8"),
            (
                self.public_origin.as_deref().is_none_or(|origin| authority(origin).is_some()),
                "public_origin must be like https://class.example.org: no path, no default port, lower case",
            ),
            (
                !self.has_tls()
                    || self.trusted_proxy
                    || self.public_origin.as_deref().is_none_or(|origin| origin.starts_with("https://")),
                "public_origin must begin with https:// where emofed speaks TLS itself",
            ),
            (
                self.stage.origins.iter().chain(&self.stage.embedders).all(|origin| is_secure_origin(origin)),
                "stage.origins and stage.embedders must be like https://meet.example.org: no path, no default port, lower \
                 case, and https but on loopback",
            ),
        ];
        if let Some((_, rule)) = rules.into_iter().find(|(kept, _)| !kept) {
            return Err(ConfigError::Value(rule));
        }
        let stage = Stage::from(self.stage.clone());
        stage.check(&stage.lecture)?;
        self.check_strategy(fewest)?;
        let is_acme = self.certificate == CertificateSource::Acme;
        if is_acme {
            self.check_acme()?;
        }
        // An authority vouches for names that others use.
        if !address.ip().is_loopback() || self.trusted_proxy || self.public_origin.is_some() || is_acme {
            if self.few_contributors {
                return Err(ConfigError::FewBeyondLoopback);
            }
            if !self.deployment.as_ref().is_some_and(DeploymentConfig::is_complete) {
                return Err(ConfigError::NoDeployment(address.ip()));
            }
            if !self.trusted_proxy && !self.has_tls() {
                return Err(ConfigError::NoTls(address.ip()));
            }
            let is_derived = self.certificate != CertificateSource::Files && !self.trusted_proxy;
            if self.public_origin.is_none() && !is_derived {
                return Err(ConfigError::NoPublicOrigin);
            }
        }
        Ok(())
    }

    /// Checks what is needed for certificates of an authority.
    fn check_acme(&self) -> Result<(), ConfigError> {
        let Some(AcmeConfig { domains, contact, terms_of_service_agreed, directory, .. }) = &self.acme else {
            return Err(ConfigError::Value(
                "--tls acme needs a section [acme] with domains and terms_of_service_agreed",
            ));
        };
        let is_address = |text: &String| text.contains('@') && !text.contains([':', ' ', ',', '?']) && text.is_ascii();
        let is_of_a_domain = |origin: &str| {
            let host = authority(origin).map(|authority| authority.split(':').next().unwrap_or_default());
            host.is_some_and(|host| domains.iter().any(|domain| domain == host))
        };
        let rules = [
            (
                *terms_of_service_agreed,
                "acme.terms_of_service_agreed: read the authority's terms of service (Let's Encrypt's are at https://letsencrypt.org/repository), \
                 and set it to true if you agree",
            ),
            (
                (1..=100).contains(&domains.len()) && domains.iter().all(|domain| is_domain(domain)),
                "acme.domains must be DNS names such as class.example.org, one to a hundred: no address, no wildcard, no port, lower case",
            ),
            (contact.iter().all(is_address), "acme.contact must be addresses of mail, without mailto:"),
            (directory.starts_with("https://"), "acme.directory must begin with https://"),
            (
                !self.trusted_proxy,
                "--tls acme and trusted_proxy contradict each other: a proxy that ends TLS gets the authority's challenges, so let it have \
                 the certificate",
            ),
            (
                self.public_origin.as_deref().is_none_or(is_of_a_domain),
                "the host of public_origin must be one of acme.domains",
            ),
        ];
        rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, rule)| Err(ConfigError::Value(rule)))
    }

    /// Checks the strategy by itself, and against the rounds, in which `fewest` updates may become a model.
    fn check_strategy(&self, fewest: u32) -> Result<(), ConfigError> {
        let (strategy, found) = (self.strategy.name(), self.rounds.minimum_clients);
        self.strategy.check()?;
        let needed = self.strategy.minimum_clients();
        if found < needed {
            return Err(ConfigError::TooFewForStrategy { strategy, found, needed });
        }
        let in_model = self.strategy.updates_in_model(found);
        if in_model < fewest {
            return Err(ConfigError::StrategyDiscloses { strategy, found: in_model });
        }
        Ok(())
    }
}

/// Whether browsers take what is served there for secure.
fn is_secure_origin(origin: &str) -> bool {
    authority(origin).is_some_and(|host| origin.starts_with("https://") || is_loopback(host))
}

/// Whether an authority could vouch for it.
fn is_domain(text: &str) -> bool {
    let is_host = authority(&format!("https://{text}")).is_some() && !text.contains([':', '[', ']']);
    is_host && text.parse::<IpAddr>().is_err()
}
