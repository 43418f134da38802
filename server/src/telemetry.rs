//! What the aggregator tells of its own work: lines of a log, and, where a collector is configured, spans by OTLP.
//!
//! Only spans of this program leave the machine: the phases of a round, and uploads. Events do not, since one that refuses an
//! update names the participant's random id; nor do the spans `federation`, which are there for the log, one a second and federation.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterFn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// How long a collector may take to answer. Nothing but the export waits for it.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stop waits for the last spans to be sent.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The address cannot be one of a collector.
    #[error("telemetry.otlp_endpoint {endpoint}: {source}")]
    Endpoint {
        /// What is configured.
        endpoint: String,
        /// Why it cannot be.
        source: ExporterBuildError,
    },
}

/// The log and the export of spans; dropping it sends what is left.
pub struct Telemetry(Option<SdkTracerProvider>);

impl Telemetry {
    /// Begins to log to standard error, as the variable `RUST_LOG` says, and to send spans to the collector at `otlp_endpoint`
    /// (`http://HOST:4318`), if there is one. Not to be called on a runtime, which the export has of its own.
    ///
    /// # Errors
    /// [`TelemetryError::Endpoint`]; a collector that does not answer is none, and only logged.
    pub fn start(otlp_endpoint: Option<&str>) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let log = fmt::layer().with_writer(std::io::stderr).with_filter(filter);
        let provider = otlp_endpoint.map(provider).transpose()?;
        let spans = provider.as_ref().map(|provider| {
            let own = FilterFn::new(|metadata: &Metadata<'_>| {
                let is_ours = metadata.is_span() && metadata.target().starts_with("emofed");
                is_ours && metadata.level() <= &Level::INFO && metadata.name() != "federation"
            });
            tracing_opentelemetry::layer().with_tracer(provider.tracer("emofed")).with_filter(own)
        });
        tracing_subscriber::registry().with(log).with(spans).init();
        Ok(Self(provider))
    }
}

fn provider(endpoint: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let traces = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_endpoint(traces).with_timeout(EXPORT_TIMEOUT).build();
    let exporter = exporter.map_err(|source| TelemetryError::Endpoint { endpoint: endpoint.to_owned(), source })?;
    let resource = Resource::builder_empty().with_service_name("emofed").build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(|provider| provider.shutdown_with_timeout(STOP_TIMEOUT)) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}
