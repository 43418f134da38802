//! A bucket of S3, and the variables that say where it is and who asks.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};

use super::bucket::misplaced;
use crate::store::StoreError;

/// How often a request is repeated that the bucket did not answer or answered with 5xx, and for how long. Together with the last of
/// them, which may take half a minute, less than a call of the store may take.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(2), base: 2.0 },
    max_retries: 5,
    retry_timeout: Duration::from_secs(15),
};

/// The variables `AWS_…` that say where a bucket is and who asks.
#[derive(Clone, Default)]
pub struct S3Variables(Vec<(AmazonS3ConfigKey, String)>);

impl S3Variables {
    /// Those of this process.
    pub fn from_env() -> Self {
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(texts).collect()
    }

    /// Opens the bucket that `url` names, of which nothing is asked.
    ///
    /// # Errors
    /// `url` names none, or the variables make no sense.
    pub(super) fn open(&self, url: &str) -> Result<AmazonS3, StoreError> {
        let builder = self.builder(url)?.with_retry(RETRIES);
        builder.build().map_err(|error| misplaced(url, &error.to_string()))
    }

    /// Where the bucket is and who asks, without a secret.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub(super) fn describe(&self, url: &str) -> Result<String, StoreError> {
        let builder = self.builder(url)?;
        let endpoint = endpoint(&builder).unwrap_or_else(|| "Amazon".to_owned());
        let region = builder.get_config_value(&AmazonS3ConfigKey::Region);
        let region = region.unwrap_or_else(|| "us-east-1 (AWS_REGION is not set)".to_owned());
        let is_set = |key| builder.get_config_value(&key).is_some();
        let who = if is_set(AmazonS3ConfigKey::AccessKeyId) {
            "the key of AWS_ACCESS_KEY_ID"
        } else if is_set(AmazonS3ConfigKey::WebIdentityTokenFile) {
            "the identity of AWS_WEB_IDENTITY_TOKEN_FILE"
        } else if is_set(AmazonS3ConfigKey::ContainerCredentialsRelativeUri)
            || is_set(AmazonS3ConfigKey::ContainerCredentialsFullUri)
        {
            "the role of this container"
        } else {
            "the role of this machine (AWS_ACCESS_KEY_ID is not set)"
        };
        Ok(format!("{url} at {endpoint}, region {region}, with {who}"))
    }

    fn builder(&self, url: &str) -> Result<AmazonS3Builder, StoreError> {
        let named = url.strip_prefix("s3://").is_some_and(|bucket| !bucket.is_empty() && !bucket.starts_with('/'));
        if !named {
            return Err(misplaced(url, "name file:///FOLDER or s3://BUCKET/PREFIX"));
        }
        let set =
            |builder: AmazonS3Builder, (key, value): &(AmazonS3ConfigKey, String)| builder.with_config(*key, value);
        let builder = self.0.iter().fold(AmazonS3Builder::new(), set).with_url(url);
        match endpoint(&builder) {
            Some(endpoint) if endpoint.starts_with("http://") && !allows_http(&builder) => {
                let reason = format!(
                    "AWS_ENDPOINT is {endpoint}, where nothing is encrypted; name an https:// address, or set \
                     AWS_ALLOW_HTTP=true if nobody listens on the way"
                );
                Err(misplaced(url, &reason))
            }
            Some(endpoint) if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") => {
                Err(misplaced(url, &format!("AWS_ENDPOINT is {endpoint}; it has to begin with https://")))
            }
            _ => Ok(builder),
        }
    }
}

impl FromIterator<(String, String)> for S3Variables {
    /// Of these variables, those that say something of S3. Empty ones say nothing.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        let known = |(name, value): (String, String)| {
            let is_told = name.starts_with("AWS_") && !value.is_empty();
            Some((name.to_ascii_lowercase().parse().ok().filter(|_| is_told)?, value))
        };
        Self(variables.into_iter().filter_map(known).collect())
    }
}

fn endpoint(builder: &AmazonS3Builder) -> Option<String> {
    let of_s3 = builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint);
    of_s3.or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint))
}

fn allows_http(builder: &AmazonS3Builder) -> bool {
    let allowed = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    allowed.is_some_and(|allowed| matches!(allowed.to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on" | "y"))
}
