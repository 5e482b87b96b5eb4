//! The systems that `init` renders for: their newest images, and what the rendered files name of
//! theirs. The tests run Debian alone: the values of Amazon Linux and Ubuntu are what their makers
//! document.

use super::glibc::Version;
use crate::cli::{Init, Os};

/// What the files of `init` need to know of an operating system.
pub struct System {
    /// For sentences.
    pub title: &'static str,
    /// The public parameters of Systems Manager that name the newest image of an architecture.
    x86_image: &'static str,
    arm_image: &'static str,
    /// The image's own name for its disk. Under any other name, a launch template would add a
    /// second disk and leave the first one as small as the image.
    pub root_device: &'static str,
    /// The packages of a Python that makes virtual environments.
    pub python: &'static [&'static str],
    /// The minor version of the one Python 3 that the distribution has. `None`: it has several.
    only_python: Option<&'static str>,
    glibc: Version,
}

impl System {
    /// The one that `--os` names, else Amazon Linux.
    pub fn asked(init: &Init) -> &'static Self {
        Self::of(init.os.unwrap_or(Os::AmazonLinux2023))
    }

    fn of(os: Os) -> &'static Self {
        match os {
            // AL2023 user guide: "Launching AL2023 using the SSM parameter and AWS CLI"; "Python in
            // AL2023" (python3 is 3.9 for ever, and python3.11 to 3.14 stand beside it; `venv` is
            // part of each). Its glibc stays 2.34 (amazonlinux/amazon-linux-2023, issue 958). EC2 user guide, "Device names for volumes": /dev/xvda is the root of
            // Amazon Linux.
            Os::AmazonLinux2023 => &Self {
                title: "Amazon Linux 2023",
                x86_image: "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
                arm_image: "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
                root_device: "/dev/xvda",
                python: &["python3.11"],
                only_python: None,
                glibc: Version(2, 34),
            },
            // Debian wiki, "Cloud/AmazonEC2Image/Bookworm": the parameters, and /dev/xvda.
            // packages.debian.org: python3 is 3.11, and python3-venv has what `venv` needs; libc6 is
            // 2.36.
            Os::Debian12 => &Self {
                title: "Debian 12",
                x86_image: "/aws/service/debian/release/12/latest/amd64",
                arm_image: "/aws/service/debian/release/12/latest/arm64",
                root_device: "/dev/xvda",
                python: &["python3", "python3-venv"],
                only_python: Some("11"),
                glibc: Version(2, 36),
            },
            // Debian wiki, "Cloud/AmazonEC2Image/Trixie"; packages.debian.org: python3 is 3.13,
            // libc6 is 2.41.
            Os::Debian13 => &Self {
                title: "Debian 13",
                x86_image: "/aws/service/debian/release/13/latest/amd64",
                arm_image: "/aws/service/debian/release/13/latest/arm64",
                root_device: "/dev/xvda",
                python: &["python3", "python3-venv"],
                only_python: Some("13"),
                glibc: Version(2, 41),
            },
            // Ubuntu on AWS documentation, "Find Ubuntu images": the parameters, whose disks are
            // gp3 from 24.04 on. EC2 user guide, "Device names for volumes": the root of other
            // images is /dev/sda1. packages.ubuntu.com: python3 is 3.12, libc6 is 2.39.
            Os::Ubuntu2404 => &Self {
                title: "Ubuntu 24.04",
                x86_image: "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
                arm_image: "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
                root_device: "/dev/sda1",
                python: &["python3", "python3-venv"],
                only_python: Some("12"),
                glibc: Version(2, 39),
            },
        }
    }

    /// The public parameter that names the newest image for ARM, or for x86.
    pub fn image(&self, arm: bool) -> &'static str {
        if arm { self.arm_image } else { self.x86_image }
    }

    /// What becomes of a program here that needs this glibc, where it cannot start.
    pub fn too_old_for(&self, needed: Version) -> Option<String> {
        let Self { title, glibc, .. } = self;
        (needed > *glibc).then(|| {
            format!(
                "this spotboot needs glibc {needed}, and {title} has {glibc}: instances cannot start it; build it on {title} or on an older system"
            )
        })
    }

    /// The first of these packages that the distribution is known not to have: a Python of another
    /// version, or a package for `venv` where the interpreter's own has it.
    pub fn lacks<'p>(&self, packages: &'p [String]) -> Option<&'p str> {
        let absent = |name: &&str| {
            let Some(rest) = name.strip_prefix("python3") else {
                return false;
            };
            let (version, part) = rest.split_once('-').unwrap_or((rest, ""));
            let minor = version.strip_prefix('.');
            match self.only_python {
                Some(own) => minor.is_some_and(|minor| minor != own),
                None => part == "venv",
            }
        };
        packages.iter().map(String::as_str).find(absent)
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    /// What people would write down for each system, on its own line.
    const TABLE: &str = "
amazon-linux-2023 /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64 /dev/xvda python3.11
debian-12 /aws/service/debian/release/12/latest/amd64 /dev/xvda python3 python3-venv
debian-13 /aws/service/debian/release/13/latest/amd64 /dev/xvda python3 python3-venv
ubuntu-24.04 /aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id /dev/sda1 python3 python3-venv
";

    #[test]
    fn each_system_has_its_image_disk_and_python() {
        let lines: Vec<String> = Os::value_variants()
            .iter()
            .map(|&os| {
                let (system, value) = (System::of(os), os.to_possible_value());
                let word = value.expect("it can be asked for").get_name().to_owned();
                let (image, disk) = (system.image(false), system.root_device);
                format!("{word} {image} {disk} {}", system.python.join(" "))
            })
            .collect();
        assert_eq!(format!("\n{}\n", lines.join("\n")), TABLE);
    }

    #[test]
    fn the_two_images_of_a_system_differ_by_their_architecture_alone() {
        for &os in Os::value_variants() {
            let system = System::of(os);
            let x86 = system.image(false);
            let arm = x86.replace("x86_64", "arm64").replace("amd64", "arm64");
            assert!(system.image(true) == arm && arm != x86, "{}", system.title);
        }
    }

    #[test]
    fn a_program_from_a_newer_system_is_told() {
        let told = |os: Os, minor| System::of(os).too_old_for(Version(2, minor));
        assert_eq!(
            told(Os::AmazonLinux2023, 39).as_deref(),
            Some(
                "this spotboot needs glibc 2.39, and Amazon Linux 2023 has 2.34: instances cannot start it; build it on Amazon Linux 2023 or on an older system"
            )
        );
        for (os, minor) in [
            (Os::AmazonLinux2023, 34),
            (Os::Debian12, 36),
            (Os::Ubuntu2404, 39),
            (Os::Debian13, 41),
        ] {
            assert_eq!(told(os, minor), None);
            assert!(told(os, minor + 1).is_some());
        }
    }

    #[test]
    fn a_package_that_the_system_has_not_is_told() {
        let lacks = |os: Os, packages: &[&str]| {
            let packages: Vec<String> = packages.iter().map(|&name| name.to_owned()).collect();
            System::of(os).lacks(&packages).map(str::to_owned)
        };
        for &os in Os::value_variants() {
            let own = [&["nginx", "python3", "ffmpeg"][..], System::of(os).python].concat();
            assert_eq!(lacks(os, &own), None);
        }
        for (os, package) in [
            (Os::AmazonLinux2023, "python3-venv"),
            (Os::AmazonLinux2023, "python3.12-venv"),
            (Os::Debian12, "python3.13"),
            (Os::Debian13, "python3.11"),
            (Os::Debian13, "python3.11-venv"),
            (Os::Ubuntu2404, "python3.11"),
        ] {
            assert_eq!(lacks(os, &["nginx", package]).as_deref(), Some(package));
        }
        for (os, package) in [
            (Os::AmazonLinux2023, "python3.13"),
            (Os::AmazonLinux2023, "python3.13-devel"),
            (Os::Debian12, "python3.11-venv"),
            (Os::Ubuntu2404, "python3.12"),
        ] {
            assert_eq!(lacks(os, &[package]), None);
        }
    }
}
