//! Versions, packages in a bucket, and old ones taken away.

use region::{Fault, Match, Options, Region, Service};
use time::macros::datetime;

use super::*;
use crate::cloud::stand_in::cloud_in;

const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const BUCKET: &str = "example-site";
const NOW: OffsetDateTime = datetime!(2026-11-03 10:15:09 UTC);

fn place(prefix: &str) -> PackageSource {
    PackageSource {
        bucket: BUCKET.into(),
        prefix: prefix.into(),
    }
}

async fn bucket() -> (Region, S3) {
    let region = Region::start(Options::default()).unwrap();
    let packages = cloud_in(&region, Service::S3).await.s3(BUCKET);
    (region, packages)
}

/// A package of so many bytes that no deflater makes smaller.
fn packed(size: usize) -> (tempfile::TempDir, Packed) {
    let folder = tempfile::tempdir().unwrap();
    let mut state = 0x5eed_1234_9876_4321_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    std::fs::write(
        folder.path().join("noise"),
        noise.flatten().take(size).collect::<Vec<u8>>(),
    )
    .unwrap();
    let packed = package(folder.path()).unwrap();
    (folder, packed)
}

#[test]
fn a_version_is_its_second_in_utc_and_the_beginning_of_its_hash() {
    let version = version(datetime!(2026-11-03 12:15:09.9 +2), HASH);
    assert_eq!(version, "20261103T101509Z-e3b0c442");
    assert!(is_ours(&version));
}

#[test]
fn the_newest_stay_and_so_does_what_is_asked_for_or_not_ours() {
    let ours: Vec<String> = (1..=6)
        .map(|day| format!("2026110{day}T101500Z-0a1b2c3d"))
        .collect();
    let mut keys: Vec<String> = ours
        .iter()
        .rev()
        .map(|version| format!("p/{version}.zip"))
        .collect();
    let foreign = [
        "p/site-latest.zip",
        "p/20261101T101500Z-0A1B2C3D.zip",
        "p/20261101T101500Z-0a1b2c3d.zip.sig",
        "p/20261101T101500Z-0a1b2c3d5.zip",
        "p/",
    ];
    keys.extend(foreign.map(str::to_owned));
    keys.extend([
        format!("p/sub/{}.zip", ours[0]),
        format!("q/{}.zip", ours[0]),
    ]);
    let went = |keep, never: &[String]| {
        outdated(keys.iter().map(String::as_str), &place("p/"), keep, never)
    };
    assert_eq!(went(2, &[]), ours[..4]);
    assert_eq!(went(2, &ours[1..2]), [&ours[..1], &ours[2..4]].concat());
    assert_eq!(went(6, &[]), Vec::<String>::new());
    assert_eq!(went(usize::MAX, &[]), Vec::<String>::new());
    assert_eq!(went(0, &[]), ours);
}

#[test]
fn what_cannot_be_shipped_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| format!("{:#}", package(path).unwrap_err());
    assert!(error(folder.path()).starts_with(&format!(
        "packing {}: it holds no files",
        folder.path().display()
    )));
    std::os::unix::fs::symlink("/etc", folder.path().join("leak")).unwrap();
    assert!(
        error(folder.path()).ends_with("leave it out by a line in .spotbootignore"),
        "{}",
        error(folder.path())
    );
    std::fs::write(folder.path().join("site.zip"), "PK").unwrap();
    assert!(error(&folder.path().join("site.zip")).contains("not a whole zip"));
    assert!(error(&folder.path().join("none")).contains("opening"));
}

#[tokio::test]
async fn a_package_small_or_large_stands_under_its_version_also_where_the_answer_was_lost() {
    for (size, operation) in [(1_000, "PutObject"), (9 << 20, "CompleteMultipartUpload")] {
        let (region, packages) = bucket().await;
        let (_folder, packed) = packed(size);
        region.fault(
            Match::service(Service::S3).operation(operation).nth(1),
            Fault::LoseAnswer,
        );
        let published = publish(&packages, &place("packages/"), &packed, NOW, |_| {})
            .await
            .unwrap();
        assert_eq!(
            published.version,
            format!("20261103T101509Z-{}", &packed.sha256[..8])
        );
        assert_eq!(published.key, format!("packages/{}.zip", published.version));
        assert_eq!(
            (published.sha256.as_str(), published.size),
            (packed.sha256.as_str(), packed.size)
        );
        assert!(
            region.s3().get(BUCKET, &published.key).unwrap().unwrap()
                == std::fs::read(packed.path()).unwrap()
        );
        publish(&packages, &place("packages/"), &packed, NOW, |_| {})
            .await
            .expect("the same again is no error");
    }
}

#[tokio::test]
async fn a_package_whose_write_met_another_is_published_and_nobody_elses_is_seen() {
    for (size, operation) in [(1_000, "PutObject"), (9 << 20, "CompleteMultipartUpload")] {
        let (region, packages) = bucket().await;
        let (_folder, packed) = packed(size);
        let write = Match::service(Service::S3).operation(operation);
        let met = region.fault(write.conditional().nth(1), Fault::conflict());
        let published = publish(&packages, &place("packages/"), &packed, NOW, |_| {})
            .await
            .unwrap();
        assert_eq!(region.hits(met), 1);
        assert!(
            region.s3().get(BUCKET, &published.key).unwrap().unwrap()
                == std::fs::read(packed.path()).unwrap()
        );
    }
}

#[tokio::test]
async fn anothers_package_of_that_name_is_an_error_and_stays() {
    let (region, packages) = bucket().await;
    let (_folder, packed) = packed(1_000);
    let key = format!("packages/{}.zip", version(NOW, &packed.sha256));
    region.s3().put(BUCKET, &key, "another").unwrap();
    let error = publish(&packages, &place("packages/"), &packed, NOW, |_| {})
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&key) && error.contains("another package stands there"),
        "{error}"
    );
    assert_eq!(region.s3().get(BUCKET, &key).unwrap().unwrap(), "another");
}

#[tokio::test]
async fn a_ready_zip_that_is_replaced_after_its_check_is_not_published() {
    let (region, packages) = bucket().await;
    let (folder, made) = packed(1_000);
    let given = folder.path().join("site.zip");
    std::fs::copy(made.path(), &given).unwrap();
    let checked = package(&given).unwrap();
    std::fs::write(&given, "other").unwrap();
    let error = format!(
        "{:#}",
        publish(&packages, &place("packages/"), &checked, NOW, |_| {})
            .await
            .unwrap_err()
    );
    assert!(error.contains("changed after it was checked"), "{error}");
    assert_eq!(region.count(Service::S3, ""), 0);
}

#[tokio::test]
async fn pruning_deletes_what_is_old_and_nothing_else() {
    let (region, packages) = bucket().await;
    let ours: Vec<String> = (1..=4)
        .map(|day| format!("2026110{day}T101500Z-0a1b2c3d"))
        .collect();
    for version in &ours {
        region
            .s3()
            .put(BUCKET, &format!("packages/{version}.zip"), "x")
            .unwrap();
    }
    region
        .s3()
        .put(BUCKET, "packages/site-latest.zip", "x")
        .unwrap();
    assert_eq!(
        prune(&packages, &place("packages/"), 2, &ours[..1])
            .await
            .unwrap(),
        ours[1..2]
    );
    let left = region.s3().list(BUCKET, "packages/").unwrap();
    let kept = [&ours[0], &ours[2], &ours[3]].map(|version| format!("packages/{version}.zip"));
    assert_eq!(
        left,
        [kept.as_slice(), &["packages/site-latest.zip".to_owned()]].concat()
    );
    region.fault(
        Match::service(Service::S3).operation("DeleteObject"),
        Fault::access_denied(),
    );
    let error = format!(
        "{:#}",
        prune(&packages, &place("packages/"), 1, &[])
            .await
            .unwrap_err()
    );
    assert!(
        error.contains("removing old packages") && error.contains("s3:DeleteObject"),
        "{error}"
    );
}
