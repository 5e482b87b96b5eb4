//! The two stores, each with an empty bucket of its own for every check.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use region::{Options, Region, Service};

use super::cutting::{self, Cut};
use super::moto;
use crate::cloud::Cloud;
use crate::cloud::s3::S3;
use crate::cloud::stand_in::cloud_at;

/// The region that needs no location constraint, which moto insists upon elsewhere.
const REGION: &str = "us-east-1";

/// A store with an empty bucket.
pub(super) struct Store {
    pub(super) s3: S3,
    at: SocketAddr,
    keys: [String; 2],
    /// `None` for moto, which lives as long as this process.
    _region: Option<Region>,
}

impl Store {
    pub(super) async fn of_region() -> Self {
        let region = Region::start(Options {
            region: REGION.into(),
            buckets: vec!["check".into()],
            ..Options::default()
        })
        .unwrap();
        let env = region.env();
        let keys = [
            env["AWS_ACCESS_KEY_ID"].clone(),
            env["AWS_SECRET_ACCESS_KEY"].clone(),
        ];
        let at = region
            .endpoint(Service::S3)
            .trim_start_matches("http://")
            .parse()
            .unwrap();
        Self {
            s3: cloud(at, &keys).await.s3("check"),
            at,
            keys,
            _region: Some(region),
        }
    }

    pub(super) async fn of_moto() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let at = moto::address();
        let keys = ["AKIAEXAMPLE".to_owned(), "secret".to_owned()];
        let bucket = format!("check-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let s3 = cloud(at, &keys).await.s3(&bucket);
        s3.client
            .create_bucket()
            .bucket(&bucket)
            .send()
            .await
            .unwrap();
        Self {
            s3,
            at,
            keys,
            _region: None,
        }
    }

    /// The same store behind a line that cuts its first connections off.
    pub(super) async fn cut(&self, cuts: impl IntoIterator<Item = Cut>) -> S3 {
        let at = cutting::before(self.at, cuts.into_iter().collect()).await;
        cloud(at, &self.keys).await.s3(self.s3.bucket())
    }

    /// A bucket that is not there.
    pub(super) async fn without_bucket(&self) -> S3 {
        cloud(self.at, &self.keys).await.s3("no-such-bucket")
    }
}

pub(super) async fn cloud(at: SocketAddr, [key, secret]: &[String; 2]) -> Cloud {
    cloud_at(&format!("http://{at}"), REGION, key, secret).await
}
