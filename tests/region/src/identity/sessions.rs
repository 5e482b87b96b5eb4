//! What a person's `aws sso login` and `aws login` leave on a desk, and which of it still holds.

use rcgen::KeyPair;
use time::OffsetDateTime;

use super::{Identities, Keys, LOGIN_LASTS, dpop};
use crate::locked;
use crate::registry::unique;

/// A session of IAM Identity Center, as `aws sso login` writes it to its cache.
#[derive(Clone, Debug)]
pub struct SsoSession {
    pub access_token: String,
    pub refresh_token: String,
    pub client_id: String,
    pub client_secret: String,
    /// When the access token ends.
    pub expires: OffsetDateTime,
}

/// A session of `aws login`, as that writes it to its cache.
#[derive(Clone, Debug)]
pub struct LoginSession {
    /// Whose it is: the profile's `login_session`.
    pub arn: String,
    pub keys: Keys,
    /// When the keys end.
    pub expires: OffsetDateTime,
    pub refresh_token: String,
    pub client_id: String,
    /// The private key that refreshes have to prove, in PEM (SEC 1).
    pub proof_key: String,
    /// Its public point.
    pub(super) public: Vec<u8>,
}

impl Identities {
    /// Signs a person in to IAM Identity Center, with an access token that ends then.
    pub fn sso_login(&self, expires: OffsetDateTime) -> SsoSession {
        let [access_token, refresh_token, client_secret] = [1; 3].map(|_| self.token());
        let session = SsoSession {
            access_token,
            refresh_token,
            client_id: unique(22),
            client_secret,
            expires,
        };
        locked(&self.known).sso.push(session.clone());
        session
    }

    /// Ends the session: neither its access token nor its refresh token holds any longer.
    pub fn sso_logout(&self, session: &SsoSession) {
        locked(&self.known)
            .sso
            .retain(|known| known.client_id != session.client_id);
    }

    /// Signs a person in to the console, with keys that end then.
    pub fn login(&self, user: &str, expires: OffsetDateTime) -> LoginSession {
        let arn = format!("arn:aws:iam::{}:user/{user}", self.registry.account);
        let pair = KeyPair::generate().expect("a key can be made");
        let session = LoginSession {
            keys: self
                .registry
                .issue("ASIA", arn.clone(), Some(expires))
                .into(),
            arn,
            expires,
            refresh_token: self.token(),
            client_id: "arn:aws:signin:::devtools/same-device".to_owned(),
            proof_key: dpop::sec1_pem(&pair.serialize_der()),
            public: pair.public_key_raw().to_vec(),
        };
        locked(&self.known).logins.push(session.clone());
        session
    }

    /// Ends the session, as AWS does after twelve hours: its refresh token no longer holds.
    pub fn logout(&self, session: &LoginSession) {
        locked(&self.known)
            .logins
            .retain(|known| known.arn != session.arn);
    }

    pub(super) fn token(&self) -> String {
        let token = unique(64);
        self.registry.issued_token(&token);
        token
    }

    /// New tokens for an SSO session: the old ones end.
    pub(super) fn renew_sso(
        &self,
        client: (&str, &str),
        refresh_token: &str,
        expires: OffsetDateTime,
    ) -> Option<SsoSession> {
        let renewed = [self.token(), self.token()];
        let mut known = locked(&self.known);
        let fits = |session: &&mut SsoSession| {
            session.refresh_token == refresh_token
                && (session.client_id.as_str(), session.client_secret.as_str()) == client
        };
        let session = known.sso.iter_mut().find(fits)?;
        (
            [session.access_token, session.refresh_token],
            session.expires,
        ) = (renewed, expires);
        Some(session.clone())
    }

    pub(super) fn holds_sso(&self, access_token: &str) -> bool {
        let now = OffsetDateTime::now_utc();
        locked(&self.known)
            .sso
            .iter()
            .any(|session| session.access_token == access_token && session.expires > now)
    }

    /// New keys for a login session whose key the caller has proven; a refresh token holds once.
    pub(super) fn renew_login(&self, refresh_token: &str, proven: &[u8]) -> Option<LoginSession> {
        let (renewed, expires) = (self.token(), OffsetDateTime::now_utc() + LOGIN_LASTS);
        let mut known = locked(&self.known);
        let session = known
            .logins
            .iter_mut()
            .find(|session| session.refresh_token == refresh_token && session.public == proven)?;
        session.keys = self
            .registry
            .issue("ASIA", session.arn.clone(), Some(expires))
            .into();
        (session.refresh_token, session.expires) = (renewed, expires);
        Some(session.clone())
    }
}
