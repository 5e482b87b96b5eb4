//! A distribution as the CloudFormation stack that `init --failover` renders would make it, so that
//! the suites run what users get.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use yaml_rust2::{Yaml, YamlLoader};

use super::{Caching, DistributionSpec, ErrorResponse};

impl DistributionSpec {
    /// The resources `Distribution`, `CachePolicy` and `BucketPolicy` of a mirror.yaml, under the domain name that
    /// CloudFront would have given the distribution.
    ///
    /// # Errors
    /// What CloudFront or S3 would not serve: an origin that nobody may read, for one.
    pub fn of_stack(stack: &str, domain: &str) -> Result<DistributionSpec> {
        let documents = YamlLoader::load_from_str(stack).context("reading the stack")?;
        let resources = &documents.first().context("the stack is empty")?["Resources"];
        let distribution = &resources["Distribution"];
        ensure!(
            distribution["Type"].as_str() == Some("AWS::CloudFront::Distribution"),
            "the stack has no Distribution"
        );
        let config = &distribution["Properties"]["DistributionConfig"];
        let bucket = bucket(&config["Origins"][0])?;
        Ok(DistributionSpec {
            aliases: texts(&config["Aliases"]),
            lists: grants(&resources["BucketPolicy"], &bucket)?,
            default_root_object: config["DefaultRootObject"].as_str().map(str::to_owned),
            error_responses: responses(&config["CustomErrorResponses"])?,
            caching: Some(caching(&resources["CachePolicy"])?),
            ..DistributionSpec::new(domain, &bucket)
        })
    }
}

/// The bucket behind an origin that is S3's REST endpoint, signed for by an origin access control.
fn bucket(origin: &Yaml) -> Result<String> {
    // Where the stack may make the bucket or find it, the name that is found is the last.
    let hosts = texts(&origin["DomainName"]);
    let host = hosts.last().map_or("", String::as_str);
    let (bucket, _) = host
        .rsplit_once(".s3.")
        .with_context(|| format!("the origin {host:?} is no bucket's REST endpoint"))?;
    ensure!(
        !origin["OriginAccessControlId"].is_badvalue() && !origin["S3OriginConfig"].is_badvalue(),
        "the origin {host} has no origin access control"
    );
    Ok(bucket.to_owned())
}

/// Whether the bucket's policy lets CloudFront list the bucket.
///
/// # Errors
/// It does not let CloudFront read it.
fn grants(policy: &Yaml, bucket: &str) -> Result<bool> {
    let statements = &policy["Properties"]["PolicyDocument"]["Statement"];
    let statements = statements.as_vec().into_iter().flatten();
    let of_cloudfront: Vec<&Yaml> = statements
        .filter(|each| each["Principal"]["Service"].as_str() == Some("cloudfront.amazonaws.com"))
        .collect();
    let allows = |action: &str, on: &str| {
        of_cloudfront.iter().any(|each| {
            each["Effect"].as_str() == Some("Allow")
                && texts(&each["Action"]).iter().any(|known| known == action)
                && texts(&each["Resource"]).iter().any(|known| known == on)
        })
    };
    let arn = format!("arn:aws:s3:::{bucket}");
    if !allows("s3:GetObject", &format!("{arn}/*")) {
        bail!("the policy of {bucket} does not let CloudFront read it");
    }
    Ok(allows("s3:ListBucket", &arn))
}

fn caching(policy: &Yaml) -> Result<Caching> {
    let config = &policy["Properties"]["CachePolicyConfig"];
    Ok(Caching {
        min: seconds(&config["MinTTL"]).context("reading MinTTL")?,
        default: seconds(&config["DefaultTTL"]).context("reading DefaultTTL")?,
        max: seconds(&config["MaxTTL"]).context("reading MaxTTL")?,
    })
}

fn seconds(value: &Yaml) -> Result<Duration> {
    let number = value.as_i64().and_then(|number| u64::try_from(number).ok());
    let number = number.with_context(|| format!("{value:?} is no number of seconds"))?;
    Ok(Duration::from_secs(number))
}

fn responses(list: &Yaml) -> Result<Vec<ErrorResponse>> {
    let status = |value: &Yaml| -> Result<u16> {
        let number = value.as_i64().and_then(|number| u16::try_from(number).ok());
        number.with_context(|| format!("{value:?} is no status"))
    };
    let response = |each: &Yaml| -> Result<ErrorResponse> {
        Ok(ErrorResponse {
            error: status(&each["ErrorCode"])?,
            page: each["ResponsePagePath"]
                .as_str()
                .context("an error response has no page")?
                .to_owned(),
            status: status(&each["ResponseCode"])?,
            kept_for: seconds(&each["ErrorCachingMinTTL"])?,
        })
    };
    list.as_vec().into_iter().flatten().map(response).collect()
}

/// One text or a list of them.
fn texts(value: &Yaml) -> Vec<String> {
    let list = value
        .as_vec()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter()
        .filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACK: &str = r#"
Resources:
  BucketPolicy:
    Properties:
      PolicyDocument:
        Statement:
          - Effect: Allow
            Principal: { Service: cloudfront.amazonaws.com }
            Action: s3:GetObject
            Resource: "arn:aws:s3:::my.mirror/*"
            Condition: { StringEquals: { "AWS:SourceArn": !Sub "arn:aws:cloudfront::${AWS::AccountId}:distribution/${Distribution}" } }
  CachePolicy:
    Properties:
      CachePolicyConfig: { MinTTL: 2, DefaultTTL: 30, MaxTTL: 86400 }
  Distribution:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Aliases: ["example.com", "*.example.com"]
        DefaultRootObject: index.html
        Origins:
          - { DomainName: !If [WithBucket, !GetAtt Bucket.RegionalDomainName, my.mirror.s3.eu-west-1.amazonaws.com], S3OriginConfig: { OriginAccessIdentity: "" }, OriginAccessControlId: !GetAtt Access.Id }
        CustomErrorResponses:
          - { ErrorCode: 403, ResponseCode: 503, ResponsePagePath: /404.html, ErrorCachingMinTTL: 10 }
"#;

    #[test]
    fn a_distribution_is_read_with_its_aliases_its_bucket_and_its_error_page() {
        let spec = DistributionSpec::of_stack(STACK, "d1.cloudfront.net").unwrap();
        assert_eq!(spec.aliases, ["example.com", "*.example.com"]);
        assert_eq!((spec.bucket.as_str(), spec.lists), ("my.mirror", false));
        let [response] = &spec.error_responses[..] else {
            panic!("{spec:?}");
        };
        assert_eq!(
            (response.error, response.status, response.page.as_str()),
            (403, 503, "/404.html")
        );
        let [min, default, max, error] = [2, 30, 86_400, 10].map(Duration::from_secs);
        assert_eq!(spec.caching, Some(Caching { min, default, max }));
        assert_eq!(response.kept_for, error);
    }

    #[test]
    fn a_distribution_that_cannot_read_its_bucket_is_none() {
        for (part, by) in [
            ("s3:GetObject", "s3:PutObject"),
            ("my.mirror/*", "other/*"),
            ("OriginAccessControlId", "OriginId"),
            (".s3.eu-west-1", ".s3-website-eu-west-1"),
            ("DefaultTTL: 30", "DefaultTTL: soon"),
        ] {
            let broken = STACK.replace(part, by);
            assert!(
                DistributionSpec::of_stack(&broken, "d1.cloudfront.net").is_err(),
                "{by}"
            );
        }
    }
}
