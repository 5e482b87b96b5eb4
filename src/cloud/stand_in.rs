//! The adapters as they are in the product, but with one service's endpoint and credentials given, so that no test sets a variable of its
//! process.

use aws_config::Region;
use aws_credential_types::Credentials;
use region::Service;

use super::{Cloud, http, settings};

/// A cloud of which one service stands in a local region.
pub(crate) async fn cloud_in(region: &region::Region, service: Service) -> Cloud {
    let env = region.env();
    cloud_at(&region.endpoint(service), &env["AWS_REGION"], &env["AWS_ACCESS_KEY_ID"], &env["AWS_SECRET_ACCESS_KEY"]).await
}

/// A cloud whose services are all at one address.
pub(super) async fn cloud_at(endpoint: &str, region: &str, key: &str, secret: &str) -> Cloud {
    let credentials = Credentials::builder().access_key_id(key).secret_access_key(secret).provider_name("test").build();
    let settings = settings(Region::new(region.to_owned()), http::shared_client(http::shared_connector()));
    Cloud::new(&settings.endpoint_url(endpoint).credentials_provider(credentials).load().await)
}
