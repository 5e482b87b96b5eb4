//! One order at the CA, made so that a crash at any instant costs no second one.
//!
//! The order's URL, its key and the TXT values stand in the bucket before anything is done with
//! them; the next run takes the order up where it stands, and removes the values in any case. Only
//! between the CA's answer to newOrder and the record of its URL can an order be lost, unissued:
//! RFC 8555 has no way to find it again (CAs may return it, section 7.4).

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{info, warn};

use super::cache::Cache;
use super::ledger::Terms;
use super::sealed::Flaw;
use super::signing_request::{identifiers, signing_request};
use super::{Certificate, Ledger, PrivateKey, due};
use crate::cloud::acme::{Acme, AcmeError, CertificateId, Dns01, Order};
use crate::cloud::route53::Route53;
use crate::cloud::s3::Condition;
use crate::cloud::secrets::SecretStores;

const LARGEST_PENDING: usize = 256 * 1024;
/// Route 53 propagates "generally within 60 seconds".
const RECORDS_IN_SYNC_WITHIN: Duration = Duration::from_secs(120);
const VALIDATED_WITHIN: Duration = Duration::from_secs(90);
const ISSUED_WITHIN: Duration = Duration::from_secs(90);

/// `certs/<ca>/<name>/pending.json`: an order on its way.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    url: String,
    key: PrivateKey,
    names: Vec<String>,
    values: Vec<Value>,
    /// It counts against no limit of the CA's.
    #[serde(default)]
    exempt: bool,
}

/// A TXT value of ours, and the zone it is added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    zone: String,
    name: String,
    value: String,
}

/// Where an order is made: the cache that remembers it, and the zones that prove the names.
pub struct Desk<'a> {
    pub cache: &'a Cache<'a>,
    pub route53: &'a Route53,
    pub secrets: &'a SecretStores,
    /// The id of the zone that holds a name of the site.
    pub zone_of: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Whether to ask the CA although the ledger says not to.
    pub force: bool,
}

impl Desk<'_> {
    /// Gets a certificate from the CA, as the successor of one of its own if there is one; the
    /// caller holds the lease that makes this order the only one.
    ///
    /// # Errors
    /// The CA's, the ledger's ([`super::Barred`]), Route 53's and the bucket's; the next run goes
    /// on from where this one stopped.
    pub async fn order(&self, replaces: Option<&Certificate>) -> Result<Certificate> {
        let names = self.names();
        let (ledger, now) = (self.cache.ledger().await?, self.now()?);
        let terms = match self.force {
            true => ledger.forced_terms(replaces, &names, now),
            false => ledger
                .terms(replaces, &names, now)
                .with_context(|| self.remedy())?,
        };
        let ordered = self
            .order_now(replaces.filter(|_| terms.replaces), terms, &ledger)
            .await;
        if let Some(refusal) = ordered
            .as_ref()
            .err()
            .and_then(|error| error.downcast_ref::<AcmeError>())
        {
            self.note(|ledger, now| ledger.has_failed(&names, refusal, now))
                .await;
        }
        let (certificate, exempt) = ordered?;
        self.note(|ledger, now| ledger.has_issued(&certificate, &names, exempt, now))
            .await;
        Ok(certificate)
    }

    /// That it cannot be written is no reason to fail for another cause than the CA's.
    async fn note(&self, change: impl Fn(&mut Ledger, OffsetDateTime)) {
        if let Err(error) = self.cache.amend(change).await {
            warn!("the next boot does not hear what the CA did: {error:#}");
        }
    }

    fn remedy(&self) -> String {
        format!(
            "s3://{}/{} remembers it: delete that once the cause is mended",
            self.cache.s3.bucket(),
            self.cache.ledger_key()
        )
    }

    fn now(&self) -> Result<OffsetDateTime> {
        self.cache.s3.now().context("S3 sent no Date header")
    }

    /// And whether it counts against no limit of the CA's.
    async fn order_now(
        &self,
        replaces: Option<&Certificate>,
        terms: Terms,
        ledger: &Ledger,
    ) -> Result<(Certificate, bool)> {
        let (account, left) = tokio::try_join!(self.account(), self.left_behind())?;
        if let Some(pending) = left {
            let exempt = pending.exempt;
            if let Some(certificate) = self.resumed(&account, pending).await? {
                return Ok((certificate, exempt));
            }
        }
        let (order, pending) = self
            .begin_somehow(&account, replaces, terms, ledger)
            .await?;
        let exempt = pending.exempt;
        Ok((self.conclude(order, pending).await?, exempt))
    }

    /// From an order wherever it stands to its certificate, checked.
    async fn conclude(&self, mut order: Order, mut pending: Pending) -> Result<Certificate> {
        let issued = self.complete(&mut order, &mut pending).await;
        self.withdraw(&pending.values).await;
        if let Err(error) = &issued
            && matches!(error.downcast_ref(), Some(AcmeError::Rejected { .. }))
        {
            self.forget().await?;
        }
        let (ca, names) = (&self.cache.ca.slug, self.cache.site.served_names());
        Certificate::check(ca, issued?, pending.key, &names, self.now()?)
            .context("checking the certificate that the CA issued")
    }

    /// Removes the record of the order: its certificate is stored, or the CA will never issue it.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn forget(&self) -> Result<()> {
        self.cache
            .s3
            .delete(&self.pending_key(), Condition::Always)
            .await?;
        Ok(())
    }

    /// The certificate of the order that an earlier run left. `None`: the CA has dropped that
    /// order, or lost its account; or the order is an old one whose record outlived its
    /// certificate's storing, so that what it gives is due or worse.
    async fn resumed(&self, account: &Acme, pending: Pending) -> Result<Option<Certificate>> {
        let found = match account.resume(&pending.url).await {
            Err(AcmeError::UnknownAccount { .. }) => None,
            found => found?,
        };
        let Some(order) = found else {
            self.withdraw(&pending.values).await;
            return Ok(None);
        };
        info!("taking up the order that an earlier run left");
        match self.conclude(order, pending).await {
            Ok(certificate) => Ok((self.now()? < due(&certificate, None)).then_some(certificate)),
            Err(error)
                if error
                    .downcast_ref()
                    .is_some_and(|flaw| !matches!(flaw, Flaw::NotYet(_))) =>
            {
                warn!("an order that an earlier run left gives no certificate of use: {error:#}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A new order, recorded; for a new account where the CA does not know ours.
    async fn begin_somehow(
        &self,
        account: &Acme,
        replaces: Option<&Certificate>,
        terms: Terms,
        ledger: &Ledger,
    ) -> Result<(Order, Pending)> {
        match self.begin(account, replaces, terms, ledger).await {
            Err(error)
                if matches!(error.downcast_ref(), Some(AcmeError::UnknownAccount { .. })) =>
            {
                warn!("the CA does not know the cached account; making a new one");
                self.begin(
                    &self.register(Condition::Always).await?,
                    replaces,
                    terms,
                    ledger,
                )
                .await
            }
            begun => begun,
        }
    }

    async fn left_behind(&self) -> Result<Option<Pending>> {
        let Some(object) = self
            .cache
            .s3
            .get(&self.pending_key(), LARGEST_PENDING)
            .await?
        else {
            return Ok(None);
        };
        let pending = serde_json::from_slice::<Pending>(&object.body).ok();
        if pending
            .as_ref()
            .is_some_and(|pending| pending.names == self.names() && pending.key.key_pair().is_ok())
        {
            return Ok(pending);
        }
        warn!("an order that an earlier run left is of no use any more");
        // Nobody else knows of its values: its record is about to be written over.
        self.withdraw(&pending.map(|pending| pending.values).unwrap_or_default())
            .await;
        Ok(None)
    }

    async fn begin(
        &self,
        account: &Acme,
        replaces: Option<&Certificate>,
        terms: Terms,
        ledger: &Ledger,
    ) -> Result<(Order, Pending)> {
        let (names, profile) = (self.names(), self.profile(account)?);
        info!(
            names = names.join(" "),
            ca = self.cache.ca.slug,
            "ordering a certificate"
        );
        let id = replaces.and_then(|replaced| CertificateId::of(&replaced.chain));
        let (order, exempt) = match account.new_order(&names, profile, id.as_ref()).await {
            Err(error @ AcmeError::NotReplaceable { .. }) => {
                warn!("ordering without naming what is replaced: {error}");
                if terms.exempt && !self.force {
                    ledger.may_spend(&names, self.now()?)?;
                }
                (account.new_order(&names, profile, None).await?, false)
            }
            order => (order?, terms.exempt),
        };
        let pending = Pending {
            url: order.url().to_owned(),
            key: PrivateKey::generate()?,
            names,
            values: Vec::new(),
            exempt,
        };
        self.record(&pending).await?;
        Ok((order, pending))
    }

    /// The site's profile. A CA that stands in for the first one need not offer it.
    fn profile(&self, account: &Acme) -> Result<Option<&str>> {
        let Some(profile) = self.cache.site.tls.profile.as_deref() else {
            return Ok(None);
        };
        match account.offers_profile(profile) {
            Ok(()) => Ok(Some(profile)),
            Err(error) if self.cache.ca == self.cache.site.first_ca() => {
                Err(without_waiting(error))
            }
            Err(error) => {
                warn!("ordering without it: {error}");
                Ok(None)
            }
        }
    }

    async fn record(&self, pending: &Pending) -> Result<()> {
        let body = serde_json::to_vec(pending).context("writing down the order")?;
        self.cache
            .s3
            .put(
                &self.pending_key(),
                body,
                Condition::Always,
                self.cache.site.tls.kms_key_id.as_deref(),
            )
            .await?;
        Ok(())
    }

    /// The TXT values that the CA waits for, recorded before the first of them is written to a
    /// zone.
    async fn wanted(&self, order: &mut Order, pending: &mut Pending) -> Result<Vec<Value>> {
        let wanted = order
            .challenges()
            .await?
            .into_iter()
            .map(|challenge| self.place(challenge))
            .collect::<Result<Vec<_>>>()?;
        let fresh: Vec<Value> = wanted
            .iter()
            .filter(|value| !pending.values.contains(value))
            .cloned()
            .collect();
        if !fresh.is_empty() {
            pending.values.extend(fresh);
            self.record(pending).await?;
        }
        Ok(wanted)
    }

    fn place(&self, challenge: Dns01) -> Result<Value> {
        let domain = challenge
            .name
            .strip_prefix("_acme-challenge.")
            .unwrap_or(&challenge.name);
        let zone = (self.zone_of)(domain).with_context(|| {
            format!("the CA wants a proof for {domain}, which is no name of this site")
        })?;
        Ok(Value {
            zone,
            name: challenge.name,
            value: challenge.value,
        })
    }

    /// From a recorded order to the chain.
    async fn complete(&self, order: &mut Order, pending: &mut Pending) -> Result<String> {
        let mut changes = Vec::new();
        for value in self.wanted(order, pending).await? {
            changes.push(
                self.route53
                    .add_txt_value(&value.zone, &value.name, &value.value)
                    .await?,
            );
        }
        for change in &changes {
            self.route53
                .wait_in_sync(change, Instant::now() + RECORDS_IN_SYNC_WITHIN)
                .await?;
        }
        order.validate(Instant::now() + VALIDATED_WITHIN).await?;
        let request = signing_request(&pending.key, &pending.names)?;
        Ok(order
            .finalize(&request, Instant::now() + ISSUED_WITHIN)
            .await?)
    }

    /// Removes our TXT values, and only ours. A value that stays does no harm, so this never fails
    /// an order.
    async fn withdraw(&self, values: &[Value]) {
        for value in values {
            if let Err(error) = self
                .route53
                .remove_txt_value(&value.zone, &value.name, &value.value)
                .await
            {
                warn!(
                    name = value.name,
                    "a validation value stays in the zone: {error}"
                );
            }
        }
    }

    fn pending_key(&self) -> String {
        self.cache.bucket().pending_order(self.cache.ca)
    }

    fn names(&self) -> Vec<String> {
        identifiers(&self.cache.site.served_names())
    }
}

/// An error that says what to mend in site.toml: no refusal after which to wait. A CA's limit stays
/// one.
pub(super) fn without_waiting(error: AcmeError) -> anyhow::Error {
    match error {
        AcmeError::Rejected { .. } => anyhow!("{error}"),
        other => other.into(),
    }
}
