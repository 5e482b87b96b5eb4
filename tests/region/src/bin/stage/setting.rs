//! The setting: a region, a folder of its own for everything on disk, the sample site published,
//! and its names still on an older machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use region::sample::{self, Published};
use region::{Instance, InstanceSpec, Options, RecordSet, Region};
use tempfile::TempDir;

/// As in the sample's site.toml.
pub(crate) const DOMAIN: &str = "example.test";
pub(crate) const BUCKET: &str = "sample-site";
const ZONE: &str = "Z0EXAMPLETEST";

/// AWS's own limit, in requests per second.
const ROUTE53_RATE: u32 = 5;

/// Where the names point before the boot: an address for documentation (RFC 5737), so surely not
/// this machine.
const OLD_ADDRESS: &str = "203.0.113.7";

/// The new instance's public address, which has to lead to this machine.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

pub(crate) struct Setting {
    pub(crate) region: Region,
    pub(crate) published: Published,
    pub(crate) http_port: u16,
    pub(crate) https_port: u16,
    folder: TempDir,
}

impl Setting {
    pub(crate) fn prepare(latency: Duration) -> Result<Self> {
        let options = Options {
            zones: vec![(DOMAIN.to_owned(), ZONE.to_owned())],
            buckets: vec![BUCKET.to_owned()],
            route53_rate: Some(ROUTE53_RATE),
            latency,
            ..Options::default()
        };
        let region = Region::start(options).context("starting the region")?;
        for name in [DOMAIN.to_owned(), format!("www.{DOMAIN}")] {
            region
                .route53()
                .seed(ZONE, RecordSet::simple(&name, "A", 60, [OLD_ADDRESS]))?;
        }
        let published = sample::publish(
            &region.s3(),
            BUCKET,
            "",
            sample::package(&sample::folder())?,
        )?;
        // The site's own users have to reach their folders inside.
        let open = std::fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new()
            .prefix("spotboot-")
            .permissions(open)
            .tempdir()
            .context("making a temporary folder")?;
        let setting = Self {
            region,
            published,
            http_port: free_port(8080)?,
            https_port: free_port(8443)?,
            folder,
        };
        setting.write_files()?;
        Ok(setting)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The certificates that a browser would have to trust here.
    pub(crate) fn roots(&self) -> PathBuf {
        self.path("roots.pem")
    }

    /// A new instance, launched now.
    pub(crate) fn launch(&self, id: &str) -> Result<Instance> {
        let mut spec = InstanceSpec::new(id);
        spec.public_ipv4 = Some(ADDRESS);
        self.region.launch(spec)
    }

    /// Removes everything; a process that still runs from here, or a file that stays, is an error.
    pub(crate) fn remove(self) -> Result<()> {
        let left = processes_in(self.folder.path())?;
        self.folder
            .close()
            .context("removing the temporary folder")?;
        ensure!(left.is_empty(), "still running: {}", left.join("; "));
        Ok(())
    }

    /// The sample's site.toml with what differs here: the CA and, so that it runs beside another
    /// web server, the ports.
    fn write_files(&self) -> Result<()> {
        std::fs::write(self.roots(), self.region.acme_issuer_roots()?)
            .context("writing the CA's roots")?;
        let sample = std::fs::read_to_string(sample::folder().join("site.toml"))
            .context("reading the sample's site.toml")?;
        let (directory, ca) = (self.region.acme_directory(), self.region.acme_ca());
        let here = format!(
            "\n[tls]\ncontact = [\"mailto:webmaster@{DOMAIN}\"]\ndirectory = {directory:?}\ndirectory_ca = {ca:?}\n\
             \n[web]\nhttp_port = {}\nhttps_port = {}\n",
            self.http_port, self.https_port
        );
        std::fs::write(self.path("site.toml"), sample + &here).context("writing site.toml")
    }
}

/// `wanted` if nobody listens there, else any free one.
fn free_port(wanted: u16) -> Result<u16> {
    let bind = |port| TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
    let listener = bind(wanted)
        .or_else(|_| bind(0))
        .context("finding a free port")?;
    Ok(listener.local_addr()?.port())
}

/// The command lines that name a folder.
fn processes_in(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.to_string_lossy();
    let processes = std::fs::read_dir("/proc")
        .context("listing processes")?
        .flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| {
        String::from_utf8_lossy(&line)
            .replace('\0', " ")
            .trim()
            .to_owned()
    });
    Ok(lines
        .filter(|line| line.contains(folder.as_ref()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_by_its_folder() {
        let ours = std::env::current_exe().unwrap();
        assert!(!processes_in(&ours).unwrap().is_empty());
        assert!(
            processes_in(&ours.with_file_name("nothing-runs-from-here"))
                .unwrap()
                .is_empty()
        );
    }
}
