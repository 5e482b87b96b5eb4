//! Looking at the site from outside: by curl, with the very line that is printed, and by DNS.
#![expect(
    clippy::disallowed_methods,
    reason = "the rule is about the product; this looks at it from outside"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::time::timeout;

use crate::setting::{DOMAIN, Setting};

const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) version: String,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// The site at one address.
pub(crate) struct Curl {
    args: Vec<String>,
    base: String,
}

impl Curl {
    pub(crate) fn new(setting: &Setting, address: Ipv4Addr) -> Self {
        let port = setting.https_port;
        let args = [
            "--cacert",
            &setting.roots().display().to_string(),
            "--resolve",
            &format!("{DOMAIN}:{port}:{address}"),
        ];
        Self {
            args: args.map(str::to_owned).into(),
            base: format!("https://{DOMAIN}:{port}"),
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The line that one may type, which is the one that [`Curl::get`] runs.
    pub(crate) fn line(&self, path: &str) -> String {
        format!("curl {} {}", self.args.join(" "), self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        let line = self.line(path);
        let mut command = Command::new("curl");
        command.args(&self.args).arg(self.url(path)).args([
            "--silent",
            "--show-error",
            "--max-time",
            "10",
            "--max-filesize",
            "1000000",
        ]);
        command
            .args([
                "--write-out",
                "\n%{http_code} %{http_version} %{content_type}",
            ])
            .stdin(Stdio::null());
        let output = command.output().await.context("starting curl")?;
        ensure!(
            output.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let text = String::from_utf8(output.stdout)
            .with_context(|| format!("{line}: the answer is not text"))?;
        let (body, end) = text
            .rsplit_once('\n')
            .context("curl left out what it was told to write")?;
        let mut words = end.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        Ok(Answer {
            status: word(),
            version: word(),
            content_type: word(),
            body: body.to_owned(),
        })
    }

    /// Gets a page and checks what every page here must be: 200, over HTTP/2 (curl has checked the
    /// chain and the name).
    pub(crate) async fn page(&self, path: &str) -> Result<Answer> {
        let answer = self.get(path).await?;
        if (answer.status.as_str(), answer.version.as_str()) != ("200", "2") {
            bail!(
                "{} answers {} over HTTP/{}, not 200 over HTTP/2",
                self.url(path),
                answer.status,
                answer.version
            );
        }
        Ok(answer)
    }
}

/// The paths of a page's style sheets.
pub(crate) fn style_sheets(html: &str) -> Vec<&str> {
    html.split("<link rel=\"stylesheet\" href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect()
}

/// Asks a DNS server for the A records of a name.
pub(crate) async fn addresses(server: SocketAddr, name: &str) -> Result<Vec<Ipv4Addr>> {
    let mut query = Message::query();
    query.add_query(Query::query(
        Name::from_ascii(format!("{name}."))?,
        RecordType::A,
    ));
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(server).await?;
    socket
        .send(&query.to_vec()?)
        .await
        .with_context(|| format!("asking {server} for {name}"))?;
    let mut answer = [0; 4096];
    let size = timeout(ANSWER_WITHIN, socket.recv(&mut answer))
        .await
        .with_context(|| format!("{server} does not answer"))??;
    let records = Message::from_vec(&answer[..size])?.answers;
    Ok(records
        .into_iter()
        .filter_map(|record| {
            if let RData::A(address) = record.data {
                Some(address.0)
            } else {
                None
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_sheets_are_found_in_a_page() {
        let page = r#"<link rel="stylesheet" href="/static/a.css"><link rel="icon" href="/x"><link rel="stylesheet" href="/static/b.css" media="print">"#;
        assert_eq!(style_sheets(page), ["/static/a.css", "/static/b.css"]);
    }
}
