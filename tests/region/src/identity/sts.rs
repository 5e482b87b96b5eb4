//! STS, as far as profiles need it: <https://docs.aws.amazon.com/STS/latest/APIReference/>.

use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Identities, Trust};
use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::{Request, WebIdentity};
use crate::query::Form;
use crate::registry::{Credentials, Registry};
use crate::xml::Xml;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
const REQUEST_ID: &str = "8d5e2f3a-0000-4000-8000-000000000575";

pub(crate) struct Sts {
    registry: Arc<Registry>,
    identities: Identities,
}

impl Sts {
    pub(crate) fn new(registry: Arc<Registry>, identities: Identities) -> Sts {
        Sts {
            registry,
            identities,
        }
    }

    fn respond(&self, call: &Call) -> Result<String, Refusal> {
        let form = Form::of(call);
        match form.action() {
            "AssumeRole" => self.assume_role(call, &form),
            "AssumeRoleWithWebIdentity" => self.assume_role_with_web_identity(&form),
            "GetCallerIdentity" => self.get_caller_identity(call),
            _ => Err(form.unknown_action()),
        }
    }

    /// Within one account the role's trust decides.
    fn assume_role(&self, call: &Call, form: &Form) -> Result<String, Refusal> {
        let caller = self.registry.caller(call)?;
        let (arn, session) = (form.required("RoleArn")?, form.required("RoleSessionName")?);
        let denied = || {
            let who = self.registry.arn_of(call);
            Refusal::new(
                403,
                "AccessDenied",
                format!(
                    "User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"
                ),
            )
        };
        let role = self
            .identities
            .assumable_by(arn, &caller)
            .ok_or_else(denied)?;
        Ok(document("AssumeRole", |xml| {
            assumed(xml, self.identities.assume(&role, session))
        }))
    }

    /// Nobody signs this one: the token stands for the caller.
    fn assume_role_with_web_identity(&self, form: &Form) -> Result<String, Refusal> {
        let (arn, session) = (form.required("RoleArn")?, form.required("RoleSessionName")?);
        let token = form.required("WebIdentityToken")?;
        let identity = WebIdentity::read(token);
        let trusts = |trust: &Trust| match (trust, &identity) {
            (Trust::WebIdentity(known), _) => known == token,
            (Trust::Policy(policy), Some(identity)) => {
                policy.trusts(&self.registry.account, identity)
            }
            _ => false,
        };
        let denied = || {
            Refusal::new(
                403,
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            )
        };
        let role = self.identities.trusting(arn, trusts).ok_or_else(denied)?;
        Ok(document("AssumeRoleWithWebIdentity", |xml| {
            assumed(xml, self.identities.assume(&role, session))
        }))
    }

    fn get_caller_identity(&self, call: &Call) -> Result<String, Refusal> {
        self.registry.caller(call)?;
        Ok(document("GetCallerIdentity", |xml| {
            xml.text("Arn", self.registry.arn_of(call));
            xml.text("UserId", "AIDAEXAMPLEEXAMPLE123");
            xml.text("Account", &self.registry.account);
        }))
    }
}

fn document(action: &str, content: impl FnOnce(&mut Xml)) -> String {
    Xml::document(&format!("{action}Response"), NAMESPACE, |xml| {
        xml.element(&format!("{action}Result"), content);
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", REQUEST_ID));
    })
}

fn assumed(xml: &mut Xml, (credentials, arn, expires): (Credentials, String, OffsetDateTime)) {
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", &credentials.access_key);
        xml.text("SecretAccessKey", &credentials.secret);
        xml.maybe("SessionToken", credentials.session.as_ref());
        xml.text("Expiration", expires.format(&Rfc3339).unwrap_or_default());
    });
    xml.element("AssumedRoleUser", |xml| {
        let session = arn.rsplit('/').next().unwrap_or_default();
        xml.text("AssumedRoleId", format!("AROAEXAMPLEEXAMPLE123:{session}"));
        xml.text("Arn", &arn);
    });
}

impl Backend for Sts {
    const SERVICE: Service = Service::Sts;

    fn operation(&self, call: &Call) -> String {
        Form::of(call).action().to_owned()
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.registry.instance_of(call)
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        let fault = if refusal.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        let body = format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>",
            refusal.code,
            quick_xml::escape::escape(refusal.message.as_str())
        );
        answer(refusal.status, "text/xml", body)
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(400, "Throttling", "Rate exceeded")
    }

    fn permissions(&self, _: &Call) -> Vec<Request> {
        Vec::new()
    }

    async fn answer(&self, call: Call) -> Answer {
        match self.respond(&call) {
            Ok(body) => answer(200, "text/xml", body),
            Err(refusal) => self.refuse(&call, &refusal),
        }
    }
}
