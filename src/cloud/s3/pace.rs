//! How uploads go: from an instance with one part's worth of memory, from CI several parts at once.

use std::time::Duration;

use aws_sdk_s3::config::Config;
use aws_smithy_types::timeout::TimeoutConfig;

/// How an upload goes: what it costs in memory, and how long a part may take. The SDK's watch gives
/// up a stalled one earlier.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadPace {
    /// At least S3's smallest part, 5 MiB ("Amazon S3 multipart upload limits"); ten thousand of
    /// them are far more than we ever write.
    pub(super) part: usize,
    pub(super) at_once: usize,
    /// One part's way up, on a slow line.
    attempt: Duration,
    operation: Duration,
}

/// Beside a site that serves.
pub(super) const MODEST: UploadPace = UploadPace {
    part: 5 << 20,
    at_once: 1,
    attempt: Duration::from_secs(60),
    operation: Duration::from_secs(180),
};
/// From CI, or from somebody's desk, whose slow line all parts share.
pub(super) const SWIFT: UploadPace = UploadPace {
    part: 8 << 20,
    at_once: 4,
    attempt: Duration::from_secs(480),
    operation: Duration::from_secs(1440),
};

impl UploadPace {
    pub(super) fn times(self) -> aws_sdk_s3::config::Builder {
        let times = TimeoutConfig::builder()
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build();
        Config::builder().timeout_config(times)
    }
}
