//! What stands at the foot of each command's help.

pub(super) const INIT: &str = "Examples:
  spotboot init --name example --domain example.com --bucket example-site \\
      --zone Z0123ABC --region eu-west-1 --kind python
  spotboot init --force --os debian-13      for instances with another system
  spotboot init --dry-run                   what would be written";

pub(super) const CHECK: &str = "Examples:
  spotboot check               exit code 2 where it found a problem
  spotboot check ./build --config ./site.toml --json";

pub(super) const UP: &str = "Examples:
  spotboot up --config s3://example-site/site.toml
  spotboot up --dry-run        what a boot would do here";

pub(super) const INSTALL: &str = "Example:
  spotboot install --config s3://example-site/site.toml";

pub(super) const DEPLOY: &str = "Examples:
  spotboot deploy ./build
  spotboot deploy ./build --in-place
  spotboot deploy ./build --no-rotate      the first release
  spotboot deploy ./build --dry-run        what would happen";

pub(super) const ROTATE: &str = "Example:
  spotboot rotate --batch 2";

pub(super) const ROLLBACK: &str = "Examples:
  spotboot rollback
  spotboot rollback 20261121T120000Z-0a1b2c3d      as `spotboot history` lists them";

pub(super) const HISTORY: &str = "Example:
  spotboot history --limit 5 --json";

pub(super) const STATUS: &str = "Example:
  spotboot status --json       exit code 3 where it found a problem";

pub(super) const LOGS: &str = "Examples:
  spotboot logs                            the last hour of all instances
  spotboot logs i-0abc --since 2h          of one, be it gone
  spotboot logs --kind access --json";

pub(super) const CERT: &str = "Examples:
  spotboot cert show
  spotboot cert renew --dry-run";

pub(super) const MIRROR: &str = "Examples:
  spotboot mirror                                      copy, check, compare, publish
  spotboot mirror --no-publish --report mirror.html    what would be published, and what is wrong
  spotboot mirror --url https://example.com/ --out ./mirror
  spotboot mirror check --published
  spotboot mirror hold 'the article comes out'";

pub(super) const FAILOVER: &str = "Examples:
  spotboot failover on --dry-run                       what would change, record by record
  spotboot failover on --page --why 'the app is down'
  spotboot failover on --redirect                      the app stays up; its visitors go to the mirror
  spotboot failover status
  spotboot failover off";
